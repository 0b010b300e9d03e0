"""What the schemas of recipes are made of: `use:` blocks, and mistakes with their place."""

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
"""Type of the validation errors that `mistake` makes."""


@dataclass(frozen=True, eq=False)
class Use:
    """Marks a field that is written as `{use: name, **parameters}`: `Annotated[Stage, Use(STAGES)]`.

    The name is looked up in `table` (name -> "module:Class", a pydantic model) and imported only then. When dumped,
    the value is written the same way again.
    """

    table: Mapping[str, str]
    default: str | None = None
    """What a block without `use:` is; None: it must say so."""

    def name_in(self, block: object) -> object:
        """What a block says it is, known or not."""
        return block.get("use", self.default) if isinstance(block, Mapping) else None

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


def did_you_mean(name: object, known: Iterable[str], listed: bool = True) -> str:
    """The end of a message about an unknown name: the most similar one, or when `listed` all of them."""
    names = [*known]
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.6)
    if close:
        return f"; did you mean `{close[0]}`?"
    return f"; known: {', '.join(names)}" if names and listed else ""
