"""Twelve edit tasks carried out with classical image operations.

An `Edit` draws a plan (what is to be done, as plain data), words it as an instruction, and renders it on a photograph:
the picture before, the picture after a perfect edit, and the target: the pixels the instruction speaks of. It also
draws the two ways of misunderstanding it: another result at the same target, and the same result at another target.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from curation.editors.drawing import (
    COLORS,
    PLACES,
    SHAPES,
    TEXTURES,
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


class Misread(NamedTuple):
    """A misunderstood edit."""

    picture: Array
    seen: str
    """What it looks like, in few words."""


Misreading = Callable[[Array, Plan, np.random.Generator], Misread]
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
        """Everything the instruction speaks of."""
        return np.maximum.reduce(self.targets)


def choose(rng: np.random.Generator, options: Sequence[str], *without: str) -> str:
    """One of the options, never one of `without`."""
    left = [option for option in options if option not in without]
    return left[int(rng.integers(len(left)))]


def _sticker(photo: Array, plan: Plan, place: str | None = None, *, prefix: str = "", pattern: str = "") -> Array:
    """The photograph with the plan's object on it."""
    size = size_of(photo)
    color = plan[f"{prefix}color"]
    surface = texture(size, pattern, color) if pattern else fill(size, color)
    return blend(photo, surface, _object_mask(photo, plan, place, prefix=prefix))


def _object_mask(photo: Array, plan: Plan, place: str | None = None, *, prefix: str = "") -> Array:
    where = plan["place"] if place is None else place
    return shape_mask(size_of(photo), plan[f"{prefix}shape"], where, plan["extent"])


def apply_tone(array: Array, tone: str) -> Array:
    """One of `TONES`."""
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
    """One of `STYLES`."""
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
    """The colour at the array's brightness."""
    tone = np.asarray(COLORS[color], dtype=np.float32)
    return np.clip((0.35 + 0.65 * luminance(array)[..., None]) * tone, 0, 1)


def _everywhere(photo: Array) -> Array:
    return np.ones(size_of(photo), dtype=np.float32)


def _draw_object(rng: np.random.Generator) -> Plan:
    return {
        "shape": choose(rng, SHAPES),
        "color": choose(rng, STICKER_COLORS),
        "place": choose(rng, tuple(PLACES)),
        "extent": round(float(rng.uniform(0.42, 0.5)), 3),
    }


def _other_object(plan: Plan, rng: np.random.Generator) -> Plan:
    return {**plan, "shape": choose(rng, SHAPES, plan["shape"]), "color": choose(rng, STICKER_COLORS, plan["color"])}


def _scene_add(photo: Array, plan: Plan) -> Scene:
    return Scene(photo, _sticker(photo, plan), (_object_mask(photo, plan),))


def _scene_remove(photo: Array, plan: Plan) -> Scene:
    return Scene(_sticker(photo, plan), photo, (_object_mask(photo, plan),))


def _scene_replace(photo: Array, plan: Plan) -> Scene:
    both = np.maximum(_object_mask(photo, plan), _object_mask(photo, plan, prefix="new_"))
    return Scene(_sticker(photo, plan), _sticker(photo, plan, prefix="new_"), (both,))


def _scene_color(photo: Array, plan: Plan) -> Scene:
    return Scene(photo, tint(photo, plan["color"]), (_everywhere(photo),))


def _scene_material(photo: Array, plan: Plan) -> Scene:
    after = _sticker(photo, plan, pattern=plan["texture"])
    return Scene(_sticker(photo, plan), after, (_object_mask(photo, plan),))


def _scene_style(photo: Array, plan: Plan) -> Scene:
    return Scene(photo, apply_style(photo, plan["style"]), (_everywhere(photo),))


def _scene_tone(photo: Array, plan: Plan) -> Scene:
    return Scene(photo, apply_tone(photo, plan["tone"]), (_everywhere(photo),))


def _scene_background(photo: Array, plan: Plan) -> Scene:
    size = size_of(photo)
    around = 1 - centre_mask(size)
    return Scene(photo, blend(photo, fill(size, plan["color"]), around), (around,))


def _scene_extract(photo: Array, plan: Plan) -> Scene:
    size = size_of(photo)
    subject = _object_mask(photo, plan)
    before = _sticker(photo, plan)
    return Scene(before, blend(fill(size, plan["ground"]), before, subject), (1 - subject,))


