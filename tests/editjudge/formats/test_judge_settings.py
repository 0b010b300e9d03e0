"""`judge.yaml`: a judge is asked as it was trained; values left out are taken from it, contradictions are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from editjudge.asking.judge import Judge
from editjudge.asking.recipe import JudgeRecipe
from editjudge.cli.check import main as check
from editjudge.engines.cache import CachedEngine
from editjudge.engines.hf import HFEngine
from editjudge.errors import CheckpointError, RecipeError
from editjudge.formats.judge_settings import JUDGE_FILE, JudgeSettings, read_trained
from editjudge.images.pixels import IMAGE_RULES
from editjudge.prompts.prompt_sets import get_prompts
from editjudge.recipes.recipe import load_for_run, load_recipe

SETTINGS = JudgeSettings.of("qwen3_vl", get_prompts("brief-v1"), 3136, "stored")
NAMES = ("prompts", "max_pixels", "colors")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """An adapter as training leaves it, as far as is looked at before it is loaded."""
    folder = tmp_path / "checkpoint-10"
    folder.mkdir()
    (folder / "adapter_config.json").write_text("{}")
    (folder / "adapter_model.safetensors").write_bytes(b"")
    SETTINGS.write(folder)
    return folder


def write_recipe(folder: Path, judge: dict[str, Any], **engine: Any) -> Path:
    path = folder / "judge_recipe.yaml"
    path.write_text(yaml.safe_dump({"engine": {"use": "hf", "model": "owner/base", **engine}, **judge}))
    return path


def asked_with(judge: Judge | JudgeRecipe) -> tuple[str, int | None, str]:
    prompts = judge.prompts if isinstance(judge.prompts, str) else judge.prompts.name
    return prompts, judge.max_pixels, judge.colors


def test_the_file_is_read_as_it_was_written(checkpoint: Path) -> None:
    trained = read_trained(checkpoint)
    assert trained is not None
    assert trained.settings == SETTINGS
    content = yaml.safe_load((checkpoint / JUDGE_FILE).read_text())
    assert [*content] == [*JudgeSettings.model_fields, "digest"]
    assert (content["prompts_digest"], content["image_rules"]) == (get_prompts("brief-v1").identity, IMAGE_RULES)
    assert read_trained(checkpoint.parent) is None


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("max_pixels: 3136", "max_pixels: 6272", r"judge\.yaml: .*changed after training"),
        ("max_pixels: 3136", "max_pixels: many", r"judge\.yaml: not what training "),
        ("colors: stored", "", r"judge\.yaml: not what training "),
        ("family: ", "family: [", r"judge\.yaml: not what training "),
    ],
)
def test_a_changed_file_is_refused(checkpoint: Path, old: str, new: str, problem: str) -> None:
    path = checkpoint / JUDGE_FILE
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(CheckpointError, match=problem) as error:
        read_trained(checkpoint)
    assert "\n" not in str(error.value)
    with pytest.raises(RecipeError, match=problem):
        load_recipe(write_recipe(checkpoint.parent, {}, adapter=str(checkpoint)), JudgeRecipe)
    recipe = write_recipe(checkpoint.parent, {}, adapter=str(checkpoint), family="qwen3_vl")
    with pytest.raises(RecipeError, match=problem):
        load_for_run(recipe, JudgeRecipe)


@pytest.mark.parametrize("given", [{}, {"adapter": None}])
def test_weights_from_elsewhere_are_asked_as_the_recipe_says(tmp_path: Path, given: dict[str, Any]) -> None:
    assert HFEngine(model="owner/base", **given).family == "qwen2_5_vl"
    engine = HFEngine(model=str(tmp_path), adapter=tmp_path)
    assert engine.trained is None
    assert asked_with(Judge(engine)) == ("editjudge-v1", None, "srgb")
    assert asked_with(Judge(engine, "brief-v1", max_pixels=900, colors="stored")) == ("brief-v1", 900, "stored")
    recipe = load_recipe(write_recipe(tmp_path, {}, adapter=str(tmp_path)), JudgeRecipe)
    assert asked_with(recipe) == ("editjudge-v1", None, "srgb")


def test_what_is_left_out_is_that_of_the_training(checkpoint: Path, tmp_path: Path) -> None:
    adapted = HFEngine(model="owner/base", adapter=checkpoint)
    merged = HFEngine(model=str(checkpoint))
    for engine in (adapted, merged):
        assert engine.family == "qwen3_vl"
        for judge in (Judge(engine), Judge(CachedEngine(engine, tmp_path / "cache"))):
            assert asked_with(judge) == ("brief-v1", 3136, "stored")
    recipe = load_recipe(write_recipe(tmp_path, {"cache": str(tmp_path / "c")}, adapter=str(checkpoint)), JudgeRecipe)
    assert asked_with(recipe) == asked_with(recipe.build()) == ("brief-v1", 3136, "stored")


def test_a_recipe_that_is_made_in_python_is_resolved_when_it_is_built(checkpoint: Path) -> None:
    recipe = JudgeRecipe(engine=HFEngine(model="owner/base", adapter=checkpoint), passes=2)
    before = recipe.model_copy()
    assert asked_with(recipe.build()) == asked_with(recipe.resolved()) == ("brief-v1", 3136, "stored")
    assert recipe == before


def test_the_adapter_s_training_counts_not_that_of_its_base(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "foreign").mkdir()
    assert HFEngine(model=str(checkpoint), adapter=tmp_path / "foreign").trained is None


def test_the_same_values_may_be_repeated(checkpoint: Path, tmp_path: Path) -> None:
    engine = HFEngine(model="owner/base", adapter=checkpoint, family="qwen3_vl")
    judge = Judge(engine, get_prompts("brief-v1"), max_pixels=3136, colors="stored")
    assert asked_with(judge) == ("brief-v1", 3136, "stored")
    values = {"prompts": "brief-v1", "max_pixels": 3136, "colors": "stored"}
    load_for_run(write_recipe(tmp_path, values, adapter=str(checkpoint), family="qwen3_vl"), JudgeRecipe)


CONTRADICTIONS: list[tuple[dict[str, Any], str]] = [
    ({"prompts": "editjudge-v1"}, "'editjudge-v1' here, but the judge was trained with 'brief-v1'"),
    ({"max_pixels": 262_144}, "262144 here, but the judge was trained with 3136"),
    ({"max_pixels": None}, "images as they are (null) here, but the judge was trained with 3136"),
    ({"colors": "srgb"}, "srgb here, but the judge was trained with stored"),
]


@pytest.mark.parametrize(("given", "problem"), CONTRADICTIONS)
def test_another_value_than_in_training_is_refused(
    checkpoint: Path, tmp_path: Path, given: dict[str, Any], problem: str
) -> None:
    (name,) = given
    line = f"{name}: {problem} ({checkpoint / JUDGE_FILE}); leave `{name}` out"
    with pytest.raises(CheckpointError) as error:
        Judge(HFEngine(model="owner/base", adapter=checkpoint), **given)
    assert str(error.value) == line
    path = write_recipe(tmp_path, given, adapter=str(checkpoint))
    with pytest.raises(RecipeError) as refused:
        load_recipe(path, JudgeRecipe)
    assert refused.value.problems == (line,)
    with pytest.raises(RecipeError) as found:  # `editjudge check`
        check([str(path)])
    assert found.value.problems == (line,)
    with pytest.raises(RecipeError):  # what `editjudge score` does
        Judge.from_recipe(path)


def test_another_family_than_in_training_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    line = f"qwen2_5_vl here, but the judge was trained with qwen3_vl ({checkpoint / JUDGE_FILE}); leave `family` out"
    with pytest.raises(CheckpointError) as error:
        Judge(HFEngine(model="owner/base", adapter=checkpoint, family="qwen2_5_vl"))
    assert str(error.value) == f"family: {line}"
    path = write_recipe(tmp_path, {}, adapter=str(checkpoint), family="qwen2_5_vl")
    for load in (load_recipe, load_for_run):
        with pytest.raises(RecipeError) as refused:
            load(path, JudgeRecipe)
        assert refused.value.problems == (f"engine.family: {line}",)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"prompts_digest": "0" * 20}, "prompts: .*'brief-v1'.* trained with 0000"),
        ({"prompts": "gone-v1"}, "prompts: .* trained with 'gone-v1'"),
        ({"image_rules": 1}, f"image rules .*{IMAGE_RULES} here.* trained with 1 "),
    ],
)
def test_what_this_version_does_otherwise_is_refused(checkpoint: Path, change: dict[str, Any], problem: str) -> None:
    SETTINGS.model_copy(update=change).write(checkpoint)
    given = {"prompts": "brief-v1"} if "prompts_digest" in change else {}
    with pytest.raises(RecipeError, match=problem):
        load_recipe(write_recipe(checkpoint.parent, given, adapter=str(checkpoint)), JudgeRecipe)
    with pytest.raises(CheckpointError, match=problem):
        Judge(HFEngine(model="owner/base", adapter=checkpoint), **given)
