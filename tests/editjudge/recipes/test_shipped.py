"""Shipped recipes: found by name, and copied with everything that they need."""

from __future__ import annotations

from pathlib import Path

import pytest
from places import ROOT

from editjudge.__main__ import main
from editjudge.errors import RecipeError
from editjudge.recipes import shipped
from editjudge.recipes.recipe_yaml import resolve
from editjudge.recipes.shipped import RECIPES, ShippedRecipe, copy_recipe, files_of, find_recipe, shipped_recipes


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Shipped recipes in other places than the real ones: a recipe that extends two others and names files."""
    files = {
        "a/top.yaml": "# editjudge eval a/top.yaml\n#\n# The top.\nextends: middle.yaml\nfile: rows.jsonl\nname: .\n",
        "a/middle.yaml": "extends: ../b/base.yaml\nblocks: [{path: images}]\n",
        "a/rows.jsonl": "{}\n",
        "a/images/x.png": "x",
        "a/images/deep/y.png": "y",
        "a/other.yaml": "out: x\n",
        "b/base.yaml": "out: runs/b\nnote: a/rows.jsonl\n",
    }
    for name, text in files.items():
        path = tmp_path / "shipped" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(shipped, "RECIPES", tmp_path / "shipped")
    return tmp_path / "shipped"


def test_the_folder_is_that_of_the_checkout():
    assert RECIPES == ROOT / "recipes"
    assert {recipe.path for recipe in shipped_recipes()} == {*RECIPES.rglob("*.yaml")}


@pytest.mark.parametrize("recipe", shipped_recipes(), ids=lambda recipe: recipe.name)
def test_a_recipe_says_in_one_line_what_it_is(recipe):
    assert recipe.about.endswith("."), recipe.about


@pytest.mark.parametrize("name", ["a/top", "a/top.yaml", "recipes/a/top.yaml"])
def test_a_recipe_is_found_by_its_name(tree, name):
    assert find_recipe(name) == ShippedRecipe("a/top", tree / "a" / "top.yaml")
    assert find_recipe(name).about == "The top."


@pytest.mark.parametrize("name", ["a/tap", "../secret", "a"])
def test_an_unknown_name(tree, name):
    with pytest.raises(RecipeError, match=name):
        find_recipe(name)


def test_a_copy_has_what_the_recipe_extends_and_names(tree, tmp_path):
    copies = copy_recipe(find_recipe("a/top"), tmp_path / "mine")
    assert copies[0] == tmp_path / "mine" / "a" / "top.yaml"
    assert {path.relative_to(tmp_path / "mine").as_posix() for path in copies} == {
        *("a/top.yaml", "a/middle.yaml", "a/rows.jsonl", "a/images/x.png", "a/images/deep/y.png", "b/base.yaml")
    }
    data, _ = resolve(copies[0], [])
    assert data["out"] == "runs/b"
    assert (data["file"].folder / data["file"]).is_file()


def test_a_copy_never_overwrites_a_change(tree, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["recipe", "copy", "a/other"]) == 0
    assert main(["recipe", "copy", "a/other"]) == 0
    copy = tmp_path / "recipes" / "a" / "other.yaml"
    copy.write_text("out: mine\n")
    capsys.readouterr()
    assert main(["recipe", "copy", "a/other"]) == 1
    assert "recipes/a/other.yaml" in capsys.readouterr().err
    assert copy.read_text() == "out: mine\n"


def test_nothing_is_copied_when_one_file_is_in_the_way(tree, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipes" / "b").mkdir(parents=True)
    (tmp_path / "recipes" / "b" / "base.yaml").write_text("out: mine\n")
    assert main(["recipe", "copy", "a/top"]) == 1
    assert not (tmp_path / "recipes" / "a").exists()


def test_shipped_recipes_that_extend_others_are_whole():
    assert files_of(RECIPES / "eval" / "genai_bench.yaml") == [
        RECIPES / "eval" / "genai_bench.yaml",
        RECIPES / "eval" / "editreward_bench.yaml",
    ]
