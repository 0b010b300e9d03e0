"""The annotators' instructions, shown before the first task and by the page's "Instructions" button."""

from __future__ import annotations

from html import escape

from annotation.page.layout import KEY_ROWS, LABEL_KEYS, QUESTIONS, TITLES, Layout
from annotation.recipe import UnitKind
from editjudge.records.tasks import Dimension

GUIDES: dict[Dimension, str] = {
    "prompt_following": (
        "Only the request counts: the right thing changed, completely, in the right place. Ignore how well it is done."
    ),
    "consistency": (
        "Only what should <em>not</em> have changed counts: faces, objects, background, framing, colours. An edit that"
        " does nothing is perfectly consistent."
    ),
    "overall": (
        "Everything together, as if you had asked for the edit: done, the rest kept, and no artefacts, seams or blur."
    ),
}


def annotator_instructions(layout: Layout, unit: UnitKind, extra: str = "") -> str:
    """Return the HTML for Label Studio's `expert_instruction`. `extra` is plain text of the recipe, shown first;
    blank lines separate its paragraphs.

    It has no style attributes and no escaped quotes: the server stores it unchanged, and a comparison finds it equal.
    """
    paragraphs = [part.strip() for part in extra.split("\n\n") if part.strip()]
    own = "".join(f'<p dir="auto">{escape(part, quote=False)}</p>' for part in paragraphs)
    guides = "".join(
        f"<li><b>{TITLES[dimension]}.</b> {QUESTIONS[dimension]} {GUIDES[dimension]}</li>"
        for dimension in layout.dimensions
    )
    return (
        f'<div class="ej-guide">{own}'
        f"<p>You see a request, the picture it was made for (Input), and {layout.candidates} results."
        " Sort the results into tiers. <b>Tier 1 is the best.</b> Results that are equally good share a tier: do not"
        f" invent differences.{_independent(layout)}</p><ol>{guides}</ol>{_pair(unit)}"
        f"<p><b>Looking closely.</b> Rest on a picture to see it large beside the input. Keep the mouse"
        " button pressed on it to see the input in its place: what changed, flickers. <i>original</i> opens the full"
        f" picture.</p>{_answering(layout)}<p>A picture that does not load: tick <i>broken image</i>. You may come back"
        " to a task and press <i>Update</i>. Skip only what you must not or cannot judge.</p></div>"
    )


def _independent(layout: Layout) -> str:
    if len(layout.dimensions) == 1:
        return ""
    return " The rankings are independent: a result may be first in one and last in another."


def _pair(unit: UnitKind) -> str:
    if unit == "single":
        return ""
    return (
        "<p><b>You are two.</b> Look together, each say your ranking first, discuss where you differ, and"
        " submit one ranking you both stand behind. If you cannot agree, give the two results the same tier and tick"
        " <i>unsure</i>.</p>"
    )


def _answering(layout: Layout) -> str:
    text = "Choose a tier for every result, for every question. The page tells you what is still missing."
    if not layout.has_keys:
        return f"<p><b>Answering.</b> {text}</p>"
    rows = ", ".join(
        f"<kbd>{''.join(KEY_ROWS[tier - 1][: layout.candidates])}</kbd> tier {tier}"
        for tier in range(1, layout.candidates + 1)
    )
    modifiers = ", ".join(
        f"{LABEL_KEYS[place]} for {TITLES[dimension]}" for place, dimension in enumerate(layout.dimensions)
    )
    return (
        f"<p><b>Answering.</b> {text} By keyboard (US layout), the row of keys is the tier and the place in"
        f" it the result: {rows}; {modifiers}. Or Tab and Space. Ctrl+Enter submits.</p>"
    )
