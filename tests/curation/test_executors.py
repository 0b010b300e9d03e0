"""Where passes are worked on, and that it changes no byte."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from curation_ground import make_recipe
from factories import make_task

import curation
from curation.recipe import CurationRecipe, Runtime
from curation.runner.executors import local_executors
from curation.runner.run import run_curation
from curation.runner.steps import plan_passes, plan_steps
from curation.runner.work import Work
from curation.stage import Context, Stage
from editjudge.errors import RecipeError
from editjudge.records.types import EditTask, Record
from editjudge.system.workers import Workers

LOG: list[str] = []


class Noting(Stage):
    """A source that writes down what is called in this process."""

    takes: ClassVar[None] = None
    gives: ClassVar[type[Record]] = EditTask
    fails: bool = False

    @property
    def needs_device(self) -> bool:
        return True

    def setup(self, ctx: Context) -> None:
        LOG.append("setup")

    def teardown(self) -> None:
        LOG.append("teardown")

    def run(self, rows: Iterable[Any], ctx: Context) -> Iterator[Record]:
        LOG.append(f"shard {ctx.shard}")
        if self.fails:
            raise RuntimeError("broken")
        yield make_task(id=f"task{ctx.shard}")


def judged(out: Path, **runtime: Any) -> dict[str, bytes]:
    """Final files of a recipe with a teacher."""
    reply = '{"reasoning": "Fine.", "score": [20, %d]}'
    recipe = make_recipe(
        out=str(out),
        engines={"teacher": {"use": "scripted", "replies": [reply % score for score in range(0, 25, 3)]}},
        stages=[*make_recipe()["stages"][:3], {"use": "judge", "engine": "teacher", "prompts": "brief-v1"}],
        parts={"train": {"stages": [{"use": "sft", "prompts": "brief-v1"}]}},
        runtime=runtime,
    )
    run_curation(CurationRecipe.model_validate(recipe))
    return {path.name: path.read_bytes() for path in [out / "train.jsonl", *(out / "stages").glob("03*/0*.jsonl")]}


def test_models_on_devices_give_what_one_gives_here(tmp_path):
    here = judged(tmp_path / "here")
    assert judged(tmp_path / "devices", devices=["cpu", "cpu"]) == here
    logs = [path.name for path in (tmp_path / "devices" / "devices").iterdir()]
    assert sorted(logs) == ["0-cpu.log", "1-cpu.log"]
    assert not (tmp_path / "here" / "devices").exists()


def test_a_device_that_is_not_here_is_reported_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(RecipeError, match=r"devices: cuda:0"):
        judged(tmp_path / "out", devices=["cuda:0"])
    assert not (tmp_path / "out" / "stages").exists()


def noted(monkeypatch, out: Path, **changes: Any) -> None:
    monkeypatch.setitem(curation.STAGES, "noting", f"{__name__}:Noting")
    LOG.clear()
    recipe = make_recipe(out=str(out), stages=[{"use": "noting", **changes}], parts={"train": {}}, shards=2)
    run_curation(CurationRecipe.model_validate(recipe))


def test_a_stage_is_set_up_once_for_all_its_shards(monkeypatch, tmp_path):
    noted(monkeypatch, tmp_path)
    assert LOG == ["setup", "shard 0", "shard 1", "teardown"]


def test_a_stage_that_breaks_is_torn_down(monkeypatch, tmp_path):
    with pytest.raises(RuntimeError, match="broken"):
        noted(monkeypatch, tmp_path, fails=True)
    assert LOG == ["setup", "shard 0", "teardown"]


class Backwards(Workers):
    """Takes the last task first."""

    def run(self, items):
        return super().run(items[::-1])


@contextmanager
def backwards(work: Work, runtime: Runtime):
    yield lambda steps, n_tasks: Backwards(work)


def test_another_executor_in_another_order_changes_no_byte(tmp_path):
    outs = [tmp_path / "local", tmp_path / "backwards"]
    for out, executors in zip(outs, (local_executors, backwards), strict=True):
        run_curation(CurationRecipe.model_validate(make_recipe(out=str(out))), executors)
    first, second = ({p.relative_to(out): p.read_bytes() for p in out.rglob("*.jsonl")} for out in outs)
    assert first == second


def test_passes_without_a_model_share_the_workers_and_those_with_one_do_not(tmp_path):
    judge = {"use": "judge", "engine": "teacher"}
    engines = {"teacher": {"use": "scripted", "replies": ["x"]}}
    recipe = CurationRecipe.model_validate(make_recipe(stages=[*make_recipe()["stages"][:3], judge], engines=engines))
    passes = {steps[-1].name: steps for steps in plan_passes(plan_steps(recipe))}
    work = Work(tmp_path, 0, 3, passes, {})
    with local_executors(work, Runtime(workers=2)) as executor:
        chosen = {}
        for name in ("01-templates", "02-edit", "03-judge"):
            with executor(passes[name], 3) as at_work:
                chosen[name] = at_work
    assert chosen["01-templates"] is chosen["02-edit"]
    assert chosen["03-judge"] is not chosen["02-edit"]
