"""Drawing primitives of the programmatic edits, on float arrays of shape (height, width, 3) with values 0..1.

Masks are float arrays of shape (height, width), 1 inside. Shapes are drawn four times too large and reduced, which
gives them smooth edges as in a photograph.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Array = NDArray[Any]
"""Float arrays, by convention float32."""

COLORS: dict[str, tuple[float, float, float]] = {
    "red": (0.90, 0.10, 0.10),
    "green": (0.10, 0.65, 0.20),
    "blue": (0.12, 0.25, 0.90),
    "yellow": (0.98, 0.88, 0.10),
    "white": (1.0, 1.0, 1.0),
}
PLACES: dict[str, tuple[float, float]] = {
    "top left": (0.25, 0.25),
    "top right": (0.75, 0.25),
    "bottom left": (0.25, 0.75),
    "bottom right": (0.75, 0.75),
}
"""Centre of each place as (x, y) fractions of the image."""
SHAPES = ("disc", "square", "triangle")
TEXTURES = ("striped", "checkered", "dotted")
_OVERSAMPLE = 4


def to_array(image: Image.Image) -> Array:
    """Convert an RGB image to a float array."""
    return np.asarray(image.convert("RGB"), dtype=np.float32) / 255


def to_image(array: Array) -> Image.Image:
    """Convert a float array to an RGB image; values outside 0..1 are clipped."""
    return Image.fromarray((np.clip(array, 0, 1) * 255 + 0.5).astype(np.uint8), "RGB")


def size_of(array: Array) -> tuple[int, int]:
    """Return (height, width)."""
    return array.shape[0], array.shape[1]


def blend(below: Array, above: Array, mask: Array) -> Array:
    """Return `above` where the mask is 1, `below` where it is 0."""
    return below + (above - below) * mask[..., None]


def fill(size: tuple[int, int], color: str) -> Array:
    """Return an array of one named colour; `size` is (height, width)."""
    return np.broadcast_to(np.asarray(COLORS[color], dtype=np.float32), (*size, 3)).copy()


def luminance(array: Array) -> Array:
    """Return Rec. 601 luma, shape (height, width)."""
    return array @ np.asarray([0.299, 0.587, 0.114], dtype=np.float32)


def blur(array: Array, radius: float) -> Array:
    """Apply a Gaussian blur; the radius is in pixels."""
    return to_array(to_image(array).filter(ImageFilter.GaussianBlur(radius)))


def _draw(size: tuple[int, int], paint: Callable[[ImageDraw.ImageDraw, int], None]) -> Array:
    height, width = size
    canvas = Image.new("L", (width * _OVERSAMPLE, height * _OVERSAMPLE), 0)
    paint(ImageDraw.Draw(canvas), _OVERSAMPLE)
    return np.asarray(canvas.resize((width, height), Image.Resampling.BOX), dtype=np.float32) / 255


def shape_mask(size: tuple[int, int], shape: str, place: str, extent: float) -> Array:
    """Return the mask of a shape at a place; `extent` is its width as a fraction of the image's."""
    height, width = size
    x, y = PLACES[place][0] * width, PLACES[place][1] * height
    radius = extent * min(size) / 2

    def corners(angles: list[float], radii: list[float]) -> list[tuple[float, float]]:
        return [
            ((x + r * np.sin(np.radians(a))) * _OVERSAMPLE, (y - r * np.cos(np.radians(a))) * _OVERSAMPLE)
            for a, r in zip(angles, radii, strict=True)
        ]

    def paint(draw: ImageDraw.ImageDraw, k: int) -> None:
        if shape == "disc":
            draw.ellipse([(x - radius) * k, (y - radius) * k, (x + radius) * k, (y + radius) * k], fill=255)
        elif shape == "square":
            half = radius * 0.88
            draw.rectangle([(x - half) * k, (y - half) * k, (x + half) * k, (y + half) * k], fill=255)
        else:
            draw.polygon(corners([0.0, 120.0, 240.0], [radius * 1.15] * 3), fill=255)

    return _draw(size, paint)


def centre_mask(size: tuple[int, int]) -> Array:
    """Return the mask of an ellipse in the middle of the image."""
    height, width = size

    def paint(draw: ImageDraw.ImageDraw, k: int) -> None:
        draw.ellipse([width * 0.22 * k, height * 0.16 * k, width * 0.78 * k, height * 0.84 * k], fill=255)

    return _draw(size, paint)


def texture(size: tuple[int, int], name: str, color: str) -> Array:
    """Return a pattern of one colour and black, with a period of an eleventh of the image."""
    period = max(4, min(size) // 11)
    y, x = np.mgrid[: size[0], : size[1]]
    if name == "striped":
        dark = (x // (period // 2)) % 2 == 0
    elif name == "checkered":
        dark = ((x // (period // 2)) + (y // (period // 2))) % 2 == 0
    else:
        dark = (x % period - period / 2) ** 2 + (y % period - period / 2) ** 2 < (period * 0.33) ** 2
    return np.where(dark[..., None], np.float32(0.05), fill(size, color)).astype(np.float32)


def text_mask(size: tuple[int, int], word: str) -> Array:
    """Return the mask of the word in large letters across the lower part of the image."""
    height, width = size

    def paint(draw: ImageDraw.ImageDraw, k: int) -> None:
        font = ImageFont.load_default(size=height * k * 0.36)
        draw.text((width * k / 2, height * k * 0.75), word, fill=255, font=font, anchor="mm", stroke_width=k)

    return _draw(size, paint)


def band_mask(size: tuple[int, int]) -> Array:
    """Return the mask of the band in which `text_mask` writes."""
    mask = np.zeros(size, dtype=np.float32)
    mask[int(size[0] * 0.55) : int(size[0] * 0.95)] = 1
    return mask
