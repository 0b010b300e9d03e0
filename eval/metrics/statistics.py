"""95 % intervals and paired comparisons by bootstrap clustered on groups.

The pairs of a group share an instruction, an input image and candidates, so they are not independent draws:
whole groups are resampled. A resample is a vector of how often each group was drawn, so that all figures of
thousands of resamples come out of one matrix product (rounds x groups) @ (groups x counts).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from editjudge.errors import DataError
from editjudge.files.io import rng
from editjudge.records.tasks import CATEGORIES, DIMENSIONS, TASK_TYPES
from eval.metrics.pairs import Counts, Floats, Ints, Measures, measure

ROUNDS = 10_000
MIN_GROUPS = 5
"""With fewer groups behind a figure no interval is given: resampling so few cannot show how much it may vary."""
_CHUNK_ROUNDS = 1_000
ALPHA = 0.05
"""Share outside the intervals."""
_MEET = 1e-12
"""Ends of an interval that lie closer together are one."""
ZERO_DECIMALS = 12
"""Sums of the same shares in another order differ in the last bits; that is no difference."""

Figure = dict[str, float | None]
"""`value`, `low`, `high`; None where undefined or, of an interval, where too few groups stand behind it."""


@dataclass(frozen=True)
class Intervals:
    """Figures with their 95 % intervals; NaN where there is no pair or no interval."""

    value: Measures
    low: Measures
    high: Measures


def draw_weights(n_groups: int, rounds: int, seed: int) -> Iterator[Floats]:
    """How often each group was drawn, [chunk, groups], rows summing to `n_groups`; `rounds` rows in all."""
    generator = rng(seed, "bootstrap", n_groups)
    for start in range(0, rounds, _CHUNK_ROUNDS):
        size = min(_CHUNK_ROUNDS, rounds - start)
        draws = generator.integers(0, n_groups, size=(size, n_groups))
        draws += np.arange(size)[:, None] * n_groups
        yield np.bincount(draws.ravel(), minlength=size * n_groups).reshape(size, n_groups).astype(np.float64)


def resample(judges: Sequence[Counts], rounds: int, seed: int) -> list[Measures]:
    """Every figure of every judge in each of `rounds` resamples (leading axis), the same draws for all judges.

    All judges must have been asked about the same pairs. Raises `DataError` when they were not, or without groups.
    """
    pairs = judges[0].pairs
    if any(not np.array_equal(pairs, other.pairs) for other in judges[1:]):
        raise DataError("these judges were not asked about the same pairs, so they cannot be resampled together")
    n_groups = pairs.shape[0]
    if n_groups == 0:
        raise DataError("there is no pair to resample: the benchmark is empty")
    # Cells that no pair falls into stay zero in every resample; leaving them out makes the product smaller.
    used = np.flatnonzero(pairs.reshape(n_groups, -1).sum(axis=0))
    stacked = np.concatenate(
        [counts.reshape(n_groups, -1)[:, used] for counts in (pairs, *(j.right for j in judges))], 1
    )
    n_cells, shape = pairs[0].size, pairs.shape[1:]
    chunks: list[list[Floats]] = [[] for _ in judges]
    for weights in draw_weights(n_groups, rounds, seed):
        tallies = np.split(weights @ stacked, 1 + len(judges), axis=1)
        full = np.zeros((len(tallies), weights.shape[0], n_cells))
        full[:, :, used] = np.stack(tallies)
        cells = full.reshape(len(tallies), weights.shape[0], *shape)
        for position in range(len(judges)):
            chunks[position].append(measure(cells[1 + position], cells[0]).flat())
    return [Measures.unflat(np.concatenate(parts)) for parts in chunks]


def groups_behind(pairs: Floats) -> Ints:
    """Number of groups with a pair behind each figure, in the layout of `Measures.flat`; pairs [groups, tasks, 3]."""
    has = pairs > 0
    task = has.sum(axis=0)
    category = np.stack(
        [has[:, [TASK_TYPES.index(task) for task in tasks]].any(axis=1).sum(axis=0) for tasks in CATEGORIES.values()]
    )
    of_the_13, all_tasks = (part.any(axis=1).sum(axis=0) for part in (has[:, : len(TASK_TYPES)], has))
    flat: Ints = np.concatenate([task.ravel(), category.ravel(), of_the_13, all_tasks]).astype(np.int64)
    return flat


def intervals(judges: Sequence[Counts], rounds: int = ROUNDS, seed: int = 0) -> list[Intervals]:
    """Percentile intervals per judge, from shared resamples (so that differences between judges stay readable).

    A task that a resample leaves without pairs is left out of that resample's means. Ends are those of `share_ends`.
    Without any pair all is NaN.
    """
    n_behind = groups_behind(judges[0].pairs)
    result = []
    if judges[0].pairs.shape[0] == 0:  # a benchmark of other labels than pairs
        return [Intervals(*(judge.measures() for _ in range(3))) for judge in judges]
    for counts, drawn in zip(judges, resample(judges, rounds, seed), strict=True):
        value = counts.measures().flat()
        low, high = share_ends(value, drawn.flat(), n_behind)
        result.append(Intervals(*(Measures.unflat(part) for part in (value, low, high))))
    return result


def percentile_ends(samples: Floats) -> tuple[Floats, Floats]:
    """2.5 % and 97.5 % quantiles of each column of [rounds, columns], NaN left out, linear interpolation."""
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
    """As `percentile_ends`; NaN where they meet, since an interval without width would claim certainty."""
    low, high = percentile_ends(samples)
    meet = high - low < _MEET
    return np.where(meet, np.nan, low), np.where(meet, np.nan, high)


def share_ends(value: Floats, samples: Floats, n_behind: Ints) -> tuple[Floats, Floats]:
    """The interval of each share, of its resamples [rounds, shares] and the number of groups behind it.

    A share of exactly 0 or 1 is the same in every resample; its open side is the exact binomial bound for that many
    groups (0.025^(1/n), Clopper and Pearson 1934), each group counted as one trial. NaN with fewer than `MIN_GROUPS`.
    """
    enough = n_behind >= MIN_GROUPS
    low, high = np.full(value.shape, np.nan), np.full(value.shape, np.nan)
    low[enough], high[enough] = spread_ends(samples[:, enough])
    slack = (ALPHA / 2) ** (1 / np.maximum(n_behind, 1))
    none, all_right = enough & (value == 0), enough & (value == 1)
    low, high = np.where(none, 0.0, low), np.where(all_right, 1.0, high)
    return np.where(all_right, slack, low), np.where(none, 1 - slack, high)


def figure(value: float, low: float, high: float) -> Figure:
    """As results.json holds it: six decimals, None for NaN."""
    return {"value": rounded(value), "low": rounded(low), "high": rounded(high)}


def rounded(number: float) -> float | None:
    """Six decimals, None for NaN, and no negative zero."""
    return None if np.isnan(number) else round(float(number), 6) + 0.0


def sampled(value: float, samples: Floats, n_groups: int) -> Figure:
    """A figure with the ends of its resamples [rounds]; see `shows_spread` and `spread_ends` for when it has none."""
    if np.isnan(value) or not shows_spread(samples, n_groups):
        return figure(value, np.nan, np.nan)
    low, high = spread_ends(samples[:, None])
    return figure(value, float(low[0]), float(high[0]))


def shows_spread(samples: Floats, n_groups: int) -> bool:
    """Whether resamples say how much a figure may vary: of `MIN_GROUPS` or more, and most of them defined."""
    return n_groups >= MIN_GROUPS and 2 * int(np.isnan(samples).sum()) < len(samples)


@dataclass(frozen=True)
class Samples:
    """One figure of several judges on the same labels. NaN where it is undefined."""

    value: Floats
    """[judges]"""
    drawn: Floats
    """[rounds, judges]: of resamples that are the same for all judges."""
    n_groups: int
    """Groups that stand behind the figure."""

    def difference(self, one: int, other: int) -> Figure:
        """Judge `one` minus judge `other`: a figure, with `p` as in `Gaps`."""
        samples = self.drawn[:, one] - self.drawn[:, other]
        value = round(float(self.value[one] - self.value[other]), ZERO_DECIMALS)
        if np.isnan(value) or not shows_spread(samples, self.n_groups):
            return {**figure(value, np.nan, np.nan), "p": None}
        gaps = gaps_of(samples[:, None])
        return {**figure(value, float(gaps.low[0]), float(gaps.high[0])), "p": rounded(float(gaps.p[0]))}


@dataclass(frozen=True)
class Gaps:
    """What resampled differences say, one entry per column; NaN where no resample is defined."""

    low: Floats
    high: Floats
    """95 % interval."""
    p: Floats
    """One-sided: share of resamples in which A is not better than B (difference <= 0)."""
    p_two_sided: Floats
    """Twice the smaller tail, both tails counted with one resample more, so that it is never 0."""


def gaps_of(samples: Floats) -> Gaps:
    """From differences A minus B of shared resamples, [rounds, columns]."""
    near = np.round(samples, ZERO_DECIMALS)
    n_known = (~np.isnan(near)).sum(axis=0)
    not_better, not_worse = (near <= 0).sum(axis=0), (near >= 0).sum(axis=0)
    known = n_known > 0
    p = np.divide(not_better, n_known, out=np.full(known.shape, np.nan), where=known)
    both = np.minimum(1.0, 2 * (np.minimum(not_better, not_worse) + 1) / (n_known + 1))
    return Gaps(*percentile_ends(near), p, np.where(known, both, np.nan))


@dataclass(frozen=True)
class Comparison:
    """Judge A minus judge B on the same pairs; NaN where no pair, or of the interval and p too few groups, stand."""

    difference: Measures
    low: Measures
    high: Measures
    p: Measures
    """One-sided: share of resamples in which A is not better than B (difference <= 0)."""

    def as_json(self) -> dict[str, Figure]:
        """Pair-mean `value`, `low`, `high` and `p` of each dimension that has pairs."""
        parts = {"value": self.difference, "low": self.low, "high": self.high, "p": self.p}
        return {
            name: {key: rounded(float(part.pair_mean[column])) for key, part in parts.items()}
            for column, name in enumerate(DIMENSIONS)
            if not np.isnan(self.difference.pair_mean[column])
        }


def compare(a: Counts, b: Counts, rounds: int = ROUNDS, seed: int = 0) -> Comparison:
    """Paired bootstrap of the difference (EditScore, appendix D, there over pairs; here over groups).

    Raises `DataError` when the two were not asked about the same pairs.
    """
    drawn_a, drawn_b = resample([a, b], rounds, seed)
    gaps = gaps_of(drawn_a.flat() - drawn_b.flat())
    value = a.measures().flat() - b.measures().flat()
    enough = groups_behind(a.pairs) >= MIN_GROUPS
    shown = (np.where(enough, part, np.nan) for part in (gaps.low, gaps.high, gaps.p))
    return Comparison(*(Measures.unflat(part) for part in (value, *shown)))
