"""Data leakage: find pairs of a benchmark that share a source or an image with training files.

Sources of tasks (the id of the photograph) and image files (by SHA-256) are compared. An image that was saved in
another size or format is not recognised.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from editjudge.errors import DataError
from editjudge.files.io import read_jsonl
from editjudge.records.types import (
    OLD_ROW,
    EditTask,
    EditTriplet,
    ImageRef,
    PreferencePair,
    Record,
    ScoreCard,
    SFTExample,
)

KINDS: tuple[type[Record], ...] = (SFTExample, ScoreCard, EditTriplet, EditTask, PreferencePair)
"""Record types of training files."""


@dataclass(frozen=True)
class TrainingInputs:
    """The sources and images of training files."""

    sources: frozenset[str]
    images: frozenset[str]
    """SHA-256 of image files, inputs and outputs."""
    rows: int

    def leak(self, pair: PreferencePair) -> str | None:
        """Return why a pair leaks: `source_in_training` or `image_in_training`; None if it does not."""
        if pair.task.origin.source in self.sources:
            return "source_in_training"
        images = (*pair.task.inputs, pair.better.edited, pair.worse.edited)
        return "image_in_training" if any(image.sha256 in self.images for image in images) else None


def training_inputs(paths: Iterable[Path]) -> TrainingInputs:
    """Read training files, each a JSONL of one of `KINDS`. `DataError` for other or empty files."""
    sources: set[str] = set()
    images: set[str] = set()
    rows = 0
    for path in paths:
        before = rows
        for row in read_jsonl(path, kind_of(path)):
            rows += 1
            source, refs = _held(row)
            images.update(ref.sha256 for ref in refs)
            sources.add(source)
        if rows == before:
            raise DataError(f"{path}: holds no row, so nothing can be checked against it; name the training file")
    return TrainingInputs(frozenset(sources), frozenset(images), rows)


def kind_of(path: Path) -> type[Record]:
    """Return the record type of a file's first row; `DataError` if it is none of `KINDS`."""
    first = next(iter(read_jsonl(path, dict[str, object])), None)
    for kind in KINDS if first is not None else ():
        try:
            kind.model_validate_json(json.dumps(first))
        except ValidationError as error:
            old = next((found["msg"] for found in error.errors() if found["type"] == OLD_ROW), None)
            if old is not None:
                raise DataError(f"{path}:1: {old}") from error
            continue
        return kind
    names = ", ".join(kind.__name__ for kind in KINDS)
    raise DataError(f"{path}: the first row is none of {names}; name a JSONL file of one of them")


def _held(row: Record) -> tuple[str, tuple[ImageRef, ...]]:
    """Return source and images of a row."""
    if isinstance(row, SFTExample):
        return row.source, row.images
    if isinstance(row, EditTask):
        return row.origin.source, row.inputs
    if isinstance(row, ScoreCard):
        return _held(row.triplet)
    if isinstance(row, EditTriplet):
        return row.task.origin.source, (*row.task.inputs, row.edited)
    assert isinstance(row, PreferencePair)
    return row.task.origin.source, (*row.task.inputs, row.better.edited, row.worse.edited)
