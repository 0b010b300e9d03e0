"""`editjudge sweep --watch` while checkpoints appear, several runs, devices, removed checkpoints, a killed sweep."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from children import killed_at, run_until_killed
from eval_recipes import FragileEngine, measured
from eval_recipes import sweep_recipe as make_recipe
from eval_world import comparable, write_benchmark, write_checkpoint
from pydantic import ValidationError

from editjudge.asking.recipe import JudgeRecipe
from editjudge.errors import CheckpointError, EngineError, RecipeError, StaleOutputError, StorageError
from editjudge.files.io import write_marker
from editjudge.formats.checkpoint import mark_complete
from editjudge.formats.judge_settings import JudgeSettings
from editjudge.formats.results.results import Results
from editjudge.prompts.prompt_sets import get_prompts
from eval.sweep import failures, main, only_sweep, run_sweep, watch_sweep


class SpoiltEngine(FragileEngine):
    """Another base model."""

    @property
    def identity(self):
        return f"spoilt-{super().identity}"


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return write_benchmark(tmp_path_factory.mktemp("bench"), groups=8)


def finish(run: Path) -> None:
    write_marker(run / "done.json", {}, {"step": 30})


def play(monkeypatch, *acts) -> None:
    """What training does: an act in place of each wait of the watching sweep. Only these waits move its clock."""
    coming, passed = iter(acts), [0.0]

    def sleep(seconds):
        passed[0] += seconds
        next(coming, lambda: None)()

    monkeypatch.setattr("eval.sweep.time", SimpleNamespace(sleep=sleep, monotonic=lambda: passed[0]))


def test_watch_takes_checkpoints_as_they_appear_and_ends_with_training(tmp_path, pairs, monkeypatch):
    """The run does not exist yet; a checkpoint is half-written for a while; an old one is removed by training."""
    run, results_file = tmp_path / "run", tmp_path / "sweep" / "results.json"
    half = run / "checkpoint-20"

    def steps():
        return [entry["step"] for entry in json.loads(results_file.read_text())["checkpoints"]]

    def begin():
        assert steps() == [0]
        write_checkpoint(run, 10, noise=6.0)

    def begin_the_next():
        assert steps() == [0, 10]
        write_checkpoint(run, 20, noise=3.0, complete=False)
        (half / "noise.json").unlink()

    def complete_it():
        assert steps() == [0, 10]
        (half / "noise.json").write_text("3.0")
        mark_complete(half, {}, 20, 1)

    def end():
        assert steps() == [0, 10, 20]
        (run / "checkpoint-10" / "done.json").unlink()
        shutil.rmtree(run / "checkpoint-10")
        write_checkpoint(run, 30, noise=1.0)
        finish(run)

    play(monkeypatch, begin, begin_the_next, complete_it, end)
    results = watch_sweep(make_recipe(tmp_path, pairs)).as_json()
    assert measured(results) == [("run", 0, 1), ("run", 10, 1), ("run", 20, 1), ("run", 30, 1), ("run", 30, 4)]
    state = results["runs"]["run"]
    assert (state["finished"], state["incomplete"], state["missed"], state["failed"]) == (True, [], [], [])
    assert json.loads(results_file.read_text()) == results


def test_the_base_waits_for_what_is_left_to_the_training(tmp_path, pairs, monkeypatch):
    run, results_file = tmp_path / "run", tmp_path / "sweep" / "results.json"
    settings = JudgeSettings.of("none", get_prompts("brief-v1"), 500, "srgb")

    def begin():
        assert not results_file.exists()
        settings.write(run)

    def train():
        rows = json.loads(results_file.read_text())["evaluations"]
        assert [(row["step"], row["judge"]["max_pixels"]) for row in rows] == [(0, 500)]
        settings.write(write_checkpoint(run, 10, noise=1.0))

    def remove():  # what a recipe leaves out stays known when a measured checkpoint is gone
        shutil.rmtree(run / "checkpoint-10")
        settings.write(write_checkpoint(run, 20, noise=1.0))
        finish(run)

    play(monkeypatch, begin, train, remove)
    judge = JudgeRecipe(engine=FragileEngine(), retries=0)
    results = watch_sweep(make_recipe(tmp_path, pairs, judge=judge, last=None)).as_json()
    asked = [(row["step"], row["judge"]["prompts"], row["judge"]["max_pixels"]) for row in results["evaluations"]]
    assert asked == [(step, "brief-v1", 500) for step in (0, 10, 20)]


def test_watch_waits_for_the_last_of_several_runs(tmp_path, pairs, monkeypatch):
    done, late = tmp_path / "done", tmp_path / "late"
    write_checkpoint(done, 10, noise=1.0)
    finish(done)

    def train():
        assert (tmp_path / "sweep" / "results.json").exists()
        write_checkpoint(late, 10, noise=1.0)
        finish(late)

    play(monkeypatch, train)
    results = watch_sweep(
        make_recipe(tmp_path, pairs, run=None, runs={"done": done, "late": late}, last=None)
    ).as_json()
    assert [row[:2] for row in measured(results)] == [("done", 0), ("done", 10), ("late", 0), ("late", 10)]


def test_watch_gives_up_when_nothing_comes(tmp_path, pairs, monkeypatch):
    play(monkeypatch)
    runtime = {"poll_s": 0.05, "give_up_s": 0.3}
    with pytest.raises(CheckpointError, match="no complete checkpoint"):
        watch_sweep(make_recipe(tmp_path, pairs, base=False, runtime=runtime))
    write_checkpoint(tmp_path / "run", 10, noise=1.0)
    write_checkpoint(tmp_path / "run", 20, noise=1.0, complete=False)
    results = watch_sweep(make_recipe(tmp_path, pairs, base=False, runtime=runtime)).as_json()
    assert measured(results) == [("run", 10, 1), ("run", 10, 4)]
    assert results["runs"]["run"]["incomplete"] == ["checkpoint-20"]
    assert not results["runs"]["run"]["finished"]


def test_watch_over_a_finished_run_gives_what_a_sweep_gives(tmp_path, pairs):
    for step, noise in ((10, 4.0), (20, 1.0)):
        write_checkpoint(tmp_path / "run", step, noise)
    finish(tmp_path / "run")
    swept = run_sweep(make_recipe(tmp_path, pairs)).as_json()
    watched = watch_sweep(make_recipe(tmp_path, pairs, out=tmp_path / "watched")).as_json()
    for results in (swept, watched):
        results["leaderboard"] = None
    assert comparable(watched) == comparable(swept)


def test_a_checkpoint_that_cannot_be_measured_is_told_and_the_others_go_on(tmp_path, pairs):
    for step in (10, 20, 30):
        write_checkpoint(tmp_path / "run", step, noise=1.0)
    broken = tmp_path / "run" / "checkpoint-20" / "broken"
    broken.touch()
    recipe = make_recipe(tmp_path, pairs, last=None)
    results = run_sweep(recipe).as_json()
    assert [step for _, step, _ in measured(results)] == [0, 10, 30]
    assert failures(Results(**results)) == [f"run, step 20: {broken.parent}: the weights are damaged"]
    broken.unlink()
    results = run_sweep(recipe).as_json()
    assert [step for _, step, _ in measured(results)] == [0, 10, 20, 30]
    assert failures(Results(**results)) == []


def test_nothing_that_can_be_measured_is_an_error(tmp_path, pairs):
    write_checkpoint(tmp_path / "run", 10, noise=1.0)
    (tmp_path / "run" / "checkpoint-10" / "broken").touch()
    with pytest.raises(EngineError, match="damaged"):
        run_sweep(make_recipe(tmp_path, pairs, base=False))


@pytest.mark.slow
def test_several_runs_on_two_devices_are_what_they_are_on_none(tmp_path, pairs):
    other = {"path": tmp_path / "c", "judge": JudgeRecipe(engine=SpoiltEngine(), prompts="brief-v1", retries=0)}
    for name, noise in (("a", 18.0), ("b", 0.5), ("c", 25.0)):
        write_checkpoint(tmp_path / name, 10, noise)
        write_checkpoint(tmp_path / name, 20, noise / 2)
    runs = {"first": tmp_path / "a", "second": tmp_path / "b", "third": other}
    alone = run_sweep(make_recipe(tmp_path, pairs, run=None, runs=runs)).as_json()
    shared = run_sweep(
        make_recipe(tmp_path, pairs, run=None, runs=runs, out=tmp_path / "two", runtime={"devices": ["cpu", "cpu"]})
    ).as_json()
    assert comparable(shared) == comparable(alone)
    assert measured(alone) == [
        (name, step, passes)
        for name in ("first", "second", "third")
        for step, passes in ((0, 1), (10, 1), (20, 1), (20, 4))
    ]
    assert sorted(path.name for path in (tmp_path / "two" / "devices").iterdir()) == ["0-cpu.log", "1-cpu.log"]
    # Runs that are asked in the same way share their base; another base model has its own.
    found = {path.parent.relative_to(tmp_path / "two") for path in (tmp_path / "two").rglob("step-000000-k1/*")}
    assert {str(path) for path in found} == {"step-000000-k1", "runs/third/step-000000-k1"}
    assert alone["best"]["run"] == "second"
    assert set(alone["runs"]) == {"first", "second", "third"}
    [board] = alone["leaderboard"]
    assert {row["name"] for row in board["rows"] if "base" in row["name"]} == {"first, second: base", "third: base"}
    assert board["rows"][0]["name"].startswith("second")


def test_a_failure_on_a_device_is_told_and_the_others_go_on(tmp_path, pairs):
    for step in (10, 20):
        write_checkpoint(tmp_path / "run", step, noise=1.0)
    (tmp_path / "run" / "checkpoint-10" / "broken").touch()
    results = run_sweep(make_recipe(tmp_path, pairs, last=None, runtime={"devices": ["cpu", "cpu"]})).as_json()
    assert [step for _, step, _ in measured(results)] == [0, 20]
    assert "damaged" in failures(Results(**results))[0]


def test_a_removed_checkpoint_keeps_its_figures_but_not_of_another_training(tmp_path, pairs):
    run = tmp_path / "run"
    write_marker_of = lambda seed: write_marker(run / "started.json", {"recipe": {"seed": seed}}, {})  # noqa: E731
    write_checkpoint(run, 10, noise=4.0)
    write_marker_of(1)
    recipe = make_recipe(tmp_path, pairs, last=None)
    before = run_sweep(recipe).as_json()
    shutil.rmtree(run / "checkpoint-10")
    write_checkpoint(run, 20, noise=1.0)
    after = run_sweep(recipe).as_json()
    assert [step for _, step, _ in measured(after)] == [0, 10, 20]
    assert after["checkpoints"][1] == before["checkpoints"][1]
    write_marker_of(2)
    with pytest.raises(StaleOutputError, match=r"recipe\.seed: 1 -> 2"):
        run_sweep(recipe)


def test_a_checkpoint_removed_before_it_was_measured_is_missed(tmp_path, pairs):
    write_checkpoint(tmp_path / "run", 20, noise=1.0)
    (tmp_path / "sweep" / "step-000010-k1" / "pairs" / "shards").mkdir(parents=True)
    results = run_sweep(make_recipe(tmp_path, pairs, last=None)).as_json()
    assert results["runs"]["run"]["missed"] == [10]
    assert [step for _, step, _ in measured(results)] == [0, 20]


def test_two_sweeps_do_not_share_a_folder(tmp_path, pairs):
    write_checkpoint(tmp_path / "run", 10, noise=1.0)
    with only_sweep(tmp_path / "sweep"), pytest.raises(StorageError, match="another sweep"):
        run_sweep(make_recipe(tmp_path, pairs))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"run": None}, "either `run`"),
        ({"runs": {"a": "x"}}, "either `run`"),
        ({"run": None, "runs": {"../a": "x"}}, "runs"),
        ({"runtime": {"devices": ["gpu"]}}, "devices"),
    ],
)
def test_recipes_that_say_nothing_sensible(tmp_path, pairs, changes, message):
    with pytest.raises(ValidationError, match=message):
        make_recipe(tmp_path, pairs, **changes)


def test_an_unknown_benchmark_to_choose_by_is_named(tmp_path, pairs):
    write_checkpoint(tmp_path / "run", 10, noise=1.0)
    with pytest.raises(RecipeError, match=r"select\.benchmark: .*'pears'.*: pairs"):
        run_sweep(make_recipe(tmp_path, pairs, select={"benchmark": "pears"}))


KILLED = """
import sys
from pathlib import Path
from eval_recipes import sweep_recipe as make_recipe
from eval.sweep import run_sweep
if __name__ == "__main__":
    run_sweep(make_recipe(Path(sys.argv[1]), Path(sys.argv[2]), runtime={"devices": sys.argv[3:]}))
