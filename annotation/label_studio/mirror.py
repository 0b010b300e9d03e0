"""A unit's project on disk: a pull fetches changed tasks only, and pulled annotations are never lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from annotation.label_studio.client import Studio
from annotation.label_studio.projects import UnitProject
from editjudge.errors import DataError
from editjudge.files.io import atomic_write
from editjudge.records.types import Record

OVERLAP = timedelta(minutes=1)


class StudioAnnotation(Record):
    """An annotation in Label Studio."""

    id: int
    result: Any
    """Any JSON: Label Studio's API checks nothing."""
    was_cancelled: bool
    """Skipped."""
    lead_time: float | None
    """Seconds the task was open, as the page counted them."""
    created_at: str
    updated_at: str
    completed_by: int | None


class StudioTask(Record):
    """A task in Label Studio."""

    id: int
    group_id: str | None
    """None for a task that EditJudge did not push."""
    candidates: tuple[str, ...] = ()
    """Triplet ids in shown order."""
    updated_at: str | None = None
    """Changes with every annotation; None: not fetched since it was pushed."""
    annotations: tuple[StudioAnnotation, ...] = ()


class Mirror(Record):
    """One unit's project."""

    project: str
    """`UnitProject.key`."""
    tasks: dict[int, StudioTask] = Field(default_factory=dict)
    """The project's tasks, by Label Studio's number."""
    deleted: tuple[StudioTask, ...] = ()
    """Annotated tasks that were deleted on the server."""
    withdrawn: tuple[StudioTask, ...] = ()
    """Deleted annotations of existing tasks. Kept, never used."""


def mirror_file(out: Path, unit: str) -> Path:
    """Return the path of a unit's mirror."""
    return out / "mirror" / f"{unit}.json"


def load_mirror(out: Path, unit: str) -> Mirror | None:
    """Read a unit's mirror; None without one. `DataError` for a damaged file."""
    path = mirror_file(out, unit)
    if not path.exists():
        return None
    try:
        return Mirror.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise DataError(
            f"{path}: damaged ({error.error_count()} problems); put a copy back, or remove it: what is still "
            "on the server is then fetched again"
        ) from error


def save_mirror(out: Path, unit: str, mirror: Mirror) -> None:
    """Write a unit's mirror atomically."""
    atomic_write(mirror_file(out, unit), mirror.model_dump_json())


def known(mirror: Mirror | None, project: UnitProject) -> Mirror:
    """Return the mirror for this project. Tasks of an earlier project of the unit count as deleted."""
    if mirror is None:
        return Mirror(project=project.key)
    if mirror.project == project.key:
        return mirror
    gone = tuple(task for task in mirror.tasks.values() if task.annotations)
    return Mirror(project=project.key, deleted=(*mirror.deleted, *gone), withdrawn=mirror.withdrawn)


def refresh(studio: Studio, project: UnitProject, mirror: Mirror, annotations: bool) -> Mirror:
    """Return the mirror in the server's present state. With `annotations=False`, fetch only new tasks.

    Changed tasks are requested. All tasks are listed only if their number shows that some were deleted.
    """
    before = mirror.tasks
    if not annotations:
        tasks = before | _read(studio.tasks_after(project.id, max(before, default=0)))
    elif (since := _since(before.values())) is None:
        tasks = _read(studio.all_tasks(project.id))
    else:
        listed = studio.list_tasks(project.id, since)
        unseen = [number for number, task in before.items() if task.updated_at is None and number not in listed]
        tasks = before | _read(studio.tasks_numbered(project.id, [*unseen, *_changed(before, listed)]))
    if len(tasks) != studio.project(project.id).task_number:
        listed = studio.list_tasks(project.id)
        tasks = {number: task for number, task in tasks.items() if number in listed}
        fetched = _changed(tasks, listed) if annotations else [number for number in listed if number not in tasks]
        tasks |= _read(studio.tasks_numbered(project.id, fetched))
    gone = [task for number, task in before.items() if number not in tasks and task.annotations]
    return Mirror(
        project=mirror.project,
        tasks=dict(sorted(tasks.items())),
        deleted=(*mirror.deleted, *gone),
        withdrawn=(*mirror.withdrawn, *_withdrawn(before, tasks.values())),
    )


def _changed(tasks: Mapping[int, StudioTask], listed: Mapping[int, str]) -> list[int]:
    return [number for number, moment in listed.items() if number not in tasks or tasks[number].updated_at != moment]


def _since(tasks: Iterable[StudioTask]) -> str | None:
    """Return the time from which changes are requested; None when no task was fetched yet.

    It is before the last seen change: a slow write can become visible after a later one.
    """
    newest = max((task.updated_at for task in tasks if task.updated_at is not None), default=None)
    if newest is None:
        return None
    moment = datetime.fromisoformat(newest.replace("Z", "+00:00")) - OVERLAP
    return f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}"  # the server needs fractions here, though it omits them when they are 0


def _read(pages: Iterator[list[dict[str, Any]]]) -> dict[int, StudioTask]:
    """Return tasks by number. While a page is read, the server prepares the next one."""
    found: dict[int, StudioTask] = {}
    with ThreadPoolExecutor(1) as pool:
        page = pool.submit(next, pages, None)
        while (rows := page.result()) is not None:
            page = pool.submit(next, pages, None)
            found |= {int(row["id"]): studio_task(row) for row in rows}
    return found


def with_pushed(mirror: Mirror, pushed: Iterable[StudioTask]) -> Mirror:
    """Return the mirror with newly imported tasks."""
    return mirror.model_copy(update={"tasks": mirror.tasks | {task.id: task for task in pushed}})


def studio_task(row: Mapping[str, Any]) -> StudioTask:
    """Build a task from the server's JSON."""
    data = row["data"] if isinstance(row["data"], dict) else {}
    group_id, candidates = data.get("group_id"), data.get("triplets")
    ours = (
        isinstance(group_id, str) and isinstance(candidates, list) and all(isinstance(key, str) for key in candidates)
    )
    return StudioTask(
        id=int(row["id"]),
        group_id=group_id if ours else None,
        candidates=tuple(candidates or ()) if ours else (),
        updated_at=str(row["updated_at"]),
        annotations=tuple(_annotation(item) for item in row["annotations"]),
    )


def _annotation(item: Mapping[str, Any]) -> StudioAnnotation:
    person = item.get("completed_by")
    return StudioAnnotation(
        id=item["id"],
        result=item["result"],
        was_cancelled=bool(item["was_cancelled"]),
        lead_time=item.get("lead_time"),
        created_at=item["created_at"],
        updated_at=item["updated_at"],
        completed_by=person["id"] if isinstance(person, dict) else person,
    )


def _withdrawn(before: Mapping[int, StudioTask], after: Iterable[StudioTask]) -> Sequence[StudioTask]:
    found = []
    for task in after:
        left = {annotation.id for annotation in task.annotations}
        old = before.get(task.id)
        lost = tuple(item for item in old.annotations if item.id not in left) if old is not None else ()
        if old is not None and lost:
            found.append(old.model_copy(update={"annotations": lost}))
    return found
