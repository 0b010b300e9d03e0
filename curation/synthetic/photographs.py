"""Stage `photographs`: square crops of the real photographs that ship inside scikit-image and scikit-learn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image
from pydantic import Field, field_validator

from curation.stage import Context, Drop, Fail, Photo, Stage, describe_error
from editjudge.errors import FATAL, MissingExtraError
from editjudge.files.io import digest, rng
from editjudge.images.pixels import load_image
from editjudge.records.types import Record


@dataclass(frozen=True)
class Photograph:
    """A photograph inside an installed package."""

    package: str
    path: str
    licence: str
    """Licence as stated in the package's own notes on its data."""

    def locate(self) -> Path:
        """Return its path; `MissingExtraError` when the package is not installed."""
        spec = find_spec(self.package)
        if spec is None or not spec.submodule_search_locations:
            raise MissingExtraError(f"{self.package} is not installed: pip install 'editjudge[photographs]'")
        return Path(spec.submodule_search_locations[0]) / self.path


_PUBLIC_DOMAIN = "public domain"
_CC0 = "CC0-1.0"

PHOTOGRAPHS: dict[str, Photograph] = {
    "astronaut": Photograph("skimage", "data/astronaut.png", _PUBLIC_DOMAIN),
    "brick": Photograph("skimage", "data/brick.png", _CC0),
    "camera": Photograph("skimage", "data/camera.png", _CC0),
    "chelsea": Photograph("skimage", "data/chelsea.png", _CC0),
    "china": Photograph("sklearn", "datasets/images/china.jpg", "CC-BY-2.0"),
    "coffee": Photograph("skimage", "data/coffee.png", _CC0),
    "coins": Photograph("skimage", "data/coins.png", "no known restrictions"),
    "flower": Photograph("sklearn", "datasets/images/flower.jpg", "CC-BY-2.0"),
    "grass": Photograph("skimage", "data/grass.png", _CC0),
    "gravel": Photograph("skimage", "data/gravel.png", _CC0),
    "hubble": Photograph("skimage", "data/hubble_deep_field.jpg", _PUBLIC_DOMAIN),
    "ihc": Photograph("skimage", "data/ihc.png", "no known restrictions"),
    "moon": Photograph("skimage", "data/moon.png", "not stated"),
    "motorcycle": Photograph("skimage", "data/motorcycle_left.png", "not stated (Middlebury 2014 stereo)"),
    "retina": Photograph("skimage", "data/retina.jpg", _CC0),
    "rocket": Photograph("skimage", "data/rocket.jpg", _PUBLIC_DOMAIN),
}


DRY_CROPS = 3
"""Crops of each photograph in a dry run."""


@lru_cache(maxsize=len(PHOTOGRAPHS))
def _decoded(path: Path) -> Image.Image:
    # One photograph (rocket) has an Adobe RGB profile. Published figures were measured on crops of its stored values,
    # which look the same to everybody as files without a profile.
    return load_image(path, colors="stored")


class Photographs(Stage):
    """Crop the bundled photographs. Crops without visible content are dropped."""

    takes: ClassVar[type[Record] | None] = None
    gives: ClassVar[type[Record]] = Photo

    crops: int = Field(20, gt=0)
    """Crops of each photograph."""
    side_px: int = Field(112, ge=56)
    """Side of a crop after resizing, in pixels."""
    photographs: tuple[str, ...] = tuple(PHOTOGRAPHS)
    """Names of the bundled photographs to use."""
    min_contrast: float = Field(0.06, ge=0, le=0.5)
    """Smallest standard deviation of the brightness (0..1) of a crop."""

    @field_validator("photographs")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in value if name not in PHOTOGRAPHS]
        if unknown or not value:
            raise ValueError(f"no photograph {', '.join(unknown) or 'given'}; known: {', '.join(PHOTOGRAPHS)}")
        return value

    def stand_in(self) -> Stage:
        """Return the stage with a few crops."""
        return self.model_copy(update={"crops": min(self.crops, DRY_CROPS)})

    def run(self, rows: Iterable[Any], ctx: Context) -> Iterator[Record | Drop | Fail]:
        """Yield this shard's share of the crops: photographs take turns, crop by crop."""
        turn = 0
        for index in range(self.crops):
            for name in self.photographs:
                mine = turn % ctx.shards == ctx.shard
                turn += 1
                if not mine:
                    continue
                try:
                    yield self.crop(name, index, ctx)
                except FATAL:
                    raise
                except Exception as error:
                    yield Fail(f"{name}-{index}", describe_error(error))

    def crop(self, name: str, index: int, ctx: Context) -> Photo | Drop:
        """Return one crop: a random square of at least 40 % of the shorter side, mirrored every other time."""
        photograph = PHOTOGRAPHS[name]
        image = _decoded(photograph.locate())
        draw = rng(ctx.seed, "crop", name, index)
        side = int(min(image.size) * draw.uniform(0.4, 1.0))
        left = int(draw.integers(image.width - side + 1))
        top = int(draw.integers(image.height - side + 1))
        box = (left, top, left + side, top + side)
        crop = image.resize((self.side_px, self.side_px), Image.Resampling.LANCZOS, box=box)
        if draw.random() < 0.5:
            crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        photo_id = digest("photo", name, box, self.side_px, index)
        if float(np.asarray(crop.convert("L"), dtype=np.float32).std()) / 255 < self.min_contrast:
            return Drop(photo_id, "flat_crop")
        ref = ctx.images.add(crop, f"images/photos/{photo_id}.png")
        return Photo(id=photo_id, image=ref, source=name, licence=photograph.licence, details={"box": list(box)})
