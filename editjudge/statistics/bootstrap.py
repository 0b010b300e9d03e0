"""95 % intervals and paired differences by the bootstrap over groups.

Items of one group are not independent (the pairs of a task share an instruction and images), so whole groups are
resampled. A resample is a vector of counts per group: one matrix product, (rounds x groups) @ (groups x counts),
computes all figures of thousands of resamples.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from editjudge.files.io import rng
from editjudge.statistics.arrays import Floats, Ints
from editjudge.statistics.exact import exact_bound

ROUNDS = 10_000
MIN_GROUPS = 5
"""Minimum number of groups for an interval: resampling fewer cannot show how much a figure may vary."""
_CHUNK_ROUNDS, _CHUNK_CELLS = 1_000, 10_000_000
"""Rows and cells (80 MB) of the weight matrix that are in memory at a time."""
ALPHA = 0.05
"""Probability outside the intervals."""
_MEET = 1e-12
"""Ends of an interval that are closer than this are equal."""
ZERO_DECIMALS = 12
"""Sums of equal shares in another order differ in the last bits; that is not a difference."""


def draw_weights(n_groups: int, rounds: int, seed: int) -> Iterator[Floats]:
    """Yield counts of each group's draws, [chunk, groups], rows summing to `n_groups`; `rounds` rows in all."""
    generator = rng(seed, "bootstrap", n_groups)
    chunk = max(1, min(_CHUNK_ROUNDS, _CHUNK_CELLS // n_groups))
    for start in range(0, rounds, chunk):
        size = min(chunk, rounds - start)
        draws = generator.integers(0, n_groups, size=(size, n_groups))
        draws += np.arange(size)[:, None] * n_groups
        yield np.bincount(draws.ravel(), minlength=size * n_groups).reshape(size, n_groups).astype(np.float64)


def percentile_ends(samples: Floats) -> tuple[Floats, Floats]:
    """Return 2.5 % and 97.5 % quantiles of each column of [rounds, columns], without NaN, linear interpolation."""
    ordered = np.sort(samples, axis=0)  # NaN sorts last
    known = (~np.isnan(samples)).sum(axis=0)
    columns = np.arange(samples.shape[1])

    def quantile(share: float) -> Floats:
        position = share * np.maximum(known - 1, 0)
        below = np.floor(position).astype(np.int64)
        above = np.minimum(below + 1, np.maximum(known - 1, 0))
        part = position - below
        quantiles: Floats = ordered[below, columns] * (1 - part) + ordered[above, columns] * part
        return quantiles

    return quantile(ALPHA / 2), quantile(1 - ALPHA / 2)


def spread_ends(samples: Floats) -> tuple[Floats, Floats]:
    """Return `percentile_ends`, with NaN where they are equal: an interval without width would claim certainty."""
    low, high = percentile_ends(samples)
    meet = high - low < _MEET
    return np.where(meet, np.nan, low), np.where(meet, np.nan, high)


def share_ends(value: Floats, samples: Floats, n_behind: Ints) -> tuple[Floats, Floats]:
    """Return the interval of each share, from its resamples [rounds, shares] and its number of groups.

    A share of exactly 0 or 1 is the same in every resample; its open side is `exact_bound`, each group counted as one
    trial. NaN with fewer than `MIN_GROUPS`.
    """
    enough = n_behind >= MIN_GROUPS
    low, high = np.full(value.shape, np.nan), np.full(value.shape, np.nan)
    low[enough], high[enough] = spread_ends(samples[:, enough])
    bound = exact_bound(np.maximum(n_behind, 1), ALPHA)
    none, all_right = enough & (value == 0), enough & (value == 1)
    low, high = np.where(none, 0.0, low), np.where(all_right, 1.0, high)
    return np.where(all_right, bound, low), np.where(none, 1 - bound, high)


def shows_spread(samples: Floats, n_groups: int) -> bool:
    """Return whether resamples show how a figure varies: from `MIN_GROUPS` groups on, most of them defined."""
    return n_groups >= MIN_GROUPS and 2 * int(np.isnan(samples).sum()) < len(samples)


@dataclass(frozen=True)
class Gaps:
    """Statistics of resampled differences, one entry per column; NaN where no resample is defined."""

    low: Floats
    high: Floats
    """95 % interval."""
    p: Floats
    """One-sided: share of resamples in which A is not better than B (difference <= 0)."""
    p_two_sided: Floats
    """Twice the smaller tail, both tails counted with one additional resample, so that it is never 0."""


def gaps_of(samples: Floats) -> Gaps:
    """Compute them from differences A minus B of shared resamples, [rounds, columns]."""
    near = np.round(samples, ZERO_DECIMALS)
    n_known = (~np.isnan(near)).sum(axis=0)
    not_better, not_worse = (near <= 0).sum(axis=0), (near >= 0).sum(axis=0)
    known = n_known > 0
    p = np.divide(not_better, n_known, out=np.full(known.shape, np.nan), where=known)
    both = np.minimum(1.0, 2 * (np.minimum(not_better, not_worse) + 1) / (n_known + 1))
    return Gaps(*percentile_ends(near), p, np.where(known, both, np.nan))
