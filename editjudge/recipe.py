"""Recipes: YAML files, `extends:` and command-line overrides become checked objects. All mistakes are told at once.

Relative paths inside a recipe are meant from where the command runs; only `extends:` is relative to its own file.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, ValidationError
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from editjudge.errors import RecipeError
from editjudge.recipe_yaml import resolve, show

RecipeT = TypeVar("RecipeT", bound=BaseModel)

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

    out: Path
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

    def _validate(self, value: object) -> BaseModel:
        if isinstance(value, BaseModel):
            return value
        if not isinstance(value, Mapping):
            raise PydanticCustomError("use_block", "needs a block with a `use:` key")
        name = value.get("use")
        if not isinstance(name, str) or name not in self.table:
            problem = f"unknown name{_did_you_mean(str(name), self.table)}" if "use" in value else "is missing"
            details = InitErrorDetails(
                type=PydanticCustomError("unknown_use", "{problem}", {"problem": problem}),
                loc=("use",),
                input=name,
            )
            raise ValidationError.from_exception_data("use", [details])
        return self.load(name).model_validate({key: item for key, item in value.items() if key != "use"})

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self._validate, serialization=core_schema.plain_serializer_function_ser_schema(self.dump)
        )


def load_recipe(path: str | Path, schema: type[RecipeT], overrides: Iterable[str] = ()) -> RecipeT:
    """Read a recipe, apply `key.path=value` overrides, and check it. `RecipeError` holds every problem found."""
    data, problems = resolve(Path(path), overrides)
    recipe = None
    try:
        recipe = schema.model_validate(data)
    except ValidationError as error:
        problems += _explain(error, schema, data)
    if recipe is None or problems:
        raise RecipeError(str(path), problems)
    return recipe


def dump_recipe(recipe: BaseModel) -> dict[str, Any]:
    """Every value as resolved, defaults included, ready for JSON; `use:` names survive."""
    return recipe.model_dump(mode="json")


def recipe_kind(path: str | Path, overrides: Iterable[str] = ()) -> str:
    """Which application a recipe is for, by its top-level keys: a value of `KINDS`. `RecipeError` when none fits."""
    data, _ = resolve(Path(path), overrides)
    for key, kind in KINDS.items():
        if key in data:
            return kind
    keys = ", ".join(f"`{key}` ({kind})" for key, kind in KINDS.items())
    raise RecipeError(str(path), [f"cannot tell what it is for: it needs one of the keys {keys}"])


def _explain(error: ValidationError, schema: type[BaseModel], data: Mapping[str, Any]) -> list[str]:
    """One line per mistake, with its YAML path."""
    lines = []
    found = error.errors(include_url=False)
    with_bad_items = {problem["loc"][:depth] for problem in found for depth in range(len(problem["loc"]))}
    for problem in found:
        loc, kind, seen = problem["loc"], problem["type"], problem["input"]
        if kind == "too_short" and loc in with_bad_items:
            continue  # pydantic counts a list without its bad items
        path, known = _locate(loc, schema, data)
        if kind == "extra_forbidden":
            text = f"unknown key{_did_you_mean(path[-1], known)}"
        elif kind == "missing":
            text = "required key is missing"
        else:
            text = problem["msg"].removeprefix("Value error, ")
            if _worth_showing(kind, seen):
                text += f", got {show(seen)}"
        lines.append(f"{'.'.join(path)}: {text}" if path else text)
    return lines


def _worth_showing(kind: str, seen: object) -> bool:
    """A validator's own words about a whole block say what matters; pydantic's about a single value do not."""
    if kind == "value_error":
        return not isinstance(seen, Mapping | BaseModel)
    return seen is not None or kind in get_args(core_schema.ErrorType)


def _locate(loc: Sequence[int | str], schema: type[BaseModel], data: object) -> tuple[list[str], list[str]]:
    """The YAML path of a pydantic location, and the keys that may stand beside its last part.

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
    return path, known


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


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    names = [*known]
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"; did you mean `{close[0]}`?"
    return f"; known: {', '.join(names)}" if names else ""
