"""`editjudge sweep --watch` in one process while a real training run writes its checkpoints in another."""

from __future__ import annotations

import json
import re
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from children import environment, start, stopped_at, wait_until
from eval_world import write_benchmark
from places import ROOT
from sft_ground import make_run

from editjudge.files.io import read_jsonl
from editjudge.records.types import ScoreCard

BASE = ROOT / "sft" / "tiny_base"
SAVED = [15, 30, 45, 60]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def launch(folder: Path, *command: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """An `editjudge` command; what it prints goes to `<command>.log` in the folder."""
    with (folder / f"{command[0]}.log").open("w") as log:
        return start(["-m", "editjudge", *command], cwd=folder, env=env or environment(), stdout=log)


def write_sweep(folder: Path) -> Path:
    """The recipe of a sweep over the run that `make_run` describes in the same folder."""
    recipe = {
        "out": str(folder / "sweep"),
        "run": str(folder / "out"),
        "bench": [{"use": "pairs", "path": str(write_benchmark(folder / "bench", groups=8))}],
        "judge": {
            "engine": {"use": "hf", "model": str(BASE), "dtype": "float32", "device": "cpu", "batch_size": 64},
            "prompts": "brief-v1",
            "sampling": {"temperature": 0, "max_new_tokens": 64},
            "max_pixels": 3136,
            "colors": "srgb",  # nothing is left to the training, so the base need not wait for it
        },
        "last": {"passes": 2, "sampling": {"temperature": 0.7, "max_new_tokens": 64}},
        "probes": {"groups": 6, "use": ["identical", "black"]},
        "bootstrap_rounds": 200,
        "runtime": {"poll_s": 0.2},
    }
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


def steps_so_far(results: Path) -> list[int]:
    return [entry["step"] for entry in json.loads(results.read_text())["checkpoints"]] if results.exists() else []


def written(evaluation: Path) -> list[str]:
    """What the judge wrote, in the benchmark's order."""
    return [row.raw for card in read_jsonl(evaluation / "cards.jsonl", ScoreCard) for row in card.judgments]


def test_a_sweep_follows_a_real_training_run_to_its_end(tmp_path: Path) -> None:
    results = tmp_path / "sweep" / "results.json"
    train = {"max_steps": SAVED[-1], "save_steps": SAVED[0]}
    training = None
    training_recipe = make_run(tmp_path, BASE, max_pixels=3136, train=train)
    stopped = tmp_path / "stopped"
    watching = launch(tmp_path, "sweep", str(write_sweep(tmp_path)), "--watch")
    try:
        wait_until(lambda: steps_so_far(results) == [0], watching)  # the base is measured before there is a run
        assert not (tmp_path / "out").exists()
        # Training stands still before its second checkpoint counts, until the first was measured.
        env = stopped_at(f"*/checkpoint-{SAVED[1]}/done.json", stopped)
        training = launch(tmp_path, "sft", str(training_recipe), env=env)
        wait_until(stopped.exists, training)
        wait_until(lambda: steps_so_far(results) == [0, SAVED[0]], watching)
        stopped.unlink()
        training.wait()
        watching.wait()
    finally:
        for process in (watching, training):
            if process is not None:
                process.kill()
                process.wait()
    said = (tmp_path / "sweep.log").read_text()
    assert (training.returncode, watching.returncode) == (0, 0), said + (tmp_path / "sft.log").read_text()

    # Every checkpoint once, the last with more passes too, and its probes.
    asked = [(int(step), int(passes)) for step, passes in re.findall(r"step (\d+), K=(\d), pairs: 24/24 in", said)]
    assert sorted(asked) == [*((step, 1) for step in SAVED), (SAVED[-1], 2)]
    found = json.loads(results.read_text())
    assert steps_so_far(results) == [0, *SAVED]
    state = found["runs"]["out"]
    assert (state["finished"], state["incomplete"], state["missed"], state["failed"]) == (True, [], [], [])
    assert [(row["step"], row["probe"]) for row in found["probes"]] == [(SAVED[-1], "identical"), (SAVED[-1], "black")]
    # So short a training teaches nothing, but each checkpoint answers in its own way.
    replies = [written(tmp_path / "sweep" / f"step-{step:06d}-k1" / "pairs") for step in (0, *SAVED)]
    assert all(one != other for one, other in pairwise(replies))
    assert (tmp_path / "sweep" / "report.html").is_file()
    assert f"out: {found['runs']['out']['best']['words']}" in said
