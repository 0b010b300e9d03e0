"""Filters of triplets by the size of their images."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from curation.stage import Context, Filter
from editjudge.images.pixels import MAX_RATIO
from editjudge.records.types import EditTriplet


class MinSide(Filter):
    """Drop triplets whose input or edited image is too small to judge."""

    version: ClassVar[int] = 1

    px: int = Field(512, gt=0)
    """Smallest shorter side, in pixels."""

    def check(self, row: EditTriplet, ctx: Context) -> str | None:
        """Return `side_below_<px>` when an image of the triplet is smaller."""
        side = min(min(image.width, image.height) for image in (*row.task.inputs, row.edited))
        return f"side_below_{self.px}" if side < self.px else None


class AspectRatio(Filter):
    """Drop triplets whose input or edited image is too elongated to judge."""

    version: ClassVar[int] = 1

    max_ratio: float = Field(MAX_RATIO, ge=1, le=MAX_RATIO)
    """Largest longer side / shorter side. The default is the limit of the Qwen-VL processors."""

    def check(self, row: EditTriplet, ctx: Context) -> str | None:
        """Return `aspect_ratio_above_<max_ratio>` when an image of the triplet is longer."""
        sizes = [(image.width, image.height) for image in (*row.task.inputs, row.edited)]
        if any(max(size) > self.max_ratio * min(size) for size in sizes):
            return f"aspect_ratio_above_{self.max_ratio:g}"
        return None
