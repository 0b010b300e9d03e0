"""What every editor promises: an `identity`, and `edit`, which gives the same image for the same task and seed."""

from __future__ import annotations

from PIL import Image
from pydantic import BaseModel, ConfigDict

from editjudge.images.store import ImageStore
from editjudge.records.types import EditTask


class Editor(BaseModel):
    """Something that carries out an instruction; its fields are its recipe parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @property
    def identity(self) -> str:
        """Everything that can change an output: the editor's kind, its version and its parameters."""
        raise NotImplementedError

    def edit(self, task: EditTask, images: ImageStore, seed: int) -> Image.Image:
        """The edited image (RGB). Deterministic in (identity, task, seed).

        Raises whatever went wrong; the caller counts it as a failed triplet and never puts another image in its place.
        """
        raise NotImplementedError
