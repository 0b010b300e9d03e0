"""What the examples add, in use. `test_examples.py` runs it on a copy of the project that has them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import yaml
from curation_ground import make_recipe
from eval_world import write_benchmark
from places import ROOT

import editjudge
from editjudge.__main__ import main
from editjudge.cli.catalog import catalog
from editjudge.formats.funnel import read_funnel
from editjudge.records.types import PreferencePair

ANSWER = "import json, sys; asked = json.load(sys.stdin); print(json.dumps({'reasoning': '', 'score': [7, 5]}))"


def write_sheet(pairs: Path) -> Path:
    """The benchmark's overall pairs as a spreadsheet beside it, the preferred candidate always second."""
    rows = [PreferencePair.model_validate_json(line) for line in pairs.read_text().splitlines()]
    lines = [
        f"{pair.task.instruction},{pair.task.inputs[0].path},{pair.worse.edited.path},{pair.better.edited.path},second"
        for pair in rows
        if pair.dimension == "overall"
    ]
    path = pairs.parent / "sheet.csv"
    path.write_text("\n".join(["instruction,input,first,second,better", *lines]))
    return path


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An evaluation by the new engine and prompt set on the new format."""
    folder = tmp_path_factory.mktemp("evaluation")
    pairs = write_benchmark(folder, groups=2)
    recipe = {
        "out": str(folder / "out"),
        "bench": [{"use": "sheet", "path": str(write_sheet(pairs))}, {"use": "pairs", "path": str(pairs)}],
        "judge": {
            "engine": {"use": "program", "argv": [sys.executable, "-SEc", ANSWER], "label": "constant"},
            "prompts": "tens-v1",
            "cache": str(folder / "cache"),
        },
        "bootstrap_rounds": 100,
    }
    (folder / "eval.yaml").write_text(yaml.safe_dump(recipe))
    assert main(["eval", str(folder / "eval.yaml")]) == 0
    return folder / "out"


def test_ls_says_what_they_are() -> None:
    assert Path(editjudge.__file__).is_relative_to(ROOT)
    listed = catalog()
    for table, name, text in (
        ("sources, stages and filters", "unchanged", "Drop outputs"),
        ("editors", "mirror", "Mirrors the input"),
        ("engines", "program", "Asks an external program"),
        ("benchmarks", "sheet", "A CSV or TSV table"),
        ("metrics", "close_calls", "Share of scored pairs"),
        ("model families", "internvl_persona", "InternVL3 asked"),
        ("judges", "linear_head", "A linear head"),
        ("prompt sets", "tens-v1", "scores from 0 to 10"),
    ):
        assert listed[table][name].startswith(text)


def test_an_evaluation_has_their_figures(out: Path) -> None:
    results = json.loads((out / "results.json").read_text())
    sheet, pairs = results["evaluations"]
    assert (results["benchmarks"]["sheet"]["n_comparisons"], sheet["judge"]["prompts"]) == (6, "tens-v1")
    assert sheet["labels"]["comparisons"]["overall"]["coverage"] == 1
    metric = pairs["metrics"]["close_calls"]
    assert metric["figures"]["overall"]["value"] == 1, "all edits have the same score"
    assert metric["says"] in (out / "report.html").read_text()
    assert "close_calls" not in sheet["metrics"]


def test_a_command_reads_its_cards(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["best", str(out / "pairs" / "cards.jsonl"), "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {choice["overall"] for choice in found.values()} == {5.0}  # the root of 5 times 5
    assert len(found) == 2


def test_a_curation_runs_dry_with_them(tmp_path: Path) -> None:
    source, templates, edit, *_ = make_recipe()["stages"]
    edit = {**edit, "editors": {**edit["editors"], "mirror": {"use": "mirror"}}, "per_task": 3}
    stages = [source, templates, edit, {"use": "unchanged"}]
    (tmp_path / "recipe.yaml").write_text(
        yaml.safe_dump(make_recipe(out=str(tmp_path / "out"), stages=stages, parts={"train": {}}))
    )
    assert main(["check", str(tmp_path / "recipe.yaml")]) == 0
    assert main(["curate", str(tmp_path / "recipe.yaml"), "--dry-run"]) == 0
    assert read_funnel(tmp_path / "out-dry-run" / "funnel.json").parts["train"].rows > 0
