"""Progress: a bar with rate and remaining time on a terminal, plain lines elsewhere. Everything goes to stderr."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress, Task, TaskID
    from rich.text import Text

T = TypeVar("T")

PLAIN_EVERY_S = 10.0
"""Seconds between two plain lines."""


def track(iterable: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
    """Yield the same items and show their progress. `total` defaults to the length of the iterable, if it has one."""
    if total is None and isinstance(iterable, Sized):
        total = len(iterable)
    with bar(label, total) as advance:
        for item in iterable:
            yield item
            advance(1)


@contextmanager
def bar(label: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Show a bar until the block ends; call the yielded function with the number of items just done.

    Bars may be nested and advanced from threads.
    """
    with _screen.task(label, total) if sys.stderr.isatty() else plain_lines(label, total, sys.stderr) as advance:
        yield advance


@contextmanager
def plain_lines(
    label: str, total: int | None, stream: IO[str], every_s: float = PLAIN_EVERY_S
) -> Iterator[Callable[[int], None]]:
    """Replace `bar` without a terminal: a line every `every_s` seconds, and one at the end."""
    start = last = time.monotonic()
    done = 0
    lock = threading.Lock()

    def advance(n: int) -> None:
        nonlocal done, last
        with lock:
            done += n
            now = time.monotonic()
            if now - last >= every_s:
                last = now
                print(_line(label, done, total, now - start), file=stream, flush=True)

    try:
        yield advance
    finally:
        print(_last_line(label, done, total, time.monotonic() - start), file=stream, flush=True)


def _line(label: str, done: int, total: int | None, seconds: float) -> str:
    rate = _rate(done, seconds)
    if total is None or done == 0:
        return f"{label}: {_count(done, total)}, {rate}"
    left = max(0, total - done) * seconds / done
    return f"{label}: {_count(done, total)} ({done / max(total, 1):.0%}), {rate}, about {duration(left)} left"


def _last_line(label: str, done: int, total: int | None, seconds: float) -> str:
    return f"{label}: {_count(done, total)} in {duration(seconds)} ({_rate(done, seconds)})"


def _count(done: int, total: int | None) -> str:
    return str(done) if total is None else f"{done}/{total}"


def _rate(done: int, seconds: float) -> str:
    """Format items per second, or seconds per item when slower."""
    if done == 0 or seconds <= 0:
        return "0/s"
    per_second = done / seconds
    return f"{per_second:.1f}/s" if per_second >= 1 else f"{1 / per_second:.1f} s each"


def duration(seconds: float) -> str:
    """Format seconds as `5 s`, `2 min 05 s`, `3 h 07 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class _Screen:
    """The one live display of the process: rich shows several bars in one display, but not two displays."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._progress: Progress | None = None
        self._open = 0

    @contextmanager
    def task(self, label: str, total: int | None) -> Iterator[Callable[[int], None]]:
        with self._lock:
            if self._progress is None:
                self._progress = _new_display()
                self._progress.start()
            progress = self._progress
            self._open += 1
        task: TaskID = progress.add_task(label, total=total)
        try:
            yield lambda n: progress.advance(task, n)
        finally:
            with self._lock:
                progress.stop_task(task)
                self._open -= 1
                if self._open == 0:
                    progress.stop()
                    self._progress = None


_screen = _Screen()


def _new_display() -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(_rate(int(task.completed), task.elapsed or 0.0))

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
