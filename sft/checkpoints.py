"""Checkpoints of a run: which are complete, which is the latest, and what must be in one before it counts.

A checkpoint is complete when its `done.json` exists. Rank 0 writes it last, after every rank has written its part
and the saved weights were read back.
"""

from __future__ import annotations

import glob
import json
import math
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from editjudge.errors import CheckpointError
from editjudge.files.io import atomic_write, is_done, is_marked, read_marker, write_marker
from editjudge.system.processes import alone_in

STARTED = "started.json"
"""In a run's folder: identity of the run at work there, which owns it from its first complete checkpoint on."""
DONE = "done.json"
"""In a checkpoint and in a run's folder: it is complete."""

_NAME = re.compile(r"checkpoint-(\d+)")


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint."""

    path: Path
    step: int
    """Optimizer steps behind it."""
    world_size: int
    """Processes that wrote it."""


def claim(out: Path, identity: Mapping[str, Any]) -> None:
    """Make `out` this run's folder. `StaleOutputError` naming what changed when a different run owns it.

    A run owns the folder once there is something of it worth keeping: a complete checkpoint. What failed or was
    stopped before leaves nothing that a run with corrected parameters could mix with its own.
    """
    owned = bool(complete(out)) or read_marker(out / DONE) is not None
    if not (is_done if owned else is_marked)(out / STARTED, identity):
        write_marker(out / STARTED, identity, {})


def claimed(out: Path) -> dict[str, Any] | None:
    """Identity of the run that owns a folder, if one does."""
    marker = read_marker(out / STARTED)
    return None if marker is None else marker["identity"]


def finished(out: Path, identity: Mapping[str, Any]) -> bool:
    """Whether the run of that identity is over."""
    return is_done(out / DONE, identity)


def finish(out: Path, identity: Mapping[str, Any], info: Mapping[str, Any]) -> None:
    """Say that the run is over."""
    write_marker(out / DONE, identity, info)


def complete(out: Path) -> list[Checkpoint]:
    """Complete checkpoints, by step."""
    found = []
    for path, step in _folders(out):
        marker = read_marker(path / DONE)
        if marker is not None:
            found.append(Checkpoint(path, step, int(marker["info"]["world_size"])))
    return sorted(found, key=lambda checkpoint: checkpoint.step)


def incomplete(out: Path) -> list[Path]:
    """Checkpoints that an interrupted run left half-written."""
    whole = {checkpoint.path for checkpoint in complete(out)}
    return [path for path, _ in _folders(out) if path not in whole]


def discard_incomplete(out: Path) -> list[Path]:
    """Remove what `incomplete` finds, and return it."""
    broken = incomplete(out)
    for path in broken:
        shutil.rmtree(path)
    return broken


def mark_complete(path: Path, identity: Mapping[str, Any], step: int, world_size: int) -> None:
    """Say that everything of a checkpoint is on disk."""
    write_marker(path / DONE, identity, {"step": step, "world_size": world_size})


def keep_latest(out: Path, limit: int) -> None:
    """Remove complete checkpoints but the last `limit`: the marker first, so that no half of one looks whole."""
    for checkpoint in complete(out)[:-limit]:
        (checkpoint.path / DONE).unlink()
        shutil.rmtree(checkpoint.path)


def require_complete(path: Path) -> None:
    """`CheckpointError` when a checkpoint of ours is half-written. Adapters made elsewhere have no marker and pass."""
    if not path.is_dir():
        raise CheckpointError(f"{path}: no such checkpoint folder")
    ours = (path.parent / STARTED).is_file()
    if ours and read_marker(path / DONE) is None:
        raise CheckpointError(f"{path}: incomplete, it has no {DONE}; rerun the training command to resume")


def verify_weights(path: Path, expected: int) -> None:
    """Read back what a checkpoint's safetensors hold; `CheckpointError` when it is less than `expected` weights, or
    when some are NaN or infinite: training has diverged.

    ZeRO-3 leaves empty tensors in adapters that were saved without being gathered first.
    """
    from safetensors import safe_open

    from editjudge.engines.weights import require_finite

    total, files = 0, sorted(path.glob("*.safetensors"))
    for file in files:
        with safe_open(file, framework="pt") as weights:
            names = list(weights.keys())
            for name in names:
                shape = weights.get_slice(name).get_shape()
                if 0 in shape:
                    raise CheckpointError(f"{file}: tensor {name} is empty, shape {shape}; it was not gathered")
                total += math.prod(shape)
            require_finite(file, ((name, weights.get_tensor(name)) for name in names))
    if total < expected:
        raise CheckpointError(
            f"{path}: the saved weights are {total:,} numbers in {len(files)} files, {expected:,} were trained; "
            "the checkpoint is not usable"
        )


def only_writer(out: Path) -> AbstractContextManager[None]:
    """Hold a run's folder for this process; see `alone_in`."""
    return alone_in(out, "another process is training in this folder")


def forget_after(log: Path, step: int) -> None:
    """Remove the lines of a training log that lie after `step`, which will be run again. A torn last line goes too."""
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


def _folders(out: Path) -> Iterator[tuple[Path, int]]:
    for path in sorted(out.glob("checkpoint-*")):
        match = _NAME.fullmatch(path.name)
        if match and path.is_dir():
            yield path, int(match.group(1))


@contextmanager
def under_plain_name(path: Path) -> Iterator[Path]:
    """The checkpoint under a path without the characters of patterns, for as long as the block lasts.

    transformers and DeepSpeed look for DeepSpeed's files with `glob`, to which a folder called `run[1]` is a pattern.
    """
    if glob.escape(str(path)) == str(path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="editjudge-") as folder:
        link = Path(folder) / path.name
        link.symlink_to(path.absolute(), target_is_directory=True)
        yield link