def _scene_motion(photo: Array, plan: Plan) -> Scene:
    both = np.maximum(_object_mask(photo, plan), _object_mask(photo, plan, plan["to"]))
    return Scene(_sticker(photo, plan), _sticker(photo, plan, plan["to"]), (both,))


def _scene_text(photo: Array, plan: Plan) -> Scene:
    size = size_of(photo)
    band = band_mask(size)
    ground = blend(photo, fill(size, "white"), band * 0.85)

    def written(word: str) -> Array:
        return blend(ground, np.zeros_like(photo), text_mask(size, word))

    old, new = text_mask(size, plan["old"]), text_mask(size, plan["new"])
    return Scene(written(plan["old"]), written(plan["new"]), (np.maximum(old, new),))


def _scene_compose(photo: Array, plan: Plan) -> Scene:
    toned = apply_tone(photo, plan["tone"])
    spot = _object_mask(photo, plan)
    return Scene(photo, _sticker(toned, plan), (spot, 1 - spot))


@dataclass(frozen=True)
class Edit:
    """One task type: how its plans are drawn, worded, rendered and misunderstood."""

    draw: Callable[[np.random.Generator], Plan]
    phrasings: tuple[str, ...]
    """`str.format` templates over the plan's fields."""
    finding: str
    """What the edit looks like in few words, a template as well."""
    scene: Callable[[Array, Plan], Scene]
    wrong_result: Misreading
    """Another result at the same target."""
    wrong_target: Misreading
    """The edit carried out at another target, the true target left as it was."""

    def instruction(self, plan: Plan, rng: np.random.Generator) -> str:
        """One of the phrasings, filled in."""
        return choose(rng, self.phrasings).format(**plan)

    def seen(self, plan: Plan) -> str:
        """What a perfect edit looks like, in few words."""
        return self.finding.format(**plan)


def _result_of(change: Callable[[Plan, np.random.Generator], Plan]) -> Misreading:
    """A perfect edit after a changed plan."""

    def apply(photo: Array, plan: Plan, rng: np.random.Generator) -> Misread:
        edit, other = EDITS[plan["task"]], change(plan, rng)
        return Misread(edit.scene(photo, other).after, edit.seen(other))

    return apply


def _object_elsewhere(prefix: str = "", pattern: str = "") -> Misreading:
    """The object that was asked for, put where nothing was asked."""

    def apply(photo: Array, plan: Plan, rng: np.random.Generator) -> Misread:
        before = EDITS[plan["task"]].scene(photo, plan).before
        place = choose(rng, tuple(PLACES), plan["place"], plan.get("to", ""))
        pattern_name = plan["texture"] if pattern else ""
        picture = _sticker(before, plan, place, prefix=prefix, pattern=pattern_name)
        return Misread(picture, f"{EDITS[plan['task']].seen(plan)} elsewhere")

    return apply


def _patch_elsewhere(photo: Array, plan: Plan, rng: np.random.Generator) -> Misread:
    """Something else is wiped away: a place without the object is smeared over."""
    before = EDITS[plan["task"]].scene(photo, plan).before
    place = choose(rng, tuple(PLACES), plan["place"])
    return Misread(blend(before, np.full_like(before, 0.5), _object_mask(photo, plan, place)), "grey patch")


def _corner_only(photo: Array, plan: Plan, rng: np.random.Generator) -> Misread:
    """An edit of the whole picture lands in one corner only."""
    scene = EDITS[plan["task"]].scene(photo, plan)
    corner = shape_mask(size_of(photo), "square", choose(rng, tuple(PLACES)), 0.5)
    return Misread(blend(scene.before, scene.after, corner), f"{EDITS[plan['task']].seen(plan)} in a corner")


