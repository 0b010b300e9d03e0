"""The content of one task on the page: the instruction, and the pictures side by side.

The pictures are static HTML with style sheets only: Label Studio runs none of our scripts. Hover over a picture, or
reach it with the Tab key, to enlarge input and result side by side; hold the mouse button down on it to show the
input in the place of the result: a change appears as a flicker. The caption opens the original.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

from annotation.page.layout import INSTRUCTION, STRIP, TITLES, Layout
from editjudge.records.tasks import Dimension


class ServedImage(NamedTuple):
    """The URLs of one image."""

    screen: str
    """URL of the copy that fits the screen."""
    original: str
    """URL of the unchanged image; may be the same as `screen`."""


def task_data(
    layout: Layout,
    instruction: str,
    inputs: Sequence[ServedImage],
    candidates: Sequence[ServedImage],
    earlier: Mapping[str, Mapping[Dimension, str]] | None = None,
) -> dict[str, Any]:
    """Return the keys of a task's `data` that the layout shows; the caller may add others.

    `inputs` and `candidates` are in shown order; `ValueError` without an input or with another number of candidates
    than the layout's. `earlier`: rankings to decide between (unit -> dimension -> notation), shown under the
    pictures. The instruction is always shown as text, never as HTML.
    """
    if not inputs or len(candidates) != layout.candidates:
        raise ValueError(f"{len(inputs)} inputs and {len(candidates)} candidates for a layout of {layout.candidates}")
    strip = _strip(inputs, candidates)
    if earlier is not None:
        strip += _earlier(layout, earlier)
    return {INSTRUCTION: instruction, STRIP: strip}


def _strip(inputs: Sequence[ServedImage], candidates: Sequence[ServedImage]) -> str:
    names = ["Input"] if len(inputs) == 1 else [f"Input {number}" for number in range(1, len(inputs) + 1)]
    before = list(zip(names, inputs, strict=True))
    befores = "".join(_picture(name, shown, []) for name, shown in before)
    afters = "".join(_picture(str(number), shown, before) for number, shown in enumerate(candidates, start=1))
    return (
        f'<div class="ej-strip" style="--ej-inputs: {len(inputs)}"><div class="ej-inputs">{befores}</div>'
        f'<div class="ej-candidates">{afters}</div></div>'
    )


def _picture(name: str, shown: ServedImage, before: Sequence[tuple[str, ServedImage]]) -> str:
    """Return a frame with a caption. A candidate's contains the inputs (`before`): the first below, all beside it."""
    layers = [("ej-after", name, shown), *(("ej-before", label, image) for label, image in before[:1])]
    small = "".join(_image(f"ej-small {kind}", label, image) for kind, label, image in layers)
    large = "".join(f'{_image(kind, label, image)}<i class="{kind}">{label}</i>' for kind, label, image in layers)
    beside = "".join(
        f'<span class="ej-pane">{_image("", label, image)}<i>{label}</i></span>' for label, image in before
    )
    # A button takes the focus, and holding Space on it counts as holding the mouse button.
    return (
        f'<figure class="{"ej-candidate" if before else "ej-input"}">'
        f'<button type="button" class="ej-frame" aria-label="{name}, enlarge">{small}'
        f'<span class="ej-large">{beside}<span class="ej-pane">{large}</span></span></button>'
        f'<figcaption><b>{name}</b> <a href="{escape(shown.original)}" target="_blank" rel="noopener" tabindex="-1"'
        f' title="Open the original in a new tab">original</a></figcaption></figure>'
    )


def _image(kind: str, label: str, shown: ServedImage) -> str:
    return f'<img class="{kind}" src="{escape(shown.screen)}" alt="{label}" draggable="false">'


def _earlier(layout: Layout, earlier: Mapping[str, Mapping[Dimension, str]]) -> str:
    """Return a table of the units' rankings, for the adjudicator."""
    head = "".join(f"<th>{TITLES[dimension]}</th>" for dimension in layout.dimensions)
    rows = ""
    for unit, rankings in earlier.items():
        cells = "".join(f"<td>{escape(rankings.get(dimension, 'none'))}</td>" for dimension in layout.dimensions)
        rows += f"<tr><th>{escape(unit)}</th>{cells}</tr>"
    caption = "Earlier rankings, best first; results written together are tied"
    return f'<table class="ej-earlier"><caption>{caption}</caption><tr><th>by</th>{head}</tr>{rows}</table>'
