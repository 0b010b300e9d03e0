"""Power analysis: the size of a benchmark that shows a difference between two judges."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from editjudge.statistics.bootstrap import MIN_GROUPS

POWER, LEVEL = 0.8, 0.05
"""Probability that a benchmark shows the difference, and the two-sided level of the test."""


@dataclass(frozen=True)
class Power:
    """The power of a benchmark to distinguish two judges. Normal approximation: standard errors shrink as 1/sqrt(n)."""

    detectable: float
    """Smallest difference of accuracies, 0 to 1, that a benchmark of this size shows with a power of 0.8."""
    groups: int | None
    """Groups needed to detect the observed difference, at least `MIN_GROUPS`, since fewer give no interval; None when
    the difference is 0."""
    pairs: int | None
    """The same in pairs, with the same number of pairs per group."""

    def as_json(self) -> dict[str, float | int | None]:
        """Return the values as stored in results."""
        return {"detectable": round(self.detectable, 6), "groups": self.groups, "pairs": self.pairs}


def power_of(difference: float, standard_error: float, n_groups: int, n_pairs: int) -> Power | None:
    """Return the power of a paired comparison from the bootstrap's standard error of the difference.

    A two-sided test at 5 % detects a difference d with power 0.8 when d = (1.960 + 0.842) standard errors; the error
    falls as 1/sqrt(groups), so groups needed = groups * (2.802 * standard error / d)^2. None for a standard error of 0:
    judges that differ on no pair, or equally on every pair, do not show how much a difference varies.
    """
    if not standard_error > 0:
        return None
    normal = NormalDist()
    detectable = (normal.inv_cdf(1 - LEVEL / 2) + normal.inv_cdf(POWER)) * standard_error
    if difference == 0:
        return Power(detectable, None, None)
    factor = (detectable / difference) ** 2
    least = math.ceil(n_pairs * MIN_GROUPS / n_groups)
    return Power(detectable, max(MIN_GROUPS, math.ceil(n_groups * factor)), max(least, math.ceil(n_pairs * factor)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values after Holm's step-down correction (1979), in the given order: the i-th smallest of m is
    multiplied by m - i + 1, and is at least the one before it."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted
