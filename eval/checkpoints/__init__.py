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
    """What tables call a judge of a training run, by the optimizer steps behind it."""
    return "base" if step == BASE else f"step {step}"


def find_checkpoints(run: Path) -> tuple[Checkpoint, ...]:
    """The complete checkpoints of a run, by step; `CheckpointError` when there is none."""
    found = scan(run).complete
    if not found:
        raise CheckpointError(
            f"{run}: no complete checkpoint (checkpoint-<step>/ with a done.json); train first, or set `run` to the "
            "`out` of a training recipe"
        )
    return found


def pin_training(run: Path, folder: Path) -> None:
    """Note in a sweep's folder which training it is of.

    Training removes old checkpoints, and what was measured of them stays in the table. So `StaleOutputError` when the
    run's folder now holds another training than the one these figures are of; while there are no figures yet, the note
    is replaced.
    """
    identity, note = training_identity(run), folder / "training.json"
    if identity is None:
        return
    measured = any(True for step in folder.glob("step-*") for _ in step.rglob("*done.json"))
    if not (is_done if measured else is_marked)(note, identity):
        write_marker(note, identity, {"run": str(run)})


def judge_of(recipe: BaseJudgeRecipe, checkpoint: Path | None) -> BaseJudgeRecipe:
    """The recipe's judge with the weights of a checkpoint's folder (None: its own), not loaded yet.

    What the recipe leaves out is taken from the checkpoint's `judge.yaml`. Raises what
    `BaseJudgeRecipe.with_checkpoint` raises.
    """
    return recipe.resolved() if checkpoint is None else recipe.with_checkpoint(checkpoint)


def trained_in(run: Path) -> Trained | None:
    """How the judges of a run are trained to be asked; None for a training that does not say so, or has not begun."""
    folders = [run, *(checkpoint.path for checkpoint in scan(run).complete)]
    return next((found for folder in folders if (found := read_trained(folder)) is not None), None)
