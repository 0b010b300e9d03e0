"""What a recipe's values contribute to an identity.

Markers and cache keys hold every option that can change a byte. An option that is added later must not make older
work stale while it is not used, so it is declared with the value at which it has no effect:

    suffix: Annotated[str, Neutral("")] = ""
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel


@dataclass(frozen=True)
class Neutral:
    """Marks a field of a model: at `value` it changes nothing, and identities leave it out."""

    value: Any


@dataclass(frozen=True)
class Apart:
    """Marks a field of a model that identities leave out: what it names is in them by another way, as the identity of
    the object that is made of it."""


def identity_values(model: BaseModel) -> dict[str, Any]:
    """The model as plain JSON values, without options at their neutral value or `Apart`, in nested models as well."""
    values = model.model_dump(mode="json")
    _prune(model, values)
    return values


def _left_out(mark: object, value: object) -> bool:
    return isinstance(mark, Apart) or (isinstance(mark, Neutral) and mark.value == value)


def _prune(value: object, dumped: Any) -> None:
    """Remove neutral options from `dumped`, which is what pydantic made of `value`."""
    if isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            if name not in dumped:  # excluded from dumps, or a block that is dumped as something else
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
