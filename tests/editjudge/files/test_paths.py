"""Paths that a person writes: `~`, and inputs beside the recipe that wrote them."""

from __future__ import annotations

import argparse
import getpass
import pickle
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Annotated, Any

import pytest
from places import ROOT
from pydantic import BaseModel, ConfigDict, Field, model_validator

from editjudge.__main__ import main
from editjudge.asking import JUDGES
from editjudge.cli.commands import COMMANDS, JUDGE
from editjudge.cli.commands import load as load_object
from editjudge.engines import ENGINES
from editjudge.errors import RecipeError
from editjudge.files.paths import InputPath, Located, ModelName, OutputPath, expand, names_a_folder, user_path
from editjudge.recipes.recipe import Recipe, examine, load_recipe
from editjudge.recipes.recipe_use import Use


class Block(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    path: InputPath

    @model_validator(mode="before")
    @classmethod
    def _alone(cls, value: object) -> object:
        return {"path": value} if isinstance(value, str) else value


class Paths(Recipe):
    data: InputPath | None = None
    text: Annotated[str, Located("input")] | None = None
    many: tuple[InputPath, ...] = ()
    block: Block | None = None
    named: dict[str, Block] = Field(default_factory=dict)
    used: Annotated[Block, Use({"block": f"{__name__}:Block"})] | None = None
    model: ModelName | None = None
    cache: OutputPath | None = None


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder `here`, recipes in `recipes` and `recipes/base`, a home folder `home`."""
    for name in ("here", "recipes/base", "home"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


def load(path: Path, text: str, *overrides: str) -> Paths:
    path.write_text(text)
    return load_recipe(path, Paths, overrides)


FIELDS = {
    "data": ("data: {}", lambda recipe: recipe.data),
    "text": ("text: {}", lambda recipe: Path(recipe.text)),
    "in a list": ("many: [{}]", lambda recipe: recipe.many[0]),
    "in a block": ("block: {{path: {}}}", lambda recipe: recipe.block.path),
    "for a block": ("block: {}", lambda recipe: recipe.block.path),
    "in a named block": ("named: {{a: {}}}", lambda recipe: recipe.named["a"].path),
    "in a use block": ("used: {{use: block, path: {}}}", lambda recipe: recipe.used.path),
    "model": ("model: {}", lambda recipe: Path(recipe.model)),
}


@pytest.mark.parametrize(("line", "read"), FIELDS.values(), ids=FIELDS.keys())
def test_an_input_is_taken_from_here_or_else_from_beside_the_recipe(places: Path, line: str, read: Any) -> None:
    recipe, text = places / "recipes" / "r.yaml", "out: x\n" + line.format("sub/data")
    assert read(load(recipe, text)) == Path("sub/data")  # nowhere: as written
    (places / "recipes" / "sub" / "data").mkdir(parents=True)
    assert read(load(recipe, text)) == places / "recipes" / "sub" / "data"
    (places / "here" / "sub" / "data").mkdir(parents=True)
    assert read(load(recipe, text)) == Path("sub/data")


@pytest.mark.parametrize(("line", "read"), FIELDS.values(), ids=FIELDS.keys())
def test_an_input_is_looked_for_beside_the_file_that_wrote_it_also_through_extends(
    places: Path, line: str, read: Any
) -> None:
    (places / "recipes" / "base" / "b.yaml").write_text("out: x\n" + line.format("data"))
    for folder in ("recipes", "recipes/base"):
        (places / folder / "data").mkdir()
    assert read(load(places / "recipes" / "r.yaml", "extends: base/b.yaml")) == places / "recipes" / "base" / "data"


def test_an_override_and_an_output_are_meant_from_here(places: Path) -> None:
    for name in ("data", "x", "cache"):
        (places / "recipes" / name).mkdir()
    recipe = load(places / "recipes" / "r.yaml", "out: x\ncache: cache\n", "data=data")
    assert (recipe.data, recipe.out, recipe.cache) == (Path("data"), Path("x"), Path("cache"))


@pytest.mark.parametrize("home", ["~", f"~{getpass.getuser()}"])
def test_a_tilde_is_expanded_in_recipes_and_overrides(places: Path, home: str) -> None:
    folder = Path(home).expanduser()
    lines = "\n".join(f"{key}: {home}/x" for key in ("out", "data", "text", "model", "cache", "block"))
    recipe = load(places / "recipes" / "r.yaml", lines)
    found = [recipe.out, recipe.data, Path(recipe.text or ""), Path(recipe.model or ""), recipe.cache]
    assert [*found, recipe.block.path if recipe.block else None] == [folder / "x"] * 6
    assert load_recipe(places / "recipes" / "r.yaml", Paths, [f"out={home}/y"]).out == folder / "y"
    assert Paths(out=Path(f"{home}/z")).out == folder / "z"


def test_extends_and_the_recipe_itself_may_lie_in_the_home_folder(places: Path) -> None:
    (places / "home" / "b.yaml").write_text("out: x")
    (places / "home" / "r.yaml").write_text("extends: ~/b.yaml")
    assert load_recipe("~/r.yaml", Paths).out == Path("x")


def test_a_tilde_of_nobody_is_a_mistake(places: Path) -> None:
    with pytest.raises(RecipeError, match=r"out: ~nobody-here/x: no home folder .*\./~nobody-here"):
        load(places / "recipes" / "r.yaml", "out: ~nobody-here/x")
    with pytest.raises(argparse.ArgumentTypeError, match="no home folder"):
        user_path("~nobody-here/x")
    assert expand("a/~/b") == Path("a/~/b")
    assert expand("./~x") == places / "here" / "~x"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("Qwen/Qwen2.5-VL-7B-Instruct", False),
        ("gpt2", False),
        ("/nope", True),
        ("./nope", True),
        ("../nope", True),
        ("~/nope", True),
        ("a/b/c", True),
        ("owner/name/", True),
        ("runs/x", True),
    ],
)
def test_what_can_only_be_a_path(text: str, path: bool) -> None:
    assert names_a_folder(text) is path


def test_a_value_for_a_library_is_plain_text(places: Path) -> None:
    from sft.recipe import SFTRecipe

    file = places / "recipes" / "sft.yaml"
    file.write_text(
        "out: x\nmodel: m\nfamily: qwen2_5_vl\ndata: d\n"
        "train: {per_device_train_batch_size: 1, report_to: [none], model_init_kwargs: {dtype: auto}}\n"
    )
    train = load_recipe(file, SFTRecipe).train
    assert {type(text) for text in (*train, *train["report_to"], *train["model_init_kwargs"].values())} == {str}
    assert pickle.loads(pickle.dumps(train)) == train


def test_what_ships_with_editjudge_is_found_from_anywhere(places: Path) -> None:
    recipe = load(places / "recipes" / "r.yaml", "out: x\nmodel: sft/tiny_base")
    assert recipe.model == str(ROOT / "sft" / "tiny_base")


def path_fields(schema: type[BaseModel], seen: set[type[BaseModel]]) -> list[str]:
    """Fields of a recipe, and of its blocks, that are a bare `Path`."""
    if schema in seen:
        return []
    seen.add(schema)
    bare = []
    for name, field in schema.model_fields.items():
        marked = any(isinstance(mark, Located) for mark in field.metadata)
        for kind in kinds_of(field.annotation):
            if kind is Path and not marked:
                bare.append(f"{schema.__name__}.{name}")
            elif isinstance(kind, Use):
                for entry in kind.table:
                    bare += path_fields(kind.load(entry), seen)
            elif isinstance(kind, type) and issubclass(kind, BaseModel):
                bare += path_fields(kind, seen)
        for mark in field.metadata:
            if isinstance(mark, Use):
                for entry in mark.table:
                    bare += path_fields(mark.load(entry), seen)
    return bare


def kinds_of(annotation: Any) -> list[Any]:
    from typing import get_args, get_origin

    if get_origin(annotation) is Annotated:
        kind, *marks = get_args(annotation)
        if any(isinstance(mark, Located) for mark in marks):
            return []
        return [*kinds_of(kind), *(mark for mark in marks if isinstance(mark, Use))]
    return [annotation, *(kind for argument in get_args(annotation) for kind in kinds_of(argument))]


RECIPES = [command.recipes.schema for command in COMMANDS.values() if command.recipes not in (None, JUDGE)]


@pytest.mark.parametrize("target", [*RECIPES, *JUDGES.values(), *ENGINES.values()])
def test_every_path_of_every_recipe_says_whether_it_is_read_or_written(target: str) -> None:
    assert path_fields(load_object(target), set()) == []


def test_the_search_for_bare_paths_finds_one() -> None:
    class Bare(BaseModel):
        blocks: tuple[Block, ...]
        path: Path | None

    assert path_fields(Bare, set()) == ["Bare.path"]


def test_no_command_makes_a_folder_called_tilde(places: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = places / "recipes" / "e.yaml"
    recipe.write_text(
        "out: ~/out\nbench: [{use: pairs, path: ~/bench.jsonl}]\n"
        "judge: {engine: {use: scripted, replies: [x]}, cache: ~/cache}\n"
    )
    (places / "home" / "bench.jsonl").write_text("")
    assert main(["eval", str(recipe)]) == 1  # an empty benchmark, found where `~` leads
    assert "no usable row" in capsys.readouterr().err
    main(["doctor", "~/out"])
    main(["compare", "~/a", "~/b", "--json", "~/c.json"])
    assert "~" not in capsys.readouterr().err
    assert list((places / "here").iterdir()) == []
    assert (places / "home" / "out").is_dir()


def test_every_path_argument_of_a_command_expands_the_tilde() -> None:
    """`type=Path` would not."""
    packages = ("editjudge", "curation", "annotation", "sft", "eval", "scripts")
    files = [path for package in packages for path in (ROOT / package).rglob("*.py")]
    assert [str(path) for path in files if "type=Path" in path.read_text()] == []


def test_deepspeed_configurations_ship_by_name(places: Path) -> None:
    from sft.deepspeed_config import read_deepspeed
    from sft.recipe import SFTRecipe

    found = examine(ROOT / "recipes" / "sft" / "qwen2_5_vl_7b.yaml", SFTRecipe)
    assert found.problems == ()
    assert found.recipe is not None
    assert found.recipe.deepspeed == "zero2"
    assert read_deepspeed("zero2")["zero_optimization"]["stage"] == 2


def test_a_deepspeed_file_beside_the_recipe_is_found(places: Path) -> None:
    from sft.deepspeed_config import SHIPPED
    from sft.recipe import SFTRecipe

    (places / "recipes" / "mine.json").write_text(SHIPPED["zero3"].read_text())
    file = places / "recipes" / "sft.yaml"
    file.write_text(
        "out: x\nmodel: m\nfamily: qwen2_5_vl\ndata: d\ndeepspeed: mine.json\ntrain: {per_device_train_batch_size: 1}\n"
    )
    assert load_recipe(file, SFTRecipe).deepspeed == str(places / "recipes" / "mine.json")


@pytest.mark.slow
def test_a_wheel_holds_the_deepspeed_configurations(tmp_path: Path) -> None:
    source = tmp_path / "source"  # a build leaves files beside the packages
    for name in ("editjudge", "curation", "annotation", "sft", "eval"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.safetensors"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(tmp_path)]
    subprocess.run([*command, str(source)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {f"sft/deepspeed_configs/{name}.json" for name in ("zero2", "zero3", "zero3_offload")} <= {*names}
