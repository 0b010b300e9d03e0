"""A judge that is not a language model: a head that gives one number per edit. A new kind of judge needs only such a
module and its line of `JUDGES`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from editjudge.asking.base import BaseJudge
from editjudge.asking.base_recipe import BaseJudgeRecipe
from editjudge.asking.cards import bare_card
from editjudge.errors import CheckpointError
from editjudge.files.io import digest
from editjudge.images.pixels import IMAGE_RULES, show_images
from editjudge.records.types import EditTriplet, ScoreCard

Features = NDArray[np.float64]


class ScalarJudge(BaseJudge[Features]):
    """A linear head on the mark that `eval_world.marked` writes into the output, and on the input's size."""

    def __init__(self, weight: float, scale: float, chunk: int = 64) -> None:
        self.weight, self.scale, self.chunk = weight, scale, chunk
        self.batches: list[int] = []

    @property
    def identity(self) -> str:
        return digest("scalar", self.weight, self.scale, IMAGE_RULES)

    def prepare(self, triplet: EditTriplet, images: Sequence[Image.Image]) -> Features:
        before, after = show_images(images, images[0].size, None)
        return np.array([np.asarray(after)[0, 0, 0], np.log(before.width)])

    def judge(self, edits: Sequence[tuple[EditTriplet, Features]]) -> list[ScoreCard]:
        self.batches.append(len(edits))
        features = np.array([found for _, found in edits]).reshape(-1, 2)
        raw = features @ np.array([self.weight, 0.001])
        values = np.clip(10 * raw / self.scale, 0, 10).tolist()
        return [
            bare_card(triplet, {"overall": value}, asked=True)
            for (triplet, _), value in zip(edits, values, strict=True)
        ]


class ScalarRecipe(BaseJudgeRecipe):
    """A scalar head."""

    use: Literal["scalar"] = "scalar"
    weight: float = 1.0
    scale: float = Field(260, gt=0)
    """Value of the head that becomes 10."""
    chunk: int = Field(64, ge=1)

    def build(self) -> ScalarJudge:
        return ScalarJudge(self.weight, self.scale, self.chunk)

    def with_checkpoint(self, path: Path) -> ScalarRecipe:
        try:
            weight: Any = json.loads((path / "noise.json").read_text(encoding="utf-8"))
        except OSError as error:
            raise CheckpointError(f"{path}: no weights of a head") from error
        return self.model_copy(update={"weight": weight})
