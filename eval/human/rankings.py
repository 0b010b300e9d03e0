"""Rankings by people, as an annotation campaign writes them."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict

from editjudge.errors import DataError
from editjudge.files.io import read_jsonl
from editjudge.files.paths import InputPath
from editjudge.records.types import TierRanking
from eval.labels.findings import Findings


class Human(BaseModel):
    """The `human:` block of a recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rankings: InputPath
    """`rankings.jsonl` of an annotation campaign, about candidates of the benchmark. A `tasks.jsonl` beside it tells
    gold and repeated tasks, which are left out."""


class RankedRow(TierRanking):
    """A row of rankings.jsonl; what a campaign writes besides the ranking is not needed here."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _ShownTask(BaseModel):
    """What is needed of a row of tasks.jsonl."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    group_id: str
    is_gold: bool = False
    repeat_of: str | None = None


@dataclass
class Rankings:
    """What people said."""

    rows: list[RankedRow]
    left_out: Findings = field(default_factory=Findings)


def read_rankings(options: Human) -> Rankings:
    """The rankings that count. `DataError` when the file is not one of rankings or holds two of a unit for one task."""
    beside = options.rankings.parent / "tasks.jsonl"
    shown = {row.group_id: row for row in read_jsonl(beside, _ShownTask)} if beside.is_file() else {}
    found = Rankings([])
    seen: set[tuple[str, str, str]] = set()
    for row in read_jsonl(options.rankings, RankedRow):
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
