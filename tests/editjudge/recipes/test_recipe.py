from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from editjudge.cli.check import command_of
from editjudge.errors import RecipeError
from editjudge.files.io import digest
from editjudge.recipes.recipe import Recipe, dump_recipe, load_recipe
from editjudge.recipes.recipe_use import Use


class Step(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MinSide(Step):
    px: int = Field(512, gt=0)
    unit: Literal["px", "percent"] = "px"


class Blur(Step):
    radius: float

    @field_validator("radius")
    @classmethod
    def _odd(cls, value: float) -> float:
        if value == 13:
            raise ValueError("13 is unlucky")
        return value


class Chain(Step):
    inner: tuple[Annotated[Step, Use({"min_side": f"{__name__}:MinSide"})], ...]


STEPS = {"min_side": f"{__name__}:MinSide", "blur": f"{__name__}:Blur", "chain": f"{__name__}:Chain"}


class Lora(Step):
    rank: int = 8
    alpha: float = 16.0

    @model_validator(mode="after")
    def _rank_fits(self) -> Lora:
        if self.rank > 512:
            raise ValueError(f"rank {self.rank} is above 512")
        return self


class Sample(Recipe):
    stages: tuple[Annotated[Step, Use(STEPS)], ...] = Field(min_length=1)
    parts: dict[str, Lora] = Field(default_factory=dict)
    lora: Lora | None = None
    engine: Annotated[Step, Use(STEPS)] | None = None
    lr: float = 1e-4
    note: str = ""


def write(folder: Path, text: str, name: str = "recipe.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


BASE = "out: runs/x\nstages:\n  - {use: min_side, px: 64}\n  - {use: blur, radius: 2}\n"


def problems(path: Path, *overrides: str) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, Sample, overrides)
    assert str(caught.value).splitlines() == [f"{path}: {problem}" for problem in caught.value.problems]
    return list(caught.value.problems)


def assert_told(found: list[str], *expected: tuple[str, ...]) -> None:
    """Each problem begins with its place, the first word of its row, and names the other words."""
    assert [problem.startswith(place) for problem, (place, *_) in zip(found, expected, strict=True)] == [True] * len(
        found
    )
    for problem, (_, *words) in zip(found, expected, strict=True):
        assert [word for word in words if word not in problem] == [], problem


def test_use_blocks_become_objects(tmp_path):
    recipe = load_recipe(write(tmp_path, BASE), Sample)
    assert (recipe.out, recipe.seed) == (Path("runs/x"), 0)
    assert recipe.stages == (MinSide(px=64), Blur(radius=2))
    assert type(recipe.stages[0]) is MinSide


def test_dump_is_json_with_defaults_and_names_and_loads_again(tmp_path):
    text = BASE + "  - {use: chain, inner: [{use: min_side, px: 3}]}\nengine: {use: blur, radius: 1}\n"
    recipe = load_recipe(write(tmp_path, text), Sample)
    dumped = dump_recipe(recipe)
    assert dumped["stages"][0] == {"use": "min_side", "px": 64, "unit": "px"}
    assert dumped["stages"][2] == {"use": "chain", "inner": [{"use": "min_side", "px": 3, "unit": "px"}]}
    assert dumped["engine"] == {"use": "blur", "radius": 1.0}
    again = load_recipe(write(tmp_path, json.dumps(dumped), "again.yaml"), Sample)
    assert again == recipe
    assert digest(again) == digest(recipe)


def test_identity_sees_parameters_of_use_blocks(tmp_path):
    path = write(tmp_path, BASE)
    one, other = (load_recipe(path, Sample, [f"stages.0.px={px}"]) for px in (64, 65))
    assert digest(one) != digest(other)


def test_objects_are_accepted_in_place_of_blocks():
    recipe = Sample(out=Path("x"), stages=(MinSide(px=2),))
    assert recipe.stages == (MinSide(px=2),)


def test_all_mistakes_at_once_each_with_its_path(tmp_path):
    text = """
seeed: 3
stages:
  - {use: min_side, pixels: 64, px: small}
  - {use: min_sid}
  - {radius: 2}
  - {use: chain, inner: [{use: min_side, px: 0}]}
  - blur
  - {use: blur, radius: 13}
parts: {train: {rnak: 4}}
lora: {alpha: [1]}
engine: {use: blur, radios: 1, radius: 2}
"""
    assert_told(
        problems(write(tmp_path, text)),
        ("out: ", "missing"),
        ("stages.0.px: ", "integer", "'small'"),
        ("stages.0.pixels: ", "px, unit"),
        ("stages.1.use: ", "`min_side`", "'min_sid'"),
        ("stages.2.use: ", "missing"),
        ("stages.3.inner.0.px: ", "greater than 0", "0"),
        ("stages.4: ", "`use:`", "'blur'"),
        ("stages.5.radius: ", "13 is unlucky"),
        ("parts.train.rnak: ", "`rank`"),
        ("lora.alpha: ", "number", "[1]"),
        ("engine.radios: ", "`radius`"),
        ("seeed: ", "`seed`"),
    )


@pytest.mark.parametrize(
    ("stages", "problem"),
    [
        ("[]", ("stages: ", "at least 1", "[]")),
        ("[{use: blur}]", ("stages.0.radius: ", "missing")),
    ],
)
def test_a_list_of_bad_items_is_not_called_too_short(tmp_path, stages, problem):
    assert_told(problems(write(tmp_path, f"out: x\nstages: {stages}\n")), problem)


def test_a_mistake_about_a_whole_block_does_not_repeat_the_block(tmp_path):
    assert problems(write(tmp_path, BASE + "lora: {rank: 600}\n")) == ["lora: rank 600 is above 512"]


def test_null_is_shown_where_a_value_is_needed(tmp_path):
    assert_told(problems(write(tmp_path, BASE + "seed: null\n")), ("seed: ", "integer", "None"))


def test_a_dotted_path_is_not_a_name(tmp_path):
    text = BASE + "engine: {use: 'os:system'}\n"
    assert problems(write(tmp_path, text))[0].startswith("engine.use: unknown name; known: min_side, blur, chain")


@pytest.mark.parametrize(
    ("override", "check"),
    [
        ("seed=7", lambda recipe: recipe.seed == 7),
        ("stages.1.radius=1e-4", lambda recipe: recipe.stages[1].radius == 1e-4),
        ("stages=[{use: min_side, px: 9}]", lambda recipe: recipe.stages == (MinSide(px=9),)),
        ("lora.rank=32", lambda recipe: recipe.lora == Lora(rank=32)),
        ("note=a=b", lambda recipe: recipe.note == "a=b"),
        ("note=no", lambda recipe: recipe.note == "no"),
        ("note=2025-01-01", lambda recipe: recipe.note == "2025-01-01"),
        ("lora=null", lambda recipe: recipe.lora is None),
        ("lr=5e-5", lambda recipe: recipe.lr == 5e-5),
    ],
)
def test_overrides(tmp_path, override, check):
    assert check(load_recipe(write(tmp_path, BASE), Sample, [override]))


def test_a_bad_override_is_told_beside_the_other_mistakes(tmp_path):
    found = problems(
        write(tmp_path, BASE + "sed: 1\n"), "seed", "stages.2.px=1", "stages.x.px=1", "out.x=1", "note=[", "runs.fast=1"
    )
    assert_told(
        found,
        ("override 'seed': ", "key.path=value"),
        ("override 'stages.2.px=1': ", "`stages`", " 2"),
        ("override 'stages.x.px=1': ", "`stages`", " 2"),
        ("override 'out.x=1': ", "'runs/x'", "`x`"),
        ("override 'note=[': ", "line 1, column 2: not valid YAML"),
        ("sed: ", "`seed`"),
        ("runs: ", "out, seed, stages, parts, lora, engine, lr, note"),
    )


def test_a_bad_override_alone_is_a_mistake(tmp_path):
    assert_told(problems(write(tmp_path, BASE), "seed"), ("override 'seed': ", "key.path=value"))


def test_extends_merges_mappings_and_replaces_lists(tmp_path):
    (tmp_path / "base").mkdir()
    write(tmp_path / "base", BASE + "seed: 1\nlora: {rank: 4, alpha: 8}\nengine: {use: blur, radius: 3}\n", "root.yaml")
    write(tmp_path / "base", "extends: root.yaml\nseed: 2\n", "middle.yaml")
    top = "extends: base/middle.yaml\nlora: {rank: 64}\nstages: [{use: blur, radius: 5}]\nengine: {use: min_side}\n"
    recipe = load_recipe(write(tmp_path, top), Sample)
    assert recipe.seed == 2
    assert recipe.lora == Lora(rank=64, alpha=8)
    assert recipe.stages == (Blur(radius=5),)
    assert recipe.engine == MinSide()  # another `use:` does not inherit the old one's parameters


def test_extends_in_a_circle_is_refused(tmp_path):
    write(tmp_path, "extends: b.yaml\n", "a.yaml")
    write(tmp_path, "extends: a.yaml\n", "b.yaml")
    with pytest.raises(RecipeError, match=r"a\.yaml -> b\.yaml -> a\.yaml$"):
        load_recipe(tmp_path / "a.yaml", Sample)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("out: x\nstages: [\n", "line 3, column 1: not valid YAML"),
        ("out: x\nout: y\n", "line 2, column 1: not valid YAML: key `out` "),
        ("- a\n", "this is ['a']"),
        ("", "this is None"),
        ("extends: [a]\n", "got ['a']"),
        ("extends: none.yaml\n", "No such file or directory (extended by "),
        ("out: !!python/object/apply:os.system [ls]\n", "could not determine a constructor"),
    ],
)
def test_files_that_are_no_recipe(tmp_path, text, message):
    with pytest.raises(RecipeError) as caught:
        load_recipe(write(tmp_path, text), Sample)
    assert message in str(caught.value)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(RecipeError, match=r"nowhere\.yaml: .*No such file"):
        load_recipe(tmp_path / "nowhere.yaml", Sample)


def test_an_override_reaches_one_use_of_a_yaml_anchor(tmp_path):
    path = write(tmp_path, "out: x\nstages:\n  - &a {use: min_side, px: 64}\n  - *a\n")
    assert load_recipe(path, Sample, ["stages.0.px=1"]).stages == (MinSide(px=1), MinSide(px=64))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("stages: []", "curation"),
        ("train: {}\nengine: {}", "sft"),
        ("engine: {}\nbench: {}", "eval"),
        ("run: runs/x\nbench: {}", "sweep"),
        ("project: {}", "annotation"),
        ("engine: {}", "judge"),
    ],
)
def test_kind_by_top_level_keys(tmp_path, text, kind):
    assert command_of(write(tmp_path, text))[1].recipes.name == kind
    child = write(tmp_path, "extends: recipe.yaml\n", "child.yaml")
    assert command_of(child)[1].recipes.name == kind


def test_a_recipe_of_no_kind(tmp_path):
    with pytest.raises(RecipeError, match=r"recipe\.yaml: .*keys"):
        command_of(write(tmp_path, "out: x"))
