"""Replies kept on disk, so that a repeated or interrupted run asks only for what is missing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from filelock import FileLock

from editjudge.engines.base import Completion, Engine, Reply, Request, Sampling
from editjudge.errors import StorageError
from editjudge.images import pixel_digest
from editjudge.io import digest
from editjudge.judge_settings import Trained, trained_of

_SCHEMA = """
CREATE TABLE IF NOT EXISTS passes (
    key TEXT PRIMARY KEY,
    text TEXT NOT NULL, stop TEXT NOT NULL, n_tokens INTEGER NOT NULL, prompt_tokens INTEGER NOT NULL
) WITHOUT ROWID
"""
_BUSY_TIMEOUT_S = 60


class CachedEngine:
    """An engine that remembers. One entry per pass; errors are not remembered.

    The key holds everything that can change a byte: the inner engine's identity, the prompt, the pixels, the sampling
    and the pass's seed. Entries are SQLite transactions: a killed writer loses the batch it had in flight and nothing
    else, and several processes on one machine may share a folder. The folder must be on a local disk (SQLite's
    write-ahead log does not work over network file systems).
    """

    def __init__(self, inner: Engine, folder: Path | str) -> None:
        """`folder` is made when it is not there."""
        self.inner = inner
        self.path = Path(folder) / "replies.sqlite"

    @property
    def identity(self) -> str:
        """The inner engine's: remembering changes no reply."""
        return self.inner.identity

    @property
    def trained(self) -> Trained | None:
        """The inner engine's."""
        return trained_of(self.inner)

    def generate(self, requests: list[Request], sampling: Sampling) -> list[Reply]:
        """As the inner engine, which is asked only for unknown passes. `StorageError` when the cache is unusable."""
        keys = [self._keys(request, sampling) for request in requests]
        with self._open() as database:
            known = {key: entry for row in keys for key in row if (entry := _look_up(database, key)) is not None}
        asked: dict[str, tuple[Request, int]] = {}
        for request, row in zip(requests, keys, strict=True):
            for key, seed in zip(row, request.seeds, strict=True):
                if key not in known:
                    asked.setdefault(key, (request, seed))
        fresh = self._ask(asked, sampling)
        with self._open() as database:
            database.executemany(
                "INSERT OR IGNORE INTO passes VALUES (?, ?, ?, ?, ?)",
                [
                    (key, completion.text, completion.stop, completion.n_tokens, prompt_tokens)
                    for key, (completion, prompt_tokens) in fresh.items()
                    if completion.stop != "error"
                ],
            )
        known |= fresh
        return [
            Reply(tuple(known[key][0] for key in row), max((known[key][1] for key in row), default=0)) for row in keys
        ]

    def _ask(self, asked: dict[str, tuple[Request, int]], sampling: Sampling) -> dict[str, tuple[Completion, int]]:
        """Put the unknown passes to the inner engine, those of one request together."""
        groups: dict[int, list[str]] = {}
        for key, (request, _) in asked.items():
            groups.setdefault(id(request), []).append(key)
        if not groups:
            return {}
        requests = [
            Request(asked[row[0]][0].text, asked[row[0]][0].images, tuple(asked[key][1] for key in row))
            for row in groups.values()
        ]
        replies = self.inner.generate(requests, sampling)
        return {
            key: (completion, reply.prompt_tokens)
            for row, reply in zip(groups.values(), replies, strict=True)
            for key, completion in zip(row, reply.completions, strict=True)
        }

    def _keys(self, request: Request, sampling: Sampling) -> list[str]:
        pixels = [pixel_digest(image) for image in request.images]
        return [digest(self.identity, request.text, pixels, sampling, seed) for seed in request.seeds]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection whose work is committed at the end. A new one each time: threads must not share one."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=_BUSY_TIMEOUT_S)) as database, database:
                # SQLite does not wait for other connections when it changes the journal of a new database.
                with FileLock(self.path.with_suffix(".lock")):
                    database.execute("PRAGMA journal_mode=WAL")
                database.execute("PRAGMA synchronous=NORMAL")
                database.execute(_SCHEMA)
                yield database
        except (sqlite3.Error, OSError) as error:
            raise StorageError(
                f"{self.path}: the reply cache cannot be used ({error}); check that the disk is local, writable and "
                "not full, or delete the file: the replies in it will be asked for again"
            ) from error


def _look_up(database: sqlite3.Connection, key: str) -> tuple[Completion, int] | None:
    row = database.execute("SELECT text, stop, n_tokens, prompt_tokens FROM passes WHERE key = ?", (key,)).fetchone()
    return None if row is None else (Completion(row[0], row[1], row[2]), row[3])
