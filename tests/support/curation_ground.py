"""Shared helpers for tests of curation: a context, scored groups, and small editors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from factories import make_card, make_image, make_ref, make_task, make_triplet
from PIL import Image

from curation.stage import Context, Stage
from editjudge.editors.base import Editor
from editjudge.images.store import ImageStore
from editjudge.records.types import EditTask, ImageRef, Origin, ScoreCard


def make_context(root: Path, *, engines: Mapping[str, Any] | None = None, seed: int = 0, shards: int = 1) -> Context:
    """Return the context of the first shard."""
    return Context(
        root=root,
        seed=seed,
        shard=0,
        shards=shards,
        images=ImageStore(root),
        engines={} if engines is None else engines,
    )


def make_group(overalls: Sequence[float | None], *, task_id: str = "task0", source: str = "photo0") -> list[ScoreCard]:
    """Return the score cards of one task; only `overall` differs. Triplet ids are <task id>-<position>."""
    task = make_task(id=task_id, origin=Origin(source=source, licence="CC0"))
    cards = []
    for index, overall in enumerate(overalls):
        edited = make_ref(path=f"images/{task_id}-{index}.png")
        cards.append(
            make_card(triplet=make_triplet(id=f"{task_id}-{index}", task=task, edited=edited), overall=overall)
        )
    return cards


def stored_task(root: Path, **changes: Any) -> EditTask:
    """Return a task with a stored input image."""
    ref: ImageRef = ImageStore(root).add(make_image(), "images/before.png")
    return make_task(**({"inputs": (ref,)} | changes))


def run_stage(stage: Stage, rows: Iterable[Any], ctx: Context) -> list[Any]:
    """Run a stage on rows as the runner does, and return its output."""
    stage.setup(ctx)
    try:
        return list(stage.run(rows, ctx))
    finally:
        stage.teardown()


class Grey(Editor):
    """Returns a flat grey image."""

    level: int

    @property
    def identity(self) -> str:
        return f"grey-{self.level}"

    def edit(self, task: EditTask, images: ImageStore, seed: int) -> Image.Image:
        return Image.new("RGB", images.read(task.inputs[0]).size, (self.level, self.level, seed % 256))


class Broken(Editor):
    """Always raises an error."""

    @property
    def identity(self) -> str:
        return "broken"

    def edit(self, task: EditTask, images: ImageStore, seed: int) -> Image.Image:
        raise RuntimeError("out of\npaint")


EDITORS = {"right": {"use": "programmatic"}, "none": {"use": "programmatic", "fault": "untouched"}}


def make_recipe(**changes: Any) -> dict[str, Any]:
    """Return a small valid recipe, as parsed from YAML."""
    return {
        "out": "runs/test",
        "shards": 3,
        "stages": [
            {"use": "photographs", "crops": 1, "side_px": 56, "photographs": ["chelsea", "coffee", "rocket"]},
            {"use": "templates", "tasks_per_photo": 2},
            {"use": "edit", "editors": EDITORS, "per_task": 2},
            {"use": "measure"},
            {"use": "group_std", "min_std": 0.1},
            {"use": "group_max", "min_overall": 0.1},
        ],
        "parts": {
            "benchmark": {"sources": ["chelsea"], "stages": [{"use": "tiers", "min_gap": 1}]},
            "train": {"stages": [{"use": "balance", "per_cell": 50}, {"use": "sft", "prompts": "brief-v1"}]},
        },
        **changes,
    }
