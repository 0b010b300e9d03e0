"""Task types from `project.task_types` for groups without one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from annotation.rankings.foreign import read_rows
from editjudge.errors import DataError, RowError
from editjudge.records.tasks import TASK_TYPES, UNKNOWN_TASK, canonical_task_type, is_task_type
from editjudge.records.types import EditTriplet


def with_task_types(triplets: Iterable[EditTriplet], given: str | None) -> Iterator[EditTriplet]:
    """Yield the triplets; those of task type "unknown" get the type that `given` has for their task. Ids do not change.

    `given` is a task type for all, or a table with `task_id` and `task_type`. `DataError` when the table contradicts
    the type of a group, has two types for a task, or has an invalid type.
    """
    table = _read(Path(given)) if given is not None and _is_table(given) else None
    for_all = canonical_task_type(given) if given is not None and table is None else None
    for triplet in triplets:
        own = triplet.task.task_type
        wanted = for_all if table is None else table.get(triplet.task.id)
        if own == UNKNOWN_TASK and wanted is not None:
            task = triplet.task.model_copy(update={"task_type": wanted})
            yield triplet.model_copy(update={"task": task})
            continue
        if table is not None and wanted not in (None, own):
            raise DataError(
                f"{given}: task {triplet.task.id}: {wanted!r}, but its group says {own!r}; correct the table"
            )
        yield triplet


def _is_table(given: str) -> bool:
    """Whether `given` is a table: the 13 task types never are, other names are if such a file exists."""
    return given not in TASK_TYPES and (not is_task_type(given) or Path(given).is_file())


def _read(path: Path) -> Mapping[str, str]:
    if not path.is_file():
        raise DataError(
            f"project.task_types: {str(path)!r} is neither a file nor a task type; give a table with task_id and "
            f"task_type, or a task type such as {TASK_TYPES[0]}"
        )
    found: dict[str, str] = {}
    for where, row in read_rows(path):
        if isinstance(row, RowError):
            raise DataError(f"{where}: {row}")
        task, kind = row.get("task_id"), row.get("task_type")
        if not isinstance(task, str) or not isinstance(kind, str):
            raise DataError(f"{where}: needs the columns task_id and task_type, has {', '.join(row)}")
        try:
            kind = canonical_task_type(kind)
        except ValueError as error:
            raise DataError(f"{where}: task {task}: {error}") from error
        if found.setdefault(task, kind) != kind:
            raise DataError(f"{where}: task {task}: {kind!r} here, {found[task]!r} in an earlier row; keep one of them")
    return found
