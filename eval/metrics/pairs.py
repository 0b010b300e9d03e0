"""Pairwise accuracy as EditReward-Bench defines it, on arrays.

Everything is computed from two counts per (task, dimension): pairs judged right, and pairs. `measure` turns such
counts into every published figure, for the sample itself and for thousands of bootstrap resamples alike, so that
a figure and its interval can never follow different definitions.

An axis of tasks holds the 13 of the benchmark and after them the other task types of the pairs. These have figures of
their own and count in the pair mean, never in a category or in the mean over tasks.
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
    """The pairs of a benchmark as one judge saw them; one entry per pair in every array."""

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
        """Strict pairwise accuracy, S(preferred) > S(other): a tie and an unscored pair are wrong (EditScore, 3)."""
        return self.margin > 0

    def outcomes(self) -> NDArray[np.int64]:
        """Index into `OUTCOMES` per pair."""
        unscored = np.isnan(self.margin)
        return np.select([unscored, self.margin > 0, self.margin < 0], [3, 0, 1], default=2).astype(np.int64)


def pair_values(pair: PreferencePair, cards: Mapping[str, ScoreCard]) -> tuple[float | None, float | None]:
    """What the judge gave the preferred candidate and the other, 0 to 10, in the pair's own dimension.

    A triplet that has no card is unscored, as one whose card is unreadable.
    """
    better, worse = cards.get(pair.better.id), cards.get(pair.worse.id)
    return (
        None if better is None else better.value(pair.dimension),
        None if worse is None else worse.value(pair.dimension),
    )


def score_margin(one: float | None, other: float | None) -> float:
    """One score minus another, on their scale; exactly 0 where they tie, NaN where either is None."""
    return float("nan") if one is None or other is None else round(one - other, TIE_DECIMALS)


def build_table(pairs: Sequence[PreferencePair], values: Iterable[tuple[float | None, float | None]]) -> PairTable:
    """The pairs in their order, each with what `pair_values` says of it. `ValueError` when there are more or fewer."""
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
    """Accuracies, 0 to 1, NaN where there is no pair. Leading axes, if any, are resamples."""

    task: Floats
    """[..., tasks, 3]: per task and dimension."""
    category: Floats
    """[..., 4, 3]: mean over the category's tasks that have pairs."""
    task_mean: Floats
    """[..., 3]: mean over those of the 13 tasks that have pairs; the published headline of EditReward-Bench."""
    pair_mean: Floats
    """[..., 3]: every pair weighs the same."""

    def flat(self) -> Floats:
        """[..., 3 * (tasks + 6)]: task, category, task mean and pair mean side by side (`unflat` is the way back)."""
        lead = self.task_mean.shape[:-1]
        parts = (self.task, self.category, self.task_mean, self.pair_mean)
        return np.concatenate([part.reshape(*lead, -1) for part in parts], axis=-1)

    @classmethod
    def unflat(cls, flat: Floats) -> Measures:
        """From the layout of `flat`."""
        n_categories, n_dims = len(CATEGORIES), len(DIMENSIONS)
        n_tasks = flat.shape[-1] // n_dims - n_categories - 2
        lead = flat.shape[:-1]
        ends = np.cumsum([n_tasks * n_dims, n_categories * n_dims, n_dims])
        task, category, task_mean, pair_mean = np.split(flat, ends, axis=-1)
        return cls(
            task.reshape(*lead, n_tasks, n_dims), category.reshape(*lead, n_categories, n_dims), task_mean, pair_mean
        )


def measure(right: Floats, pairs: Floats) -> Measures:
    """Every figure from the number of pairs judged right and of pairs, both [..., tasks, 3].

    Definitions: a task's accuracy is its share of pairs judged right; a category's figure is the mean over its
    subtasks and the headline the mean over the 13 subtasks, not over categories, so that with all 13 present
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
        """The figures of the sample itself."""
        return measure(self.right.sum(axis=0), self.pairs.sum(axis=0))


def count(table: PairTable) -> Counts:
    """Tally a table by group, task and dimension."""
    shape = (len(table.group_ids), len(table.task_types), len(DIMENSIONS))
    if not len(table):  # a benchmark of other labels than pairs
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
    """Share of pairs that could be scored, 0 to 1, from counts in the order of `OUTCOMES`; None without pairs."""
    total = int(outcomes.sum())
    return None if total == 0 else float(1 - outcomes[..., OUTCOMES.index("unscored")].sum() / total)
