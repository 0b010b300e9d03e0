"""What every editor promises: an `identity`, and `edit`, which gives the same image for the same task and seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from PIL import Image
from pydantic import BaseModel, ConfigDict

from editjudge.errors import FATAL
from editjudge.images.store import ImageStore
from editjudge.records.types import EditTask


class Editor(BaseModel):
    """Something that carries out an instruction; its fields are its recipe parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @property
    def identity(self) -> str:
        """Everything that can change an output: the editor's kind, its version and its parameters."""
        raise NotImplementedError

    @property
    def batch(self) -> int:
        """Tasks it makes best use of at a time, at least 1."""
        return 1

    def edit(self, task: EditTask, images: ImageStore, seed: int) -> Image.Image:
        """The edited image (RGB). Deterministic in (identity, task, seed).

        Raises whatever went wrong; the caller counts it as a failed triplet and never puts another image in its place.
        """
        raise NotImplementedError

    def edit_many(self, asked: Sequence[tuple[EditTask, int]], images: ImageStore) -> Iterator[Image.Image | Exception]:
        """For each (task, seed), in order, what `edit` returns or raises. Here one by one.

        An editor that takes batches overrides it together with `batch`. It may be asked for any number of tasks; an
        image may not depend on the others. Errors in `errors.FATAL` are raised.
        """
        for task, seed in asked:
            try:
                yield self.edit(task, images, seed)
            except FATAL:
                raise
            except Exception as error:
                yield error
