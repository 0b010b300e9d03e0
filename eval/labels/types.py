"""Human labels other than plain preference pairs: comparisons with ties, groups of several candidates, and ratings."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, model_validator

from editjudge.records.tasks import Dimension
from editjudge.records.types import EditTask, EditTriplet, Id, Record, ScoreCard

Label = Literal["A>B", "B>A", "A=B", "A=B=Good", "A=B=Bad"]
"""Label of two candidates, the first being A. "A=B" is a tie without information on whether both are good or bad."""
LABELS: tuple[Label, ...] = ("A>B", "B>A", "A=B", "A=B=Good", "A=B=Bad")

Sign = Literal[-1, 0, 1]
SIGN: dict[Label, Sign] = {"A>B": 1, "B>A": -1, "A=B": 0, "A=B=Good": 0, "A=B=Bad": 0}
"""The three classes: 1 for A, -1 for B, 0 for any tie."""

Scale = Literal["semantic", "quality", "overall"]
SCALES: tuple[Scale, ...] = ("semantic", "quality", "overall")
"""Rated scales, in ImagenHub's terms: SC, PQ and O."""


def as_index(value: object) -> int | None:
    """Return the number of a row, from 0, also from text ("0") or a table with gaps (0.0); None for anything else."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return int(value) if value >= 0 and value == int(value) else None


class Comparison(Record):
    """Two candidates of one task and their human label, which may be a tie."""

    id: Id
    """Unique in its benchmark."""
    task: EditTask
    first: EditTriplet
    """A"""
    second: EditTriplet
    """B"""
    dimension: Dimension
    label: Label


class Preference(Record):
    """One comparison inside a group of several candidates."""

    id: Id
    """Unique in its benchmark; votes use it."""
    first: int = Field(ge=0)
    """Index in `Multiway.candidates`: A of the label."""
    second: int = Field(ge=0)
    """Index in `Multiway.candidates`: B of the label."""
    label: Label


class Multiway(Record):
    """K candidates of one task with all their comparisons; right only when every comparison is right."""

    id: Id
    task: EditTask
    candidates: tuple[EditTriplet, ...] = Field(min_length=2)
    preferences: tuple[Preference, ...] = Field(min_length=1)
    dimension: Dimension

    @model_validator(mode="after")
    def _places_exist(self) -> Multiway:
        places = [place for item in self.preferences for place in (item.first, item.second)]
        if max(places) >= len(self.candidates):
            raise ValueError(f"a preference names candidate {max(places)}, there are {len(self.candidates)}")
        return self


class Rating(Record):
    """One candidate with its mean human rating. The editing model is `triplet.editor`."""

    id: Id
    triplet: EditTriplet
    scale: Scale
    value: float
    """Mean over the raters, on any scale: only the order counts."""
    raters: tuple[float, ...] = ()
    """Each rater's value, in the same order in every rating of a benchmark; empty when only the mean is published."""


def card_value(card: ScoreCard | None, scale: Scale) -> float | None:
    """Return a judge's value on a human rating scale, 0 to 10; None when unscored.

    Semantic is min(prompt following, consistency), as VIEScore's SC (arXiv 2312.14867, 3): per pass, then averaged.
    An external card has no passes; its semantic value is the minimum of its two values.
    """
    if card is None:
        return None
    if scale == "quality":
        return card.perceptual_quality
    if scale == "overall":
        return card.overall
    passes = [
        10 * min(judgment.scores) / judgment.scale
        for judgment in card.judgments
        if judgment.aspect == "semantic" and judgment.scores is not None
    ]
    if passes:
        return sum(passes) / len(passes)
    if card.prompt_following is None or card.consistency is None:
        return None
    return min(card.prompt_following, card.consistency)
