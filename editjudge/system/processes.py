"""Processes that keep out of each other's way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from editjudge.errors import StorageError


@contextmanager
def alone_in(out: Path, busy: str) -> Iterator[None]:
    """Hold a folder, made if need be, for this process. The system gives it back however the process ends.

    `StorageError` when it cannot be written, or, with `busy` saying by whom, when another live process holds it.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = FileLock(out / ".lock")
        lock.acquire(blocking=False)
    except Timeout as error:
        raise StorageError(f"{out}: {busy}; wait for it or stop it") from error
    except OSError as error:
        raise StorageError(f"{out}: cannot be written ({error.strerror}); choose another `out`") from error
    try:
        yield
    finally:
        lock.release()