def _frame_instead(photo: Array, plan: Plan, rng: np.random.Generator) -> Misread:
    """The colour lands on the edge of the picture, and there is no object."""
    size = size_of(photo)
    edge = np.ones(size, dtype=np.float32)
    width = max(2, size[0] // 10)
    edge[width:-width, width:-width] = 0
    return Misread(blend(photo, fill(size, plan["color"]), edge), f"{plan['color']} frame")


def _subject_instead(photo: Array, plan: Plan, rng: np.random.Generator) -> Misread:
    """The subject is painted over and the background is kept."""
    size = size_of(photo)
    return Misread(blend(photo, fill(size, plan["color"]), centre_mask(size)), f"subject {plan['color']}")


def _wipe_subject(photo: Array, plan: Plan, rng: np.random.Generator) -> Misread:
    """The subject is taken out of the picture instead of being kept."""
    scene = _scene_extract(photo, plan)
    wiped = blend(scene.before, fill(size_of(photo), plan["ground"]), 1 - scene.target)
    return Misread(wiped, f"{plan['shape']} gone")


def _word_above(photo: Array, plan: Plan, rng: np.random.Generator) -> Misread:
    """The new word is written over the upper half and the old one stays."""
    before = _scene_text(photo, plan).before
    above = np.roll(text_mask(size_of(photo), plan["new"]), -photo.shape[0] // 2, axis=0)
    return Misread(blend(before, np.zeros_like(before), above), f"text {plan['new']} above")


def _another(key: str, options: Sequence[str], *also_not: str) -> Misreading:
    """The result of a plan in which one field has another value (and not that of the fields `also_not`)."""
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
    return Misread(_sticker(photo, other), seen)


EDITS: dict[str, Edit] = {
    "subject-add": Edit(
        _draw_object,
        (
            "Add a {color} {shape}.",
            "Put a {color} {shape} into the photo.",
            "Place one {color} {shape} somewhere.",
        ),
        "add {color} {shape}",
        _scene_add,
        _result_of(_other_object),
        _frame_instead,
    ),
    "subject-remove": Edit(
        _draw_object,
        ("Remove the {color} {shape}.", "Take the {shape} away.", "Erase the {color} {shape} from the photo."),
        "remove {shape}",
        _scene_remove,
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
        _scene_replace,
        _result_of(_other_new_object),
        _object_elsewhere("new_"),
    ),
    "color_alter": Edit(
        lambda rng: {"color": choose(rng, STICKER_COLORS)},
        ("Color the whole photo {color}.", "Give the photo a {color} tint.", "Tint everything {color}."),
        "{color} tint",
        _scene_color,
        _another("color", STICKER_COLORS),
        _corner_only,
    ),
    "material_alter": Edit(
        lambda rng: {**_draw_object(rng), "texture": choose(rng, TEXTURES)},
        ("Make the {shape} {texture}.", "Give the {color} {shape} a {texture} surface."),
        "{shape} {texture}",
        _scene_material,
        _another("texture", TEXTURES),
        _object_elsewhere(pattern="texture"),
    ),
    "style_change": Edit(
        lambda rng: {"style": choose(rng, STYLES)},
        ("Turn the photo into a {style}.", "Redraw this as a {style}.", "Give the picture the look of a {style}."),
        "{style}",
        _scene_style,
        _another("style", STYLES),
        _corner_only,
    ),
    "tone_transfer": Edit(
        lambda rng: {"tone": choose(rng, TONES)},
        ("Make the photo {tone}.", "Change the tone to {tone}.", "The whole picture should be {tone}."),
        "{tone}",
        _scene_tone,
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
        _scene_background,
        _another("color", BACKGROUNDS),
        _subject_instead,
    ),
    "extract": Edit(
        _draw_extract,
        ("Cut out the {shape} onto plain {ground}.", "Keep only the {color} {shape}, on a {ground} ground."),
        "{shape} alone on {ground}",
        _scene_extract,
        _another("ground", GROUNDS, "color"),
        _wipe_subject,
    ),
    "text_change": Edit(
        _draw_words,
        ("Change the text to {new}.", "Replace the word {old} with {new}.", "The sign should read {new}."),
        "text {new}",
        _scene_text,
        _another("new", WORDS, "old"),
        _word_above,
    ),
    "motion_change": Edit(
        _draw_motion,
        ("Move the {color} {shape} to the {to}.", "The {shape} should be at the {to}."),
        "{shape} to {to}",
        _scene_motion,
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
        _scene_compose,
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
"""Fields of a result: the options, and the field of the input whose value is none of them."""


def input_kind(task: str) -> str:
    """What the input of a task must show besides the photograph: tasks of one kind can be asked of the same input."""
    if task in OBJECT_TASKS:
        return "object"
    return "text" if task == "text_change" else "bare"


def redraw(plan: Plan, task: str, rng: np.random.Generator) -> Plan:
    """A new plan of `task` for the input that `plan` was drawn for; with an empty plan, for any input.

    Where an object is put stays: no instruction says where, so elsewhere would be as right.
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
