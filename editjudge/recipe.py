"""Recipes: YAML files, `extends:` and command-line overrides become checked objects. All mistakes are reported at once.

Paths are looked for from where the command runs; an input that is not there, beside the recipe that wrote it (see
`paths`). `extends:` is relative to its own file.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, ValidationError, ValidationInfo
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from editjudge.errors import RecipeError
from editjudge.paths import MISSING, OutputPath, Ready, expand
from editjudge.recipe_yaml import resolve, show

RecipeT = TypeVar("RecipeT", bound=BaseModel)

MISTAKE = "recipe_mistake"
"""Type of the validation errors that `mistake` makes."""

KINDS = {
    "stages": "curation",
    "train": "sft",
    "run": "sweep",
    "runs": "sweep",
    "bench": "eval",
    "project": "annotation",
    "engine": "judge",
}
"""The top-level key that makes a recipe one of a kind; the first that is there decides."""


class Recipe(BaseModel):
    """Base of every recipe. A subclass adds its own keys, and a `runtime` block for what cannot change a byte."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    out: OutputPath
    """Folder of the run."""
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Use:
    """Marks a field that is written as `{use: name, **parameters}`: `Annotated[Stage, Use(STAGES)]`.

    The name is looked up in `table` (name -> "module:Class", a pydantic model) and imported only then. When dumped,
    the value is written the same way again.
    """

    table: Mapping[str, str]

    def load(self, name: str) -> type[BaseModel]:
        """The class behind a name of the table."""
        module, _, attribute = self.table[name].partition(":")
        found: type[BaseModel] = getattr(import_module(module), attribute)
        return found

    def dump(self, value: BaseModel) -> dict[str, Any]:
        """The block that makes `value`. A class that is in no table is written as its "module:Class"."""
        target = f"{type(value).__module__}:{type(value).__qualname__}"
        name = next((name for name, known in self.table.items() if known == target), target)
        return {"use": name, **value.model_dump(mode="json")}

    def _validate(self, value: object, info: ValidationInfo) -> BaseModel:
        if isinstance(value, BaseModel):
            return value
        if not isinstance(value, Mapping):
            raise PydanticCustomError("use_block", "needs a block with a `use:` key")
        name = value.get("use")
        if not isinstance(name, str) or name not in self.table:
            problem = f"unknown name{did_you_mean(str(name), self.table)}" if "use" in value else "is missing"
            details = InitErrorDetails(
                type=PydanticCustomError("unknown_use", "{problem}", {"problem": problem}),
                loc=("use",),
                input=name,
            )
            raise ValidationError.from_exception_data("use", [details])
        parameters = {key: item for key, item in value.items() if key != "use"}
        return self.load(name).model_validate(parameters, context=info.context)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            self._validate, serialization=core_schema.plain_serializer_function_ser_schema(self.dump)
        )


@dataclass(frozen=True)
class Missing:
    """An input of a recipe that does not exist."""

    where: str
    """Its YAML path."""
    path: Path

    def __str__(self) -> str:
        return f"{self.where}: no such file or folder: {self.path}"


@dataclass(frozen=True)
class Examined(Generic[RecipeT]):
    """A recipe with everything that would end its run."""

    recipe: RecipeT | None
    """None when there are problems."""
    problems: tuple[str, ...]
    missing: tuple[Missing, ...]


def load_recipe(path: str | Path, schema: type[RecipeT], overrides: Iterable[str] = ()) -> RecipeT:
    """Read a recipe, apply `key.path=value` overrides, and check it. `RecipeError` holds every problem found."""
    data, problems = _resolve(path, overrides)
    recipe, found, _ = _validate(data, schema, None)
    if recipe is None or problems or found:
        raise RecipeError(str(path), problems + found)
    return recipe


