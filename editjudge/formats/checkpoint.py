"""The folder of a training run: training writes it; evaluation, merging and engines read it.

```
out/started.json                 identity of the training in this folder
out/judge.yaml                   settings of its judges (`judge_settings`)
out/checkpoint-<step>/           adapter or weights, `judge.yaml`, and the state for resuming
out/checkpoint-<step>/done.json  written last: this checkpoint is complete
out/done.json                    training is over
```
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from editjudge.errors import CheckpointError
from editjudge.files.io import read_marker, write_marker

STARTED = "started.json"
DONE = "done.json"

FORMAT: Final = 1
"""Increased when the content of a checkpoint's folder changes."""

_NAME = re.compile(r"checkpoint-(\d+)")


class CheckpointInfo(BaseModel):
    """The content of a checkpoint's `done.json` besides the identity of the training."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: Literal[1] = FORMAT
    step: int = Field(ge=1)
    """Optimizer steps so far; the folder may have been renamed."""
    world_size: int = Field(ge=1)
    """Number of processes that wrote it."""


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint."""

    path: Path
    step: int
    """Optimizer steps so far."""
    world_size: int
    """Number of processes that wrote it."""


@dataclass(frozen=True)
class RunFolder:
    """The checkpoints in a run's folder at one moment."""

    complete: tuple[Checkpoint, ...]
    """Ordered by step."""
    incomplete: tuple[Path, ...]
    """Checkpoints without `done.json`, by the number in their name: being written, or interrupted."""
    finished: bool
    """Whether training is complete."""


def checkpoint_folder(out: Path, step: int) -> Path:
    """Return the folder of a step's checkpoint, named as by transformers' trainer."""
    return out / f"checkpoint-{step}"


def mark_complete(path: Path, identity: Mapping[str, Any], step: int, world_size: int) -> None:
    """Mark a checkpoint as completely written."""
    write_marker(path / DONE, identity, CheckpointInfo(step=step, world_size=world_size).model_dump())


def read_checkpoint(path: Path) -> Checkpoint | None:
    """Read the checkpoint in a folder; None without `done.json`. Raises `CheckpointError` for another format."""
    marker = read_marker(path / DONE)
    if marker is None:
        return None
    if marker["info"].get("format") != FORMAT:
        raise CheckpointError(f"{path}: written by another version of EditJudge; train it again")
    try:
        info = CheckpointInfo.model_validate(marker["info"])
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise CheckpointError(
            f"{path / DONE}: {where}: {first['msg']}, got {first['input']!r}; train it again"
        ) from None
    return Checkpoint(path, info.step, info.world_size)


def scan(out: Path) -> RunFolder:
    """Scan a run's folder, which need not exist yet. Raises `CheckpointError` for a checkpoint of another format."""
    # Checked first, so that the scan below sees everything that a finished training wrote.
    finished = read_marker(out / DONE) is not None
    complete: list[Checkpoint] = []
    incomplete: list[Path] = []
    for folder in _folders(out):
        checkpoint = read_checkpoint(folder)
        if checkpoint is None:
            incomplete.append(folder)
        else:
            complete.append(checkpoint)
    return RunFolder(tuple(sorted(complete, key=lambda checkpoint: checkpoint.step)), tuple(incomplete), finished)


def training_identity(out: Path) -> dict[str, Any] | None:
    """Return the identity of the training in this folder, if one has started."""
    marker = read_marker(out / STARTED)
    return None if marker is None else marker["identity"]


def require_complete(path: Path) -> None:
    """Raise `CheckpointError` for an incomplete checkpoint of ours. Other adapters have no marker and pass."""
    if not path.is_dir():
        raise CheckpointError(f"{path}: no such checkpoint folder")
    ours = (path.parent / STARTED).is_file()
    if ours and read_checkpoint(path) is None:
        raise CheckpointError(f"{path}: incomplete, it has no {DONE}; rerun the training command to resume")


def _folders(out: Path) -> Iterator[Path]:
    """Yield the folders of checkpoints, by the number in their name."""
    found = [(int(match.group(1)), path) for path in out.glob("checkpoint-*") if (match := _NAME.fullmatch(path.name))]
    yield from (path for _, path in sorted(found) if path.is_dir())
