"""The controls of the annotators' page, and its Label Studio configuration.

Each candidate has one required radio group per dimension: the page itself refuses an incomplete ranking. Candidates
are numbered 1..n in the order shown; the candidates of one tier are equally good, tier 1 is the best.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from xml.sax.saxutils import quoteattr

from pydantic import BaseModel, ConfigDict, Field, field_validator

from annotation.recipe import MAX_CANDIDATES, MIN_CANDIDATES, AnnotationRecipe
from editjudge.records.tasks import DIMENSIONS, Dimension

ALIGNED_CANDIDATES = 6
"""Up to this many candidates share one row of the page, with the answers under the pictures."""

TITLES: dict[Dimension, str] = {
    "prompt_following": "Prompt Following",
    "consistency": "Consistency",
    "overall": "Overall Quality",
}
QUESTIONS: dict[Dimension, str] = {
    "prompt_following": "Is what was asked for there, all of it, as asked?",
    "consistency": "Is everything else as it was?",
    "overall": "Which result would you rather have?",
}

INSTRUCTION = "instruction"
STRIP = "strip_html"
"""Keys of a task's data; the first is also the name of the tag that displays it."""
FLAG = "flag"
FLAGS = ("broken image", "unsure")

HINT = (
    "Tier 1 is the best; results that are equally good share a tier. Rest on a picture: large, beside the input."
    " Hold it: the input in its place."
)
KEY_ROWS = ("12345", "qwert", "asdfg", "zxcvb", "67890")
"""Keys of the answers: the row is the tier, the place in the row the candidate."""
KEY_MODIFIERS = ("", "shift+", "alt+")
"""For the first, second and third dimension on the page."""
LABEL_KEYS = ("alone", "with Shift", "with Alt")
"""Names of the modifiers in the instructions."""


class Layout(BaseModel):
    """The layout of the page; different layouts need different projects."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    candidates: int = Field(5, ge=MIN_CANDIDATES, le=MAX_CANDIDATES)
    dimensions: tuple[Dimension, ...] = Field(DIMENSIONS, min_length=1)
    """In the order of the page, from top to bottom."""

    @field_validator("dimensions")
    @classmethod
    def _each_once(cls, value: tuple[Dimension, ...]) -> tuple[Dimension, ...]:
        if len(set(value)) != len(value):
            raise ValueError(f"each dimension at most once, not {', '.join(value)}")
        return value

    @cached_property
    def numbers(self) -> tuple[str, ...]:
        """Names of the candidates, and of the tiers: "1" to "n"."""
        return tuple(str(number) for number in range(1, self.candidates + 1))

    @property
    def columns(self) -> int:
        """Candidates per row of the page."""
        if self.candidates <= ALIGNED_CANDIDATES:
            return self.candidates
        return -(-self.candidates // -(-self.candidates // ALIGNED_CANDIDATES))

    @property
    def has_keys(self) -> bool:
        """Whether every answer has its own key."""
        return self.candidates <= len(KEY_ROWS[0])

    def cell(self, dimension: Dimension, number: str) -> str:
        """Return the name of one candidate's radio group."""
        return f"{dimension}_{number}"


def layout_of(recipe: AnnotationRecipe) -> Layout:
    """Return the layout that a recipe describes."""
    return Layout(candidates=recipe.project.candidates, dimensions=recipe.project.dimensions)


def config_xml(layout: Layout) -> str:
    """Return Label Studio's labelling configuration. It contains no data of tasks."""
    style = (Path(__file__).parent / "templates" / "page.css").read_text(encoding="utf-8")
    style = style.replace("{columns}", str(layout.columns))
    flags = "".join(f"<Choice value={quoteattr(flag)}/>" for flag in FLAGS)
    return (
        f'<View className="ej-page"><Style>{style}</Style>'
        f'<View className="ej-instruction"><Text name="{INSTRUCTION}" value="${INSTRUCTION}"/></View>'
        f'<HyperText name="strip" value="${STRIP}" valueType="text" inline="true" selectionEnabled="false"'
        ' clickableLinks="true"/>'
        f"{_answers(layout)}"
        f'<View className="ej-flags"><Choices name="{FLAG}" toName="{INSTRUCTION}" choice="multiple" layout="inline">'
        f"{flags}</Choices></View>"
        f'<View className="ej-hint"><Header size="6" value={quoteattr(HINT)}/></View></View>'
    )


def _answers(layout: Layout) -> str:
    rows = []
    for place, dimension in enumerate(layout.dimensions):
        cells = "".join(_cell(layout, dimension, number, KEY_MODIFIERS[place]) for number in layout.numbers)
        rows.append(
            f'<View className="ej-row">{_heading(place, dimension)}<View className="ej-cells">{cells}</View></View>'
        )
    return "".join(rows)


def _heading(place: int, dimension: Dimension) -> str:
    title = quoteattr(f"{place + 1}. {TITLES[dimension]}")
    question = quoteattr(QUESTIONS[dimension])
    return f'<View className="ej-heading"><Header size="5" value={title}/><Header size="6" value={question}/></View>'


def _cell(layout: Layout, dimension: Dimension, number: str, modifier: str) -> str:
    choices = []
    for row, tier in enumerate(layout.numbers):
        name = layout.cell(dimension, number)
        key = ""
        if layout.has_keys:
            key = f" hotkey={quoteattr(modifier + KEY_ROWS[row][int(number) - 1])}"
        # Label Studio uses `value` as the radio button's name, and the Tab key stops once per name. Each button gets
        # its own name, shows the tier through `html`, and answers with the alias.
        choices.append(f'<Choice value="{name}_{tier}" alias="{tier}" html="{tier}"{key}/>')
    message = quoteattr(f"{TITLES[dimension]}: result {number} has no tier yet.")
    aligned = layout.candidates <= ALIGNED_CANDIDATES
    label = "" if aligned else f'<Header size="6" value="Result {number}"/>'
    style = "inline" if aligned else "select"
    return (
        f'<View className="ej-cell">{label}'
        f'<Choices name="{layout.cell(dimension, number)}" toName="{INSTRUCTION}" choice="single-radio"'
        f' layout="{style}" required="true" requiredMessage={message}>{"".join(choices)}</Choices></View>'
    )
