"""Probes in a sweep: of the last checkpoint of each run, asked once, and whole after a kill."""

import json
import shutil
from pathlib import Path

import pytest
from children import killed_at, run_until_killed
from eval_recipes import measured
from eval_recipes import probes_recipe as make_recipe
from eval_world import comparable, write_benchmark, write_checkpoint

from editjudge.errors import StaleOutputError
from eval.sweep import run_sweep

MUST_FALL = ("identical", "black", "swapped", "other_instruction")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return write_benchmark(tmp_path_factory.mktemp("bench"), groups=8)


def asked(folder: Path) -> set:
    """The adapters that were asked since the last call."""
    log = folder / "log"
    found = {json.loads(line)[0] for line in log.read_text().splitlines()} if log.exists() else set()
    log.unlink(missing_ok=True)
    return found


def test_only_the_last_checkpoint_of_each_run_is_probed_and_once(tmp_path, pairs):
    for name in ("a", "b"):
        write_checkpoint(tmp_path / name, 10, noise=4.0)
        write_checkpoint(tmp_path / name, 20, noise=0.5)
    runs = {"first": tmp_path / "a", "second": tmp_path / "b"}
    recipe = make_recipe(tmp_path, pairs, run=None, runs=runs, probes={"groups": 6, "use": MUST_FALL})
    results = run_sweep(recipe).as_json()
    assert [(row["run"], row["step"], row["probe"]) for row in results["probes"]] == [
        (run, 20, probe) for run in runs for probe in MUST_FALL
    ]
    # This judge sees the edit and reads no instruction.
    assert [row["passed"] for row in results["probes"]] == [6, 6, 6, 0] * 2
    # With the usual number of passes, whatever more the last checkpoint was given.
    assert [str(path.relative_to(tmp_path / "sweep")) for path in sorted(tmp_path.rglob("probes"))] == [
        f"runs/{run}/step-000020-k1/pairs/probes" for run in runs
    ]
    asked(tmp_path)
    again = run_sweep(recipe).as_json()
    assert asked(tmp_path) == set()
    assert again["probes"] == results["probes"]


def test_a_newer_checkpoint_is_probed_in_place_of_the_older(tmp_path, pairs):
    write_checkpoint(tmp_path / "run", 10, noise=1.0)
    run_sweep(make_recipe(tmp_path, pairs, last=None))
    write_checkpoint(tmp_path / "run", 20, noise=0.5)
    asked(tmp_path)
    results = run_sweep(make_recipe(tmp_path, pairs, last=None)).as_json()
    assert asked(tmp_path) == {"checkpoint-20"}
    assert {row["step"] for row in results["probes"]} == {20}


def test_a_last_checkpoint_that_was_removed_is_not_probed(tmp_path, pairs):
    for step in (10, 20):
        write_checkpoint(tmp_path / "run", step, noise=1.0)
    run_sweep(make_recipe(tmp_path, pairs, last=None, probes=None))
    shutil.rmtree(tmp_path / "run" / "checkpoint-20")
    results = run_sweep(make_recipe(tmp_path, pairs, last=None)).as_json()
    assert measured(results) == [("run", 0, 1), ("run", 10, 1), ("run", 20, 1)]
    assert results["probes"] == []


def test_other_settings_of_the_probes_are_refused(tmp_path, pairs):
    write_checkpoint(tmp_path / "run", 10, noise=1.0)
    run_sweep(make_recipe(tmp_path, pairs, last=None))
    with pytest.raises(StaleOutputError, match="groups: 6 -> 7"):
        run_sweep(make_recipe(tmp_path, pairs, last=None, probes={"groups": 7}))


KILLED = """
import sys
from pathlib import Path
from eval_recipes import probes_recipe as make_recipe
from eval.sweep import run_sweep
run_sweep(make_recipe(Path(sys.argv[1]), Path(sys.argv[2]), last=None))
"""


def test_killed_between_probes_and_resumed_gives_the_same_figures(tmp_path, pairs):
    write_checkpoint(tmp_path / "run", 10, noise=1.0)
    run_sweep(make_recipe(tmp_path, pairs, last=None, probes=None))  # what is to be probed is scored already
    probes = tmp_path / "sweep" / "step-000010-k1" / "pairs" / "probes"
    # The third probe is answered, and not yet written.
    run_until_killed(["-c", KILLED, str(tmp_path), str(pairs)], killed_at(f"{probes}/*.done.json", 3))
    markers = {path: path.stat().st_mtime_ns for path in probes.glob("*.done.json")}
    assert len(markers) == 2
    resumed = run_sweep(make_recipe(tmp_path, pairs, last=None)).as_json()
    assert {path: path.stat().st_mtime_ns for path in markers} == markers
    whole = run_sweep(make_recipe(tmp_path, pairs, last=None, out=tmp_path / "whole" / "sweep")).as_json()
    assert len(resumed["probes"]) == 7
    assert comparable(resumed) == comparable(whole)
