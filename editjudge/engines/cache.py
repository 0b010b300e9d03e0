"""Reply cache on disk, so that a repeated or interrupted run asks only for missing replies."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from filelock import FileLock

from editjudge.engines.base import BatchEffect, Completion, Engine, Problem, Reply, Request, Sampling, each_once
from editjudge.errors import StorageError
from editjudge.files.io import digest
from editjudge.formats.judge_settings import Trained, trained_of
from editjudge.images.pixels import pixel_digest

_SCHEMA = """
CREATE TABLE IF NOT EXISTS passes (
    key TEXT PRIMARY KEY,
    text TEXT NOT NULL, stop TEXT NOT NULL, n_tokens INTEGER NOT NULL, prompt_tokens INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS logprobs (key TEXT PRIMARY KEY, tokens TEXT NOT NULL) WITHOUT ROWID;
"""
"""`logprobs.tokens`: JSON of `Completion.tokens`, for passes that have them."""
_BUSY_TIMEOUT_S = 60

_Entries = dict[str, tuple[Completion, int]]
"""Passes by key, each with the number of tokens of its prompt."""


class CachedEngine(Engine):
    """Engine with a reply cache. One entry per pass; errors are not cached.

    The key contains everything that can change a reply: the inner engine's identity, the prompt, the pixels, the
    sampling and the pass's seed. Each reply is a SQLite transaction as soon as the inner engine yields it: a failing
    engine or a killed process loses only replies in flight, and several processes on one machine may share a folder.
    The folder must be on a local disk (SQLite's write-ahead log does not work over network file systems).
    """

    def __init__(self, inner: Engine, folder: Path | str) -> None:
        """`folder` is created when it is missing."""
        self.inner = inner
        self.path = Path(folder) / "replies.sqlite"

    @property
    def identity(self) -> str:
        """The inner engine's identity: caching changes no reply."""
        return self.inner.identity

    @property
    def trained(self) -> Trained | None:
        """The training settings of the inner engine's weights."""
        return trained_of(self.inner)

    @property
    def batch_effect(self) -> BatchEffect:
        """The `batch_effect` of the inner engine."""
        return self.inner.batch_effect

    def check(self, sampling: Sampling) -> list[Problem]:
        """Return the problems of the inner engine."""
        return self.inner.check(sampling)

    def with_adapter(self, path: Path) -> CachedEngine:
        """Return the inner engine with the weights at `path`, cached in the same folder."""
        return CachedEngine(self.inner.with_adapter(path), self.path.parent)

    def close(self) -> None:
        """Close the inner engine; the cache stays."""
        self.inner.close()

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[tuple[int, Reply]]:
        """Yield cached replies, then those of the inner engine to the missing passes, stored before they are yielded.

        Raises `StorageError` when the cache is unusable.
        """
        keys = [self._keys(request, sampling) for request in requests]
        with self._open() as database:
            with self._explained():
                known = {key: entry for row in keys for key in row if (entry := _look_up(database, key)) is not None}
            missing = [{key for key in row if key not in known} for row in keys]
            waiting: dict[str, list[int]] = {}
            for index, row in enumerate(missing):
                for key in row:
                    waiting.setdefault(key, []).append(index)
                if not row:
                    yield index, _joined(keys[index], known)
            for fresh in self._ask(requests, keys, known, sampling):
                with self._explained():
                    _store(database, fresh)
                known |= fresh
                for index in dict.fromkeys(index for key in fresh for index in waiting[key]):
                    missing[index] -= fresh.keys()
                    if not missing[index]:
                        yield index, _joined(keys[index], known)

    def _ask(
        self, requests: Sequence[Request], keys: list[list[str]], known: _Entries, sampling: Sampling
    ) -> Iterator[_Entries]:
        """Ask the inner engine for the missing passes, each once, those of one request together."""
        asked: list[list[str]] = []
        put: list[Request] = []
        taken = set(known)
        for request, row in zip(requests, keys, strict=True):
            passes = {key: seed for key, seed in zip(row, request.seeds, strict=True) if key not in taken}
            if passes:
                taken |= passes.keys()
                asked.append([*passes])
                put.append(replace(request, seeds=tuple(passes.values())))
        if put:
            for index, reply in each_once(self.inner.generate(put, sampling), put):
                passed = zip(asked[index], reply.completions, strict=True)
                yield {key: (completion, reply.prompt_tokens) for key, completion in passed}

    def _keys(self, request: Request, sampling: Sampling) -> list[str]:
        pixels = [pixel_digest(image) for image in request.images]
        shown = [self.identity, request.text, pixels, sampling, *([] if request.system is None else [request.system])]
        return [digest(*shown, seed) for seed in request.seeds]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Open a connection for one call: threads must not share one."""
        with self._explained():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Another thread may close an iterator that was not exhausted.
            database = sqlite3.connect(self.path, timeout=_BUSY_TIMEOUT_S, check_same_thread=False)
        with closing(database):
            with self._explained():
                # SQLite does not wait for other connections when it changes the journal mode of a new database.
                with FileLock(self.path.with_suffix(".lock")):
                    database.execute("PRAGMA journal_mode=WAL")
                database.execute("PRAGMA synchronous=NORMAL")
                database.executescript(_SCHEMA)
            yield database

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn errors of the database and its files into `StorageError`; errors of the inner engine pass through."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StorageError(
                f"{self.path}: the reply cache cannot be used ({error}); check that the disk is local, writable and "
                "not full, or delete the file: the replies in it will be asked for again"
            ) from error


def _joined(keys: list[str], known: _Entries) -> Reply:
    """Return the reply to the request with these passes."""
    return Reply(tuple(known[key][0] for key in keys), max((known[key][1] for key in keys), default=0))


def _store(database: sqlite3.Connection, fresh: _Entries) -> None:
    """Store passes in one transaction; they are on disk when this returns."""
    known = {key: entry for key, entry in fresh.items() if entry[0].stop != "error"}
    with database:
        database.executemany(
            "INSERT OR IGNORE INTO passes VALUES (?, ?, ?, ?, ?)",
            [
                (key, completion.text, completion.stop, completion.n_tokens, prompt_tokens)
                for key, (completion, prompt_tokens) in known.items()
            ],
        )
        database.executemany(
            "INSERT OR IGNORE INTO logprobs VALUES (?, ?)",
            [(key, json.dumps(completion.tokens)) for key, (completion, _) in known.items() if completion.tokens],
        )


def _look_up(database: sqlite3.Connection, key: str) -> tuple[Completion, int] | None:
    row = database.execute(
        "SELECT text, stop, n_tokens, prompt_tokens, tokens FROM passes LEFT JOIN logprobs USING (key) WHERE key = ?",
        (key,),
    ).fetchone()
    if row is None:
        return None
    tokens = () if row[4] is None else tuple((piece, logprob) for piece, logprob in json.loads(row[4]))
    return Completion(row[0], row[1], row[2], tokens=tokens), row[3]
