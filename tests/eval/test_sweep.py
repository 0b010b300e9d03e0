"""`editjudge sweep`: base first, checkpoints in order, finished ones skipped, half-written ones left out."""

import json

import pytest
import yaml
from eval_recipes import CountingEngine
from eval_world import write_benchmark, write_checkpoint
from pydantic import ValidationError
from rich.console import Console

from editjudge.asking.recipe import JudgeRecipe
from editjudge.engines.base import Sampling
from editjudge.errors import CheckpointError, EditJudgeError, StaleOutputError
from editjudge.formats.judge_settings import JudgeSettings
from editjudge.formats.results.results import read_results
from editjudge.prompts.prompt_sets import get_prompts
from editjudge.recipes.recipe import dump_recipe
from eval.checkpoints.recipe import SweepRecipe
from eval.results import summarise
from eval.sweep import main, run_sweep
from eval.terminal import print_results

SETTINGS = JudgeSettings.of("none", get_prompts("brief-v1"), 500, "stored")


@pytest.fixture
def world(tmp_path):
    """A benchmark, a run with checkpoints 10 and 20 and a half-written 30, and the sweep's recipe."""
    pairs = write_benchmark(tmp_path / "bench", groups=30)
    write_checkpoint(tmp_path / "run", 20, noise=1.0)
    write_checkpoint(tmp_path / "run", 10, noise=6.0)
    write_checkpoint(tmp_path / "run", 30, noise=0.0, complete=False)
    return tmp_path, pairs


def make_recipe(world, **changes) -> SweepRecipe:
    folder, pairs = world
    values = {
        "out": folder / "sweep",
        "run": folder / "run",
        "bench": [{"use": "pairs", "path": pairs}],
        "judge": JudgeRecipe(engine=CountingEngine(log=folder / "log"), prompts="brief-v1", retries=0),
        "bootstrap_rounds": 500,
        "report": {"examples": 2},
    }
    return SweepRecipe(**(values | changes))


def asked(world) -> list:
    log = world[0] / "log"
    rows = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    log.unlink(missing_ok=True)
    totals = {}
    for name, passes in rows:
        totals[name] = totals.get(name, 0) + passes
    return list(totals.items())


def test_base_and_complete_checkpoints_in_order_and_the_last_with_four_passes(world):
    results = run_sweep(make_recipe(world)).as_json()
    table = [(row["label"], row["step"], row["passes"]) for row in results["evaluations"]]
    assert table == [("base", 0, 1), ("step 10", 10, 1), ("step 20", 20, 1), ("step 20", 20, 4)]
    edits = 30 * 3 * 2  # both aspects of every triplet
    assert asked(world) == [(None, edits), ("checkpoint-10", edits), ("checkpoint-20", edits * 5)]
    checkpoints = results["checkpoints"]
    assert checkpoints == [found.as_json() for found in summarise(read_results(world[0] / "sweep" / "results.json"))]
    assert [entry["step"] for entry in checkpoints] == [0, 10, 20]
    for dimension in ("prompt_following", "consistency", "overall"):
        base, middle, last = (entry[dimension] for entry in checkpoints)
        assert base < middle < last
        assert checkpoints[-1]["low"][dimension] < last <= checkpoints[-1]["high"][dimension]
        assert checkpoints[-1]["coverage"][dimension] == 1
        assert results["gain"]["pairs"]["dimensions"][dimension]["value"] == pytest.approx(last - base, abs=1e-5)
        assert results["gain"]["pairs"]["dimensions"][dimension]["p"] < 0.05
    assert results["ensemble"]["passes"] == 4


def test_finished_checkpoints_are_not_asked_again_and_new_ones_are(world):
    run_sweep(make_recipe(world))
    asked(world)
    run_sweep(make_recipe(world))
    assert asked(world) == []
    write_checkpoint(world[0] / "run", 40, noise=0.5)
    results = run_sweep(make_recipe(world)).as_json()
    assert [name for name, _ in asked(world)] == ["checkpoint-40"]
    assert [row["step"] for row in results["evaluations"]] == [0, 10, 20, 40, 40]


def test_a_checkpoint_that_became_another_one_is_refused(world):
    run_sweep(make_recipe(world))
    (world[0] / "run" / "checkpoint-10" / "noise.json").write_text("3.0")
    with pytest.raises(StaleOutputError, match=r"judge\.engine: .*6\.0.*3\.0"):
        run_sweep(make_recipe(world))


def test_base_and_checkpoints_are_asked_as_they_were_trained(world):
    for folder in (world[0] / "run", world[0] / "run" / "checkpoint-10", world[0] / "run" / "checkpoint-20"):
        SETTINGS.write(folder)
    judge = JudgeRecipe(engine=CountingEngine(log=world[0] / "log"), retries=0)
    recipe = make_recipe(world, judge=judge, probes={"groups": 5, "use": ["identical"]})
    results = run_sweep(recipe).as_json()
    assert [row["step"] for row in results["evaluations"]] == [0, 10, 20, 20]
    judges = [row["judge"] for row in results["evaluations"]]
    for said in (*judges, dump_recipe(recipe.resolved())["judge"]):
        assert (said["prompts"], said["max_pixels"], said["colors"]) == ("brief-v1", 500, "stored")


