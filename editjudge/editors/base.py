"""`Editor`, the interface of all editors: `identity`, and `edit`, deterministic in task and seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from PIL import Image
from pydantic import BaseModel, ConfigDict

from editjudge.errors import FATAL
from editjudge.images.store import ImageStore
from editjudge.records.types import EditTask


class Editor(BaseModel):
    """Base class of editors; the fields are the recipe's parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @property
    def identity(self) -> str:
        """Everything that can change an output: the editor's kind, version and parameters."""
        raise NotImplementedError

    @property
    def batch(self) -> int:
        """Preferred number of tasks per batch, at least 1."""
        return 1

    def edit(self, task: EditTask, images: ImageStore, seed: int) -> Image.Image:
        """Return the edited image (RGB). Deterministic in (identity, task, seed).

        Any exception makes a failed triplet; the caller never replaces the image by another one.
        """
        raise NotImplementedError

    def edit_many(self, asked: Sequence[tuple[EditTask, int]], images: ImageStore) -> Iterator[Image.Image | Exception]:
        """Yield the result or exception of `edit` for each (task, seed), in order. The default calls `edit` one by one.

        An editor that works in batches overrides this method and `batch`. The number of tasks may be any; an image must
        not depend on the other tasks. Errors in `errors.FATAL` are raised.
        """
        for task, seed in asked:
            try:
                yield self.edit(task, images, seed)
            except FATAL:
                raise
            except Exception as error:
                yield error
