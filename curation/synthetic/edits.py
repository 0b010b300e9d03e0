"""Twelve edit tasks carried out with classical image operations.

An `Edit` draws a plan (the edit as plain data), words it as an instruction, and renders it on a photograph: the image
before, the image after a perfect edit, and the target: the pixels that the instruction refers to. It also draws the two
ways to misunderstand it: another result at the same target, and the same result at another target.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from curation.synthetic.drawing import (
    PLACES,
    SHAPES,
    TEXTURES,
    Array,
    blend,
    centre_mask,
    fill,
    shape_mask,
    size_of,
    text_mask,
)
from curation.synthetic.scenes import (
    BACKGROUNDS,
    GROUNDS,
    PLAIN_TONES,
    STICKER_COLORS,
    STYLES,
    TONES,
    WORDS,
    Plan,
    Scene,
    choose,
    object_mask,
    scene_add,
    scene_background,
    scene_color,
    scene_compose,
    scene_extract,
    scene_material,
    scene_motion,
    scene_remove,
    scene_replace,
    scene_style,
    scene_text,
    scene_tone,
    sticker,
)


class Misread(NamedTuple):
    """A misunderstood edit."""

    picture: Array
    seen: str
    """Short description of its appearance."""


Misreading = Callable[[Array, Plan, np.random.Generator], Misread]


def _draw_object(rng: np.random.Generator) -> Plan:
    return {
        "shape": choose(rng, SHAPES),
        "color": choose(rng, STICKER_COLORS),
        "place": choose(rng, tuple(PLACES)),
        "extent": round(float(rng.uniform(0.42, 0.5)), 3),
    }


def _other_object(plan: Plan, rng: np.random.Generator) -> Plan:
    return {**plan, "shape": choose(rng, SHAPES, plan["shape"]), "color": choose(rng, STICKER_COLORS, plan["color"])}


@dataclass(frozen=True)
class Edit:
    """One task type: how its plans are drawn, worded, rendered and misunderstood."""

    draw: Callable[[np.random.Generator], Plan]
    phrasings: tuple[str, ...]
    """`str.format` templates over the plan's fields."""
    finding: str
    """Template of a short description of the edit's appearance."""
    scene: Callable[[Array, Plan], Scene]
    wrong_result: Misreading
    """Another result at the same target."""
    wrong_target: Misreading
    """The edit carried out at another target; the true target is unchanged."""

    def instruction(self, plan: Plan, rng: np.random.Generator) -> str:
        """Return one of the phrasings, filled in."""
        return choose(rng, self.phrasings).format(**plan)

    def seen(self, plan: Plan) -> str:
        """Return a short description of a perfect edit."""
        return self.finding.format(**plan)


def _result_of(change: Callable[[Plan, np.random.Generator], Plan]) -> Misreading:
    """Return a misreading that carries out a changed plan perfectly."""

    def apply(photo: Array, plan: Plan, rng: np.random.Generator) -> Misread:
        edit, other = EDITS[plan["task"]], change(plan, rng)
        return Misread(edit.scene(photo, other).after, edit.seen(other))

    return apply


def _object_elsewhere(prefix: str = "", pattern: str = "") -> Misreading:
    """Return a misreading that puts the requested object at a wrong place."""

    def apply(photo: Array, plan: Plan, rng: np.random.Generator) -> Misread:
        before = EDITS[plan["task"]].scene(photo, plan).before
        place = choose(rng, tuple(PLACES), plan["place"], plan.get("to", ""))
        pattern_name = plan["texture"] if pattern else ""
        picture = sticker(before, plan, place, prefix=prefix, pattern=pattern_name)
        return Misread(picture, f"{EDITS[plan['task']].seen(plan)} elsewhere")

    return apply


def _patch_elsewhere(photo: Array, plan: Plan, rng: np.random.Generator) -> Misread:
    """Smear over a place without the object."""
    before = EDITS[plan["task"]].scene(photo, plan).before
    place = choose(rng, tuple(PLACES), plan["place"])
    return Misread(blend(before, np.full_like(before, 0.5), object_mask(photo, plan, place)), "grey patch")


def _corner_only(photo: Array, plan: Plan, rng: np.random.Generator) -> Misread:
    """Apply an edit of the whole image to one corner only."""
    scene = EDITS[plan["task"]].scene(photo, plan)
    corner = shape_mask(size_of(photo), "square", choose(rng, tuple(PLACES)), 0.5)
    return Misread(blend(scene.before, scene.after, corner), f"{EDITS[plan['task']].seen(plan)} in a corner")


