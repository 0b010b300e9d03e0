"""Identities of recipes: which values they contain.

Markers and cache keys contain every option that can change a byte. A new option must not make older work stale while it
is unused, so it is declared with the value at which it has no effect:

    suffix: Annotated[str, Neutral("")] = ""
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel


@dataclass(frozen=True)
class Neutral:
    """Marks a field of a model that identities leave out when it equals `value`, at which it has no effect."""

    value: Any


@dataclass(frozen=True)
class Apart:
    """Marks a field that identities leave out because they contain its object's identity, or the like, instead."""


def identity_values(model: BaseModel) -> dict[str, Any]:
    """Return the model as plain JSON values, without neutral and `Apart` options, also in nested models."""
    values = model.model_dump(mode="json")
    _prune(model, values)
    return values


def _left_out(mark: object, value: object) -> bool:
    return isinstance(mark, Apart) or (isinstance(mark, Neutral) and mark.value == value)


def _prune(value: object, dumped: Any) -> None:
    """Remove neutral options from `dumped`, pydantic's dump of `value`."""
    if isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            if name not in dumped:  # excluded from dumps, or a block with another dumped form
                continue
            own = getattr(value, name)
            if any(_left_out(mark, own) for mark in field.metadata):
                del dumped[name]
            else:
                _prune(own, dumped[name])
    elif isinstance(value, Mapping) and isinstance(dumped, dict):
        for key, item in value.items():
            _prune(item, dumped.get(key))
    elif isinstance(value, list | tuple) and isinstance(dumped, list):
        for item, shown in zip(value, dumped, strict=True):
            _prune(item, shown)
