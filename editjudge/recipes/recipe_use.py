"""Parts of recipe schemas: `use:` blocks, and mistakes with their place."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from pydantic import BaseModel, GetCoreSchemaHandler, ValidationError, ValidationInfo
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from editjudge.files.paths import Ready

MISTAKE = "recipe_mistake"
"""Type of the validation errors from `mistake`."""


@dataclass(frozen=True, eq=False)
class Use:
    """Marks a field that is written as `{use: name, **parameters}`: `Annotated[Stage, Use(STAGES)]`.

    The name is looked up in `table` (name -> "module:Class", a pydantic model) and imported only then. Dumps have the
    same form.
    """

    table: Mapping[str, str]
    default: str | None = None
    """Name for a block without `use:`; None: `use:` is required."""

    def name_in(self, block: object) -> object:
        """Return the name in a block, known or not."""
        return block.get("use", self.default) if isinstance(block, Mapping) else None

    def load(self, name: str) -> type[BaseModel]:
        """Import the class of a name in the table."""
        module, _, attribute = self.table[name].partition(":")
        found: type[BaseModel] = getattr(import_module(module), attribute)
        return found

    def dump(self, value: BaseModel) -> dict[str, Any]:
        """Return the block that makes `value`. A class outside of the table is written as its "module:Class"."""
        target = f"{type(value).__module__}:{type(value).__qualname__}"
        name = next((name for name, known in self.table.items() if known == target), target)
        return {"use": name, **value.model_dump(mode="json")}

    def _validate(self, value: object, info: ValidationInfo) -> BaseModel:
        if isinstance(value, BaseModel):
            return value
        if not isinstance(value, Mapping):
            raise PydanticCustomError("use_block", "needs a block with a `use:` key")
        name = self.name_in(value)
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


def about_to_run(info: ValidationInfo) -> bool:
    """Return whether a validator should also check for what would end the run later, see `Ready`."""
    return info.context is Ready.SETTINGS


def mistake(text: str, *where: str | int, seen: object = None) -> InitErrorDetails:
    """Return a mistake for `refuse`, at `where` below the validated block; `seen` is shown if given."""
    return InitErrorDetails(type=PydanticCustomError(MISTAKE, "{text}", {"text": text}), loc=where, input=seen)


def refuse(mistakes: Iterable[InitErrorDetails]) -> None:
    """Raise all mistakes of a block inside one of its validators; do nothing without mistakes."""
    found = [*mistakes]
    if found:
        raise ValidationError.from_exception_data("recipe", found)


def did_you_mean(name: object, known: Iterable[str], listed: bool = True) -> str:
    """Return the end of a message about an unknown name: the most similar one, or when `listed` all of them."""
    names = [*known]
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.6)
    if close:
        return f"; did you mean `{close[0]}`?"
    return f"; known: {', '.join(names)}" if names and listed else ""
