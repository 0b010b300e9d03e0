"""What happens beside a training step: the log, the progress bar, the gradient check, the checkpoints' markers."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from editjudge.formats.judge_settings import JudgeSettings
from sft.checkpoints import keep_latest, mark_complete, verify_weights
from sft.model import GradientWatch, trainable

_LOGGED = ("loss", "learning_rate", "grad_norm", "mean_token_accuracy", "num_tokens", "epoch")
_SECONDS_BETWEEN_LINES = 10.0


class Journal:
    """`log.jsonl`: one line per logged step."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._start = time.monotonic()

    def write(self, step: int, values: Mapping[str, Any]) -> None:
        """Append one line: step, seconds since this process began, and the trainer's values."""
        row = {"step": step, "seconds": round(time.monotonic() - self._start, 2)}
        row |= {key: values[key] for key in _LOGGED if key in values}
        with self._path.open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(row) + "\n")


class Progress:
    """Steps, loss, rate and remaining time: a bar on a terminal, plain lines elsewhere."""

    def __init__(self, first: int, total: int) -> None:
        """`first`: steps already done when this process began. `total`: steps of the whole run."""
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
        """A step is done."""
        if self._bar is not None:
            self._bar.update(self._task, completed=step, text=self._text(step))

    def loss(self, step: int, value: float) -> None:
        """A loss was measured."""
        self._loss = f"{value:.4f}"
        now = time.monotonic()
        if self._bar is None and (now - self._last_line >= _SECONDS_BETWEEN_LINES or step >= self._total):
            self._last_line = now
            print(f"training: {self._text(step)}", file=sys.stderr, flush=True)

    def stop(self) -> None:
        """Give the terminal back."""
        if self._bar is not None:
            self._bar.stop()

    def _text(self, step: int) -> str:
        seconds = (time.monotonic() - self._start) / max(1, step - self._first)
        left = round(seconds * (self._total - step))
        rate = f"{1 / seconds:.2f} steps/s" if seconds < 1 else f"{seconds:.2f} s/step"
        return f"step {step}/{self._total}  loss {self._loss}  {rate}  {left // 60}:{left % 60:02d} left"


class Observer:
    """Follows a run from inside one of its processes. Only the first process writes."""

    def __init__(
        self,
        out: Path,
        identity: Mapping[str, Any],
        settings: JudgeSettings,
        world_size: int,
        main: bool,
        keep: int | None,
    ) -> None:
        """`settings`: written beside every checkpoint. `keep`: complete checkpoints to keep; None keeps all."""
        self._out, self._identity, self._settings, self._world_size = out, identity, settings, world_size
        self._main, self._keep = main, keep
        self._watch: GradientWatch | None = None
        self._trained = 0
        self._journal = Journal(out / "log.jsonl")
        self._progress: Progress | None = None

    def begin(self, model: Any, step: int, total: int) -> None:
        """Training begins at `step` of `total`."""
        self._trained = trainable(model)
        self._watch = GradientWatch(model)
        if self._main:
            self._progress = Progress(step, total)

    def step(self, step: int) -> None:
        """An optimizer step is done. Raises `GradientError` after the first when a module did not get a gradient."""
        if self._watch is not None:
            self._watch.stop()
            self._watch = None
        if self._progress is not None:
            self._progress.step(step)

    def log(self, step: int, values: Mapping[str, Any]) -> None:
        """The trainer reports; its summary at the end has no loss of a step and is left out."""
        if self._progress is not None and "loss" in values:
            self._journal.write(step, values)
            self._progress.loss(step, float(values["loss"]))

    def saved(self, step: int) -> None:
        """This process has written its part of a checkpoint; when all have, it is read back and marked complete."""
        wait_for_all()
        if self._main:
            path = self._out / f"checkpoint-{step}"
            verify_weights(path, self._trained)
            self._settings.write(path)
            mark_complete(path, self._identity, step, self._world_size)
            if self._keep is not None:
                keep_latest(self._out, self._keep)
        wait_for_all()

    def end(self) -> None:
        """Training is over, well or not."""
        if self._progress is not None:
            self._progress.stop()


def wait_for_all() -> None:
    """Wait until every process of the run is here."""
    import torch.distributed as dist

    if dist.is_available() and dist.is_initialized():
        dist.barrier()


def as_callback(observer: Observer) -> Any:
    """The observer as a `transformers.TrainerCallback`."""
    from transformers import TrainerCallback

    class Callback(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            observer.begin(kwargs["model"], state.global_step, state.max_steps)

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            observer.step(state.global_step)

        def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            observer.log(state.global_step, kwargs["logs"])

        def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            observer.saved(state.global_step)

    return Callback()
