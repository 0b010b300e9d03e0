"""Files of an annotation campaign: `tasks.jsonl`, the tasks shown, and `rankings.jsonl`, the answers.

In rankings.jsonl `annotator` is the unit's name, and `task_id` is the `group_id` of tasks.jsonl, which distinguishes
the two showings of a repeated task. `Ranking.shown` is `PushedTask.candidates`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from editjudge.files.io import first_row_has, read_jsonl
from editjudge.formats.rankings import Ranking
from editjudge.records.types import Id, Record, TierRanking


class PushedTask(Record):
    """One row of tasks.jsonl: a task as shown, the same for every unit."""

    group_id: Id
    """Common key of the units' projects; `Ranking.task_id`. Repeats have their own, others the `EditTask`'s."""
    task_id: Id
    """Id of the `EditTask`; a repeat shares it with the task it repeats."""
    instruction: str
    candidates: tuple[Id, ...]
    """Triplet ids in shown order: candidate number 1 is the first."""
    is_gold: bool = False
    repeat_of: Id | None = None
    """`group_id` of the task that this one repeats."""
    studio_ids: dict[str, int] = Field(default_factory=dict)
    """Unit -> id of the task in Label Studio."""


def tasks_file(out: Path) -> Path:
    """Return the path of the tasks shown."""
    return out / "tasks.jsonl"


def rankings_file(out: Path) -> Path:
    """Return the path of the rankings, gold and repeated tasks included."""
    return out / "rankings.jsonl"


def read_tasks(out: Path) -> dict[str, PushedTask]:
    """Read the tasks shown, by `group_id`; empty when the file does not exist yet."""
    path = tasks_file(out)
    return {row.group_id: row for row in read_jsonl(path, PushedTask)} if path.exists() else {}


def read_rankings(path: Path) -> Iterator[TierRanking]:
    """Yield the rows of a file of rankings: of a campaign (`Ranking`), or from elsewhere (plain `TierRanking`)."""
    yield from read_jsonl(path, Ranking if first_row_has(path, "notation") else TierRanking)
