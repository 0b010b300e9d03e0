"""Atomic writes, and advice for errors of the disk."""

from __future__ import annotations

import ctypes
import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from editjudge.errors import StorageError

_ADVICE = {
    errno.ENOSPC: "the disk is full: free some space or choose another `out`",
    errno.EDQUOT: "your disk quota is used up: free some space or choose another `out`",
    errno.EFBIG: "the file is larger than this system allows: raise the limit (ulimit -f) or use more shards",
    errno.EROFS: "the file system is read-only: choose another `out`",
    errno.EACCES: "this user may not write there: choose another `out` or change the permissions",
    errno.EPERM: "this user may not write there: choose another `out` or change the permissions",
    errno.ENOTDIR: "a file stands where a folder is needed: remove it or choose another `out`",
    errno.EEXIST: "a file stands where a folder is needed: remove it or choose another `out`",
    errno.EISDIR: "a folder stands where the file is needed: remove it or choose another `out`",
}


@contextmanager
def replacing(path: Path, sync: bool = True) -> Iterator[IO[bytes]]:
    """Yield a file beside `path` that replaces it when the block ends without an error, and is removed otherwise."""
    temporary = path.parent / f".tmp-{uuid.uuid4().hex[:16]}"
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = temporary.open("xb")
    try:
        try:
            yield handle
            with storage_errors(path):
                handle.flush()
                if sync:
                    os.fsync(handle.fileno())
        finally:
            _close(handle)
        with storage_errors(path):
            os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sync_files(folder: str | Path) -> None:
    """Wait until everything written to the file system of `folder` is on its disk: one call for many files.

    Raises `StorageError` on failure.
    """
    syncfs = getattr(ctypes.CDLL(None), "syncfs", None) if os.name == "posix" else None
    if syncfs is None:
        if hasattr(os, "sync"):
            os.sync()
        return
    with storage_errors(Path(folder)):
        handle = os.open(folder, os.O_RDONLY)
        try:
            if syncfs(handle) != 0:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
        finally:
            os.close(handle)


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn an `OSError` of writing `path` into `StorageError` with advice."""
    try:
        yield
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0, "check the disk, or choose another `out`")
        raise StorageError(f"{path}: cannot be written ({error.strerror or error}); {advice}") from error


def _close(handle: IO[bytes]) -> None:
    """Close a file; the flush before it has already reported write errors."""
    try:
        handle.close()
    except OSError:
        return
