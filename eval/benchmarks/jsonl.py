"""Base of `pairs` and `edits`: a JSONL file of records, each with a task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from editjudge.errors import ImageError, RowError
from editjudge.files.json_text import json_rows, parse_json
from editjudge.files.paths import InputPath
from editjudge.files.text import is_blank
from editjudge.images.store import ImageStore, image_faults
from editjudge.records.types import EditTriplet, ImageRef, PreferencePair
from eval.labels.findings import Findings

RecordT = TypeVar("RecordT", PreferencePair, EditTriplet)
NAMES: dict[type[PreferencePair] | type[EditTriplet], str] = {PreferencePair: "pair", EditTriplet: "edit"}


class JsonlFile(BaseModel):
    """A benchmark in a JSONL file of records."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: InputPath
    """JSONL file."""
    root: InputPath | None = None
    """Base folder of the image references. Default: the file's own folder."""
    name: str | None = None
    """Name in reports. Default: the file's name without its ending."""

    @property
    def title(self) -> str:
        """Return the name in reports."""
        return self.path.stem if self.name is None else self.name

    @property
    def images(self) -> Path:
        """Return the base folder of the image references."""
        return self.path.parent if self.root is None else self.root

    def read(self, record: type[RecordT], left_out: Findings, labels_only: bool = False) -> list[RecordT]:
        """Return the usable rows; other rows, including those with an unusable image, are added to `left_out`."""
        rows = [(row.place, _read(row.text, record)) for row in json_rows(self.path)]
        refs = (ref for _, row in rows if not isinstance(row, RowError) for ref in _images(row))
        faults = {} if labels_only else image_faults(refs, ImageStore(self.images, "stored"))
        usable: list[RecordT] = []
        for place, row in rows:
            problem = row if isinstance(row, RowError) else _fault(row, faults)
            if problem is not None:
                left_out.add(problem.kind, f"{place}: {problem}")
            elif not isinstance(row, RowError):
                usable.append(row)
        return usable


def _read(text: str, record: type[RecordT]) -> RecordT | RowError:
    try:
        row = record.model_validate(parse_json(text))
    except ValidationError as error:
        return _why(error, NAMES[record])
    except ValueError as error:
        return RowError("not_json", f"{text[:80].encode('utf-8', 'replace').decode()} ({error})")
    if is_blank(row.task.instruction):
        return RowError("missing_instruction", f"{NAMES[record]} {row.id}: instruction {row.task.instruction!r}")
    return row


def _images(row: PreferencePair | EditTriplet) -> Sequence[ImageRef]:
    made = (row.edited,) if isinstance(row, EditTriplet) else (row.better.edited, row.worse.edited)
    return (*row.task.inputs, *made)


def _fault(row: PreferencePair | EditTriplet, faults: dict[ImageRef, ImageError]) -> RowError | None:
    """Return an error for the first unusable image of a row: a fault of the benchmark, not of the judge."""
    found = next((faults[ref] for ref in _images(row) if ref in faults), None)
    return None if found is None else RowError(found.reason, f"{NAMES[type(row)]} {row.id}: {found}")


def _why(error: ValidationError, name: str) -> RowError:
    """Return the kind of an invalid row: an invalid task type, or another error."""
    problem = error.errors()[0]
    if problem["loc"] == ("task", "task_type") and isinstance(problem["input"], str):
        return RowError("not_a_task_type", repr(problem["input"]))
    article = "an" if name[0] in "aeiou" else "a"
    return RowError(f"not_{article}_{name}", f"{'.'.join(map(str, problem['loc'])) or 'row'}: {problem['msg']}")
