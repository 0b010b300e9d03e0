"""Errors a user can fix. The command prints their text without a traceback and exits with `exit_code`."""

from __future__ import annotations


class EditJudgeError(Exception):
    """What went wrong, where, the value seen, and what to do, in one message."""

    exit_code = 1


class RecipeError(EditJudgeError):
    """One or more mistakes in a recipe; the message has one line for each, with its YAML path."""

    exit_code = 2

    def __init__(self, source: str, problems: list[str]) -> None:
        self.source = source
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{source}: {problem}" for problem in problems))


class DataError(EditJudgeError):
    """A file does not hold what its format promises; names the file and the line."""


class TextError(EditJudgeError):
    """Text that a person can still correct is not valid Unicode."""

    exit_code = 2


class ImageError(EditJudgeError):
    """An image cannot be read or is not safe to decode.

    `reason` says it in snake_case, for counts: "missing_image", "changed_image" (not the one that was recorded) or
    "unreadable_image".
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
    """An engine cannot take one request, whatever engine it is put to; `reason` says why in snake_case."""

    def __init__(self, message: str, reason: str) -> None:
        self.reason = reason
        super().__init__(message)


class WorkerError(EditJudgeError):
    """A worker process died; the message names the item it worked on, and the signal."""


class CheckpointError(EditJudgeError):
    """A checkpoint is missing, incomplete or does not fit its base."""


class NetworkError(EditJudgeError):
    """A proxy setting of the environment cannot be used; the message names the variable."""


class MissingExtraError(EditJudgeError):
    """An optional package is needed; the message says which extra installs it."""


FATAL = (StorageError, EngineError, MissingExtraError)
"""Errors that are about the machine, not about a row: they end the work instead of failing every row of it."""
