"""The checkpoints of a training run, as judges."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pydantic import BaseModel

from editjudge.engines.base import Engine
from editjudge.errors import CheckpointError, EditJudgeError
from editjudge.io import read_marker
from editjudge.judge import JudgeRecipe

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


def find_checkpoints(run: Path) -> list[Checkpoint]:
    """The complete checkpoints of a run, by step. One without its `done.json` is being written and is left out.

    Raises `CheckpointError` when there is none.
    """
    found = []
    for folder in run.glob("checkpoint-*"):
        match = _NAME.fullmatch(folder.name)
        if match is not None and read_marker(folder / "done.json") is not None:
            found.append(Checkpoint(int(match.group(1)), folder))
    if not found:
        raise CheckpointError(
            f"{run}: no complete checkpoint (checkpoint-<step>/ with a done.json); train first, or set `run` to the "
            "`out` of a training recipe"
        )
    return sorted(found, key=lambda checkpoint: checkpoint.step)


def judge_of(recipe: JudgeRecipe, checkpoint: Checkpoint) -> JudgeRecipe:
    """The recipe's judge with the weights of a checkpoint, not loaded yet.

    An adapter goes into the engine's `adapter`, full weights take the place of its `model`. The engine is built anew,
    never shared, so that dropping the returned recipe frees its model. Raises `CheckpointError` for a folder that
    holds neither, `EditJudgeError` for an engine that cannot load it.
    """
    engine = recipe.engine
    if not isinstance(engine, BaseModel):
        raise EditJudgeError(f"judge.engine: {type(engine).__name__} was not made by a recipe, so it cannot be rebuilt")
    values = {name: getattr(engine, name) for name in type(engine).model_fields}
    if checkpoint.path is not None:
        parameter = _parameter_for(checkpoint.path)
        if parameter not in values:
            raise EditJudgeError(
                f"judge.engine: {type(engine).__name__} cannot load {checkpoint.path}, it has no parameter "
                f"`{parameter}`; use an engine for local models"
            )
        values[parameter] = str(checkpoint.path)
    return recipe.model_copy(update={"engine": cast(Engine, type(engine).model_validate(values))})


def _parameter_for(checkpoint: Path) -> str:
    """Where an engine takes what lies in the folder."""
    if (checkpoint / "adapter_config.json").is_file():
        return "adapter"
    if (checkpoint / "config.json").is_file():
        return "model"
    raise CheckpointError(f"{checkpoint}: neither adapter_config.json nor config.json in it; train it again")
