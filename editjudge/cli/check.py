"""`editjudge check`: show what a recipe would do, and report every mistake that would end its run."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from editjudge.cli.commands import COMMANDS, Command, RecipeKind, load
from editjudge.cli.options import add_json, add_recipe, json_results
from editjudge.errors import RecipeError
from editjudge.files.paths import below_runs
from editjudge.recipes.recipe import dump_recipe, examine, resolve_recipe
from editjudge.recipes.recipe_mistakes import Missing
from editjudge.recipes.recipe_yaml import dump_yaml
from editjudge.recipes.shipped import head, shipped_recipes

NO_RECIPE = "no recipe here makes it"


def main(argv: list[str]) -> int:
    """Validate a recipe and print what it would do."""
    parser = argparse.ArgumentParser(prog="editjudge check", description="Check a recipe and say what it would do.")
    add_recipe(parser)
    add_json(parser)
    arguments = parser.parse_intermixed_args(argv)
    with json_results(arguments.json) as write:
        found = _check(arguments.recipe, arguments.overrides)
        write(found)
        if found["problems"]:
            raise RecipeError(str(arguments.recipe), found["problems"])
        _print(found)
    return 0


def _check(path: Path, overrides: list[str]) -> dict[str, Any]:
    """Return the `problems` of a recipe, or what it would do."""
    name, command = command_of(path, overrides)
    kind = command.recipes.name if command.recipes else ""
    examined = examine(path, schema(command, path, overrides), overrides)
    wrong = [item for item in examined.missing if not below_runs(item.path)]
    about = {"recipe": str(path), "kind": kind, "problems": [*examined.problems, *map(str, wrong)]}
    if examined.recipe is None or wrong:
        return about
    run_with = f"editjudge {name} {shlex.join([str(path), *overrides])}" if command.runs_recipes else None
    later = [_not_there_yet(item, path) for item in examined.missing]
    return about | {"run_with": run_with, "not_there_yet": later} | _plans(examined.recipe)


def _plans(recipe: BaseModel) -> dict[str, Any]:
    """Return a recipe's description of itself, and every resolved value."""
    describe = getattr(recipe, "describe", None)
    return {"description": "" if describe is None else describe(), "values": dump_recipe(recipe)}


def _print(found: dict[str, Any]) -> None:
    later = found["not_there_yet"]
    print(f"{found['recipe']}: no mistakes ({found['kind']} recipe){'; not ready to run yet' if later else ''}")
    for line in later:
        print(f"not there yet: {line}")
    if found["run_with"]:
        print(f"run it with: {found['run_with']}")
    if found["description"]:
        print(f"\n{found['description']}")
    print(f"\n# every value as resolved\n{dump_yaml(found['values'])}", end="")


def recipe_kinds() -> dict[str, tuple[str, Command]]:
    """Return top-level key -> name and command of the recipes with that key; the first key that a recipe has
    decides."""
    return {
        key: (name, command) for name, command in COMMANDS.items() if command.recipes for key in command.recipes.keys
    }


def command_of(path: str | Path, overrides: Iterable[str] = ()) -> tuple[str, Command]:
    """Return the command that runs a recipe, by its top-level keys. Raises `RecipeError` when there is none."""
    data, _ = resolve_recipe(path, overrides)
    kinds = recipe_kinds()
    for key, found in kinds.items():
        if key in data:
            return found
    keys = ", ".join(f"`{key}` ({name})" for key, (name, _) in kinds.items())
    raise RecipeError(str(path), [f"cannot tell what it is for: it needs one of the keys {keys}"])


def schema(command: Command, path: str | Path, overrides: Iterable[str] = ()) -> type[BaseModel]:
    """Return the schema of a command's recipes."""
    assert isinstance(command.recipes, RecipeKind)
    found: Any = load(command.recipes.schema)
    return found if isinstance(found, type) else found(path, overrides)


def _not_there_yet(missing: Missing, recipe: Path) -> str:
    """Describe a missing input below `runs/` and the command that makes it: the recipe whose `out` contains it."""
    wanted = missing.path.absolute()
    for path in _neighbours(recipe):
        try:
            (name, command), data = command_of(path), resolve_recipe(path)[0]
        except RecipeError:
            continue
        out = data.get("out")
        if command.runs_recipes and isinstance(out, str) and wanted.is_relative_to(Path(out).absolute()):
            return f"{missing.where}: {missing.path}; made by: editjudge {name} {shlex.quote(str(path))}"
    described = any(str(missing.path) in line for line in head(recipe))
    return f"{missing.where}: {missing.path}; {f'bring it: see the head of {recipe}' if described else NO_RECIPE}"


def _neighbours(recipe: Path) -> Iterator[Path]:
    """Yield recipes that may make another recipe's inputs: beside it, in the current folder's `recipes/`, and
    shipped."""
    yield from sorted(recipe.parent.glob("*.yaml"))
    yield from sorted(Path("recipes").rglob("*.yaml"))
    yield from (found.path for found in shipped_recipes())
