"""Human rankings from an annotation campaign."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict

from editjudge.errors import DataError
from editjudge.files.paths import InputPath
from editjudge.formats.campaign import read_rankings, read_tasks
from editjudge.records.types import TierRanking
from eval.labels.findings import Findings


class Human(BaseModel):
    """The `human:` block of a recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rankings: InputPath
    """`rankings.jsonl` of an annotation campaign, about candidates of the benchmark. A `tasks.jsonl` beside it marks
    gold and repeated tasks, which are left out."""


@dataclass
class Rankings:
    """Human rankings of a benchmark's candidates."""

    rows: list[TierRanking]
    left_out: Findings = field(default_factory=Findings)


def rankings_that_count(options: Human) -> Rankings:
    """Return the rankings in use. Raises `DataError` for another kind of file, or if a unit ranked a task twice."""
    shown = read_tasks(options.rankings.parent)
    found = Rankings([])
    seen: set[tuple[str, str, str]] = set()
    for row in read_rankings(options.rankings):
        task = shown.get(row.task_id)
        if task is not None and (task.is_gold or task.repeat_of is not None):
            found.left_out.add("gold" if task.is_gold else "repeat", f"{row.task_id}: {row.annotator}")
            continue
        key = (row.task_id, row.dimension, row.annotator)
        if key in seen:
            raise DataError(
                f"{options.rankings}: {row.annotator} ranks task {row.task_id} twice in {row.dimension}; "
                "keep the ranking that counts"
            )
        seen.add(key)
        found.rows.append(row)
    return found
