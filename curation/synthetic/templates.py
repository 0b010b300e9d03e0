"""Stage `templates`: photographs -> edit tasks, with instructions worded from templates.

Each photograph gets one task of each of `tasks_per_photo` task types, drawn such that all types are equally frequent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from pydantic import Field, field_validator

from curation.stage import Context, Drop, Fail, Photo, Stage, describe_error
from curation.synthetic.drawing import to_array, to_image
from curation.synthetic.edits import EDITS
from editjudge.errors import FATAL
from editjudge.files.io import digest, rng
from editjudge.records.types import EditTask, Origin, Record


class Templates(Stage):
    """Draw an edit for each photograph and word it as an instruction."""

    takes: ClassVar[type[Record] | None] = Photo
    gives: ClassVar[type[Record]] = EditTask

    tasks: tuple[str, ...] = tuple(EDITS)
    """Task types to draw from."""
    tasks_per_photo: int = Field(1, gt=0)
    """Different task types for each photograph."""

    @field_validator("tasks")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [task for task in value if task not in EDITS]
        if unknown or not value:
            raise ValueError(f"no template for {', '.join(unknown) or 'nothing'}; known: {', '.join(EDITS)}")
        return value

    def run(self, rows: Iterable[Any], ctx: Context) -> Iterator[Record | Drop | Fail]:
        """Yield `tasks_per_photo` tasks for each photograph."""
        for photo in rows:
            order = rng(ctx.seed, "tasks", photo.id).permutation(len(self.tasks))
            for index in order[: self.tasks_per_photo]:
                try:
                    yield self.task(photo, self.tasks[int(index)], ctx)
                except FATAL:
                    raise
                except Exception as error:
                    yield Fail(photo.id, describe_error(error), photo)

    def task(self, photo: Photo, task_type: str, ctx: Context) -> EditTask:
        """Return one task; its input image is the photograph with the content that the edit needs."""
        edit = EDITS[task_type]
        draw = rng(ctx.seed, "plan", photo.id, task_type)
        plan = {"task": task_type, **edit.draw(draw)}
        instruction = edit.instruction(plan, draw)
        task_id = digest("task", photo.id, plan, instruction)
        before = edit.scene(to_array(ctx.images.read(photo.image)), plan).before
        return EditTask(
            id=task_id,
            inputs=(ctx.images.add(to_image(before), f"images/{task_id}/input.png"),),
            instruction=instruction,
            task_type=task_type,
            origin=Origin(
                source=photo.source,
                licence=photo.licence,
                plan={**plan, "photo": photo.image.model_dump(mode="json")},
            ),
        )
