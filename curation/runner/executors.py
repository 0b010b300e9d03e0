"""Where shards are worked on: in this process, or in several of this machine."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

from editjudge.errors import EditJudgeError
from editjudge.system.processes import sendable, serve_parent

Item = TypeVar("Item")
Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)


class Executor(Protocol[Item, Result_co]):
    """Applies one function to many items. The results may not depend on how many workers there are."""

    def run(self, items: Sequence[Item]) -> Iterator[tuple[Item, Result_co]]:
        """(item, result) as they become ready, in any order. The first error ends the run."""
        ...


@dataclass
class _Worker:
    process: BaseProcess
    connection: Connection[Any, Any]


class LocalExecutor(Generic[Item, Result]):
    """One process for each worker, kept for all the items; with one worker everything happens in this process.

    Use it in a `with` block. `function` and the items are pickled, and `str(item)` names an item in messages.
    Processes are spawned, not forked: a fork after CUDA or a thread pool has started can hang.
    """

    def __init__(self, function: Callable[[Item], Result], workers: int) -> None:
        if workers < 1:
            raise ValueError(f"workers must be at least 1, got {workers}")
        self._function = function
        self._n = workers
        self._workers: list[_Worker] = []

    def __enter__(self) -> LocalExecutor[Item, Result]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.connection.close()
            if kind is not None:
                worker.process.terminate()
        for worker in self._workers:
            worker.process.join()
        self._workers.clear()

    def run(self, items: Sequence[Item]) -> Iterator[tuple[Item, Result]]:
        """(item, result) as they become ready.

        An error inside the function is raised here; a worker that dies raises `EditJudgeError` with its item.
        """
        if self._n == 1:
            yield from ((item, self._function(item)) for item in items)
            return
        while len(self._workers) < min(self._n, len(items)):
            self._workers.append(self._start())
        idle = list(self._workers)
        waiting = list(reversed(items))
        busy: dict[Any, tuple[_Worker, Item]] = {}
        while waiting or busy:
            while idle and waiting:
                worker, item = idle.pop(), waiting.pop()
                busy[worker.connection] = (worker, item)
                _send(worker, item)
            for connection in wait(list(busy)):
                worker, item = busy.pop(connection)
                result: Result = _receive(worker, item)
                idle.append(worker)
                yield item, result

    def _start(self) -> _Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self._function))
        process.start()
        # With our copy of their end closed, the death of the worker is an end of file here.
        theirs.close()
        return _Worker(process, ours)


def _send(worker: _Worker, item: Any) -> None:
    try:
        worker.connection.send(item)
    except (BrokenPipeError, ConnectionResetError):
        raise _died(worker, item) from None


def _receive(worker: _Worker, item: Any) -> Any:
    try:
        ok, value = worker.connection.recv()
    except (EOFError, ConnectionResetError):
        raise _died(worker, item) from None
    if ok:
        return value
    raise value


def _died(worker: _Worker, item: object) -> EditJudgeError:
    worker.process.join()
    code = worker.process.exitcode
    how = f"was ended by {signal.Signals(-code).name}" if code is not None and code < 0 else f"ended with status {code}"
    hint = " (the system does this when memory runs out: use fewer workers)" if code == -signal.SIGKILL else ""
    return EditJudgeError(f"{item}: its worker process {how}{hint}; rerun the same command to resume where it stopped")


def _serve(connection: Connection[Any, Any], function: Callable[[Any], Any]) -> None:
    # Ctrl-C reaches the whole process group; only the parent answers it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve_parent(connection, partial(_attempt, function))


def _attempt(function: Callable[[Any], Any], item: Any) -> tuple[bool, Any]:
    try:
        return True, function(item)
    except Exception as error:
        return False, sendable(error, item)
