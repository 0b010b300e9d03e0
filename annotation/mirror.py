"""What a unit's project holds, kept on disk: only tasks that changed are fetched, and nothing pulled is ever lost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from annotation.client import Studio
from annotation.projects import UnitProject
from editjudge.errors import DataError
from editjudge.io import atomic_write
from editjudge.types import Record

FETCHED_AT_ONCE = 500
"""Tasks per request; their ids must fit into one address."""


class StudioAnnotation(Record):
    """An annotation as Label Studio has it."""

    id: int
    result: Any
    """Anything: its API checks nothing."""
    was_cancelled: bool
    """Skipped."""
    lead_time: float | None
    """Seconds the task was open, as the page counted them."""
    created_at: str
    updated_at: str
    completed_by: int | None


class StudioTask(Record):
    """A task as Label Studio has it."""

    id: int
    group_id: str | None
    """None for a task that EditJudge did not push."""
    candidates: tuple[str, ...] = ()
    """Triplet ids in shown order."""
    updated_at: str | None = None
    """Changes with every annotation; None: not looked at since it was pushed."""
    annotations: tuple[StudioAnnotation, ...] = ()


class Mirror(Record):
    """One unit's project."""

    project: str
    """`UnitProject.key`."""
    tasks: dict[int, StudioTask] = Field(default_factory=dict)
    """What is there, by Label Studio's number."""
    deleted: tuple[StudioTask, ...] = ()
    """Annotated tasks that were there once."""
    withdrawn: tuple[StudioTask, ...] = ()
    """Annotations that were there once, on tasks that still are. Kept, never used."""


def mirror_file(out: Path, unit: str) -> Path:
    """Where the mirror of a unit is kept."""
    return out / "mirror" / f"{unit}.json"


def load_mirror(out: Path, unit: str) -> Mirror | None:
    """What was pulled or pushed last; None when there is nothing. `DataError` for a damaged file."""
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
    """Write it, wholly or not at all."""
    atomic_write(mirror_file(out, unit), mirror.model_dump_json())


def known(mirror: Mirror | None, project: UnitProject) -> Mirror:
    """The mirror for this very project. What an earlier project of the unit held counts as deleted."""
    if mirror is None:
        return Mirror(project=project.key)
    if mirror.project == project.key:
        return mirror
    gone = tuple(task for task in mirror.tasks.values() if task.annotations)
    return Mirror(project=project.key, deleted=(*mirror.deleted, *gone), withdrawn=mirror.withdrawn)


def refresh(studio: Studio, project: UnitProject, mirror: Mirror, annotations: bool) -> Mirror:
    """The mirror as the server is now. With `annotations=False` only tasks that nobody knew yet are fetched."""
    listed = studio.list_tasks(project.id)
    tasks = mirror.tasks
    wanted = [
        number
        for number, updated in listed.items()
        if number not in tasks or (annotations and tasks[number].updated_at != updated)
    ]
    fetched: dict[int, StudioTask] = {}
    for start in range(0, len(wanted), FETCHED_AT_ONCE):
        rows = studio.fetch_tasks(project.id, wanted[start : start + FETCHED_AT_ONCE])
        fetched |= {task.id: task for row in rows if (task := studio_task(row, listed)) is not None}
    present = {number: fetched.get(number, tasks.get(number)) for number in listed}
    gone = [task for number, task in tasks.items() if number not in listed and task.annotations]
    return Mirror(
        project=mirror.project,
        tasks={number: task for number, task in present.items() if task is not None},
        deleted=(*mirror.deleted, *gone),
        withdrawn=(*mirror.withdrawn, *_withdrawn(tasks, fetched.values())),
    )


def with_pushed(mirror: Mirror, pushed: Iterable[StudioTask]) -> Mirror:
    """The mirror with tasks that were just imported."""
    return mirror.model_copy(update={"tasks": mirror.tasks | {task.id: task for task in pushed}})


def studio_task(row: Mapping[str, Any], listed: Mapping[int, str]) -> StudioTask | None:
    """A fetched row; None for a task that was deleted since it was listed."""
    number = int(row["id"])
    if number not in listed:
        return None
    data = row["data"] if isinstance(row["data"], dict) else {}
    group_id, candidates = data.get("group_id"), data.get("triplets")
    ours = (
        isinstance(group_id, str) and isinstance(candidates, list) and all(isinstance(key, str) for key in candidates)
    )
    return StudioTask(
        id=number,
        group_id=group_id if ours else None,
        candidates=tuple(candidates or ()) if ours else (),
        updated_at=listed[number],
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
