"""The recipes that ship with EditJudge: `recipes/` of a checkout, and the copy of that folder in an installed wheel.

A recipe starts with comments: the command that runs it, then its description and the inputs that it needs.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from editjudge.errors import RecipeError, StorageError
from editjudge.files.io import atomic_write
from editjudge.recipes.recipe_use import did_you_mean

RECIPES = (Path(__file__).parent / "data").resolve()
"""`data` is a link to the checkout's `recipes/`; a wheel contains the files themselves."""


@dataclass(frozen=True)
class ShippedRecipe:
    """A recipe that ships with EditJudge."""

    name: str
    """Path below `RECIPES` without its ending, such as "quickstart/curate"."""
    path: Path

    @property
    def about(self) -> str:
        """Description in one line: the comment below the command; "" without comments."""
        lines = [line for line in head(self.path) if line]
        return lines[min(1, len(lines) - 1)] if lines else ""


def head(path: Path) -> list[str]:
    """Return the comment lines at the start of a recipe, without `#`."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("#").strip() for line in itertools.takewhile(lambda line: line[:1] == "#", lines)]


def shipped_recipes() -> list[ShippedRecipe]:
    """Return all shipped recipes, ordered by name."""
    found = {path.relative_to(RECIPES).with_suffix("").as_posix(): path for path in RECIPES.rglob("*.yaml")}
    return [ShippedRecipe(name, found[name]) for name in sorted(found)]


def find_recipe(name: str) -> ShippedRecipe:
    """Return a recipe; `recipes/quickstart/curate.yaml` means "quickstart/curate". `RecipeError` if unknown."""
    wanted = name.removeprefix("recipes/").removesuffix(".yaml")
    known = {recipe.name: recipe for recipe in shipped_recipes()}
    if wanted not in known:
        raise RecipeError(name, [f"no recipe of this name ships with EditJudge{did_you_mean(wanted, known)}"])
    return known[wanted]


def copy_recipe(recipe: ShippedRecipe, folder: Path) -> list[Path]:
    """Copy a recipe, what it extends and the files it names, to the same places below `folder`; return the copies.

    Raises `StorageError`, and copies nothing, when a different file exists.
    """
    copies = {folder / path.relative_to(RECIPES): path.read_bytes() for path in files_of(recipe.path)}
    changed = [path for path, content in copies.items() if path.exists() and path.read_bytes() != content]
    if changed:
        raise StorageError("\n".join(f"{path}: is another file already; choose another FOLDER" for path in changed))
    for path, content in copies.items():
        if not path.exists():
            atomic_write(path, content)
    return [*copies]


def files_of(path: Path) -> list[Path]:
    """Return a shipped recipe, then the files that its values name: inputs, and what it extends with its files."""
    found: list[Path] = []
    waiting = [path]
    while waiting:
        file = waiting.pop(0)
        if file not in found:
            found.append(file)
            waiting += _named_in(file)
    return found


def _named_in(file: Path) -> list[Path]:
    """Return the shipped files that a recipe's values name, one by one or by their folder."""
    if file.suffix != ".yaml":
        return []
    values = yaml.safe_load(file.read_text(encoding="utf-8"))
    named = {Path(os.path.normpath(file.parent / text)) for text in _texts(values)} - {*file.parents}
    return [other for other in sorted(RECIPES.rglob("*")) if other.is_file() and named & {other, *other.parents}]


def _texts(value: Any) -> Iterator[str]:
    """Yield every text in a YAML value, except keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