def examine(path: str | Path, schema: type[RecipeT], overrides: Iterable[str] = ()) -> Examined[RecipeT]:
    """As `load_recipe`, and also look for what would end the run later: see `Ready`."""
    data, problems = _resolve(path, overrides)
    # Apart from the rest, so that a missing file does not keep other values from being compared.
    _, _, missing = _validate(data, schema, Ready.INPUTS)
    recipe, found, _ = _validate(data, schema, Ready.SETTINGS)
    told: set[str] = set()
    while new := [line for line in found if _where(line) not in told]:
        problems += new
        told |= {_where(line) for line in new}
        # Without the wrong values, the others can be compared with each other.
        _, found, _ = _validate(_without(data, told, ""), schema, Ready.SETTINGS)
    missing = [item for item in missing if item.where not in told]
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


def _resolve(path: str | Path, overrides: Iterable[str]) -> tuple[dict[str, Any], list[str]]:
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
    except ValidationError as error:
        problems, missing = _explain(error, schema, data)
    numbers = {where: f"{where}: {text}" for where, text in _number_problems(data, schema)}
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


def about_to_run(info: ValidationInfo) -> bool:
    """Whether a validator should also look for what would end the run later; see `Ready`."""
    return info.context is Ready.SETTINGS


def mistake(text: str, *where: str | int, seen: object = None) -> InitErrorDetails:
    """A mistake for `refuse`, at `where` below the block that is validated; `seen` is shown when it is given."""
    return InitErrorDetails(type=PydanticCustomError(MISTAKE, "{text}", {"text": text}), loc=where, input=seen)


def refuse(mistakes: Iterable[InitErrorDetails]) -> None:
    """Raise all mistakes of a block from inside one of its validators; nothing when there are none."""
    found = [*mistakes]
    if found:
        raise ValidationError.from_exception_data("recipe", found)


def dump_recipe(recipe: BaseModel) -> dict[str, Any]:
    """Every value as resolved, defaults included, ready for JSON; `use:` names survive."""
    return recipe.model_dump(mode="json")


def recipe_kind(path: str | Path, overrides: Iterable[str] = ()) -> str:
    """Which application a recipe is for, by its top-level keys: a value of `KINDS`. `RecipeError` when none fits."""
    data, _ = _resolve(path, overrides)
    for key, kind in KINDS.items():
        if key in data:
            return kind
    keys = ", ".join(f"`{key}` ({kind})" for key, kind in KINDS.items())
    raise RecipeError(str(path), [f"cannot tell what it is for: it needs one of the keys {keys}"])


def _explain(
    error: ValidationError, schema: type[BaseModel], data: Mapping[str, Any]
) -> tuple[list[str], list[Missing]]:
    """One line per mistake, with its YAML path; inputs that do not exist are kept apart."""
    lines, missing = [], []
    found = error.errors(include_url=False)
    with_bad_items = {problem["loc"][:depth] for problem in found for depth in range(len(problem["loc"]))}
    for problem in found:
        loc, kind, seen = problem["loc"], problem["type"], problem["input"]
        if kind == "too_short" and loc in with_bad_items:
            continue  # pydantic counts a list without its bad items
        path, known, _ = _locate(loc, schema, data)
        if kind == MISSING:
            missing.append(Missing(".".join(path), Path(problem["ctx"]["path"])))
            continue
        if kind == "extra_forbidden":
            text = f"unknown key{did_you_mean(path[-1], known)}"
        elif kind == "missing":
            text = "required key is missing"
        else:
            text = problem["msg"].removeprefix("Value error, ")
            if _worth_showing(kind, seen):
                text += f", got {show(seen)}"
        lines.append(f"{'.'.join(path)}: {text}" if path else text)
    return lines, missing


