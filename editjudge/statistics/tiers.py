"""Rankings with ties from scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

Name = TypeVar("Name", str, int)


def tiers_of_scores(scores: Mapping[Name, float], min_gap: float) -> list[list[Name]]:
    """The names in tiers, best first; within a tier by score, equal scores by name.

    A new tier starts where the step down from the name before is at least `min_gap`, so that the ends of a tier may lie
    further apart than that.
    """
    tiers: list[list[Name]] = []
    previous = float("inf")
    for name in sorted(scores, key=lambda name: (-scores[name], name)):
        # Scores are computed in floating point: a step of exactly min_gap must not be lost in the last bit.
        if previous - scores[name] >= min_gap - 1e-9:
            tiers.append([])
        tiers[-1].append(name)
        previous = scores[name]
    return tiers
