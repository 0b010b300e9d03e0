"""The checkpoints of a training run, as judges."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from editjudge.asking.base_recipe import BaseJudgeRecipe
from editjudge.errors import CheckpointError
from editjudge.files.io import Marker, is_done, is_marked, read_marker, write_marker
from editjudge.formats.judge_settings import Trained, read_trained

DONE = "done.json"
"""In a checkpoint: it is complete. In the run's folder: training is finished."""
STARTED = "started.json"
"""In the run's folder: identity of the training."""

_NAME = re.compile(r"checkpoint-(\d+)")


@dataclass(frozen=True)
class Checkpoint:
    """A judge of a training run."""

    step: int
    """Optimizer steps behind it; 0 for the untrained base."""
    path: Path | None
    """Folder of the adapter or weights; None for the untrained base."""

    @property
    def label(self) -> str:
        """For tables."""
        return "base" if self.path is None else f"step {self.step}"


@dataclass(frozen=True)
class Scan:
    """What a run's folder holds at one moment."""

    complete: tuple[Checkpoint, ...]
    """By step."""
    incomplete: tuple[str, ...]
    """Names of checkpoints without their `done.json`: being written, or left half-written by a killed training."""
    finished: bool
    """Whether training says that it is over."""


def scan(run: Path) -> Scan:
    """Look at a run, which need not exist yet."""
    # Asked first: what training wrote before it said that it was over is then surely seen below.
    finished = read_marker(run / DONE) is not None
    complete, incomplete = [], []
    for folder in run.glob("checkpoint-*"):
        match = _NAME.fullmatch(folder.name)
        if match is None or not folder.is_dir():
            continue
        marker = read_marker(folder / DONE)
        if marker is None:
            incomplete.append((int(match.group(1)), folder.name))
        else:
            complete.append(Checkpoint(_step_of(folder, marker), folder))
    return Scan(
        tuple(sorted(complete, key=lambda checkpoint: checkpoint.step)),
        tuple(name for _, name in sorted(incomplete)),
        finished,
    )


def _step_of(folder: Path, marker: Marker) -> int:
    """The step that training recorded; a folder may have been renamed."""
    step = marker["info"].get("step")
    if type(step) is not int or step < 1:
        raise CheckpointError(f"{folder / DONE}: `step` is {step!r}, not the number of a step; train it again")
    return step


def find_checkpoints(run: Path) -> list[Checkpoint]:
    """The complete checkpoints of a run, by step. One without its `done.json` is being written and is left out.

    Raises `CheckpointError` when there is none.
    """
    found = scan(run).complete
    if not found:
        raise CheckpointError(
            f"{run}: no complete checkpoint (checkpoint-<step>/ with a done.json); train first, or set `run` to the "
            "`out` of a training recipe"
        )
    return list(found)


def pin_training(run: Path, folder: Path) -> None:
    """Note in a sweep's folder which training it is of.

    Training removes old checkpoints, and what was measured of them stays in the table. So `StaleOutputError` when the
    run's folder now holds another training than the one these figures are of; while there are no figures yet, the note
    is replaced.
    """
    marker, note = read_marker(run / STARTED), folder / "training.json"
    if marker is None:
        return
    measured = any(True for step in folder.glob("step-*") for _ in step.rglob("*done.json"))
    if not (is_done if measured else is_marked)(note, marker["identity"]):
        write_marker(note, marker["identity"], {"run": str(run)})


def judge_of(recipe: BaseJudgeRecipe, checkpoint: Checkpoint) -> BaseJudgeRecipe:
    """The recipe's judge with the weights of a checkpoint, not loaded yet.

    What the recipe leaves out is taken from the checkpoint's `judge.yaml`. Raises what
    `BaseJudgeRecipe.with_checkpoint` raises.
    """
    return recipe.resolved() if checkpoint.path is None else recipe.with_checkpoint(checkpoint.path)


def trained_in(run: Path) -> Trained | None:
    """How the judges of a run are trained to be asked; None for a training that does not say so, or has not begun."""
    folders = [run, *(checkpoint.path for checkpoint in scan(run).complete if checkpoint.path is not None)]
    return next((found for folder in folders if (found := read_trained(folder)) is not None), None)
