"""Plans on photographs: the image before, the image after a perfect edit, and the instruction's target pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from curation.synthetic.drawing import (
    COLORS,
    Array,
    band_mask,
    blend,
    blur,
    centre_mask,
    fill,
    luminance,
    shape_mask,
    size_of,
    text_mask,
    texture,
)

Plan = dict[str, Any]
"""An edit as plain data."""

WORDS = ("GO", "HI", "NO", "UP", "MAX", "ZIP")
STYLES = ("pencil sketch", "pixel art", "negative")
TONES = ("black and white", "sepia", "darker", "brighter")
STICKER_COLORS = ("red", "green", "blue", "yellow")
BACKGROUNDS = ("white", "blue", "green", "yellow")
GROUNDS = ("white", "green", "blue")
PLAIN_TONES = ("black and white", "darker", "brighter")


@dataclass(frozen=True)
class Scene:
    """A plan on a photograph."""

    before: Array
    after: Array
    """A perfect edit."""
    targets: tuple[Array, ...]
    """Masks of the parts that the instruction asks to change; success is the mean over them."""

    @property
    def target(self) -> Array:
        """Return the mask of all parts together."""
        return np.maximum.reduce(self.targets)


def choose(rng: np.random.Generator, options: Sequence[str], *without: str) -> str:
    """Return one of the options, never one of `without`."""
    left = [option for option in options if option not in without]
    return left[int(rng.integers(len(left)))]


def sticker(photo: Array, plan: Plan, place: str | None = None, *, prefix: str = "", pattern: str = "") -> Array:
    """Return the photograph with the plan's object on it."""
    size = size_of(photo)
    color = plan[f"{prefix}color"]
    surface = texture(size, pattern, color) if pattern else fill(size, color)
    return blend(photo, surface, object_mask(photo, plan, place, prefix=prefix))


def object_mask(photo: Array, plan: Plan, place: str | None = None, *, prefix: str = "") -> Array:
    where = plan["place"] if place is None else place
    return shape_mask(size_of(photo), plan[f"{prefix}shape"], where, plan["extent"])


def apply_tone(array: Array, tone: str) -> Array:
    """Apply one of `TONES`."""
    if tone == "black and white":
        return np.repeat(luminance(array)[..., None], 3, axis=2)
    if tone == "sepia":
        return np.clip(luminance(array)[..., None] * np.asarray([1.12, 0.86, 0.55], dtype=np.float32), 0, 1)
    if tone == "darker":
        return array * np.float32(0.4)
    if tone == "brighter":
        return 1 - (1 - array) * np.float32(0.45)
    return np.clip(array * np.asarray([0.55, 0.85, 1.1], dtype=np.float32) + np.float32(0.04), 0, 1)


def apply_style(array: Array, style: str) -> Array:
    """Apply one of `STYLES`."""
    if style == "negative":
        return 1 - array
    if style == "poster":
        return np.clip(np.round((array - 0.5) * 1.6 * 2 + 1) / 2, 0, 1).astype(np.float32)
    if style == "pixel art":
        height, width = array.shape[:2]
        block = max(2, height // 8)
        rows, columns = np.arange(height) // block * block, np.arange(width) // block * block
        smooth = blur(array, block / 2)
        rows = np.minimum(rows + block // 2, height - 1)
        columns = np.minimum(columns + block // 2, width - 1)
        return smooth[rows][:, columns]
    gray = luminance(array)
    local = luminance(blur(array, 2.5))
    lines = np.clip(1 - np.maximum(0, local - gray) * 9, 0, 1)
    return np.repeat(lines[..., None], 3, axis=2).astype(np.float32)


def tint(array: Array, color: str) -> Array:
    """Return the colour at the array's brightness."""
    tone = np.asarray(COLORS[color], dtype=np.float32)
    return np.clip((0.35 + 0.65 * luminance(array)[..., None]) * tone, 0, 1)


def everywhere(photo: Array) -> Array:
    return np.ones(size_of(photo), dtype=np.float32)


def scene_add(photo: Array, plan: Plan) -> Scene:
    return Scene(photo, sticker(photo, plan), (object_mask(photo, plan),))


def scene_remove(photo: Array, plan: Plan) -> Scene:
    return Scene(sticker(photo, plan), photo, (object_mask(photo, plan),))


def scene_replace(photo: Array, plan: Plan) -> Scene:
    both = np.maximum(object_mask(photo, plan), object_mask(photo, plan, prefix="new_"))
    return Scene(sticker(photo, plan), sticker(photo, plan, prefix="new_"), (both,))


def scene_color(photo: Array, plan: Plan) -> Scene:
    return Scene(photo, tint(photo, plan["color"]), (everywhere(photo),))


def scene_material(photo: Array, plan: Plan) -> Scene:
    after = sticker(photo, plan, pattern=plan["texture"])
    return Scene(sticker(photo, plan), after, (object_mask(photo, plan),))


def scene_style(photo: Array, plan: Plan) -> Scene:
    return Scene(photo, apply_style(photo, plan["style"]), (everywhere(photo),))


def scene_tone(photo: Array, plan: Plan) -> Scene:
    return Scene(photo, apply_tone(photo, plan["tone"]), (everywhere(photo),))


def scene_background(photo: Array, plan: Plan) -> Scene:
    size = size_of(photo)
    around = 1 - centre_mask(size)
    return Scene(photo, blend(photo, fill(size, plan["color"]), around), (around,))


def scene_extract(photo: Array, plan: Plan) -> Scene:
    size = size_of(photo)
    subject = object_mask(photo, plan)
    before = sticker(photo, plan)
    return Scene(before, blend(fill(size, plan["ground"]), before, subject), (1 - subject,))


def scene_motion(photo: Array, plan: Plan) -> Scene:
    both = np.maximum(object_mask(photo, plan), object_mask(photo, plan, plan["to"]))
    return Scene(sticker(photo, plan), sticker(photo, plan, plan["to"]), (both,))


def scene_text(photo: Array, plan: Plan) -> Scene:
    size = size_of(photo)
    band = band_mask(size)
    ground = blend(photo, fill(size, "white"), band * 0.85)

    def written(word: str) -> Array:
        return blend(ground, np.zeros_like(photo), text_mask(size, word))

    old, new = text_mask(size, plan["old"]), text_mask(size, plan["new"])
    return Scene(written(plan["old"]), written(plan["new"]), (np.maximum(old, new),))


def scene_compose(photo: Array, plan: Plan) -> Scene:
    toned = apply_tone(photo, plan["tone"])
    spot = object_mask(photo, plan)
    return Scene(photo, sticker(toned, plan), (spot, 1 - spot))
