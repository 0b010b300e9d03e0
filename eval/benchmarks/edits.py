"""Edits that nobody has labelled: a judge scores them, and reports show how its scores are spread."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from editjudge.errors import ImageError
from editjudge.files.json_text import json_rows, parse_json
from editjudge.files.paths import InputPath
from editjudge.files.text import is_blank
from editjudge.images.store import ImageStore, image_faults
from editjudge.records.types import EditTriplet, ImageRef
from eval.benchmarks.rows import RowError
from eval.labels.benchmark import Benchmark, checked
from eval.labels.findings import Findings


class Edits(BaseModel):
    """A JSONL file of `EditTriplet`, as curation writes them; no labels, so no figure says how good a judge is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: InputPath
    """JSONL file."""
    root: InputPath | None = None
    """Folder the image references are relative to; the file's own folder when it is not given."""
    name: str | None = None
    """How reports call it; the file's name without ending when it is not given."""

    @property
    def title(self) -> str:
        """What the set is called."""
        return self.path.stem if self.name is None else self.name

    def load(self, cache: Path) -> Benchmark:
        """See `BenchmarkSource.load`. Rows that are no edit, or with an image that cannot be used, are left out."""
        root = self.path.parent if self.root is None else self.root
        left_out = Findings()
        rows = [(row.place, _read(row.text)) for row in json_rows(self.path)]
        edits = [(place, row) for place, row in rows if isinstance(row, EditTriplet)]
        faults = image_faults((ref for _, edit in edits for ref in _images(edit)), ImageStore(root, "stored"))
        for place, row in rows:
            problem = row if isinstance(row, RowError) else _fault(row, faults)
            if problem is not None:
                left_out.add(problem.kind, f"{place}: {problem}")
        usable = [edit for _, edit in edits if _fault(edit, faults) is None]
        return checked(self.title, str(self.path), (), root, left_out, Findings(), unlabelled=usable)


def _read(text: str) -> EditTriplet | RowError:
    try:
        edit = EditTriplet.model_validate(parse_json(text))
    except ValidationError as error:
        problem = error.errors()[0]
        return RowError("not_an_edit", f"{'.'.join(map(str, problem['loc'])) or 'row'}: {problem['msg']}")
    except ValueError as error:
        return RowError("not_json", f"{text[:80].encode('utf-8', 'replace').decode()} ({error})")
    if is_blank(edit.task.instruction):
        return RowError("missing_instruction", f"edit {edit.id}: instruction {edit.task.instruction!r}")
    return edit


def _images(edit: EditTriplet) -> tuple[ImageRef, ...]:
    return (*edit.task.inputs, edit.edited)


def _fault(edit: EditTriplet, faults: dict[ImageRef, ImageError]) -> RowError | None:
    found = next((faults[ref] for ref in _images(edit) if ref in faults), None)
    return None if found is None else RowError(found.reason, f"edit {edit.id}: {found}")