@pytest.mark.parametrize("where", ["run", "checkpoint-20"])
@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"prompts": "editjudge-v1"}, "'editjudge-v1' here, but the judge was trained with 'brief-v1'"),
        ({"max_pixels": None}, "images as they are (null) here, but the judge was trained with 500"),
        ({"colors": "srgb"}, "srgb here, but the judge was trained with stored"),
    ],
)
def test_another_way_than_in_training_is_refused_before_anything_is_asked(world, where, given, problem):
    folder = world[0] / "run" if where == "run" else world[0] / "run" / where
    SETTINGS.write(folder)
    judge = {"engine": CountingEngine(log=world[0] / "log"), **given}
    line = f"{problem} ({folder / 'judge.yaml'}); leave `{next(iter(given))}` out"
    with pytest.raises(ValidationError) as refused:
        make_recipe(world, judge=judge)
    assert [error["msg"] for error in refused.value.errors()] == [line]
    assert [error["loc"] for error in refused.value.errors()] == [("judge", next(iter(given)))]
    (folder / "judge.yaml").unlink()
    recipe = make_recipe(world, judge=judge)
    SETTINGS.write(folder)  # training began after the recipe was read
    with pytest.raises(CheckpointError) as error:
        run_sweep(recipe)
    assert line in str(error.value)
    assert asked(world) == []


def test_checkpoints_that_were_trained_otherwise_than_their_run_are_refused(world):
    SETTINGS.write(world[0] / "run")
    SETTINGS.model_copy(update={"max_pixels": 600}).write(world[0] / "run" / "checkpoint-20")
    judge = JudgeRecipe(engine=CountingEngine(log=world[0] / "log"))
    with pytest.raises(CheckpointError, match=r"500 .* 600 .*checkpoint-20"):
        run_sweep(make_recipe(world, judge=judge))


def test_runs_that_were_trained_otherwise_have_a_base_of_their_own(world):
    for name, side in (("a", 500), ("b", 500), ("c", 600)):
        SETTINGS.model_copy(update={"max_pixels": side}).write(write_checkpoint(world[0] / name, 10, noise=1.0))
    judge = JudgeRecipe(engine=CountingEngine(log=world[0] / "log"), retries=0)
    runs = {name: world[0] / name for name in "abc"}
    results = run_sweep(make_recipe(world, judge=judge, run=None, runs=runs, last=None)).as_json()
    asked_with = [(row["run"], row["step"], row["judge"]["max_pixels"]) for row in results["evaluations"]]
    sides = {"a": 500, "b": 500, "c": 600}
    assert asked_with == [(name, step, side) for name, side in sides.items() for step in (0, 10)]
    assert [path.parent.name for path in (world[0] / "sweep").rglob("step-000000-k1")] == ["sweep", "c"]


def test_the_last_may_be_left_out_and_may_be_sampled_differently(world):
    greedy = JudgeRecipe(
        engine=CountingEngine(log=world[0] / "log"), prompts="brief-v1", sampling=Sampling(temperature=0)
    )
    results = run_sweep(
        make_recipe(world, judge=greedy, last={"passes": 2, "sampling": {"temperature": 0.7}})
    ).as_json()
    assert [row["judge"]["sampling"]["temperature"] for row in results["evaluations"]] == [0, 0, 0, 0.7]
    with pytest.raises(ValidationError, match="all alike"):
        make_recipe(world, judge=greedy)
    results = run_sweep(make_recipe(world, judge=greedy, last=None, base=False)).as_json()
    assert [row["step"] for row in results["evaluations"]] == [10, 20]
    assert results["ensemble"] is None
    assert results["gain"] == {}


def test_no_complete_checkpoint_is_an_error(world):
    with pytest.raises(CheckpointError, match="no complete checkpoint"):
        run_sweep(make_recipe(world, run=world[0] / "bench"))


def test_a_checkpoint_without_weights_is_an_error(world):
    (world[0] / "run" / "checkpoint-10" / "adapter_config.json").unlink()
    with pytest.raises(CheckpointError, match=r"checkpoint-10.*adapter_config"):
        run_sweep(make_recipe(world))
    assert asked(world) == []


def test_an_engine_that_cannot_load_adapters_is_named(world, tmp_path):
    recipe = {
        "out": str(tmp_path / "sweep"),
        "run": str(world[0] / "run"),
        "bench": [{"use": "pairs", "path": str(world[1])}],
        "judge": {"engine": {"use": "scripted", "replies": ["{}"]}},
    }
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(recipe))
    with pytest.raises(EditJudgeError, match=r"ScriptedEngine .*checkpoint-"):
        main([str(tmp_path / "sweep.yaml")])


def test_the_terminal_table_has_every_judge_and_figure(world, capsys):
    results = run_sweep(make_recipe(world))
    print_results(results, Console(width=160))
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    assert judges(rows) == ["base", "step 10", "step 20", "step 20"]
    figure = results.evaluations[0].dimensions["consistency"].pair_mean
    assert f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]" in rows[0]


def test_judges_of_several_runs_are_told_apart_on_the_terminal(world, capsys):
    runs = {"small": world[0] / "run", "large": world[0] / "run"}
    results = run_sweep(make_recipe(world, run=None, runs=runs, last=None))
    print_results(results, Console(width=160))
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    assert judges(rows) == [f"{name}, {label}" for name in runs for label in ("base", "step 10", "step 20")]


def judges(rows) -> list:
    """The first column of a printed table."""
    return [name for row in rows if (name := row.split("│")[1].strip())]
