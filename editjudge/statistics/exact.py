"""Exact binomial intervals (Clopper and Pearson 1934)."""

from __future__ import annotations

import numpy as np

from editjudge.statistics.arrays import Floats, Ints


def exact_bound(n: Ints | int, outside: float) -> Floats:
    """Return the lower end of the interval of a share with all `n` trials (1 or more) right; 1 minus it is the upper
    end with none right. `outside`: 1 minus the level, such as 0.05."""
    return np.asarray((outside / 2) ** (1 / n))
