"""Pairwise accuracy as EditReward-Bench defines it, on arrays.

All figures are computed from two counts per (task, dimension): pairs judged right, and pairs. `measure` turns these
counts into every published figure, both for the sample and for bootstrap resamples, which guarantees that a figure and
its interval use the same definition.

A task axis contains the benchmark's 13 tasks and then the other task types of the pairs. The others have figures of
their own and count in the pair mean, but in no category and not in the mean over tasks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from editjudge.records.tasks import CATEGORIES, DIMENSIONS, TASK_TYPES, in_task_order
from editjudge.records.types import PreferencePair, ScoreCard
from editjudge.statistics.arrays import TIE_DECIMALS, Floats, Ints, mean_of_known, ratio

Outcome = Literal["right", "wrong", "tie", "unscored"]
OUTCOMES: tuple[Outcome, ...] = ("right", "wrong", "tie", "unscored")

_TASKS_OF_CATEGORY = tuple(
    np.array([TASK_TYPES.index(task) for task in tasks], dtype=np.int64) for tasks in CATEGORIES.values()
)


@dataclass(frozen=True)
class PairTable:
    """The pairs of a benchmark with one judge's scores; one entry per pair in every array."""

    margin: Floats
    """Score of the preferred candidate minus score of the other, 0 to 10 scale; NaN when either is unscored."""
    task: Ints
    """Index into `task_types`."""
    dimension: Ints
    """Index into `DIMENSIONS`."""
    group: Ints
    """Index into `group_ids`: pairs of one group share their images and are not independent."""
    group_ids: tuple[str, ...]
    task_types: tuple[str, ...] = TASK_TYPES
    """The 13, then the others."""

    def __len__(self) -> int:
        return len(self.margin)

    @property
    def right(self) -> NDArray[np.bool_]:
        """[pairs]: strict accuracy, S(preferred) > S(other); ties and unscored pairs are wrong (EditScore, 3)."""
        return self.margin > 0

    def outcomes(self) -> NDArray[np.int64]:
        """Return the index into `OUTCOMES` per pair."""
        unscored = np.isnan(self.margin)
        return np.select([unscored, self.margin > 0, self.margin < 0], [3, 0, 1], default=2).astype(np.int64)


def pair_values(pair: PreferencePair, cards: Mapping[str, ScoreCard]) -> tuple[float | None, float | None]:
    """Return the judge's values of the preferred candidate and the other, 0 to 10, in the pair's own dimension.

    A triplet without a card, or with an unreadable one, is unscored.
    """
    better, worse = cards.get(pair.better.id), cards.get(pair.worse.id)
    return (
        None if better is None else better.value(pair.dimension),
        None if worse is None else worse.value(pair.dimension),
    )


def score_margin(one: float | None, other: float | None) -> float:
    """Return one score minus another, on their scale; exactly 0 for ties, NaN where either is None."""
    return float("nan") if one is None or other is None else round(one - other, TIE_DECIMALS)


def build_table(pairs: Sequence[PreferencePair], values: Iterable[tuple[float | None, float | None]]) -> PairTable:
    """Return the pairs in order, with their `pair_values`. Raises `ValueError` when the lengths differ."""
    group_ids = tuple(sorted({pair.task.id for pair in pairs}))
    index = {group_id: position for position, group_id in enumerate(group_ids)}
    task_types = in_task_order((*TASK_TYPES, *(pair.task.task_type for pair in pairs)))
    task_index = {name: position for position, name in enumerate(task_types)}
    margins = [score_margin(*scores) for _, scores in zip(pairs, values, strict=True)]
    return PairTable(
        margin=np.array(margins, dtype=np.float64),
        task=np.array([task_index[pair.task.task_type] for pair in pairs], dtype=np.int64),
        dimension=np.array([DIMENSIONS.index(pair.dimension) for pair in pairs], dtype=np.int64),
        group=np.array([index[pair.task.id] for pair in pairs], dtype=np.int64),
        group_ids=group_ids,
        task_types=task_types,
    )


