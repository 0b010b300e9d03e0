"""Errors that a user can fix. The command prints their text without a traceback and exits with `exit_code`."""

from __future__ import annotations


class EditJudgeError(Exception):
    """Base class: the message says what went wrong, where, the value seen, and what to do."""

    exit_code = 1


class RecipeError(EditJudgeError):
    """One or more mistakes in a recipe; the message has one line for each, with its YAML path."""

    exit_code = 2

    def __init__(self, source: str, problems: list[str]) -> None:
        self.source = source
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{source}: {problem}" for problem in problems))


class DataError(EditJudgeError):
    """A file does not follow its format; the message names the file and the line."""


class TextError(EditJudgeError):
    """Text that a user can correct is not valid Unicode."""

    exit_code = 2


class ImageError(EditJudgeError):
    """An image cannot be read or is not safe to decode.

    `reason` in snake_case, for counts: "missing_image", "changed_image" (not the recorded one) or "unreadable_image".
    """

    def __init__(self, message: str, reason: str = "unreadable_image") -> None:
        self.reason = reason
        super().__init__(message)


class StaleOutputError(EditJudgeError):
    """An output folder was made with other parameters; the message names what changed."""


class StorageError(EditJudgeError):
    """The disk is full, read-only, or not writable by this user."""


class EngineError(EditJudgeError):
    """An engine cannot answer a whole batch (no server, out of memory, wrong checkpoint)."""


class RequestError(EngineError):
    """Any engine would reject this request; `reason` in snake_case."""

    def __init__(self, message: str, reason: str) -> None:
        self.reason = reason
        super().__init__(message)


class WorkerError(EditJudgeError):
    """A worker process died; the message names its item and the signal."""


class CheckpointError(EditJudgeError):
    """A checkpoint is missing, incomplete or does not fit its base."""


class NetworkError(EditJudgeError):
    """A proxy setting of the environment cannot be used; the message names the variable."""


class MissingExtraError(EditJudgeError):
    """An optional package is needed; the message says which extra installs it."""


FATAL = (StorageError, EngineError, MissingExtraError)
"""Errors of the machine, not of a row: they end the run instead of failing every row."""


class RowError(Exception):
    """A row of a user's file that cannot be used. Readers catch it and count the row under `kind`, in snake_case."""

    def __init__(self, kind: str, detail: str) -> None:
        self.kind = kind
        super().__init__(detail)
