"""Locking a folder for one process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from editjudge.errors import StorageError


@contextmanager
def alone_in(out: Path, busy: str) -> Iterator[None]:
    """Lock a folder, created if needed, for this process. The system releases it however the process ends.

    Raises `StorageError` when it is not writable, or, with the text `busy`, when another live process has locked it.
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
