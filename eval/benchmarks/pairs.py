"""Any file of preference pairs, as curation and annotation write them."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from editjudge.errors import ImageError
from editjudge.files.json_text import json_rows, parse_json
from editjudge.files.paths import InputPath
from editjudge.files.text import is_blank
from editjudge.images.store import ImageStore, image_faults
from editjudge.records.types import ImageRef, PreferencePair
from eval.benchmarks.rows import RowError, split_unknown
from eval.labels.benchmark import Benchmark, checked
from eval.labels.findings import Findings


class Pairs(BaseModel):
    """Any JSONL file of `PreferencePair`, as curation and annotation write them.

    Pairs whose task type is "unknown" become comparisons.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: InputPath
    """JSONL file."""
    root: InputPath | None = None
    """Folder the image references are relative to; the file's own folder when it is not given."""
    labels_only: bool = False
    """Look at no image file: enough to measure scores made elsewhere."""
    name: str | None = None
    """How reports call it; the file's name without ending when it is not given."""

    @property
    def title(self) -> str:
        """What the benchmark is called."""
        return self.path.stem if self.name is None else self.name

    def load(self, cache: Path) -> Benchmark:
        """See `BenchmarkSource.load`. Rows that are no pair, or with an image that cannot be used, are left out."""
        root = self.path.parent if self.root is None else self.root
        left_out, notes = Findings(), Findings()
        rows = [(row.place, _read(row.text)) for row in json_rows(self.path)]
        refs = (ref for _, row in rows if isinstance(row, PreferencePair) for ref in _images(row))
        faults = {} if self.labels_only else image_faults(refs, ImageStore(root, "stored"))
        usable: list[PreferencePair] = []
        for place, pair in rows:
            problem = pair if isinstance(pair, RowError) else _fault(pair, faults)
            if problem is not None:
                left_out.add(problem.kind, f"{place}: {problem}")
            elif isinstance(pair, PreferencePair):
                usable.append(pair)
        pairs, comparisons = split_unknown(usable, notes)
        has_images = not self.labels_only
        source = str(self.path)
        return checked(self.title, source, pairs, root, left_out, notes, comparisons=comparisons, has_images=has_images)


def _read(text: str) -> PreferencePair | RowError:
    try:
        row = parse_json(text)
    except ValueError as error:
        return RowError("not_json", f"{text[:80].encode('utf-8', 'replace').decode()} ({error})")
    try:
        pair = PreferencePair.model_validate(row)
    except ValidationError as error:
        return _why(error)
    if is_blank(pair.task.instruction):
        return RowError("missing_instruction", f"pair {pair.id}: instruction {pair.task.instruction!r}")
    return pair


def _images(pair: PreferencePair) -> tuple[ImageRef, ...]:
    return (*pair.task.inputs, pair.better.edited, pair.worse.edited)


def _fault(pair: PreferencePair, faults: dict[ImageRef, ImageError]) -> RowError | None:
    """The first image of a pair that cannot be used: a fault of the benchmark, for which no judge may pay."""
    found = next((faults[ref] for ref in _images(pair) if ref in faults), None)
    return None if found is None else RowError(found.reason, f"pair {pair.id}: {found}")


def _why(error: ValidationError) -> RowError:
    """The kind of a row that is no pair: a task type that is no name, or anything else."""
    problem = error.errors()[0]
    if problem["loc"] == ("task", "task_type") and isinstance(problem["input"], str):
        return RowError("not_a_task_type", repr(problem["input"]))
    return RowError("not_a_pair", f"{'.'.join(map(str, problem['loc'])) or 'row'}: {problem['msg']}")
