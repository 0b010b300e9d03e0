"""Processes that keep out of each other's way, and workers that serve a parent and do not outlive it."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from editjudge.errors import EditJudgeError, StorageError


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


def serve_parent(connection: Connection[Any, Any], answer: Callable[[Any], Any]) -> None:
    """A worker's loop: send the answer to every item, until the parent closes the connection or dies.

    A parent that was killed cannot stop its workers, and they must not keep writing beside the next run.
    """
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            item = connection.recv()
        except EOFError:
            return
        connection.send(answer(item))


def sendable(error: Exception, item: object) -> Exception:
    """For an `except` block of a worker: the error itself when it is one of ours and survives the way to the parent,
    else a `RuntimeError` with the traceback and the item it came from."""
    try:
        same = isinstance(pickle.loads(pickle.dumps(error)), type(error))
    except Exception:
        same = False
    known = same and isinstance(error, EditJudgeError)
    return error if known else RuntimeError(f"{item}: {traceback.format_exc()}")


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
