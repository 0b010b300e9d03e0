"""Rankings as arrays, and each task's contribution to the measures of agreement (defined in `figures`)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotation.agreement.measures import agreements, coincidences
from editjudge.errors import DataError
from editjudge.formats.rankings import levels_of
from editjudge.records.tasks import DIMENSIONS
from editjudge.records.types import TierRanking
from editjudge.statistics.arrays import Floats
from editjudge.statistics.correlation import tau_b_of_relations


@dataclass(frozen=True)
class RankingTable:
    """Rankings as arrays. Axes: dimensions, tasks, units, candidates (in the order of their ids)."""

    dimensions: tuple[str, ...]
    tasks: tuple[str, ...]
    units: tuple[str, ...]
    levels: NDArray[np.int8]
    """[dimensions, tasks, units, candidates]: tier from 0, the best; -1 without a tier."""


def tabulate(rankings: Iterable[TierRanking]) -> RankingTable:
    """Return rankings as arrays; every axis is sorted by name.

    `DataError` when a unit ranks a task twice in a dimension, or when units rank different candidates of a task.
    """
    rows = list(rankings)
    tasks = {name: place for place, name in enumerate(sorted({row.task_id for row in rows}))}
    units = {name: place for place, name in enumerate(sorted({row.annotator for row in rows}))}
    dimensions = {
        name: place for place, name in enumerate(n for n in DIMENSIONS if any(r.dimension == n for r in rows))
    }
    candidates: dict[str, dict[str, int]] = {}
    width = max((sum(map(len, row.tiers)) for row in rows), default=0)
    levels = np.full((len(dimensions), len(tasks), len(units), width), -1, np.int8)
    for row in rows:
        found = levels_of(row)
        places = candidates.setdefault(row.task_id, {name: place for place, name in enumerate(sorted(found))})
        if places.keys() != found.keys():
            different = ", ".join(sorted(places.keys() ^ found.keys()))
            raise DataError(
                f"task {row.task_id}: {row.annotator} did not rank the same candidates in {row.dimension} as others "
                f"did; only some have {different}; pull again, or remove the rankings of a changed task"
            )
        cell = levels[dimensions[row.dimension], tasks[row.task_id], units[row.annotator]]
        if cell[0] != -1:
            raise DataError(
                f"task {row.task_id}: two rankings of {row.annotator} in {row.dimension}; keep the one that counts"
            )
        for name, tier in found.items():
            cell[places[name]] = tier
    return RankingTable(tuple(dimensions), tuple(tasks), tuple(units), levels)


class Cases:
    """Arrays over tasks from which the measures of one dimension are computed."""

    def __init__(self, levels: NDArray[np.int8]) -> None:
        self.levels = levels
        n_tasks, self.n_units, n_candidates = levels.shape
        self.ranked = levels[:, :, 0] >= 0 if n_candidates else np.zeros((n_tasks, self.n_units), bool)
        self.units_per_task = self.ranked.sum(axis=1)
        self.shared = self.units_per_task >= 2
        one, other = np.triu_indices(n_candidates, 1)
        self.real_pair = (levels[:, :, one].max(axis=1, initial=-1) >= 0) & (
            levels[:, :, other].max(axis=1, initial=-1) >= 0
        )
        """[tasks, pairs]: whether both candidates exist; tasks may have fewer candidates than the table."""
        self.relation = np.sign(levels[:, :, other] - levels[:, :, one]).astype(np.int8)
        self.relation *= self.real_pair[:, None, :]
        """[tasks, units, pairs]: 1 if the first is better, -1 if the second is, 0 if they are tied or do not exist."""
        self.votes = np.stack([self._vote(value).sum(axis=1) for value in (-1, 0, 1)], axis=-1)
        """[tasks, pairs, 3]: units by relation."""
        self.same = (levels[:, :, None] == levels[:, None, :]).all(axis=-1)
        self.same &= self.ranked[:, :, None] & self.ranked[:, None, :]
        """[tasks, units, units]: whether both ranked, identically."""

    def _vote(self, value: int) -> NDArray[np.bool_]:
        return (self.relation == value) & self.ranked[:, :, None] & self.real_pair[:, None, :]

    def identical(self) -> Floats:
        """Return per task the share of identical pairs of units, and 1 if there is a pair of units."""
        n = self.units_per_task
        return shares((self.same.sum(axis=(1, 2)) - n) / np.maximum(n * (n - 1), 1), self.shared)

    def convergence(self, threshold: float) -> Floats:
        """Return per task whether enough units gave the same ranking (`threshold`, a share), and whether it counts."""
        largest = self.same.sum(axis=2).max(axis=1, initial=0)
        # One of three units must reach a threshold of 0.333... despite rounding errors.
        return shares(largest >= threshold * self.units_per_task - 1e-9, self.shared)

    def majority_ranking(self, unit: int) -> Floats:
        """Return per task whether the unit gave the majority's ranking, and whether there is one."""
        backing = self.same.sum(axis=2)
        has_majority = (backing * 2 > self.units_per_task[:, None]).any(axis=1)
        counted = has_majority & self.ranked[:, unit] & (self.units_per_task >= 3)
        return shares(backing[:, unit] * 2 > self.units_per_task, counted)

    def relation_agreement(self, unit: int, with_own_vote: bool) -> Floats:
        """Return per task the pairs in which the unit has the majority's relation, and the pairs with a majority."""
        own = np.stack([self._vote(value)[:, unit] for value in (-1, 0, 1)], axis=-1)
        votes = self.votes if with_own_vote else self.votes - own
        voters = votes.sum(axis=-1)
        majority = (votes * 2 > voters[:, :, None]) & (voters >= (3 if with_own_vote else 2))[:, :, None]
        counted = majority & self.ranked[:, unit, None, None]
        return np.stack([(counted & own).sum(axis=(1, 2)), counted.sum(axis=(1, 2))], axis=-1).astype(np.float64)

    def tau(self, unit: int | None) -> Floats:
        """Return per task sum and number of defined tau-b over all pairs of units, or over the pairs of one unit."""
        sums = np.zeros((len(self.levels), 2))
        for one, other in combinations(range(self.n_units), 2):
            if unit in (None, one, other):
                tau = tau_b_of_relations(self.relation[:, one], self.relation[:, other])
                defined = ~np.isnan(tau) & self.ranked[:, one] & self.ranked[:, other]
                sums += np.stack([np.where(defined, tau, 0), defined], axis=-1)
        return sums

    def coincidences(self, n_tiers: int) -> Floats:
        """Return the coincidences of tier numbers, [tasks, n_tiers * n_tiers]; a candidate is an item."""
        counts = np.stack([(self.levels == tier).sum(axis=1) for tier in range(n_tiers)], axis=-1).astype(np.float64)
        per_item = coincidences(counts.reshape(-1, n_tiers))
        return per_item.reshape(len(self.levels), -1, n_tiers * n_tiers).sum(axis=1)

    def agreements(self) -> Floats:
        """Return the agreements of relations, [tasks, 5]; a candidate pair in either direction is an item."""
        n_tasks, n_pairs, _ = self.votes.shape
        both = self.votes + self.votes[:, :, ::-1]
        per_item = agreements(self.votes.reshape(-1, 3).astype(np.float64)).reshape(n_tasks, n_pairs, 5)
        counts = (both * self.shared[:, None, None]).sum(axis=1)
        return np.concatenate([2 * per_item[:, :, :2].sum(axis=1), counts], axis=1)


def shares(values: NDArray[Any], counted: NDArray[np.bool_]) -> Floats:
    return np.stack([np.where(counted, values, 0), counted], axis=-1).astype(np.float64)
