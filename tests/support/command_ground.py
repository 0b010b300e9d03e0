"""Every command with arguments that work here, in folders with non-ASCII names."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import yaml
from eval_world import write_benchmark
from factories import make_image
from fake_studio import TOKEN, fake_studio
from places import ROOT
from sft_ground import make_base, make_run
from studio_ground import write_groups

from editjudge.cli.commands import load_command

CURATE = ROOT / "recipes" / "quickstart" / "curate.yaml"
STREAMS = ("PYTHONIOENCODING", "PYTHONUTF8", "PYTHONCOERCECLOCALE", "LC_ALL", "LC_CTYPE", "LANG", "EDITJUDGE_UTF8")

Run = tuple[list[str], int, str]
"""Arguments, exit status, and a part of the output in ASCII."""


def editjudge(arguments: list[str], variables: dict[str, str], **options) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if key not in STREAMS}
    environment = kept | {"LABEL_STUDIO_API_KEY": TOKEN} | variables
    command = [sys.executable, "-m", "editjudge", *arguments]
    defaults = {"capture_output": True, "encoding": "latin-1", "cwd": ROOT, "timeout": 120, "check": False}
    return subprocess.run(command, env=environment, **(defaults | options))


def write_yaml(path: Path, **values) -> str:
    path.write_text(yaml.safe_dump(values, allow_unicode=True), encoding="utf-8")
    return str(path)


def judge(folder: Path) -> dict:
    reply = '{"reasoning": "Schön – 很好.", "score": [20, 15]}'
    return {"engine": {"use": "scripted", "replies": [reply]}, "prompts": "brief-v1"}


@contextmanager
def score(folder: Path) -> Iterator[Run]:
    for name in ("vorher_ü.png", "nachher_图.png"):
        make_image().save(folder / name)
    files = ["--input", str(folder / "vorher_ü.png"), "--output", str(folder / "nachher_图.png")]
    recipe = write_yaml(folder / "judge.yaml", **judge(folder))
    yield ["score", "--instruction", "Mach es schön", *files, "--judge", recipe], 0, "n - \\u5f88\\u597d."


@contextmanager
def check(folder: Path) -> Iterator[Run]:
    yield ["check", str(CURATE), f"out={folder}/图"], 0, "/\\u56fe"


@contextmanager
def curate(folder: Path) -> Iterator[Run]:
    yield ["curate", str(CURATE), f"out={folder}/图", "--dry-run"], 0, "\\u56fe"


def evaluation(folder: Path, name: str) -> list[str]:
    write_benchmark(folder / "bänk", groups=3)
    recipe = write_yaml(
        folder / "eval.yaml",
        out=str(folder / name),
        bench=[{"use": "pairs", "path": str(folder / "bänk" / "pairs.jsonl")}],
        judge=judge(folder),
        bootstrap_rounds=200,
        report={"title": "Ein Maß – 图"},
    )
    return ["eval", recipe]


@contextmanager
def evaluate(folder: Path) -> Iterator[Run]:
    yield evaluation(folder, "图"), 0, "\\u56fe/report.html"


@contextmanager
def compare(folder: Path) -> Iterator[Run]:
    assert editjudge(evaluation(folder, "图"), {"PYTHONUTF8": "1"}).returncode == 0
    yield ["compare", str(folder / "图"), str(folder / "图"), "--rounds", "100"], 0, "\\u56fe"


@contextmanager
def sweep(folder: Path) -> Iterator[Run]:
    bench = [{"use": "pairs", "path": str(folder / "图.jsonl")}]
    values = {"bench": bench, "judge": {"engine": {"use": "hf", "model": str(folder / "base")}, "prompts": "brief-v1"}}
    recipe = write_yaml(folder / "sweep.yaml", out=str(folder / "sweep"), run=str(folder / "图"), **values)
    yield ["sweep", recipe], 2, "\\u56fe"


@contextmanager
def sft(folder: Path) -> Iterator[Run]:
    recipe = make_run(folder, make_base(folder / "Basis_图"), train={"max_steps": 1, "save_steps": 1})
    yield ["sft", str(recipe), f"out={folder}/图"], 0, "\\u56fe/checkpoint-1: trained, 1 steps"


@contextmanager
def merge(folder: Path) -> Iterator[Run]:
    yield ["merge", str(folder / "图"), str(folder / "out")], 1, "\\u56fe: no such checkpoint folder"


def campaign(folder: Path, **blocks: object) -> str:
    """Write a recipe of one group and two units."""
    write_groups(folder, 1)
    project = {"title": "Prüfung 图", "groups": str(folder / "groups.jsonl"), "units": [{"name": "a"}, {"name": "b"}]}
    return write_yaml(folder / "campaign.yaml", out=str(folder / "图"), project=project, **blocks)


def ranked(folder: Path) -> str:
    """Write the same recipe, and import a ranking for each unit."""
    recipe = campaign(folder, agreement={"bootstrap_rounds": 50}, pairs={"consensus": "majority"})
    (folder / "tiers.csv").write_text("task_id,unit,tiers\ng0,a,3|12|45\ng0,b,3|12|45\n")
    assert load_command("annotate import")([recipe, str(folder / "tiers.csv")]) == 0
    return recipe


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Write the same recipe, for a server that runs for the duration of the block."""
    with fake_studio() as studio:
        yield campaign(folder, server={"url": studio.url, "images_url": f"{studio.url}/图/"})


