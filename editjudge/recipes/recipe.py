"""Recipes: YAML files, `extends:` and command-line overrides become validated objects. All mistakes are reported at
once.

Paths are relative to the current folder; an input missing there is searched beside its recipe (see `paths`). `extends:`
is relative to its own file.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel, ConfigDict, ValidationError

from editjudge.errors import RecipeError
from editjudge.files.paths import OutputPath, Ready, expand
from editjudge.recipes.recipe_mistakes import Missing, explain, number_problems
from editjudge.recipes.recipe_yaml import resolve

RecipeT = TypeVar("RecipeT", bound=BaseModel)


class Recipe(BaseModel):
    """Base class of recipes. A subclass adds its own keys, and a `runtime` block for options that change no byte."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    out: OutputPath
    """Folder of the run."""
    seed: int = 0
    """Seed of the run's random numbers."""


@runtime_checkable
class Resolvable(Protocol):
    """A schema with values from files that it names, such as the settings that a judge's weights were trained with."""

    def resolved(self) -> Any:
        """Return the recipe with omitted values filled in; called by `load_recipe`."""


@dataclass(frozen=True)
class Examined(Generic[RecipeT]):
    """A recipe and everything that would end its run."""

    recipe: RecipeT | None
    """None when there are problems."""
    problems: tuple[str, ...]
    missing: tuple[Missing, ...]


def load_recipe(path: str | Path, schema: type[RecipeT], overrides: Iterable[str] = ()) -> RecipeT:
    """Read a recipe, apply `key.path=value` overrides, and validate it. `RecipeError` lists every problem."""
    data, problems = resolve_recipe(path, overrides)
    recipe, found, _ = _validate(data, schema, None)
    if recipe is None or problems or found:
        raise RecipeError(str(path), problems + found)
    return recipe


def examine(path: str | Path, schema: type[RecipeT], overrides: Iterable[str] = ()) -> Examined[RecipeT]:
    """Run `load_recipe` and also check for what would end the run later, see `Ready`."""
    data, problems = resolve_recipe(path, overrides)
    # Separate from the rest, so that other values are compared although a file is missing.
    _, _, missing = _validate(data, schema, Ready.INPUTS)
    recipe, found, _ = _validate(data, schema, Ready.SETTINGS)
    reported: set[str] = set()
    while new := [line for line in found if _where(line) not in reported]:
        problems += new
        reported |= {_where(line) for line in new}
        # Without the invalid values, the others can be compared with each other.
        rest = _without(data, reported, "")
        _, found, _ = _validate(rest, schema, Ready.SETTINGS)
        if rest.keys() != data.keys():  # an error of the whole may only be due to the removed keys
            found = [line for line in found if _where(line).partition(".")[0] in {*data, *schema.model_fields}]
    missing = [item for item in missing if item.where not in reported]
    return Examined(None if problems else recipe, tuple(problems), tuple(missing))


def load_for_run(
    path: str | Path, schema: type[RecipeT], overrides: Iterable[str] = (), may_come: Container[str] = ()
) -> RecipeT:
    """Load a recipe for a command that is about to start. Raises `RecipeError` also for what would end the run later.

    Inputs below the top-level keys `may_come` need not exist yet.
    """
    found = examine(path, schema, overrides)
    missing = [str(item) for item in found.missing if item.where.partition(".")[0] not in may_come]
    if found.recipe is None or missing:
        raise RecipeError(str(path), [*found.problems, *missing])
    return found.recipe


def resolve_recipe(path: str | Path, overrides: Iterable[str] = ()) -> tuple[dict[str, Any], list[str]]:
    """Return a recipe's values, with `extends:` and overrides, and the overrides' problems, without validation."""
    try:
        return resolve(expand(path), overrides)
    except ValueError as error:
        raise RecipeError(str(path), [str(error)]) from error


def _validate(
    data: Mapping[str, Any], schema: type[RecipeT], context: Ready | None
) -> tuple[RecipeT | None, list[str], list[Missing]]:
    """Return the recipe if it is valid, its problems, and the inputs that do not exist."""
    recipe: RecipeT | None = None
    problems: list[str] = []
    missing: list[Missing] = []
    try:
        recipe = schema.model_validate(data, context=context)
        if isinstance(recipe, Resolvable):
            recipe = recipe.resolved()
    except ValidationError as error:
        problems, missing = explain(error, schema, data)
    numbers = {where: f"{where}: {text}" for where, text in number_problems(data, schema)}
    return recipe, [*numbers.values(), *(line for line in problems if _where(line) not in numbers)], missing


def _where(problem: str) -> str:
    """Return the YAML path at the start of a line."""
    return problem.partition(":")[0]


def _without(value: Any, wrong: Container[str], where: str) -> Any:
    """Return a copy of a recipe's mapping without the keys whose YAML path is in `wrong`."""
    if not isinstance(value, dict):
        return value
    places = {key: f"{where}.{key}" if where else str(key) for key in value}
    return {key: _without(item, wrong, places[key]) for key, item in value.items() if places[key] not in wrong}


def dump_recipe(recipe: BaseModel) -> dict[str, Any]:
    """Return every resolved value, defaults included, ready for JSON; `use:` names are kept."""
    return recipe.model_dump(mode="json")
