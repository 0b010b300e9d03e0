"""Rankings with ties from scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

Name = TypeVar("Name", str, int)


def tiers_of_scores(scores: Mapping[Name, float], min_gap: float) -> list[list[Name]]:
    """Return the names in tiers, best first; within a tier by score, equal scores by name.

    A new tier starts where the step down from the previous name is at least `min_gap`; the ends of a tier may be
    further apart.
    """
    tiers: list[list[Name]] = []
    previous = float("inf")
    for name in sorted(scores, key=lambda name: (-scores[name], name)):
        # Floating-point errors must not hide a step of exactly min_gap.
        if previous - scores[name] >= min_gap - 1e-9:
            tiers.append([])
        tiers[-1].append(name)
        previous = scores[name]
    return tiers
