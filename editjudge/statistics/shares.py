"""Shares and ratios of sums, with 95 % intervals by the bootstrap over groups."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from editjudge.statistics.arrays import Floats, Ints, ratio
from editjudge.statistics.bootstrap import MIN_GROUPS, draw_weights, share_ends
from editjudge.statistics.estimate import Estimate, Samples, estimate

Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True)
class Share:
    """A share of items judged right."""

    right: Floats
    """[groups]: number of right items."""
    all: Floats
    """[groups]: number of items."""

    @classmethod
    def of(cls, right: ArrayLike, group: Ints, n_groups: int) -> Share:
        """Count from one entry per item and the index of its group."""
        flags = np.asarray(right, dtype=np.float64)
        return cls(
            np.bincount(group, weights=flags, minlength=n_groups).astype(np.float64),
            np.bincount(group, minlength=n_groups).astype(np.float64),
        )


def group_index(ids: Sequence[str]) -> tuple[Ints, int]:
    """Return the index of each id among the distinct ones, and their number."""
    places = {name: place for place, name in enumerate(dict.fromkeys(ids))}
    return np.array([places[name] for name in ids], dtype=np.int64), len(places)


def share_figures(shares: Mapping[Name, Share], rounds: int, seed: int) -> dict[Name, Estimate]:
    """Return every share with its interval; all have the same groups and therefore the same resamples.

    `bootstrap.share_ends` computes the ends.
    """
    if not shares:
        return {}
    stacked = np.stack([part for share in shares.values() for part in (share.right, share.all)], axis=1)
    sums = stacked.sum(axis=0)
    value = _ratio(sums)
    behind = (stacked[:, 1::2] > 0).sum(axis=0)
    low, high = np.full(value.shape, np.nan), np.full(value.shape, np.nan)
    if len(stacked) >= MIN_GROUPS:
        drawn = np.concatenate([_ratio(weights @ stacked) for weights in draw_weights(len(stacked), rounds, seed)])
        low, high = share_ends(value, drawn, behind)
    return {name: estimate(*ends) for name, *ends in zip(shares, value, low, high, strict=True)}


def share_samples(shares: Sequence[Share], rounds: int, seed: int) -> Samples:
    """Return a share of several judges on the same items."""
    stacked = np.stack([part for share in shares for part in (share.right, share.all)], axis=1)
    drawn = np.concatenate([_ratio(weights @ stacked) for weights in draw_weights(len(stacked), rounds, seed)])
    return Samples(_ratio(stacked.sum(axis=0)), drawn, int((shares[0].all > 0).sum()))


def _ratio(sums: Floats) -> Floats:
    return ratio(sums[..., 0::2], sums[..., 1::2])


def exact_share(passed: int, n: int) -> Estimate:
    """Return a share with its exact 95 % interval; None without trials."""
    if n == 0:
        return Estimate(value=None, low=None, high=None)
    from scipy.stats import binomtest

    found = binomtest(passed, n).proportion_ci(0.95, method="exact")
    return estimate(passed / n, float(found.low), float(found.high))
