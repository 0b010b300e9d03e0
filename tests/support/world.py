"""A photograph-sized image and tasks on it, for tests of the programmatic editors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from curation.stage import Context
from curation.synthetic.drawing import to_array, to_image
from curation.synthetic.edits import EDITS
from editjudge.images.store import ImageStore
from editjudge.records.types import EditTask, Origin

PLANS: dict[str, dict[str, Any]] = {
    "subject-add": {"shape": "disc", "color": "red", "place": "top left", "extent": 0.4},
    "subject-remove": {"shape": "disc", "color": "red", "place": "top left", "extent": 0.4},
    "subject-replace": {
        "shape": "disc",
        "color": "red",
        "place": "top left",
        "extent": 0.4,
        "new_shape": "square",
        "new_color": "blue",
    },
    "color_alter": {"color": "blue"},
    "material_alter": {"shape": "disc", "color": "red", "place": "top left", "extent": 0.4, "texture": "striped"},
    "style_change": {"style": "negative"},
    "tone_transfer": {"tone": "darker"},
    "background_change": {"color": "blue"},
    "extract": {"shape": "disc", "color": "red", "place": "top left", "extent": 0.4, "ground": "white"},
    "text_change": {"old": "GO", "new": "HI"},
    "motion_change": {"shape": "disc", "color": "red", "place": "top left", "extent": 0.4, "to": "bottom right"},
    "compose": {"shape": "disc", "color": "red", "place": "top left", "extent": 0.4, "tone": "darker"},
}
assert set(PLANS) == set(EDITS)


def make_photo(side: int = 112) -> np.ndarray:
    """Return a smooth, colourful image with some grain, the same every time."""
    draw = np.random.default_rng(5)
    y, x = np.mgrid[:side, :side] / side
    picture = np.stack([0.3 + 0.4 * x, 0.25 + 0.4 * y, 0.5 - 0.3 * x * y], axis=2)
    return np.clip(picture + draw.normal(0, 0.03, picture.shape), 0, 1).astype(np.float32)


def make_context(root: Path, **changes: Any) -> Context:
    """Return a context with an image store at `root`."""
    values: dict[str, Any] = {"seed": 1, "shard": 0, "shards": 1, "engines": {}, **changes}
    return Context(root=root, images=ImageStore(root), **values)


def make_planned_task(ctx: Context, task_type: str, **changes: Any) -> EditTask:
    """Return a task of that type on `make_photo`, with its images stored."""
    plan = {"task": task_type, **PLANS[task_type], **changes}
    photo = ctx.images.add(to_image(make_photo()), "photo.png")
    before = EDITS[task_type].scene(to_array(ctx.images.read(photo)), plan).before
    return EditTask(
        id=f"task-{task_type}",
        inputs=(ctx.images.add(to_image(before), f"{task_type}.png"),),
        instruction=EDITS[task_type].phrasings[0].format(**plan),
        task_type=task_type,
        origin=Origin(source="photo", licence="CC0-1.0", plan={**plan, "photo": photo.model_dump(mode="json")}),
    )
