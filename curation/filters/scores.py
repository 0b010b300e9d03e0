"""Filters of groups by the scores of their candidates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from curation.stage import Context, GroupFilter
from editjudge.records.types import ScoreCard


class GroupMax(GroupFilter):
    """Drop groups whose best candidate is poor: no editor can do this edit (EditScore, section 4.2)."""

    version: ClassVar[int] = 1

    min_overall: float = Field(ge=0, le=10)
    """Lowest `overall` allowed for the best candidate, 0 to 10."""

    def check_group(self, cards: Sequence[ScoreCard], ctx: Context) -> str | None:
        """Return `group_max_below_<min_overall>` when no candidate reaches it."""
        if max(scored(card) for card in cards) < self.min_overall:
            return f"group_max_below_{self.min_overall:g}"
        return None


class GroupStd(GroupFilter):
    """Drop groups whose candidates are all alike: they teach no difference (EditScore, section 4.2)."""

    version: ClassVar[int] = 1

    min_std: float = Field(ge=0, le=5)
    """Smallest population standard deviation of the candidates' `overall` (0 to 10 scale); a single candidate has 0."""

    def check_group(self, cards: Sequence[ScoreCard], ctx: Context) -> str | None:
        """Return `group_std_below_<min_std>` when the standard deviation is smaller."""
        if float(np.std([scored(card) for card in cards])) < self.min_std:
            return f"group_std_below_{self.min_std:g}"
        return None


def scored(card: ScoreCard) -> float:
    """Return the card's `overall`, 0 to 10; `ValueError` for a card without one."""
    value: Any = card.overall
    if value is None:
        raise ValueError(f"triplet {card.triplet.id} has no overall score; the judging stage should have failed it")
    return float(value)
