"""Model families: the chat around a question, and the differences between architectures.

A family is one file with a class derived from `families.base.Family`, and one line in `FAMILIES`. Training and
inference both use `render_chat`, so their prompts are equal by construction.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

from editjudge.errors import EditJudgeError
from editjudge.families.base import Family
from editjudge.prompts.prompt_sets import IMAGE_MARK, harmless

FAMILIES = {
    "qwen2_5_vl": "editjudge.families.qwen2_5_vl:Qwen25VL",
    "qwen3_vl": "editjudge.families.qwen3_vl:Qwen3VL",
    "mimo_vl": "editjudge.families.mimo_vl:MiMoVL",
    "internvl": "editjudge.families.internvl:InternVL",
}
"""Name in recipes -> "module:class". The first family that fits a model type is its publisher's."""

_THINKING = ("<think>", "</think>")


@cache
def get_family(name: str) -> Family:
    """Return the family of that name. Raises `EditJudgeError` naming the known ones otherwise."""
    if name not in FAMILIES:
        raise EditJudgeError(f"unknown model family {name!r}; known: {', '.join(FAMILIES)}")
    module, _, kind = FAMILIES[name].partition(":")
    family: Family = getattr(import_module(module), kind)(name)
    return family


def families_for(model_type: str) -> list[Family]:
    """Return the families that can load a `model_type` of transformers, in the order of the table."""
    return [family for family in map(get_family, FAMILIES) if model_type in family.model_types]


def wrong_family(family: str, model_type: str) -> str | None:
    """Return why a model of `model_type` does not fit `family`, to follow the model's name; None when it fits."""
    if model_type in get_family(family).model_types:
        return None
    fitting = ", ".join(repr(other.name) for other in families_for(model_type))
    advice = f"use family {fitting}" if fitting else f"no family fits it; known: {', '.join(FAMILIES)}"
    return f"is a {model_type!r} model, not one of family {family!r}; {advice}"


def render_chat(family: str, user_text: str, system: str | None = None) -> str:
    """Return the prompt for a model of `family`, up to the model's turn. `system` replaces its system turn.

    Special tokens other than `<image>` marks are made `harmless`; prompt sets may mention `<think>` blocks.
    """
    system = None if system is None else harmless(system, keep=_THINKING)
    return get_family(family).chat(harmless(user_text, keep=(IMAGE_MARK, *_THINKING)), system)


def render_reply(family: str, completion: str) -> str:
    """Return a reply as a model of `family` is trained to write it: `harmless`, with its end-of-turn token.

    A reply may contain `<think>` blocks.
    """
    return harmless(completion, keep=_THINKING) + get_family(family).turn_end


def too_few_pixels(family: str, max_pixels: int | None) -> str | None:
    """Return why `max_pixels` leaves less than one token of an image; None when it does not."""
    side = get_family(family).token_px
    if max_pixels is None or max_pixels >= side**2:
        return None
    return f"less than one patch of {family}, which is {side} x {side} = {side**2} pixels"
