"""Checkpoints of a running training (`formats.checkpoint`): ownership of the folder, verification and removal.

The first process marks a checkpoint complete after every process has written its part and the saved weights were read
back.
"""

from __future__ import annotations

import glob
import math
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from editjudge.engines.weights import require_finite
from editjudge.errors import CheckpointError
from editjudge.files.io import is_done, is_marked, write_marker
from editjudge.formats.checkpoint import DONE, STARTED, scan
from editjudge.system.processes import alone_in


def claim(out: Path, identity: Mapping[str, Any]) -> None:
    """Claim `out` for this run. Raises `StaleOutputError` naming what changed when a different run owns it.

    A run owns the folder once it has a complete checkpoint. A run that failed or was stopped before leaves nothing that
    a run with corrected parameters could mix with its own.
    """
    found = scan(out)
    owned = bool(found.complete) or found.finished
    if not (is_done if owned else is_marked)(out / STARTED, identity):
        write_marker(out / STARTED, identity, {})


def finished(out: Path, identity: Mapping[str, Any]) -> bool:
    """Return whether the run of that identity is complete."""
    return is_done(out / DONE, identity)


def finish(out: Path, identity: Mapping[str, Any], info: Mapping[str, Any]) -> None:
    """Mark the run as complete."""
    write_marker(out / DONE, identity, info)


def discard_incomplete(out: Path) -> tuple[Path, ...]:
    """Remove the incomplete checkpoints of an interrupted run, and return them."""
    broken = scan(out).incomplete
    for path in broken:
        shutil.rmtree(path)
    return broken


def keep_latest(out: Path, limit: int) -> None:
    """Remove complete checkpoints except the last `limit`, the marker first: partly removed ones are incomplete."""
    for checkpoint in scan(out).complete[:-limit]:
        (checkpoint.path / DONE).unlink()
        shutil.rmtree(checkpoint.path)


def verify_weights(path: Path, expected: int) -> None:
    """Read back a checkpoint's safetensors. Raises `CheckpointError` when they contain fewer than `expected` weights,
    or NaN or infinite ones: training has diverged.

    ZeRO-3 leaves empty tensors in adapters that were saved without being gathered first.
    """
    from safetensors import safe_open

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
    """Lock a run's folder for this process; see `alone_in`."""
    return alone_in(out, "another process is training in this folder")


@contextmanager
def under_plain_name(path: Path) -> Iterator[Path]:
    """Yield the checkpoint under a path without glob characters, until the block ends.

    transformers and DeepSpeed look for DeepSpeed's files with `glob`, for which a folder called `run[1]` is a pattern.
    """
    if glob.escape(str(path)) == str(path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="editjudge-") as folder:
        link = Path(folder) / path.name
        link.symlink_to(path.absolute(), target_is_directory=True)
        yield link
