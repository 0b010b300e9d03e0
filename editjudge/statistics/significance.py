"""How large a benchmark would have to be before a difference between two judges can be seen in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from editjudge.statistics.bootstrap import MIN_GROUPS

POWER, LEVEL = 0.8, 0.05
"""The share of benchmarks that would show the difference, and the two-sided level of the test."""


@dataclass(frozen=True)
class Power:
    """What a benchmark can tell two judges apart by. The normal approximation: standard errors shrink as 1/sqrt(n)."""

    detectable: float
    """Smallest difference of accuracies, 0 to 1, that a benchmark of this size shows with a power of 0.8."""
    groups: int | None
    """Groups needed to see the difference found, at least `MIN_GROUPS`, since fewer give no interval; None when the
    difference is 0."""
    pairs: int | None
    """The same in pairs, with as many pairs per group as here."""

    def as_json(self) -> dict[str, float | int | None]:
        """As results hold it."""
        return {"detectable": round(self.detectable, 6), "groups": self.groups, "pairs": self.pairs}


def power_of(difference: float, standard_error: float, n_groups: int, n_pairs: int) -> Power | None:
    """Power of a paired comparison from the bootstrap's standard error of the difference.

    A two-sided test at 5 % sees a difference d with power 0.8 when d = (1.960 + 0.842) standard errors; the error
    falls as 1/sqrt(groups), whence groups needed = groups * (2.802 * standard error / d)^2. None without an error:
    two judges that differ on no pair, or by the same on every one, say nothing about how much a difference varies.
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
    """Holm's step-down correction (1979): the i-th smallest of m is multiplied by m - i + 1, and none falls below
    the one before it. In the order given."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted
