"""Programmatic editors: every edit of `edits.EDITS`, right or with one known fault, with or without artefacts.

They replace a pool of editing models where none can run: the quickstart, the tests and dry runs use them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from PIL import Image

from curation.synthetic.artefacts import ARTEFACTS, Artefact
from curation.synthetic.drawing import PLACES, Array, blend, blur, fill, shape_mask, size_of, to_array, to_image
from curation.synthetic.edits import EDITS, Misread
from curation.synthetic.scenes import STICKER_COLORS, Plan, Scene, choose
from editjudge.editors.base import Editor
from editjudge.errors import DataError
from editjudge.files.io import rng as seeded_rng
from editjudge.images.store import ImageStore
from editjudge.records.types import EditTask, ImageRef

Fault = Literal["right", "wrong_result", "wrong_target", "half_done", "over_edited", "untouched"]
FAULTS: tuple[Fault, ...] = get_args(Fault)
_VERSION = "programmatic-v1"
_MOST = 0.6
"""Share of the image from which a target counts as most of it."""
_VISIBLE = 0.01
"""Mean absolute difference, on 0..1, below which a change of the rest is invisible."""


@dataclass(frozen=True)
class Outcome:
    """Steps and result of an edit."""

    scene: Scene
    intended: Array
    """The edit as the editor understood it, before other changes."""
    clean: Array
    """With the unrequested changes, before artefacts."""
    output: Array
    seen: str
    """Short description of the edit, such as `half sepia and blur, noise`."""


class Programmatic(Editor):
    """Classical image operations with a known fault and a known artefact."""

    fault: Fault = "right"
    """"half_done" blends the edit in by 30 to 65 %; "over_edited" also makes unrequested changes."""
    artefact: Artefact = "none"
    """Artefact added to the output after the edit."""

    @property
    def identity(self) -> str:
        """Return, for example, `programmatic-v1:half_done+noise`."""
        return f"{_VERSION}:{self.fault}+{self.artefact}"

    @classmethod
    def from_identity(cls, identity: str) -> Programmatic | None:
        """Return the editor of an identity; None when it is not a programmatic one of this version."""
        version, _, rest = identity.partition(":")
        fault, _, artefact = rest.partition("+")
        if version != _VERSION or fault not in FAULTS or artefact not in ARTEFACTS:
            return None
        return cls(fault=fault, artefact=artefact)

    def edit(self, task: EditTask, images: ImageStore, seed: int) -> Image.Image:
        """Return the faulty edit; needs a task with a plan (`DataError` otherwise)."""
        return to_image(self.outcome(task, images, seed).output)

    def outcome(self, task: EditTask, images: ImageStore, seed: int) -> Outcome:
        """Return the edit and its steps; the same for the same task and seed, on any machine."""
        plan = task.origin.plan
        if plan is None or "photo" not in plan:
            raise DataError(f"task {task.id} has no plan; programmatic editors need tasks from the `templates` stage")
        photo = to_array(images.read(ImageRef.model_validate(plan["photo"])))
        return carry_out(self.fault, self.artefact, photo, plan, seeded_rng(seed, task.id, self.identity))


def carry_out(fault: Fault, artefact: Artefact, photo: Array, plan: Plan, draw: np.random.Generator) -> Outcome:
    """Carry out a plan on a photograph, with one fault and one artefact."""
    scene = EDITS[plan["task"]].scene(photo, plan)
    intended, seen = _understand(fault, photo, plan, scene, draw)
    clean = intended
    if fault == "over_edited":
        clean, more = _change_the_rest(intended, scene, draw)
        seen = f"{seen} and {more}"
    if artefact != "none":
        seen = f"{seen}, {artefact}"
    return Outcome(scene, intended, clean, ARTEFACTS[artefact](clean, draw), seen)


def _understand(fault: Fault, photo: Array, plan: Plan, scene: Scene, draw: np.random.Generator) -> Misread:
    edit = EDITS[plan["task"]]
    if fault == "untouched":
        return Misread(scene.before, "nothing")
    if fault == "half_done":
        share = np.float32(draw.uniform(0.3, 0.65))
        return Misread(scene.before + (scene.after - scene.before) * share, f"half {edit.seen(plan)}")
    if fault == "wrong_result":
        return edit.wrong_result(photo, plan, draw)
    if fault == "wrong_target":
        return edit.wrong_target(photo, plan, draw)
    return Misread(scene.after, edit.seen(plan))


def _change_the_rest(image: Array, scene: Scene, draw: np.random.Generator) -> Misread:
    """Make an unrequested change and say which: a colour cast, a blur, or an extra object."""
    size = size_of(image)
    target = scene.target
    # Where the target fills most of the image there is hardly a rest to change: the change is made on top of it.
    local = target.mean() < _MOST
    rest = 1 - target if local else np.ones_like(target)
    kind = choose(draw, ("cast", "blur", "object"))
    if kind == "blur":
        soft = blend(image, blur(image, draw.uniform(2.5, 5.0)), rest)
        if np.abs(soft - image).mean() > _VISIBLE:
            return Misread(soft, "blur")
        kind = "cast"  # the rest is a plain surface, on which a blur is invisible
    if kind == "cast":
        color = choose(draw, STICKER_COLORS)
        cast = image + (fill(size, color) - image) * np.float32(draw.uniform(0.25, 0.5))
        return Misread(blend(image, cast, rest), f"{color} cast")
    places = sorted(PLACES, key=lambda place: float((shape_mask(size, "disc", place, 0.4) * target).sum()))
    place = places[int(draw.integers(2))] if local else choose(draw, tuple(PLACES))
    spot = shape_mask(size, choose(draw, ("disc", "square", "triangle")), place, draw.uniform(0.3, 0.42))
    color = choose(draw, STICKER_COLORS)
    return Misread(blend(image, fill(size, color), spot), f"{color} object")
