"""Rank correlation, for thousands of resamples at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from editjudge.statistics.arrays import TIE_DECIMALS, Floats, ratio


def spearman(one: Floats, other: Floats, weights: Floats) -> Floats:
    """Return Spearman's rho of two columns [n], whose rows occur `weights` [rounds, n] times; [rounds].

    Pearson's coefficient of the mean ranks of the repeated rows. NaN where either column is constant.
    """
    if not len(one):
        return np.full(len(weights), np.nan)
    total = weights.sum(axis=1)
    middle = (total[:, None] + 1) / 2
    first, second = _ranks(one, weights) - middle, _ranks(other, weights) - middle
    product = (weights * first * second).sum(axis=1)
    size = np.sqrt((weights * first**2).sum(axis=1) * (weights * second**2).sum(axis=1))
    return np.divide(product, size, out=np.full(len(weights), np.nan), where=size > 1e-12)


def _ranks(values: Floats, weights: Floats) -> Floats:
    """Return the mean rank of each row among the repeated rows, [rounds, n]."""
    _, group = np.unique(values.round(TIE_DECIMALS), return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    sizes = np.add.reduceat(weights[:, order], starts, axis=1)
    ranks: Floats = (np.cumsum(sizes, axis=1) - sizes + (sizes + 1) / 2)[:, group]
    return ranks


def kendall(one: Floats, other: Floats, weights: Floats) -> Floats:
    """Return Kendall's tau-b (1945) of two columns [n], whose rows occur `weights` [rounds, n] times; [rounds].

    NaN where either column is constant.
    """
    signs = [np.sign((column := values.round(TIE_DECIMALS))[:, None] - column) for values in (one, other)]

    def pairs(matrix: Floats) -> Floats:
        return np.asarray(((weights @ matrix) * weights).sum(axis=1))

    product, first, second = pairs(signs[0] * signs[1]), pairs(signs[0] ** 2), pairs(signs[1] ** 2)
    return tau_b(product, first, second)


def tau_b(product: Floats, first: Floats, second: Floats) -> Floats:
    """Return Kendall's tau-b (1945) from sums over pairs of items, whose relations in two rankings are -1, 0 (tied) or
    1.

    `product`: sum of the products of both relations. `first`, `second`: number of pairs that each ranking does not tie;
    NaN where either is 0.
    """
    return ratio(product, np.sqrt(first * second))


def tau_b_of_relations(one: NDArray[np.int8], other: NDArray[np.int8]) -> Floats:
    """Return `tau_b` of relations -1, 0, 1 of the same pairs of items, [..., pairs] to [...]."""
    product = (one * other).sum(axis=-1, dtype=np.float64)
    return tau_b(product, (one != 0).sum(axis=-1), (other != 0).sum(axis=-1))