"""


@pytest.mark.parametrize("devices", [(), pytest.param(("cpu", "cpu"), marks=pytest.mark.slow)])
def test_killed_and_resumed_gives_the_same_figures(tmp_path, pairs, devices):
    for step in (10, 20):
        write_checkpoint(tmp_path / "run", step, noise=20 / step)
    (tmp_path / "killed.py").write_text(KILLED)
    out = tmp_path / "sweep"
    command = [str(tmp_path / "killed.py"), str(tmp_path), str(pairs), *devices]
    run_until_killed(command, killed_at(f"{out}/step-000010-k1/pairs/shards/*.done.json", 2))
    assert list(out.glob("step-000010-k1/pairs/shards/*.done.json"))
    finished = {path: path.stat().st_mtime_ns for path in out.glob("step-*/pairs/done.json")}
    assert len(finished) < 4
    resumed = run_sweep(make_recipe(tmp_path, pairs)).as_json()
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    whole = run_sweep(make_recipe(tmp_path, pairs, out=tmp_path / "whole" / "sweep")).as_json()
    assert comparable(resumed) == comparable(whole)
    for cards in (tmp_path / "whole" / "sweep").rglob("cards.jsonl"):
        assert (out / cards.relative_to(tmp_path / "whole" / "sweep")).read_bytes() == cards.read_bytes()


def test_the_command_says_what_to_take_and_fails_when_a_checkpoint_did(tmp_path, pairs, capsys, monkeypatch):
    from editjudge.engines import ENGINES

    monkeypatch.setitem(ENGINES, "fragile", "eval_recipes:FragileEngine")
    for step in (10, 20):
        write_checkpoint(tmp_path / "run", step, noise=1.0)
    (tmp_path / "run" / "checkpoint-20" / "broken").touch()
    finish(tmp_path / "run")
    recipe = {
        "out": str(tmp_path / "sweep"),
        "runs": {"mine": str(tmp_path / "run")},
        "bench": [{"use": "pairs", "path": str(pairs)}],
        "judge": {"engine": {"use": "fragile"}, "prompts": "brief-v1"},
        "bootstrap_rounds": 200,
        "last": None,
    }
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(recipe))
    for flags in ([], ["--watch"], ["--json", "-"]):
        assert main([str(tmp_path / "sweep.yaml"), *flags]) == 1
        shown = capsys.readouterr()
        tables = shown.err if flags[:1] == ["--json"] else shown.out
        assert "mine: Take step 10" in tables
        assert "leaderboard" in tables
        assert "not measured: mine, step 20" in shown.err
    assert json.loads(shown.out) == json.loads((tmp_path / "sweep" / "results.json").read_text())
