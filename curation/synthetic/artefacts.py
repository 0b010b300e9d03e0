"""Visible artefacts of the kinds that editing models produce, with random strength."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np

from curation.synthetic.drawing import Array, luminance, text_mask

Artefact = Literal["none", "noise", "blocks", "watermark", "seams"]


def _none(image: Array, draw: np.random.Generator) -> Array:
    return image


def _noise(image: Array, draw: np.random.Generator) -> Array:
    """Add coloured grain of two pixels in size."""
    height, width = image.shape[:2]
    grain = draw.normal(0, draw.uniform(0.08, 0.3), (-(-height // 2), -(-width // 2), 3)).astype(np.float32)
    field = np.repeat(np.repeat(grain, 2, axis=0), 2, axis=1)[:height, :width]
    return np.clip(image + field, 0, 1)


def _blocks(image: Array, draw: np.random.Generator) -> Array:
    """Change the brightness of square blocks, like broken compression."""
    size = max(6, image.shape[0] // 14)
    rows, columns = -(-image.shape[0] // size), -(-image.shape[1] // size)
    offsets = draw.normal(0, draw.uniform(0.1, 0.3), (rows, columns)).astype(np.float32)
    field = np.repeat(np.repeat(offsets, size, axis=0), size, axis=1)[: image.shape[0], : image.shape[1]]
    return np.clip(image + field[..., None], 0, 1)


def _watermark(image: Array, draw: np.random.Generator) -> Array:
    """Write rows of a pale word over the whole image, dark on light areas and light on dark ones."""
    word = text_mask((image.shape[0] // 2, image.shape[1]), "STOCK")
    mask = np.tile(word, (2, 1))
    mask = np.pad(mask, ((0, image.shape[0] - mask.shape[0]), (0, 0)))
    ink = np.where(luminance(image).mean() > 0.5, np.float32(0), np.float32(1))
    return image + (ink - image) * (mask * np.float32(draw.uniform(0.3, 0.8)))[..., None]


def _seams(image: Array, draw: np.random.Generator) -> Array:
    """Shift strips of the image sideways, with a line where they meet."""
    height, width = image.shape[:2]
    shift = draw.uniform(0.04, 0.14)
    output = image.copy()
    edges = [0, height // 4, height // 2, 3 * height // 4, height]
    for index in range(1, 4, 2):
        rows = slice(edges[index], edges[index + 1])
        output[rows] = np.roll(image[rows], round(width * shift) * (1 if index == 1 else -1), axis=1)
    thickness = max(1, height // 56)
    for edge in edges[1:4]:
        output[edge : edge + thickness] = 0
    return output


ARTEFACTS: dict[Artefact, Callable[[Array, np.random.Generator], Array]] = {
    "none": _none,
    "noise": _noise,
    "blocks": _blocks,
    "watermark": _watermark,
    "seams": _seams,
}
assert tuple(ARTEFACTS) == get_args(Artefact)
