"""Recipes: YAML files, `extends:` and command-line overrides become checked objects. All mistakes are reported at once.

Paths are looked for from where the command runs; an input that is not there, beside the recipe that wrote it (see
`paths`). `extends:` is relative to its own file.
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
    """Base of every recipe. A subclass adds its own keys, and a `runtime` block for what cannot change a byte."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    out: OutputPath
    """Folder of the run."""
    seed: int = 0
    """Of what the run draws at random."""


@runtime_checkable
class Resolvable(Protocol):
    """A schema some of whose values come from files that it names: a judge is asked as its weights were trained."""

    def resolved(self) -> Any:
        """The recipe with the values that it leaves out; `load_recipe` gives it."""


@dataclass(frozen=True)
class Examined(Generic[RecipeT]):
    """A recipe with everything that would end its run."""

    recipe: RecipeT | None
    """None when there are problems."""
    problems: tuple[str, ...]
    missing: tuple[Missing, ...]


def load_recipe(path: str | Path, schema: type[RecipeT], overrides: Iterable[str] = ()) -> RecipeT:
    """Read a recipe, apply `key.path=value` overrides, and check it. `RecipeError` holds every problem found."""
    data, problems = resolve_recipe(path, overrides)
    recipe, found, _ = _validate(data, schema, None)
    if recipe is None or problems or found:
        raise RecipeError(str(path), problems + found)
    return recipe


def examine(path: str | Path, schema: type[RecipeT], overrides: Iterable[str] = ()) -> Examined[RecipeT]:
    """As `load_recipe`, and also look for what would end the run later: see `Ready`."""
    data, problems = resolve_recipe(path, overrides)
    # Apart from the rest, so that a missing file does not keep other values from being compared.
    _, _, missing = _validate(data, schema, Ready.INPUTS)
    recipe, found, _ = _validate(data, schema, Ready.SETTINGS)
    reported: set[str] = set()
    while new := [line for line in found if _where(line) not in reported]:
        problems += new
        reported |= {_where(line) for line in new}
        # Without the wrong values, the others can be compared with each other.
        rest = _without(data, reported, "")
        _, found, _ = _validate(rest, schema, Ready.SETTINGS)
        if rest.keys() != data.keys():  # what is wrong with the whole may only be that a key was taken out
            found = [line for line in found if _where(line).partition(".")[0] in {*data, *schema.model_fields}]
    missing = [item for item in missing if item.where not in reported]
    return Examined(None if problems else recipe, tuple(problems), tuple(missing))


def load_for_run(
    path: str | Path, schema: type[RecipeT], overrides: Iterable[str] = (), may_come: Container[str] = ()
) -> RecipeT:
    """`load_recipe` for a command that is about to start: `RecipeError` also for what would end it later.

    Inputs below the top-level keys `may_come` need not exist yet.
    """
    found = examine(path, schema, overrides)
    missing = [str(item) for item in found.missing if item.where.partition(".")[0] not in may_come]
    if found.recipe is None or missing:
        raise RecipeError(str(path), [*found.problems, *missing])
    return found.recipe


def resolve_recipe(path: str | Path, overrides: Iterable[str] = ()) -> tuple[dict[str, Any], list[str]]:
    """A recipe's values, with `extends:` and overrides, and what is wrong with the overrides. Nothing is checked."""
    try:
        return resolve(expand(path), overrides)
    except ValueError as error:
        raise RecipeError(str(path), [str(error)]) from error


def _validate(
    data: Mapping[str, Any], schema: type[RecipeT], context: Ready | None
) -> tuple[RecipeT | None, list[str], list[Missing]]:
    """The recipe if it is valid, its problems, and the inputs that do not exist."""
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
    """The YAML path that a line begins with."""
    return problem.partition(":")[0]


def _without(value: Any, wrong: Container[str], where: str) -> Any:
    """A copy of a recipe's mapping without the keys whose YAML path is in `wrong`."""
    if not isinstance(value, dict):
        return value
    places = {key: f"{where}.{key}" if where else str(key) for key in value}
    return {key: _without(item, wrong, places[key]) for key, item in value.items() if places[key] not in wrong}


def dump_recipe(recipe: BaseModel) -> dict[str, Any]:
    """Every value as resolved, defaults included, ready for JSON; `use:` names survive."""
    return recipe.model_dump(mode="json")
