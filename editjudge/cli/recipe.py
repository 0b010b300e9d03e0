"""`editjudge recipe`: the recipes that ship with EditJudge, also in an installed wheel."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from editjudge.cli.options import add_json, json_results
from editjudge.files.paths import user_path
from editjudge.recipes.shipped import copy_recipe, find_recipe, shipped_recipes


def list_recipes(argv: Sequence[str]) -> int:
    """List the shipped recipes."""
    parser = argparse.ArgumentParser(prog="editjudge recipe ls", description="List the shipped recipes.")
    add_json(parser)
    arguments = parser.parse_args(argv)
    found = shipped_recipes()
    with json_results(arguments.json) as write:
        write([{"name": recipe.name, "about": recipe.about, "path": recipe.path} for recipe in found])
        width = max(len(recipe.name) for recipe in found)
        for recipe in found:
            print(f"{recipe.name:<{width}}  {recipe.about}")
    return 0


def show(argv: Sequence[str]) -> int:
    """Print a shipped recipe."""
    parser = argparse.ArgumentParser(prog="editjudge recipe show", description="Print a shipped recipe.")
    _add_name(parser)
    add_json(parser)
    arguments = parser.parse_args(argv)
    recipe = find_recipe(arguments.name)
    text = recipe.path.read_text(encoding="utf-8")
    with json_results(arguments.json) as write:
        write({"name": recipe.name, "path": recipe.path, "text": text})
        print(text, end="")
    return 0


def copy(argv: Sequence[str]) -> int:
    """Copy a shipped recipe and the files that it names."""
    parser = argparse.ArgumentParser(
        prog="editjudge recipe copy", description="Copy a shipped recipe, and the files that it names, to change it."
    )
    _add_name(parser)
    parser.add_argument(
        "folder",
        metavar="FOLDER",
        nargs="?",
        type=user_path,
        default=Path("recipes"),
        help="where NAME is written to (default: %(default)s)",
    )
    add_json(parser)
    arguments = parser.parse_args(argv)
    with json_results(arguments.json) as write:
        files = copy_recipe(find_recipe(arguments.name), arguments.folder)
        write({"files": files})
        for path in files:
            print(path)
        print(f"\nWhat it would do: editjudge check {files[0]}")
    return 0


def _add_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="as `editjudge recipe ls` prints it")
