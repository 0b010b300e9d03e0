"""Prevent data leakage between training set and benchmark: rows are split by source and compared by image."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, ClassVar, Literal

from curation.stage import Context, Drop, Fail, Photo, Stage, row_id, task_of
from editjudge.errors import DataError
from editjudge.records.types import EditTask, EditTriplet, ImageRef, PreferencePair, Record, ScoreCard, SFTExample

CARRIES_SOURCE = (Photo, EditTask, EditTriplet, ScoreCard, SFTExample)
"""Records with the id of their photograph, by which rows are split into parts."""


class Split(Stage):
    """Select the rows of one part. The runner adds it before the stages of every part; recipes do not list it.

    A row of another part is dropped as `in_part_<name>`. A row that shares an image with a part of higher priority is
    dropped as `image_in_<name>`: parts that name their sources come first, in recipe order.
    """

    version: ClassVar[int] = 1
    scope: ClassVar[Literal["shard", "dataset"]] = "dataset"
    takes: ClassVar[type[Record] | None] = Record
    gives: ClassVar[type[Record]] = Record

    part: str
    """Part whose rows are kept."""
    sources: dict[str, tuple[str, ...]]
    """Sources of every part that names them, in order; the part that is missing here takes all other sources."""
    rest: str
    """The part that takes all other sources."""

    def run(self, rows: Iterable[Any], ctx: Context) -> Iterator[Record | Drop | Fail]:
        """Yield an outcome for every row. Needs all rows in memory, to compare images with earlier parts."""
        part_of = {source: name for name, sources in self.sources.items() for source in sources}
        every = [(part_of.get(source_of(row), self.rest), row) for row in rows]
        priority = [*self.sources, self.rest]
        before = priority[: priority.index(self.part)]
        owner = {image.sha256: name for name, row in every for image in images_of(row) if name in before}
        for name, row in every:
            if name != self.part:
                yield Drop(row_id(row), f"in_part_{name}")  # the row is kept in its own part
                continue
            shared = [owner[image.sha256] for image in images_of(row) if image.sha256 in owner]
            yield Drop(row_id(row), f"image_in_{shared[0]}", row) if shared else row


def source_of(row: Record) -> str:
    """Return the id of the photograph (or upstream row) of a row; `TypeError` for record types without it."""
    if isinstance(row, Photo | SFTExample):
        return row.source
    task = task_of(row)
    if task is None:
        raise TypeError(f"{type(row).__name__} rows do not carry their source")
    return task.origin.source


def images_of(row: Record) -> tuple[ImageRef, ...]:
    """Return every image that a row refers to."""
    if isinstance(row, Photo):
        return (row.image,)
    if isinstance(row, SFTExample):
        return row.images
    if isinstance(row, ScoreCard):
        return (*row.triplet.task.inputs, row.triplet.edited)
    if isinstance(row, EditTriplet):
        return (*row.task.inputs, row.edited)
    if isinstance(row, PreferencePair):
        return (*row.task.inputs, row.better.edited, row.worse.edited)
    task = task_of(row)
    return () if task is None else task.inputs


def check_sources(parts: Mapping[str, Iterable[Record]]) -> None:
    """Raise `DataError` when a source has rows in two parts."""
    seen: dict[str, str] = {}
    for name, rows in parts.items():
        for source in sorted({source_of(row) for row in rows}):
            other = seen.setdefault(source, name)
            if other != name:
                raise DataError(
                    f"source {source!r} is in both {other!r} and {name!r}: a judge would be measured on photographs it "
                    "was trained on; put the source into one part"
                )


def check_images(parts: Mapping[str, Iterable[Record]]) -> None:
    """Raise `DataError` when two parts contain the same image, byte for byte."""
    seen: dict[str, tuple[str, str]] = {}
    for name, rows in parts.items():
        for row in rows:
            for image in images_of(row):
                other, path = seen.setdefault(image.sha256, (name, image.path))
                if other != name:
                    raise DataError(
                        f"{image.path} in part {name!r} is the same image as {path} in part {other!r}; "
                        "name both their sources in one part"
                    )


def check_known(wanted: Collection[str], found: Collection[str]) -> None:
    """Raise `DataError` when a source named by a part does not occur in the rows of the first stage."""
    unknown = sorted(set(wanted) - set(found))
    if unknown:
        raise DataError(
            f"no row comes from {', '.join(map(repr, unknown))}, which a part of the recipe names; "
            f"sources: {', '.join(sorted(found))}"
        )
