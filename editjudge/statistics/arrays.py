"""Types of arrays, and divisions that leave out what is undefined."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
TIE_DECIMALS = 9
"""Two means of the same values may differ in the last bits by the order of summation; that is still a tie."""


def ratio(top: Floats, bottom: Floats) -> Floats:
    """Element by element; NaN where the bottom is 0 or less."""
    return np.divide(top, bottom, out=np.full(np.shape(top), np.nan), where=bottom > 0)


def ratio_of_sums(sums: Floats) -> Floats:
    """First column over second, [..., 2] to [...]; NaN where the second is 0."""
    return ratio(sums[..., 0], sums[..., 1])


def mean_of_known(values: Floats, axis: int = -1) -> Floats:
    """Mean that leaves NaN out; NaN where everything is (numpy's own warns there)."""
    known = ~np.isnan(values)
    return ratio(np.where(known, values, 0.0).sum(axis=axis), known.sum(axis=axis))
