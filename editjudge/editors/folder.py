"""Candidates from a folder of existing images."""

from __future__ import annotations

from PIL import Image
from pydantic import Field, field_validator

from editjudge.editors.base import Editor
from editjudge.errors import DataError
from editjudge.files.paths import InputPath
from editjudge.images.pixels import load_image
from editjudge.images.store import ImageStore
from editjudge.records.types import EditTask


class Folder(Editor):
    """Reads the image of each task; a task without an image fails."""

    folder: InputPath
    """Folder of the images."""
    label: str = Field(min_length=1)
    """Name and version of the images' maker: recorded as the editor; two folders need two labels."""
    pattern: str = "{task_id}.png"
    """File name relative to the folder; may use {task_id} and {task_type}."""

    @field_validator("pattern")
    @classmethod
    def _one_file_per_task(cls, value: str) -> str:
        if "{task_id}" not in value:
            raise ValueError(f"the pattern {value!r} has no {{task_id}}, so all tasks would share one image")
        return value

    @property
    def identity(self) -> str:
        """The label. Files are read once, when the candidate is made."""
        return self.label

    def edit(self, task: EditTask, images: ImageStore, seed: int) -> Image.Image:
        """Return the stored image as RGB, at its own size. Raises `ImageError` or `DataError` when unreadable."""
        name = self.pattern.replace("{task_id}", task.id).replace("{task_type}", task.task_type)
        path = (self.folder / name).resolve()
        if not path.is_relative_to(self.folder.resolve()):
            raise DataError(f"the image of task {task.id} would lie outside {self.folder}: {path}")
        if not path.is_file():
            raise DataError(f"no image for task {task.id}: {path} does not exist")
        return load_image(path)
