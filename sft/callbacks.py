"""Callbacks of training steps: log, progress bar, gradient check, and the checkpoints' markers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from editjudge.formats.checkpoint import checkpoint_folder, mark_complete
from editjudge.formats.judge_settings import JudgeSettings
from editjudge.training.checkpoints import keep_latest, verify_weights
from editjudge.training.gradients import GradientWatch, trainable
from editjudge.training.journal import JOURNAL, Journal, Progress
from editjudge.training.processes import wait_for_all

_LOGGED = ("loss", "learning_rate", "grad_norm", "mean_token_accuracy", "num_tokens", "epoch")


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
        """`settings`: written to every checkpoint. `keep`: number of complete checkpoints to keep; None keeps all."""
        self._out, self._identity, self._settings, self._world_size = out, identity, settings, world_size
        self._main, self._keep = main, keep
        self._watch: GradientWatch | None = None
        self._trained = 0
        self._journal = Journal(out / JOURNAL)
        self._progress: Progress | None = None

    def begin(self, model: Any, step: int, total: int) -> None:
        """Start observing at `step` of `total`."""
        self._trained = trainable(model)
        self._watch = GradientWatch(model)
        if self._main:
            self._progress = Progress(step, total)

    def step(self, step: int) -> None:
        """Record an optimizer step. Raises `GradientError` after the first when a module got no gradient."""
        if self._watch is not None:
            self._watch.stop()
            self._watch = None
        if self._progress is not None:
            self._progress.step(step)

    def log(self, step: int, values: Mapping[str, Any]) -> None:
        """Log the trainer's values, except its final summary, which has no loss of a step."""
        if self._progress is not None and "loss" in values:
            self._journal.write(step, {key: values[key] for key in _LOGGED if key in values})
            self._progress.loss(step, float(values["loss"]))

    def saved(self, step: int) -> None:
        """Wait until all processes have written their part of a checkpoint, verify it and mark it complete."""
        wait_for_all()
        if self._main:
            path = checkpoint_folder(self._out, step)
            verify_weights(path, self._trained)
            self._settings.write(path)
            mark_complete(path, self._identity, step, self._world_size)
            if self._keep is not None:
                keep_latest(self._out, self._keep)
        wait_for_all()

    def end(self) -> None:
        """Stop observing, after success or failure."""
        if self._progress is not None:
            self._progress.stop()


def as_callback(observer: Observer) -> Any:
    """Return the observer as a `transformers.TrainerCallback`."""
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
