"""The checkpoints of a training run, as judges."""

from __future__ import annotations

from pathlib import Path

from editjudge.asking.base_recipe import BaseJudgeRecipe
from editjudge.errors import CheckpointError
from editjudge.files.io import is_done, is_marked, write_marker
from editjudge.formats.checkpoint import Checkpoint, scan, training_identity
from editjudge.formats.judge_settings import Trained, read_trained

BASE = 0
"""Step of the untrained base."""


def step_name(step: int) -> str:
    """Return the name of a training run's judge in tables, from its number of optimizer steps."""
    return "base" if step == BASE else f"step {step}"


def find_checkpoints(run: Path) -> tuple[Checkpoint, ...]:
    """Return the complete checkpoints of a run, by step; raises `CheckpointError` when there is none."""
    found = scan(run).complete
    if not found:
        raise CheckpointError(
            f"{run}: no complete checkpoint (checkpoint-<step>/ with a done.json); train first, or set `run` to the "
            "`out` of a training recipe"
        )
    return found


def pin_training(run: Path, folder: Path) -> None:
    """Record in a sweep's folder which training it measures.

    Training removes old checkpoints, but their results stay in the table. Therefore raises `StaleOutputError` when the
    run's folder contains another training than the one measured here; while there are no results yet, the record is
    replaced.
    """
    identity, note = training_identity(run), folder / "training.json"
    if identity is None:
        return
    measured = any(True for step in folder.glob("step-*") for _ in step.rglob("*done.json"))
    if not (is_done if measured else is_marked)(note, identity):
        write_marker(note, identity, {"run": str(run)})


def judge_of(recipe: BaseJudgeRecipe, checkpoint: Path | None) -> BaseJudgeRecipe:
    """Return the recipe's judge with the weights in a checkpoint's folder (None: its own), not loaded yet.

    Settings missing in the recipe are read from the checkpoint's `judge.yaml`. Raises the errors of
    `BaseJudgeRecipe.with_checkpoint`.
    """
    return recipe.resolved() if checkpoint is None else recipe.with_checkpoint(checkpoint)


def trained_in(run: Path) -> Trained | None:
    """Return the prompts and settings a run is trained with; None when it does not record them or has not started."""
    folders = [run, *(checkpoint.path for checkpoint in scan(run).complete)]
    return next((found for folder in folders if (found := read_trained(folder)) is not None), None)