@dataclass(frozen=True)
class Measures:
    """Accuracies, 0 to 1, NaN without pairs. Leading axes, if any, are resamples."""

    task: Floats
    """[..., tasks, 3]: per task and dimension."""
    category: Floats
    """[..., 4, 3]: mean over the category's tasks that have pairs."""
    task_mean: Floats
    """[..., 3]: mean over those of the 13 tasks that have pairs; the published headline of EditReward-Bench."""
    pair_mean: Floats
    """[..., 3]: mean over all pairs."""

    def flat(self) -> Floats:
        """[..., 3 * (tasks + 6)]: concatenated task, category, task mean and pair mean (inverse: `unflat`)."""
        lead = self.task_mean.shape[:-1]
        parts = (self.task, self.category, self.task_mean, self.pair_mean)
        return np.concatenate([part.reshape(*lead, -1) for part in parts], axis=-1)

    @classmethod
    def unflat(cls, flat: Floats) -> Measures:
        """Return the measures from the layout of `flat`."""
        n_categories, n_dims = len(CATEGORIES), len(DIMENSIONS)
        n_tasks = flat.shape[-1] // n_dims - n_categories - 2
        lead = flat.shape[:-1]
        ends = np.cumsum([n_tasks * n_dims, n_categories * n_dims, n_dims])
        task, category, task_mean, pair_mean = np.split(flat, ends, axis=-1)
        return cls(
            task.reshape(*lead, n_tasks, n_dims), category.reshape(*lead, n_categories, n_dims), task_mean, pair_mean
        )


def measure(right: Floats, pairs: Floats) -> Measures:
    """Return every figure from the number of pairs judged right and of pairs, both [..., tasks, 3].

    Definitions: a task's accuracy is its share of pairs judged right; a category's figure is the mean over its
    subtasks and the headline is the mean over the 13 subtasks, not over categories. With all 13 present,
    headline = (3 subject + 4 appearance + 2 scene + 4 advanced) / 13 (EditScore's reference statistics, 3 and 5.2).
    A task without pairs is left out of the means.
    """
    task = ratio(right, pairs)
    category = np.stack([mean_of_known(task[..., rows, :], axis=-2) for rows in _TASKS_OF_CATEGORY], axis=-2)
    pair_mean = ratio(right.sum(axis=-2), pairs.sum(axis=-2))
    return Measures(task, category, mean_of_known(task[..., : len(TASK_TYPES), :], axis=-2), pair_mean)


@dataclass(frozen=True)
class Counts:
    """Pairs and pairs judged right per group, the sufficient statistics of the clustered bootstrap."""

    right: Floats
    """[groups, tasks, 3]"""
    pairs: Floats
    """[groups, tasks, 3]"""

    def measures(self) -> Measures:
        """Return the figures of the sample itself."""
        return measure(self.right.sum(axis=0), self.pairs.sum(axis=0))


def count(table: PairTable) -> Counts:
    """Count the pairs of a table by group, task and dimension."""
    shape = (len(table.group_ids), len(table.task_types), len(DIMENSIONS))
    if not len(table):  # a benchmark without pairs
        return Counts(np.zeros(shape), np.zeros(shape))
    where = np.ravel_multi_index((table.group, table.task, table.dimension), shape)
    size = int(np.prod(shape))

    def tally(weights: Floats) -> Floats:
        return np.asarray(np.bincount(where, weights=weights, minlength=size), dtype=np.float64).reshape(shape)

    return Counts(tally(table.right.astype(np.float64)), tally(np.ones(len(table))))


def outcome_counts(table: PairTable) -> Ints:
    """[tasks, 3, 4]: pairs per task, dimension and outcome, in the order of `OUTCOMES`."""
    shape = (len(table.task_types), len(DIMENSIONS), len(OUTCOMES))
    where = np.ravel_multi_index((table.task, table.dimension, table.outcomes()), shape)
    return np.bincount(where, minlength=int(np.prod(shape))).reshape(shape).astype(np.int64)


def coverage(outcomes: Ints) -> float | None:
    """Return the share of scored pairs, 0 to 1, from counts in the order of `OUTCOMES`; None without pairs."""
    total = int(outcomes.sum())
    return None if total == 0 else float(1 - outcomes[..., OUTCOMES.index("unscored")].sum() / total)
