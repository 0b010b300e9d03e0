"""Paths from users: `~` is expanded, and a recipe's inputs are also searched beside the recipe.

A recipe reads `InputPath` and `ModelName`, and writes `OutputPath`. An input that is missing in the current folder is
taken from the folder of its recipe; an output is always relative to the current folder.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import GetCoreSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

PROJECT = Path(__file__).resolve().parents[2]
"""The folder of the packages: the checkout, when the project is installed from one."""

MISSING = "missing_input"
"""Type of the validation error for an input that does not exist."""

RUNS = "runs"
"""Folder of runs, by convention."""

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


def expand(text: str | Path) -> Path:
    """Return the path with `~` and `~user` expanded. Raises `ValueError` when there is no such user."""
    if not str(text).startswith("~"):
        path = Path(text)
        return path.absolute() if str(path).startswith("~") else path  # Path() drops the `./` before a leading `~`
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        user = Path(text).parts[0]
        raise ValueError(f"{text}: no home folder of {user}; for a folder of that name write ./{user}") from error


def user_path(text: str) -> Path:
    """Convert a path on the command line (`type=` of argparse)."""
    from argparse import ArgumentTypeError

    try:
        return expand(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error


def user_model(text: str) -> str:
    """Convert a model on the command line (`type=` of argparse): a folder, or a name on the hub."""
    return str(user_path(text)) if text.startswith("~") else text


def names_a_folder(text: str) -> bool:
    """Return whether text can only be a path: it does not look like a name on the Hugging Face hub (`owner/name`)."""
    return _HUB_NAME.fullmatch(text) is None or text.startswith(f"{RUNS}/")


def below_runs(path: Path) -> bool:
    """Return whether a path is below `runs/`, so that a later run may create it."""
    return path.absolute().is_relative_to(Path(RUNS).absolute())


class Ready(Enum):
    """Validation context of a recipe before its run."""

    SETTINGS = "settings"
    """Values are also checked against each other and by the libraries that use them."""
    INPUTS = "inputs"
    """Files and folders that the run reads must exist."""


@dataclass(frozen=True)
class Located:
    """Marks a path of a recipe; see the types below."""

    kind: Literal["input", "output", "name"]
    """"name": a folder, or a name on the Hugging Face hub."""

    def find(self, value: object, info: ValidationInfo, as_text: bool = False) -> Any:
        """Return the path with `~` expanded; an input that is missing in the current folder, from beside its recipe."""
        if not isinstance(value, str | Path):
            return value
        try:
            path = expand(value)
        except ValueError as error:
            raise PydanticCustomError("bad_path", "{problem}", {"problem": str(error)}) from error
        if self.kind == "output":
            return path
        found = self._beside_recipe(path, getattr(value, "folder", None))
        if info.context is Ready.INPUTS and not found.exists() and (self.kind == "input" or names_a_folder(str(value))):
            raise PydanticCustomError(MISSING, "no such file or folder", {"path": str(found)})
        if self.kind == "name" and found == path and path == Path(value):
            return str(value)  # unchanged: Path() would remove the end of `owner/name/`
        return str(found) if as_text or self.kind == "name" else found

    def _beside_recipe(self, path: Path, folder: Path | None) -> Path:
        if path.is_absolute() or path.exists():
            return path
        if folder is not None and (folder / path).exists():
            return (folder / path).resolve()
        # Files that ship with EditJudge, such as sft/tiny_base, are found from any folder.
        if self.kind == "name" and (PROJECT / path / "config.json").is_file():
            return PROJECT / path
        return path

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def find(value: object, info: ValidationInfo) -> Any:
            return self.find(value, info, as_text=source is str)

        return core_schema.with_info_before_validator_function(find, handler(source))


InputPath = Annotated[Path, Located("input")]
"""A file or folder that a run reads."""
OutputPath = Annotated[Path, Located("output")]
"""A file or folder that a run writes, relative to the current folder."""
ModelName = Annotated[str, Located("name")]
"""A folder of a model or data set, or its name on the Hugging Face hub."""
