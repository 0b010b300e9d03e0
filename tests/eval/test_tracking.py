"""Logging a sweep to Weights & Biases, offline: the real package where it is installed."""

import importlib.util
import json
import re
import sys

import pytest
from eval_recipes import sweep_recipe as make_recipe
from eval_world import write_benchmark, write_checkpoint
from filled import filled

from editjudge.errors import MissingExtraError
from editjudge.formats.results.evaluation import JudgeOnBenchmark
from editjudge.formats.results.results import Results
from eval.checkpoints.options import Wandb
from eval.checkpoints.tracking import Tracker, metrics
from eval.sweep import run_sweep

INSTALLED = importlib.util.find_spec("wandb") is not None


def row(step=10, **changes):
    figure = {"value": 0.6, "low": None, "high": 0.7}
    found = {"pair_mean": figure, "task_mean": {"value": 0.5}, "coverage": 0.9}
    values = {"run": "sft", "step": step, "passes": 4, "benchmark": "bench", "judge": {"identity": str(step)}}
    return filled(JudgeOnBenchmark, **(values | {"dimensions": {"overall": found}} | changes))


def test_what_is_undefined_is_not_logged():
    assert metrics(row()) == {
        "bench/k4/overall/pair_mean": 0.6,
        "bench/k4/overall/pair_mean_high": 0.7,
        "bench/k4/overall/task_mean": 0.5,
        "bench/k4/overall/coverage": 0.9,
    }


def test_a_missing_package_is_told_before_anything_is_judged(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)  # Python's own mark of a module that cannot be imported
    pairs = write_benchmark(tmp_path / "bench", groups=1)
    write_checkpoint(tmp_path / "run", 10, noise=1.0)
    with pytest.raises(MissingExtraError, match=r"editjudge\[train\]"):
        run_sweep(make_recipe(tmp_path, pairs, wandb={}))
    assert not (tmp_path / "sweep" / "step-000000-k1").exists()


@pytest.mark.skipif(not INSTALLED, reason="wandb is not installed")
def test_every_local_copy_is_whole_and_nothing_is_written_twice(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_SILENT", "true")
    results = filled(Results, evaluations=[row(10), row(20)], runs={"sft": {"best": {"step": 10}}})
    assert Tracker(Wandb(), tmp_path).log(results) == 2
    results.evaluations.append(row(30))
    assert Tracker(Wandb(), tmp_path).log(results) == 1
    assert Tracker(Wandb(), tmp_path).log(results) == 0
    assert len(json.loads((tmp_path / "wandb.json").read_text())["logged"]) == 3
    files = sorted(tmp_path.glob("wandb/offline-run-*/*.wandb"))
    assert len({file.name for file in files}) == 1  # one run, by its id
    steps = [set(re.findall(rb"checkpoint_step\x82\x01\x02(\d\d)", file.read_bytes())) for file in files]
    assert steps == [{b"10", b"20"}, {b"10", b"20", b"30"}]
    assert all(b"bench/k4/overall/pair_mean" in file.read_bytes() for file in files)
    assert not [path for path in tmp_path.rglob("*") if path.name == "wandb-metadata.json"]


@pytest.mark.skipif(not INSTALLED, reason="wandb is not installed")
def test_a_sweep_logs_each_run_and_again_only_what_is_new(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_SILENT", "true")
    pairs = write_benchmark(tmp_path / "bench", groups=4)
    runs = {name: tmp_path / name for name in ("first", "second")}
    for run in runs.values():
        write_checkpoint(run, 10, noise=1.0)
    recipe = make_recipe(tmp_path, pairs, run=None, runs=runs, last=None, wandb={"project": "demo"})
    folders = tmp_path / "sweep" / "wandb"
    run_sweep(recipe)
    assert len(list(folders.glob("offline-run-*"))) == 2
    run_sweep(recipe)
    assert len(list(folders.glob("offline-run-*"))) == 2
    write_checkpoint(runs["second"], 20, noise=1.0)
    run_sweep(recipe)
    assert len(list(folders.glob("offline-run-*"))) == 3
