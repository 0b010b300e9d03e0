"""Progress of a training: `log.jsonl`, and a progress bar."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from editjudge.files.io import atomic_write

JOURNAL = "log.jsonl"
"""File name in a run's folder."""

_SECONDS_BETWEEN_LINES = 10.0


class Journal:
    """`log.jsonl`: one line per logged step."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._start = time.monotonic()

    def write(self, step: int, values: Mapping[str, Any]) -> None:
        """Append one line: step, seconds since this process started, and the values."""
        row = {"step": step, "seconds": round(time.monotonic() - self._start, 2), **values}
        with self._path.open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(row) + "\n")


class Progress:
    """Steps, loss, rate and remaining time: a bar on a terminal, plain lines elsewhere."""

    def __init__(self, first: int, total: int) -> None:
        """`first`: steps already done when this process started. `total`: steps of the whole run."""
        self._first, self._total = first, total
        self._start = self._last_line = time.monotonic()
        self._loss = "-"
        self._bar: Any = None
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress as Bar
            from rich.progress import TextColumn

            self._bar = Bar(
                *Bar.get_default_columns()[:2], TextColumn("{task.fields[text]}"), console=Console(stderr=True)
            )
            self._task = self._bar.add_task("training", total=total, completed=first, text="")
            self._bar.start()

    def step(self, step: int) -> None:
        """Advance to a step."""
        if self._bar is not None:
            self._bar.update(self._task, completed=step, text=self._text(step))

    def loss(self, step: int, value: float) -> None:
        """Show a loss."""
        self._loss = f"{value:.4f}"
        now = time.monotonic()
        if self._bar is None and (now - self._last_line >= _SECONDS_BETWEEN_LINES or step >= self._total):
            self._last_line = now
            print(f"training: {self._text(step)}", file=sys.stderr, flush=True)

    def stop(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()

    def _text(self, step: int) -> str:
        seconds = (time.monotonic() - self._start) / max(1, step - self._first)
        left = round(seconds * (self._total - step))
        rate = f"{1 / seconds:.2f} steps/s" if seconds < 1 else f"{seconds:.2f} s/step"
        return f"step {step}/{self._total}  loss {self._loss}  {rate}  {left // 60}:{left % 60:02d} left"


def forget_after(log: Path, step: int) -> None:
    """Remove the lines of a training log after `step`, which will be rerun, and an incomplete last line."""
    if not log.is_file():
        return
    kept = []
    for line in log.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if row["step"] <= step:
            kept.append(line + "\n")
    atomic_write(log, "".join(kept))
