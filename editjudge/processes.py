"""Processes that keep out of each other's way: one at a time in a folder, and none that outlives its parent."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from pathlib import Path

from editjudge.errors import StorageError


@contextmanager
def alone_in(out: Path, busy: str) -> Iterator[None]:
    """Hold a folder, made if need be, for this process. The system gives it back however the process ends.

    `StorageError` when it cannot be written, or, with `busy` saying by whom, when another live process holds it.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        handle = (out / ".lock").open("a")
    except OSError as error:
        raise StorageError(f"{out}: cannot be written ({error.strerror}); choose another `out`") from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StorageError(f"{out}: {busy}; wait for it or stop it") from error
        yield


def end_with_parent() -> None:
    """Wait for the parent's death and end this process; for a thread of a worker.

    A parent that was killed cannot stop its workers, and they must not go on writing beside the next run.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
