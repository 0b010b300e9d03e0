"""Any file of preference pairs, as curation and annotation write them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from editjudge.errors import DataError
from editjudge.tasks import TASK_TYPES, UNKNOWN_TASK
from editjudge.types import PreferencePair
from eval.benchmarks import Benchmark, checked
from eval.benchmarks.lint import Findings
from eval.benchmarks.rows import RowError, split_unknown


class Pairs(BaseModel):
    """Any JSONL file of `PreferencePair`, as curation and annotation write them.

    Pairs whose task type is "unknown" have no place among the 13 subtasks; they become comparisons.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    """JSONL file."""
    root: Path | None = None
    """Folder the image references are relative to; the file's own folder when it is not given."""
    labels_only: bool = False
    """Look at no image file: enough to measure scores made elsewhere."""
    name: str | None = None
    """How reports call it; the file's name without ending when it is not given."""

    def load(self, cache: Path) -> Benchmark:
        """See `BenchmarkSource.load`. Rows that are no pair, or whose image file is missing, are left out."""
        root = self.path.parent if self.root is None else self.root
        left_out, notes = Findings(), Findings()
        rows: list[PreferencePair] = []
        for number, line in _lines(self.path):
            try:
                rows.append(_read(line, None if self.labels_only else root))
            except RowError as problem:
                left_out.add(problem.kind, f"line {number}: {problem}")
        pairs, comparisons = split_unknown(rows, notes)
        name = self.path.stem if self.name is None else self.name
        has_images = not self.labels_only
        source = str(self.path)
        return checked(name, source, pairs, root, left_out, notes, comparisons=comparisons, has_images=has_images)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as preference pairs ({error}); check the path") from error
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, line


def _read(line: str, root: Path | None) -> PreferencePair:
    try:
        pair = PreferencePair.model_validate_json(line)
    except ValidationError as error:
        raise _why(line, error) from None
    if root is None:
        return pair
    for ref in (*pair.task.inputs, pair.better.edited, pair.worse.edited):
        archive, tar, _ = ref.path.partition(".tar/")
        if not (root / (archive + ".tar" if tar else ref.path)).is_file():
            raise RowError("missing_image", f"pair {pair.id}: {ref.path}")
    return pair


def _why(line: str, error: ValidationError) -> RowError:
    """The kind of a row that is no pair: a task name that nobody knows, or anything else."""
    try:
        row = json.loads(line)
    except ValueError:
        return RowError("not_json", line[:80])
    task = row.get("task") if isinstance(row, dict) else None
    task_type = task.get("task_type") if isinstance(task, dict) else None
    if isinstance(task_type, str) and task_type not in (*TASK_TYPES, UNKNOWN_TASK):
        return RowError("unknown_task", repr(task_type))
    problem = error.errors()[0]
    return RowError("not_a_pair", f"{'.'.join(map(str, problem['loc'])) or 'row'}: {problem['msg']}")
