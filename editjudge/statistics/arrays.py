"""Array types, and division with undefined values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
TIE_DECIMALS = 9
"""Means of equal values may differ in the last bits by the order of summation; they still tie."""


def ratio(top: Floats, bottom: Floats) -> Floats:
    """Divide elementwise; NaN where the bottom is 0 or less."""
    return np.divide(top, bottom, out=np.full(np.shape(top), np.nan), where=bottom > 0)


def ratio_of_sums(sums: Floats) -> Floats:
    """Divide first column by second, [..., 2] to [...]; NaN where the second is 0."""
    return ratio(sums[..., 0], sums[..., 1])


def mean_of_known(values: Floats, axis: int = -1) -> Floats:
    """Return the mean without NaN; NaN where all values are (numpy's nanmean warns there)."""
    known = ~np.isnan(values)
    return ratio(np.where(known, values, 0.0).sum(axis=axis), known.sum(axis=axis))
