"""Small valid records and images for tests; every field can be overridden by keyword.

Tests import them with `from factories import make_triplet`: pytest puts tests/support on the path.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from PIL import Image

from editjudge.records.types import EditTask, EditTriplet, ImageRef, Judgment, Origin, ScoreCard


def make_image(width: int = 64, height: int = 48, seed: int = 0) -> Image.Image:
    """Return an RGB image with smooth areas, edges and a little noise, different for every seed."""
    rng = np.random.default_rng(seed)
    down, across = np.mgrid[0:height, 0:width]
    start, step_x, step_y = rng.uniform(40, 160, 3), rng.uniform(-60, 60, 3), rng.uniform(-60, 60, 3)
    pixels = start + across[..., None] / width * step_x + down[..., None] / height * step_y
    left, top = int(rng.integers(0, max(1, width // 2))), int(rng.integers(0, max(1, height // 2)))
    pixels[top : top + max(1, height // 3), left : left + max(1, width // 3)] = rng.uniform(0, 255, 3)
    pixels += rng.normal(0, 2, pixels.shape)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def make_ref(**changes: Any) -> ImageRef:
    """Return a reference to an image that need not exist; `sha256` is derived from `path` by default."""
    values: dict[str, Any] = {"path": "images/before.png", "width": 640, "height": 480} | changes
    values.setdefault("sha256", hashlib.sha256(values["path"].encode()).hexdigest())
    return ImageRef(**values)


def make_task(**changes: Any) -> EditTask:
    """Return a colour change of one photograph."""
    values: dict[str, Any] = {
        "id": "task0",
        "inputs": (make_ref(),),
        "instruction": "Make the sky pink.",
        "task_type": "color_alter",
        "origin": Origin(source="photo0", licence="CC0"),
    }
    return EditTask(**(values | changes))


def make_triplet(**changes: Any) -> EditTriplet:
    """Return one candidate for `make_task()`."""
    values: dict[str, Any] = {
        "id": "triplet0",
        "task": make_task(),
        "edited": make_ref(path="images/after.png"),
        "editor": "exact-v1",
        "seed": 0,
    }
    return EditTriplet(**(values | changes))


def make_judgment(**changes: Any) -> Judgment:
    """Return a readable semantic judgment, (20, 15) on 0-25; with `scores=None` it gets a failure."""
    values: dict[str, Any] = {
        "triplet_id": "triplet0",
        "aspect": "semantic",
        "scores": (20.0, 15.0),
        "scale": 25.0,
        "rationale": "The sky is pink, but the sea changed too.",
        "raw": '{"reasoning": "The sky is pink, but the sea changed too.", "score": [20, 15]}',
        "parsed_by": "json",
        "pass_index": 0,
        "seed": 0,
        "engine": "scripted",
        "prompt_version": "editjudge-v1",
    }
    if "scores" in changes and changes["scores"] is None:
        values |= {"failure": "no_json", "raw": "I cannot say.", "parsed_by": "none", "rationale": ""}
    return Judgment(**(values | changes))


def make_card(**changes: Any) -> ScoreCard:
    """Return a card of one pass with two readable judgments."""
    triplet = changes.get("triplet", make_triplet())
    values: dict[str, Any] = {
        "triplet": triplet,
        "judgments": (
            make_judgment(triplet_id=triplet.id),
            make_judgment(triplet_id=triplet.id, aspect="quality", scores=(22.5, 20.0)),
        ),
        "prompt_following": 8.0,
        "consistency": 6.0,
        "perceptual_quality": 8.0,
        "overall": 6.928203230275509,
        "n_ok": 1,
        "n_failed": 0,
        "spread": None,
    }
    return ScoreCard(**(values | changes))