@contextmanager
def annotate_serve(folder: Path) -> Iterator[Run]:
    yield ["annotate", "serve", campaign(folder), "--stop"], 0, "No Label Studio"


@contextmanager
def annotate_push(folder: Path) -> Iterator[Run]:
    with served(folder) as recipe:
        yield ["annotate", "push", recipe], 0, "1 added"


@contextmanager
def annotate_pull(folder: Path) -> Iterator[Run]:
    with served(folder) as recipe:
        assert editjudge(["annotate", "push", recipe], {}).returncode == 0
        yield ["annotate", "pull", recipe], 0, "\\u56fe/rankings.jsonl"


@contextmanager
def annotate_status(folder: Path) -> Iterator[Run]:
    with served(folder) as recipe:
        assert editjudge(["annotate", "push", recipe], {}).returncode == 0
        yield ["annotate", "status", recipe], 0, "\\u56fe/status.html"


@contextmanager
def annotate_import(folder: Path) -> Iterator[Run]:
    (folder / "a.csv").write_text("task_id,tiers\ng0,12345\n")
    yield ["annotate", "import", campaign(folder), str(folder / "a.csv"), "--unit", "a"], 0, "\\u56fe/rankings.jsonl"


@contextmanager
def annotate_agreement(folder: Path) -> Iterator[Run]:
    yield ["annotate", "agreement", ranked(folder)], 0, "2 units"


@contextmanager
def annotate_pairs(folder: Path) -> Iterator[Run]:
    yield ["annotate", "pairs", ranked(folder)], 0, "\\u56fe/pairs.jsonl"


@contextmanager
def quickstart(folder: Path) -> Iterator[Run]:
    (folder / "图").write_text("a file where a folder is needed")
    yield ["quickstart", "--out", str(folder / "图")], 1, "\\u56fe/curate"


@contextmanager
def doctor(folder: Path) -> Iterator[Run]:
    yield ["doctor", str(folder / "图")], 0, str(folder).encode("ascii", "backslashreplace").decode()


@contextmanager
def ls(folder: Path) -> Iterator[Run]:
    yield ["ls"], 0, "quickstart/curate"


@contextmanager
def recipe_ls(folder: Path) -> Iterator[Run]:
    yield ["recipe", "ls"], 0, "quickstart/curate"


@contextmanager
def recipe_show(folder: Path) -> Iterator[Run]:
    yield ["recipe", "show", "quickstart/curate"], 0, "# editjudge curate recipes/quickstart/curate.yaml"


@contextmanager
def recipe_copy(folder: Path) -> Iterator[Run]:
    yield ["recipe", "copy", "quickstart/curate", str(folder / "图")], 0, "\\u56fe/quickstart/curate.yaml"


@contextmanager
def curate_report(folder: Path) -> Iterator[Run]:
    yield ["curate", "report", str(folder / "图")], 1, "\\u56fe/funnel.json"


EXAMPLES: dict[str, Callable[[Path], AbstractContextManager[Run]]] = {
    **{"quickstart": quickstart, "doctor": doctor, "ls": ls, "check": check, "curate": curate},
    **{"recipe ls": recipe_ls, "recipe show": recipe_show, "recipe copy": recipe_copy},
    **{"curate report": curate_report, "sft": sft, "merge": merge, "annotate serve": annotate_serve},
    **{"annotate push": annotate_push, "annotate pull": annotate_pull, "annotate import": annotate_import},
    **{"annotate status": annotate_status, "annotate agreement": annotate_agreement},
    **{"annotate pairs": annotate_pairs, "sweep": sweep, "eval": evaluate, "compare": compare, "score": score},
}


def example(name: str, folder: Path) -> AbstractContextManager[Run]:
    """Return a command with arguments, or with `--help` when it has no example."""
    return EXAMPLES[name](folder) if name in EXAMPLES else nullcontext(([*name.split(), "--help"], 0, "usage"))
