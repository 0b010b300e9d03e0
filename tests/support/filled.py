"""Records of result files for tests of a few of their fields."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel

Model = TypeVar("Model", bound=BaseModel)


def filled(kind: type[Model], /, **given: Any) -> Model:
    """Return a record with these fields; its other required fields are 0, empty or None, at any depth."""
    return kind.model_validate(_content(kind, given))


def _content(kind: Any, given: Any) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        if given is None and NoneType in arguments:
            return None
        return _content(next(part for part in arguments if part is not NoneType), given)
    if origin is Literal:
        return arguments[0] if given is None else given
    if origin is dict:
        return {key: _content(arguments[1], value) for key, value in (given or {}).items()}
    if origin is list:
        return [_content(arguments[0], value) for value in given or []]
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        values = {} if given is None else given
        if isinstance(values, BaseModel):
            return values
        needed = {name for name, field in kind.model_fields.items() if field.is_required()} | set(values)
        known = {name: field.annotation for name, field in kind.model_fields.items()}
        return {name: _content(known.get(name, object), values.get(name)) for name in needed}
    return kind() if given is None and kind in (str, int, float, bool) else given
