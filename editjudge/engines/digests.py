"""Digests of weight files: each version of a file is hashed once per machine instead of by every process."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from editjudge.errors import StorageError
from editjudge.files.io import atomic_write, digest
from editjudge.system.environment import user_folder

REMEMBERED_BYTES = 256 * 2**20
"""Digests of files of at least this size are stored in the user's cache folder; smaller files hash quickly."""


def digest_files(paths: list[Path]) -> str:
    """Return the digest of the names and contents of files."""
    # Hashing releases the GIL, and disks of large models serve several readers well.
    with ThreadPoolExecutor(max_workers=8) as pool:
        hashes = pool.map(digest_file, paths)
        return digest([[path.name, value] for path, value in zip(paths, hashes, strict=True)])


def digest_file(path: Path) -> str:
    """Return the SHA-256 of a file's content, hexadecimal."""
    return _digest(path, _version(path))


def _version(path: Path) -> tuple[int, ...]:
    """Return a value that changes whenever the file does. Programs that copy files cannot set its ctime."""
    stat = path.stat()
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


@lru_cache(maxsize=4096)
def _digest(path: Path, version: tuple[int, ...]) -> str:
    kept = _place(path, version) if version[2] >= REMEMBERED_BYTES else None
    if kept is not None:
        with suppress(OSError):
            return kept.read_text(encoding="ascii")
    found = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(1 << 22):
            found.update(block)
    # A file that changed meanwhile is not stored, nor is any digest when the cache folder is not writable.
    if kept is not None and _version(path) == version:
        with suppress(StorageError, OSError):
            atomic_write(kept, found.hexdigest())
    return found.hexdigest()


def _place(path: Path, version: tuple[int, ...]) -> Path | None:
    try:
        folder = user_folder("cache")
    except StorageError:
        return None
    return folder / "digests" / digest(os.path.realpath(path), version)
