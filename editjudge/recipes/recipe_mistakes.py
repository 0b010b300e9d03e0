"""Validation errors as lines with their YAML path, and mistakes that pydantic accepts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import core_schema

from editjudge.files.paths import MISSING
from editjudge.recipes.recipe_use import Use, did_you_mean
from editjudge.recipes.recipe_yaml import show


@dataclass(frozen=True)
class Missing:
    """An input of a recipe that does not exist."""

    where: str
    """Its YAML path."""
    path: Path

    def __str__(self) -> str:
        return f"{self.where}: no such file or folder: {self.path}"


def explain(
    error: ValidationError, schema: type[BaseModel], data: Mapping[str, Any]
) -> tuple[list[str], list[Missing]]:
    """Return one line per mistake, with its YAML path; and separately, inputs that do not exist."""
    lines, missing = [], []
    found = error.errors(include_url=False)
    with_bad_items = {problem["loc"][:depth] for problem in found for depth in range(len(problem["loc"]))}
    for problem in found:
        loc, kind, seen = problem["loc"], problem["type"], problem["input"]
        if kind == "too_short" and loc in with_bad_items:
            continue  # pydantic counts a list without its invalid items
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


def number_problems(data: object, schema: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """Yield YAML path and problem of numbers that pydantic accepts but a run would not: infinite ones, and booleans,
    which count as 0 and 1."""
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
    """Yield the types that a plain value at this place may have."""
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
    """Return whether to show the value; a validator's message about a whole block needs none."""
    if kind == "value_error":
        return not isinstance(seen, Mapping | BaseModel)
    return seen is not None or kind in get_args(core_schema.ErrorType)


def _locate(loc: Sequence[int | str], schema: type[BaseModel], data: object) -> tuple[list[str], list[str], list[Any]]:
    """Return the YAML path of a pydantic location, the valid keys beside its last part, and its possible types.

    pydantic also puts names of union members into a location; these are recognised because the data does not contain
    them.
    """
    path: list[str] = []
    types: list[Any] = [schema]
    known: list[str] = []
    for depth, part in enumerate(loc):
        fields = {name: field for found in _models(types, data) for name, field in found.model_fields.items()}
        known = list(fields)
        if isinstance(data, Mapping) and (part in data or part in fields or depth == len(loc) - 1):
            field = fields.get(str(part))
            types = [(field.annotation, field.metadata)] if field else [item for kind in types for item in _items(kind)]
            data = data.get(part, {})  # the error may be in the defaults of an omitted block
        elif isinstance(data, list | tuple) and isinstance(part, int) and part < len(data):
            types = [item for kind in types for item in _items(kind)]
            data = data[part]
        else:
            continue
        path.append(str(part))
    return path, known, types


def _models(types: Iterable[Any], data: object) -> list[type[BaseModel]]:
    """Return the possible models of a value at this place."""
    found: list[type[BaseModel]] = []
    for kind in types:
        annotation, marks = kind if isinstance(kind, tuple) else (kind, ())
        origin: Any = get_origin(annotation)
        if origin is Annotated:
            annotation, *marks = get_args(annotation)
            origin = get_origin(annotation)
        use = next((mark for mark in marks if isinstance(mark, Use)), None)
        if use is not None:
            name = use.name_in(data)
            found += [use.load(name)] if isinstance(name, str) and name in use.table else []
        elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
            found.append(annotation)
        elif not _is_container(origin):
            found += _models(get_args(annotation), data)
    return found


def _items(kind: Any) -> list[Any]:
    """Return the arguments of a container type, through unions."""
    annotation = kind[0] if isinstance(kind, tuple) else kind
    origin: Any = get_origin(annotation)
    if origin is Annotated:
        return _items(get_args(annotation)[0])
    inside = [argument for argument in get_args(annotation) if argument is not Ellipsis]
    return inside if _is_container(origin) else [item for argument in inside for item in _items(argument)]


def _is_container(origin: Any) -> bool:
    return isinstance(origin, type) and issubclass(origin, Sequence | Mapping)
