"""A dry run keeps a recipe's shape and needs none of its models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import pytest
import yaml
from factories import make_image, make_task
from places import ROOT

import curation
from curation.judging import StandInScorer
from curation.recipe import CurationRecipe
from curation.runner.dryrun import dry
from curation.runner.run import main, run_curation
from curation.stage import Context, Drop, Fail, Stage
from curation.synthetic.photographs import DRY_CROPS
from editjudge.files.io import read_jsonl
from editjudge.formats.funnel import read_funnel
from editjudge.recipes.recipe import load_recipe
from editjudge.recipes.recipe_use import Use
from editjudge.records.types import EditTask, Origin, PreferencePair, Record, SFTExample

RECIPE = {
    "seed": 1,
    "engines": {"teacher": {"use": "hf", "model": "no/such-model"}},
    "stages": [
        {"use": "photographs", "crops": 500, "photographs": ["coffee", "chelsea", "astronaut"]},
        {"use": "templates"},
        {
            "use": "edit",
            "per_task": 3,
            "editors": {name: {"use": "folder", "folder": f"/nowhere/{name}", "label": name} for name in "abcd"},
        },
        {"use": "judge", "engine": "teacher", "prompts": "editjudge-v1"},
        {"use": "group_std", "min_std": 0.1},
    ],
    "parts": {
        "benchmark": {"sources": ["coffee"], "stages": [{"use": "tiers", "min_gap": 1}]},
        "train": {"stages": [{"use": "sft", "prompts": "brief-v1"}]},
    },
}


def write_recipe(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump({"out": str(tmp_path / "out"), **RECIPE}))
    return path


def test_models_are_replaced_and_the_rest_stays(tmp_path):
    recipe = load_recipe(write_recipe(tmp_path), CurationRecipe)
    tried = dry(recipe)
    assert tried.engines == {}
    assert tried.stages[0].crops == DRY_CROPS
    assert [editor.identity for editor in tried.stages[2].editors.values()] == [f"stand-in:{name}" for name in "abcd"]
    assert isinstance(tried.stages[3], StandInScorer)
    assert tried.stages[4] == recipe.stages[4]
    assert tried.parts["train"] == recipe.parts["train"]


def test_a_recipe_of_unreachable_models_runs_dry(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert main([str(write_recipe(tmp_path)), "runtime={devices: [cuda:0]}", "--dry-run"]) == 0
    out = tmp_path / "out-dry-run"
    assert not (tmp_path / "out").exists()
    assert list(read_jsonl(out / "train.jsonl", SFTExample))
    assert {pair.task.origin.source for pair in read_jsonl(out / "benchmark.jsonl", PreferencePair)} == {"coffee"}
    assert (out / "report.html").is_file()


class WrittenTasks(Stage):
    """Tasks as people or a model write them: without a plan."""

    takes: ClassVar[None] = None
    gives: ClassVar[type[Record]] = EditTask

    def run(self, rows: Iterable[Any], ctx: Context) -> Iterator[Record | Drop | Fail]:
        for number in range(6):
            image = ctx.images.add(make_image(seed=number), f"images/given/{number}.png")
            origin = Origin(source=f"photo{number % 2}", licence="CC0-1.0")
            yield make_task(id=f"task{number}", inputs=(image,), origin=origin)


def test_the_report_of_a_dry_run_names_its_stand_ins(tmp_path):
    main([str(write_recipe(tmp_path)), "--dry-run"])
    page = (tmp_path / "out-dry-run" / "report.html").read_text()
    assert "stand_in_scorer" in page
    assert "stand-in:a" in page


def test_the_quickstart_runs_dry(tmp_path):
    recipe = dry(
        load_recipe(
            ROOT / "recipes" / "quickstart" / "curate.yaml", CurationRecipe, [f"out={tmp_path}/out", "stages.0.crops=1"]
        )
    )
    counts = run_curation(recipe).funnel.stages
    assert [stage.failed for stage in counts] == [0] * len(counts)


@pytest.mark.parametrize("name", curation.STAGES)
def test_every_stage_reads_and_gives_in_a_dry_run_what_it_does_otherwise(name):
    stage = Use(curation.STAGES).load(name).model_construct(crops=1, editors={"a": None}, per_task=1, engine="teacher")
    stand_in = stage.stand_in()
    assert (stand_in.takes, stand_in.gives, stand_in.scope) == (stage.takes, stage.gives, stage.scope)
    assert not stand_in.samplings()


def test_tasks_without_a_plan_run_dry(tmp_path, monkeypatch):
    monkeypatch.setitem(curation.STAGES, "written", f"{__name__}:WrittenTasks")
    stages = [{"use": "written"}, *RECIPE["stages"][2:]]
    parts = {**RECIPE["parts"], "benchmark": {**RECIPE["parts"]["benchmark"], "sources": ["photo1"]}}
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump({**RECIPE, "out": str(tmp_path / "out"), "stages": stages, "parts": parts}))
    assert main([str(path), "--dry-run"]) == 0
    counts = read_funnel(tmp_path / "out-dry-run" / "funnel.json").stages
    assert [stage.failed for stage in counts] == [0] * len(counts)