def _frame_instead(photo: Array, plan: Plan, rng: np.random.Generator) -> Misread:
    """Apply the colour to the edge of the image, without an object."""
    size = size_of(photo)
    edge = np.ones(size, dtype=np.float32)
    width = max(2, size[0] // 10)
    edge[width:-width, width:-width] = 0
    return Misread(blend(photo, fill(size, plan["color"]), edge), f"{plan['color']} frame")


def _subject_instead(photo: Array, plan: Plan, rng: np.random.Generator) -> Misread:
    """Paint over the subject and keep the background."""
    size = size_of(photo)
    return Misread(blend(photo, fill(size, plan["color"]), centre_mask(size)), f"subject {plan['color']}")


def _wipe_subject(photo: Array, plan: Plan, rng: np.random.Generator) -> Misread:
    """Remove the subject instead of keeping it."""
    scene = scene_extract(photo, plan)
    wiped = blend(scene.before, fill(size_of(photo), plan["ground"]), 1 - scene.target)
    return Misread(wiped, f"{plan['shape']} gone")


def _word_above(photo: Array, plan: Plan, rng: np.random.Generator) -> Misread:
    """Write the new word over the upper half and keep the old one."""
    before = scene_text(photo, plan).before
    above = np.roll(text_mask(size_of(photo), plan["new"]), -photo.shape[0] // 2, axis=0)
    return Misread(blend(before, np.zeros_like(before), above), f"text {plan['new']} above")


def _another(key: str, options: Sequence[str], *also_not: str) -> Misreading:
    """Return a misreading in which one field has another value, different from those of the fields `also_not`."""
    return _result_of(
        lambda plan, rng: {**plan, key: choose(rng, options, plan[key], *(plan[name] for name in also_not))}
    )


def _other_new_object(plan: Plan, rng: np.random.Generator) -> Plan:
    return {
        **plan,
        "new_shape": choose(rng, SHAPES, plan["new_shape"]),
        "new_color": choose(rng, STICKER_COLORS, plan["new_color"], plan["color"]),
    }


def _draw_replace(rng: np.random.Generator) -> Plan:
    plan = _draw_object(rng)
    return {
        **plan,
        "new_shape": choose(rng, SHAPES, plan["shape"]),
        "new_color": choose(rng, STICKER_COLORS, plan["color"]),
    }


def _draw_motion(rng: np.random.Generator) -> Plan:
    plan = _draw_object(rng)
    return {**plan, "to": choose(rng, tuple(PLACES), plan["place"])}


def _draw_words(rng: np.random.Generator) -> Plan:
    old = choose(rng, WORDS)
    return {"old": old, "new": choose(rng, WORDS, old)}


def _draw_extract(rng: np.random.Generator) -> Plan:
    plan = _draw_object(rng)
    return {**plan, "ground": choose(rng, GROUNDS, plan["color"])}


def _draw_compose(rng: np.random.Generator) -> Plan:
    return {**_draw_object(rng), "tone": choose(rng, PLAIN_TONES)}


def _other_composition(plan: Plan, rng: np.random.Generator) -> Plan:
    return {**_other_object(plan, rng), "tone": choose(rng, PLAIN_TONES, plan["tone"])}


def _replaced_not_removed(photo: Array, plan: Plan, rng: np.random.Generator) -> Misread:
    other = _other_object(plan, rng)
    seen = EDITS["subject-replace"].seen({**plan, "new_color": other["color"], "new_shape": other["shape"]})
    return Misread(sticker(photo, other), seen)


EDITS: dict[str, Edit] = {
    "subject-add": Edit(
        _draw_object,
        (
            "Add a {color} {shape}.",
            "Put a {color} {shape} into the photo.",
            "Place one {color} {shape} somewhere.",
        ),
        "add {color} {shape}",
        scene_add,
        _result_of(_other_object),
        _frame_instead,
    ),
    "subject-remove": Edit(
        _draw_object,
        ("Remove the {color} {shape}.", "Take the {shape} away.", "Erase the {color} {shape} from the photo."),
        "remove {shape}",
        scene_remove,
        _replaced_not_removed,
        _patch_elsewhere,
    ),
    "subject-replace": Edit(
        _draw_replace,
        (
            "Replace the {color} {shape} with a {new_color} {new_shape}.",
            "Swap the {shape} for a {new_color} {new_shape}.",
            "Turn the {color} {shape} into a {new_color} {new_shape}.",
        ),
        "{shape} to {new_color} {new_shape}",
        scene_replace,
        _result_of(_other_new_object),
        _object_elsewhere("new_"),
    ),
    "color_alter": Edit(
        lambda rng: {"color": choose(rng, STICKER_COLORS)},
        ("Color the whole photo {color}.", "Give the photo a {color} tint.", "Tint everything {color}."),
        "{color} tint",
        scene_color,
        _another("color", STICKER_COLORS),
        _corner_only,
    ),
    "material_alter": Edit(
        lambda rng: {**_draw_object(rng), "texture": choose(rng, TEXTURES)},
        ("Make the {shape} {texture}.", "Give the {color} {shape} a {texture} surface."),
        "{shape} {texture}",
        scene_material,
        _another("texture", TEXTURES),
        _object_elsewhere(pattern="texture"),
    ),
    "style_change": Edit(
        lambda rng: {"style": choose(rng, STYLES)},
        ("Turn the photo into a {style}.", "Redraw this as a {style}.", "Give the picture the look of a {style}."),
        "{style}",
        scene_style,
        _another("style", STYLES),
        _corner_only,
    ),
    "tone_transfer": Edit(
        lambda rng: {"tone": choose(rng, TONES)},
        ("Make the photo {tone}.", "Change the tone to {tone}.", "The whole picture should be {tone}."),
        "{tone}",
        scene_tone,
        _another("tone", TONES),
        _corner_only,
    ),
    "background_change": Edit(
        lambda rng: {"color": choose(rng, BACKGROUNDS)},
        (
            "Replace the background with plain {color}.",
            "Put the subject in front of a {color} wall.",
            "Change the background to {color}.",
        ),
        "background {color}",
        scene_background,
        _another("color", BACKGROUNDS),
        _subject_instead,
    ),
    "extract": Edit(
        _draw_extract,
        ("Cut out the {shape} onto plain {ground}.", "Keep only the {color} {shape}, on a {ground} ground."),
        "{shape} alone on {ground}",
        scene_extract,
        _another("ground", GROUNDS, "color"),
        _wipe_subject,
    ),
    "text_change": Edit(
        _draw_words,
        ("Change the text to {new}.", "Replace the word {old} with {new}.", "The sign should read {new}."),
        "text {new}",
        scene_text,
        _another("new", WORDS, "old"),
        _word_above,
    ),
    "motion_change": Edit(
        _draw_motion,
        ("Move the {color} {shape} to the {to}.", "The {shape} should be at the {to}."),
        "{shape} to {to}",
        scene_motion,
        _another("to", tuple(PLACES), "place"),
        _object_elsewhere(),
    ),
    "compose": Edit(
        _draw_compose,
        (
            "Make the photo {tone} and add a {color} {shape}.",
            "Add a {color} {shape}, then make the rest {tone}.",
        ),
        "{tone}, add {color} {shape}",
        scene_compose,
        _result_of(_other_composition),
        _corner_only,
    ),
}


OBJECT_TASKS = ("subject-remove", "subject-replace", "material_alter", "extract", "motion_change")
"""Tasks whose input has an object on it."""
_ALTERNATIVES: dict[str, tuple[Sequence[str], str]] = {
    "new_shape": (SHAPES, "shape"),
    "new_color": (STICKER_COLORS, "color"),
    "ground": (GROUNDS, "color"),
    "to": (tuple(PLACES), "place"),
    "new": (WORDS, "old"),
}
"""Fields of a result: the options, and the field of the input whose value is excluded."""


def input_kind(task: str) -> str:
    """Return what a task's input shows besides the photograph; tasks of one kind can share an input."""
    if task in OBJECT_TASKS:
        return "object"
    return "text" if task == "text_change" else "bare"


def redraw(plan: Plan, task: str, rng: np.random.Generator) -> Plan:
    """Return a new plan of `task` for the input that `plan` was drawn for; with an empty plan, for any input.

    The place of an object stays: instructions name no place, so any other would be equally right.
    """
    drawn = EDITS[task].draw(rng)
    drawn |= {key: plan[key] for key in ("place", "extent") if key in plan and key in drawn}
    if plan.get("task") in OBJECT_TASKS:
        drawn |= {key: plan[key] for key in ("shape", "color", "place", "extent")}
    if "old" in plan:
        drawn["old"] = plan["old"]
    for key, (options, not_that_of) in _ALTERNATIVES.items():
        if key in drawn:
            drawn[key] = choose(rng, options, drawn[not_that_of])
    return {"task": task, **drawn}