def _number_problems(data: object, schema: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """YAML path and mistake of numbers that pydantic takes and a run would not: infinite ones, and booleans, which
    count as 0 and 1."""
    for loc, value in _leaves(data, ()):
        where = ".".join(str(part) for part in loc)
        if isinstance(value, float) and not math.isfinite(value):
            yield where, f"must be a finite number, got {value}"
        elif isinstance(value, bool):
            _, _, types = _locate(loc, schema, data)
            kinds = {leaf for kind in types for leaf in _kinds(kind)}
            if kinds & {int, float} and not kinds & {bool, Any, object}:
                yield where, f"must be a number, got {value}"


def _leaves(value: object, loc: tuple[int | str, ...]) -> Iterator[tuple[tuple[int | str, ...], object]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, (*loc, key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _leaves(item, (*loc, index))
    else:
        yield loc, value


def _kinds(kind: Any) -> Iterator[Any]:
    """The types that a plain value at this place may have."""
    annotation = kind[0] if isinstance(kind, tuple) else kind
    origin: Any = get_origin(annotation)
    if origin is Annotated:
        yield from _kinds(get_args(annotation)[0])
    elif origin is Literal:
        yield from (type(value) for value in get_args(annotation))
    elif origin is None:
        yield annotation
    elif not _is_container(origin):
        for argument in get_args(annotation):
            yield from _kinds(argument)


def _worth_showing(kind: str, seen: object) -> bool:
    """A validator's own words about a whole block say what matters; pydantic's about a single value do not."""
    if kind == "value_error":
        return not isinstance(seen, Mapping | BaseModel)
    return seen is not None or kind in get_args(core_schema.ErrorType)


def _locate(loc: Sequence[int | str], schema: type[BaseModel], data: object) -> tuple[list[str], list[str], list[Any]]:
    """The YAML path of a pydantic location, the keys that may stand beside its last part, and the types it may have.

    pydantic also puts names of union members into a location; they are told apart by not being in the data.
    """
    path: list[str] = []
    types: list[Any] = [schema]
    known: list[str] = []
    for depth, part in enumerate(loc):
        fields = {name: field for found in _models(types, data) for name, field in found.model_fields.items()}
        known = list(fields)
        if isinstance(data, Mapping) and (part in data or depth == len(loc) - 1):
            field = fields.get(str(part))
            types = [(field.annotation, field.metadata)] if field else [item for kind in types for item in _items(kind)]
            data = data.get(part)
        elif isinstance(data, list | tuple) and isinstance(part, int) and part < len(data):
            types = [item for kind in types for item in _items(kind)]
            data = data[part]
        else:
            continue
        path.append(str(part))
    return path, known, types


def _models(types: Iterable[Any], data: object) -> list[type[BaseModel]]:
    """The models that a value at this place may be."""
    found: list[type[BaseModel]] = []
    for kind in types:
        annotation, marks = kind if isinstance(kind, tuple) else (kind, ())
        origin: Any = get_origin(annotation)
        if origin is Annotated:
            annotation, *marks = get_args(annotation)
            origin = get_origin(annotation)
        use = next((mark for mark in marks if isinstance(mark, Use)), None)
        if use is not None:
            name = data.get("use") if isinstance(data, Mapping) else None
            found += [use.load(name)] if isinstance(name, str) and name in use.table else []
        elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
            found.append(annotation)
        elif not _is_container(origin):
            found += _models(get_args(annotation), data)
    return found


def _items(kind: Any) -> list[Any]:
    """What may stand inside a container type: its arguments, through unions."""
    annotation = kind[0] if isinstance(kind, tuple) else kind
    origin: Any = get_origin(annotation)
    if origin is Annotated:
        return _items(get_args(annotation)[0])
    inside = [argument for argument in get_args(annotation) if argument is not Ellipsis]
    return inside if _is_container(origin) else [item for argument in inside for item in _items(argument)]


def _is_container(origin: Any) -> bool:
    return isinstance(origin, type) and issubclass(origin, Sequence | Mapping)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the most similar one, or all of them."""
    names = [*known]
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"; did you mean `{close[0]}`?"
    return f"; known: {', '.join(names)}" if names else ""
