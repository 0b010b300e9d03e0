"""Any file of preference pairs, as curation and annotation write them."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from editjudge.json_text import json_rows, parse_json
from editjudge.tasks import TASK_TYPES, UNKNOWN_TASK
from editjudge.types import PreferencePair
from eval.benchmarks import Benchmark, checked
from eval.benchmarks.labels import Comparison
from eval.benchmarks.lint import Findings
from eval.benchmarks.rows import RowError


class Pairs(BaseModel):
    """Any JSONL file of `PreferencePair`, as curation and annotation write them.

    Pairs whose task type is "unknown" have no place among the 13 subtasks; they become comparisons.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    """JSONL file."""
    root: Path | None = None
    """Folder the image references are relative to; the file's own folder when it is not given."""
    name: str | None = None
    """How reports call it; the file's name without ending when it is not given."""

    def load(self, cache: Path) -> Benchmark:
        """See `BenchmarkSource.load`. Rows that are no pair, or whose image file is missing, are left out."""
        root = self.path.parent if self.root is None else self.root
        left_out, notes = Findings(), Findings()
        pairs: list[PreferencePair] = []
        comparisons: list[Comparison] = []
        for row in json_rows(self.path):
            try:
                pair = _read(row.text, root)
            except RowError as problem:
                left_out.add(problem.kind, f"{row.place}: {problem}")
                continue
            if pair.task.task_type != UNKNOWN_TASK:
                pairs.append(pair)
                continue
            notes.add("task_of_unknown_type", pair.id)
            comparisons.append(
                Comparison(
                    id=pair.id,
                    task=pair.task,
                    first=pair.better,
                    second=pair.worse,
                    dimension=pair.dimension,
                    label="A>B",
                )
            )
        name = self.path.stem if self.name is None else self.name
        return checked(name, str(self.path), pairs, root, left_out, notes, comparisons=comparisons)


def _read(line: str, root: Path) -> PreferencePair:
    try:
        row = parse_json(line)
    except ValueError as error:
        raise RowError("not_json", f"{line[:80].encode('utf-8', 'replace').decode()} ({error})") from None
    try:
        pair = PreferencePair.model_validate(row)
    except ValidationError as error:
        raise _why(row, error) from None
    for ref in (*pair.task.inputs, pair.better.edited, pair.worse.edited):
        archive, tar, _ = ref.path.partition(".tar/")
        if not (root / (archive + ".tar" if tar else ref.path)).is_file():
            raise RowError("missing_image", f"pair {pair.id}: {ref.path}")
    return pair


def _why(row: object, error: ValidationError) -> RowError:
    """The kind of a row that is no pair: a task name that nobody knows, or anything else."""
    task = row.get("task") if isinstance(row, dict) else None
    task_type = task.get("task_type") if isinstance(task, dict) else None
    if isinstance(task_type, str) and task_type not in (*TASK_TYPES, UNKNOWN_TASK):
        return RowError("unknown_task", repr(task_type))
    problem = error.errors()[0]
    return RowError("not_a_pair", f"{'.'.join(map(str, problem['loc'])) or 'row'}: {problem['msg']}")
