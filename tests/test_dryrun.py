"""A dry run keeps a recipe's shape and needs none of its models."""

from __future__ import annotations

import yaml

from curation.recipe import CurationRecipe
from curation.runner.dryrun import CROPS, dry
from curation.runner.run import main
from curation.synthetic.measure import Measure
from curation.synthetic.programmatic import Programmatic
from editjudge.files.io import read_jsonl
from editjudge.recipes.recipe import load_recipe
from editjudge.records.types import PreferencePair, SFTExample

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
    assert tried.stages[0].crops == CROPS
    assert all(isinstance(editor, Programmatic) for editor in tried.stages[2].editors.values())
    assert len({editor.identity for editor in tried.stages[2].editors.values()}) == 4
    assert isinstance(tried.stages[3], Measure)
    assert tried.stages[4] == recipe.stages[4]
    assert tried.parts["train"] == recipe.parts["train"]


def test_a_recipe_of_unreachable_models_runs_dry(tmp_path):
    assert main([str(write_recipe(tmp_path)), "--dry-run"]) == 0
    out = tmp_path / "out-dry-run"
    assert not (tmp_path / "out").exists()
    assert list(read_jsonl(out / "train.jsonl", SFTExample))
    assert {pair.task.origin.source for pair in read_jsonl(out / "benchmark.jsonl", PreferencePair)} == {"coffee"}
    assert (out / "report.html").is_file()
