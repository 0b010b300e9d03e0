from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from curation_ground import EDITORS, make_recipe
from places import ROOT

from curation.recipe import CurationRecipe
from curation.runner.steps import plan_steps
from editjudge.errors import RecipeError
from editjudge.formats.judge_settings import JudgeSettings
from editjudge.prompts.prompt_sets import get_prompts
from editjudge.recipes.recipe import dump_recipe, load_recipe


def load(values: dict[str, Any], tmp_path: Path) -> CurationRecipe:
    """Through a file, as the command does it."""
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    return load_recipe(path, CurationRecipe)


def test_a_recipe_survives_its_own_dump(tmp_path):
    recipe = load(make_recipe(), tmp_path)
    assert CurationRecipe.model_validate(dump_recipe(recipe)) == recipe


def test_steps_are_named_by_place_and_stage(tmp_path):
    steps = plan_steps(load(make_recipe(), tmp_path))
    assert [step.name for step in steps] == [
        "00-photographs",
        "01-templates",
        "02-edit",
        "03-measure",
        "04-group_std",
        "05-group_max",
        "benchmark-split",
        "benchmark-00-tiers",
        "train-split",
        "train-00-balance",
        "train-01-sft",
    ]
    assert [step.reads for step in steps[6:]] == [
        "05-group_max",
        "benchmark-split",
        "05-group_max",
        "train-split",
        "train-00-balance",
    ]


def test_a_change_upstream_reaches_every_identity_below(tmp_path):
    before = plan_steps(load(make_recipe(), tmp_path))
    stages = make_recipe()["stages"]
    stages[2] = {**stages[2], "editors": {**EDITORS, "none": {"use": "programmatic", "fault": "half_done"}}}
    after = plan_steps(load(make_recipe(stages=stages), tmp_path))
    changed = [old.identity != new.identity for old, new in zip(before, after, strict=True)]
    assert changed == [False, False] + [True] * 9


def test_runtime_is_in_no_identity(tmp_path):
    before = plan_steps(load(make_recipe(), tmp_path))
    after = plan_steps(load(make_recipe(runtime={"workers": 7}, out="elsewhere"), tmp_path))
    assert [step.identity for step in before] == [step.identity for step in after]


def stages(*names: str) -> list[dict[str, Any]]:
    """Stages of the valid recipe, by name."""
    known = {stage["use"]: stage for stage in make_recipe()["stages"]}
    known |= {"judge": {"use": "judge", "engine": "teacher"}, "sft": {"use": "sft", "prompts": "brief-v1"}}
    return [known[name] for name in names]


REST = {"train": {}}
TIERS = {"use": "tiers", "min_gap": 1}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"stages": stages("templates")}, "stages.0: `templates`: the first stage "),
        (
            {"stages": stages("photographs", "templates", "measure")},
            "stages.2: `measure`: takes EditTriplet",
        ),
        ({"stages": stages("photographs", "photographs"), "parts": REST}, "stages.1: `photographs`: a source "),
        (
            {"stages": [*stages("photographs", "templates", "edit", "measure"), TIERS], "parts": REST},
            "stages.4: `tiers`: the last stage ",
        ),
        (
            {"stages": stages("photographs", "templates", "edit", "judge"), "parts": REST},
            "stages.3.engine: `judge`: no engine 'teacher'",
        ),
        (
            {"parts": {"train": {"stages": [*stages("sft"), {"use": "balance", "per_cell": 1}]}}},
            "parts.train.stages.1: `balance`: takes ScoreCard",
        ),
        ({"parts": {"a": {}, "b": {}}}, "parts: exactly one part has no `sources`"),
        ({"parts": {"a": {"sources": ["cat"]}}}, "parts: exactly one part has no `sources`"),
        (
            {"parts": {"a": {"sources": ["cat"]}, "b": {"sources": ["cat"]}, "c": {}}},
            "parts: source 'cat' ",
        ),
        ({"parts": {"../x": {}}}, "should match pattern"),
        ({"stages": [{"use": "photograps"}]}, "did you mean `photographs`?"),
    ],
)
def test_mistakes_are_told_with_their_place(changes, problem, tmp_path):
    with pytest.raises(RecipeError) as caught:
        load(make_recipe(**changes), tmp_path)
    assert problem in str(caught.value)


def test_mistakes_of_fit_are_told_together(tmp_path):
    values = make_recipe(stages=stages("templates", "edit", "judge"), parts={"a": {}, "b": {}})
    with pytest.raises(RecipeError) as caught:
        load(values, tmp_path)
    assert len(caught.value.problems) == 3


def test_describe_names_every_stage_and_part(tmp_path):
    text = load(make_recipe(), tmp_path).describe()
    for word in ("photographs", "templates", "edit", "measure", "group_std", "tiers", "sft", "chelsea", "all other"):
        assert word in text


def test_a_trained_teacher_is_asked_as_it_was_trained(tmp_path):
    (tmp_path / "teacher").mkdir()
    settings = JudgeSettings.of("qwen3_vl", get_prompts("brief-v1"), 3136, "stored")
    settings.write(tmp_path / "teacher")
    engines = {"teacher": {"use": "hf", "model": "owner/base", "adapter": str(tmp_path / "teacher")}}

    def recipe(**judge: Any) -> CurationRecipe:
        stage = {"use": "judge", "engine": "teacher", **judge}
        values = make_recipe(stages=[*stages("photographs", "templates", "edit"), stage], parts=REST, engines=engines)
        return load(values, tmp_path)

    judge = dump_recipe(recipe())["stages"][-1]
    assert (judge["prompts"], judge["max_pixels"], judge["colors"]) == ("brief-v1", 3136, "stored")
    with pytest.raises(RecipeError, match=r"stages\.3\.max_pixels: 500 .* 3136 .*judge\.yaml"):
        recipe(max_pixels=500)
    engines["teacher"]["family"] = "qwen2_5_vl"
    with pytest.raises(RecipeError, match=r"engines\.teacher\.family: qwen2_5_vl .* qwen3_vl"):
        recipe()


def test_the_recipe_of_the_documentation_is_one():
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "curation.md").read_text(), flags=re.DOTALL)
    assert [CurationRecipe.model_validate(yaml.safe_load(block)).shards for block in blocks] == [8]
