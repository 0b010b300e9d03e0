"""Worker processes: one function applied to many items.

A worker is a `ProcessPoolExecutor` of a single process. In a pool of several, the death of one process breaks the whole
pool, and the standard library does not report its item; with one process the item is known.

Heavy imports are forbidden here: a process must set its environment before it loads its function.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

from editjudge.errors import EditJudgeError, WorkerError

Item = TypeVar("Item")
Result = TypeVar("Result")


class Executor(Protocol[Item, Result]):
    """Applies one function to many items. Results must not depend on the process."""

    def run(self, items: Sequence[Item]) -> Iterator[tuple[Item, Future[Result]]]:
        """Yield (item, its finished future) as they become ready, in any order."""
        ...


@dataclass(frozen=True)
class Seat:
    """Environment of one worker."""

    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables set before the worker loads anything, such as CUDA_VISIBLE_DEVICES."""
    log: Path | None = None
    """File to which the worker's output is appended; None leaves it on the terminal."""


class Workers(Generic[Item, Result]):
    """An executor with a process per seat, kept for all its items; without seats it runs in this process.

    Use it in a `with` block. `function` and the items are pickled, and `str(item)` names an item in messages.
    A `function` with a method `close` is closed in each process when the block ends well. When it ends with an error,
    Ctrl-C included, the processes are stopped at once; they also end when this process is killed. Processes are
    spawned, not forked: a fork after CUDA or a thread pool has started can hang.
    """

    def __init__(self, function: Callable[[Item], Result], seats: Sequence[Seat] = ()) -> None:
        self._function = function
        self._free = list(reversed(seats))
        self._here = not seats
        self._workers: list[_Worker] = []

    def __enter__(self) -> Workers[Item, Result]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._here:
            _close(self._function)
        for worker in self._workers:
            worker.end(stop=kind is not None)
        for worker in self._workers:
            worker.executor.shutdown(cancel_futures=True)
        self._workers.clear()

    def run(self, items: Sequence[Item]) -> Iterator[tuple[Item, Future[Result]]]:
        """Yield (item, its finished future) as they become ready.

        `result()` raises the function's error: ours unchanged, any other as `RuntimeError` with its traceback; and
        `WorkerError` when the process died. A dead worker is replaced when items remain.
        """
        if self._here:
            yield from ((item, _done_here(self._function, item)) for item in items)
            return
        waiting = deque(items)
        idle = deque(self._workers)
        running: dict[Future[Result], tuple[_Worker, Item]] = {}
        while waiting or running:
            while waiting and (idle or self._free):
                worker = idle.popleft() if idle else self._start(self._free.pop())
                item = waiting.popleft()
                running[worker.submit(item)] = (worker, item)
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                worker, item = running.pop(future)
                if isinstance(future.exception(), BrokenProcessPool):
                    self._workers.remove(worker)
                    self._free.append(worker.seat)
                    future = _failed(worker.obituary(item))
                else:
                    idle.append(worker)
                yield item, future

    def _start(self, seat: Seat) -> _Worker:
        self._workers.append(_Worker(seat, self._function))
        return self._workers[-1]


class _Worker:
    def __init__(self, seat: Seat, function: Callable[[Any], Any]) -> None:
        self.seat = seat
        if seat.log is not None:
            seat.log.parent.mkdir(parents=True, exist_ok=True)
        self.executor = ProcessPoolExecutor(
            1,
            multiprocessing.get_context("spawn"),
            # As bytes, because unpickling imports the function, and the environment must be set first.
            initializer=_begin,
            initargs=(dict(seat.environment), seat.log, pickle.dumps(function)),
        )
        others = multiprocessing.active_children()
        self.executor.submit(os.getpid)  # starts the process
        (self.process,) = [child for child in multiprocessing.active_children() if child not in others]

    def submit(self, item: object) -> Future[Any]:
        try:
            return self.executor.submit(_call, item)
        except BrokenProcessPool as error:  # died since its last item
            return _failed(error)

    def obituary(self, item: object) -> WorkerError:
        """Return an error about how the process ended."""
        self.executor.shutdown()
        self.process.join()
        code = self.process.exitcode
        how = f"ended with status {code}"
        if code is not None and code < 0:
            how = f"was ended by {signal.Signals(-code).name}"
        hint = " (the system does this when memory runs out: use fewer workers)" if code == -signal.SIGKILL else ""
        log = "" if self.seat.log is None else f"; see {self.seat.log}"
        return WorkerError(f"{item}: its worker process {how}{hint}{log}; rerun the same command to resume")

    def end(self, stop: bool) -> None:
        """End the process, at once or after its current item."""
        if stop:
            self.process.terminate()
        else:
            with suppress(BrokenProcessPool):
                self.executor.submit(_finish).result()


def _failed(error: BaseException) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_exception(error)
    return future


def _done_here(function: Callable[[Any], Result], item: Any) -> Future[Result]:
    try:
        result = function(item)
    except Exception as error:
        return _failed(error)
    future: Future[Result] = Future()
    future.set_result(result)
    return future


def _close(function: object) -> None:
    close = getattr(function, "close", None)
    if close is not None:
        close()


# Code that runs in a worker process.

_function: Callable[[Any], Any] | None = None
_has_log = False


def _begin(environment: Mapping[str, str], log: Path | None, function: bytes) -> None:
    global _function, _has_log
    # Ctrl-C reaches the whole process group; only the parent handles it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A killed parent cannot stop its workers, which must not keep writing beside the next run.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.update(environment)
    if log is not None:
        target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        for stream in (1, 2):
            os.dup2(target, stream)
        _has_log = True
    _function = pickle.loads(function)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)


def _call(item: object) -> Any:
    assert _function is not None
    try:
        return _function(item)
    except Exception as error:
        if _has_log:  # on the terminal it would precede the message that says what to do
            traceback.print_exc()
        raise _sendable(error, item) from None


def _finish() -> None:
    _close(_function)


def _sendable(error: Exception, item: object) -> Exception:
    """Return our own errors if they can be pickled, others as a `RuntimeError` with the traceback and the item."""
    try:
        same = isinstance(pickle.loads(pickle.dumps(error)), type(error))
    except Exception:
        same = False
    known = same and isinstance(error, EditJudgeError)
    return error if known else RuntimeError(f"{item}: {traceback.format_exc()}")
