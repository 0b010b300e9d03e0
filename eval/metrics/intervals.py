"""Intervals of all figures of pairs, and the paired difference of two judges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from editjudge.errors import DataError
from editjudge.records.tasks import CATEGORIES, DIMENSIONS, TASK_TYPES, Dimension
from editjudge.statistics.arrays import Floats, Ints
from editjudge.statistics.bootstrap import MIN_GROUPS, ROUNDS, draw_weights, gaps_of, share_ends
from editjudge.statistics.estimate import Difference, Estimate, estimate, rounded
from eval.metrics.pairs import Counts, Measures, measure


@dataclass(frozen=True)
class Intervals:
    """Figures with their 95 % intervals; NaN without pairs or without an interval."""

    value: Measures
    low: Measures
    high: Measures

    def estimate(self, name: str, where: int | tuple[int, int]) -> Estimate:
        """Return one figure: an attribute of `Measures` and an index into its array."""
        return estimate(*(float(getattr(part, name)[where]) for part in (self.value, self.low, self.high)))


def resample(judges: Sequence[Counts], rounds: int, seed: int) -> list[Measures]:
    """Return every figure of every judge in each of `rounds` resamples (leading axis), shared by all judges.

    All judges must have the same pairs. Raises `DataError` otherwise, or without groups.
    """
    pairs = judges[0].pairs
    if any(not np.array_equal(pairs, other.pairs) for other in judges[1:]):
        raise DataError("these judges were not asked about the same pairs, so they cannot be resampled together")
    n_groups = pairs.shape[0]
    if n_groups == 0:
        raise DataError("there is no pair to resample: the benchmark is empty")
    # Cells without pairs are zero in every resample; leaving them out makes the product smaller.
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
    """Return the number of groups of each figure, in the layout of `Measures.flat`; pairs [groups, tasks, 3]."""
    has = pairs > 0
    task = has.sum(axis=0)
    category = np.stack(
        [has[:, [TASK_TYPES.index(task) for task in tasks]].any(axis=1).sum(axis=0) for tasks in CATEGORIES.values()]
    )
    of_the_13, all_tasks = (part.any(axis=1).sum(axis=0) for part in (has[:, : len(TASK_TYPES)], has))
    flat: Ints = np.concatenate([task.ravel(), category.ravel(), of_the_13, all_tasks]).astype(np.int64)
    return flat


def intervals(judges: Sequence[Counts], rounds: int = ROUNDS, seed: int = 0) -> list[Intervals]:
    """Return percentile intervals per judge, from shared resamples, which keep differences between judges readable.

    A task without pairs in a resample is left out of that resample's means. Ends are those of `share_ends`.
    All is NaN without pairs.
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


@dataclass(frozen=True)
class PairedMeasures:
    """Judge A minus judge B on the same pairs; NaN without pairs, interval and p also with too few groups."""

    difference: Measures
    low: Measures
    high: Measures
    p: Measures
    """One-sided: share of resamples in which A is not better than B (difference <= 0)."""

    def by_dimension(self) -> dict[Dimension, Difference]:
        """Return the difference of the pair mean of each dimension with pairs."""
        parts = {"value": self.difference, "low": self.low, "high": self.high, "p": self.p}
        return {
            name: Difference(**{key: rounded(float(part.pair_mean[column])) for key, part in parts.items()})
            for column, name in enumerate(DIMENSIONS)
            if not np.isnan(self.difference.pair_mean[column])
        }


def compare(a: Counts, b: Counts, rounds: int = ROUNDS, seed: int = 0) -> PairedMeasures:
    """Return the paired bootstrap of the difference (EditScore, appendix D, over groups instead of pairs).

    Raises `DataError` when the two have different pairs.
    """
    drawn_a, drawn_b = resample([a, b], rounds, seed)
    gaps = gaps_of(drawn_a.flat() - drawn_b.flat())
    value = a.measures().flat() - b.measures().flat()
    enough = groups_behind(a.pairs) >= MIN_GROUPS
    shown = (np.where(enough, part, np.nan) for part in (gaps.low, gaps.high, gaps.p))
    return PairedMeasures(*(Measures.unflat(part) for part in (value, *shown)))
