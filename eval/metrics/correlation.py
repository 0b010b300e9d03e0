"""Rank correlation of judges with people's ratings, per editing model, and our averages over models.

VIEScore's average is in `metrics.viescore`: it takes other images and another formula.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eval.metrics.pairs import TIE_DECIMALS, Floats, Ints
from eval.metrics.statistics import MIN_GROUPS, Figure, draw_weights, sampled

KENDALL_ROUNDS = 1_000
"""Resamples behind an interval of Kendall's tau, whose cost grows with the square of the ratings."""
_NEARLY_ONE = 1 - 1e-7
"""atanh of 1 is infinite; a perfect correlation counts as this in Fisher's mean."""


def spearman(one: Floats, other: Floats, weights: Floats) -> Floats:
    """Spearman's rho of two columns [n], each row of which occurs `weights` [rounds, n] times; [rounds].

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
    """Mean rank of each row among the repeated rows, [rounds, n]."""
    _, group = np.unique(values.round(TIE_DECIMALS), return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    sizes = np.add.reduceat(weights[:, order], starts, axis=1)
    ranks: Floats = (np.cumsum(sizes, axis=1) - sizes + (sizes + 1) / 2)[:, group]
    return ranks


def kendall(one: Floats, other: Floats, weights: Floats) -> Floats:
    """Kendall's tau-b (1945) of two columns [n], each row of which occurs `weights` [rounds, n] times; [rounds].

    NaN where either column is constant.
    """
    signs = [np.sign((column := values.round(TIE_DECIMALS))[:, None] - column) for values in (one, other)]

    def pairs(matrix: Floats) -> Floats:
        return np.asarray(((weights @ matrix) * weights).sum(axis=1))

    product, first, second = pairs(signs[0] * signs[1]), pairs(signs[0] ** 2), pairs(signs[1] ** 2)
    size = np.sqrt(first * second)
    return np.divide(product, size, out=np.full(len(weights), np.nan), where=size > 0)


@dataclass(frozen=True)
class Column:
    """What people and a judge gave the outputs of one editing model, all scored."""

    model: str
    human: Floats
    judge: Floats
    cluster: Ints
    """Index of the image: ratings of one image by several models are no independent draws."""
    exact: bool = False
    """Values tie only when they are equal to the last bit, not to `TIE_DECIMALS`."""

    @property
    def n_clusters(self) -> int:
        """Images it has a rating of."""
        return len(set(self.cluster.tolist()))


def make_columns(models: Sequence[str], human: Floats, judge: Floats, cluster: Ints) -> list[Column]:
    """One per editing model, from one entry per rating; those that are NaN are left out."""
    known, names = ~(np.isnan(human) | np.isnan(judge)), np.array(models)
    columns = []
    for model in dict.fromkeys(models):
        mine = known & (names == model)
        columns.append(Column(model, human[mine], judge[mine], cluster[mine]))
    return columns


@dataclass(frozen=True)
class _Cells:
    """A column's distinct pairs of values: a resample only changes how often each occurs."""

    human: Floats
    """Places in the order of the values: rank correlation needs no more."""
    judge: Floats
    spread: Floats
    """[clusters, cells]: how often each image has each pair of values."""

    @classmethod
    def of(cls, column: Column, n_clusters: int) -> _Cells:
        sides = (column.human, column.judge)
        places = [_places(side if column.exact else side.round(TIE_DECIMALS)) for side in sides]
        distinct, place = np.unique(np.stack(places, axis=1), axis=0, return_inverse=True)
        spread = np.zeros((n_clusters, len(distinct)))
        np.add.at(spread, (column.cluster, place.reshape(-1)), 1)
        return cls(distinct[:, 0], distinct[:, 1], spread)


def _places(values: Floats) -> Floats:
    return np.unique(values, return_inverse=True)[1].reshape(-1).astype(np.float64)


def averages(by_model: Floats) -> dict[str, Floats]:
    """Averages over models of coefficients [..., models], those that are defined.

    `mean`: plain. `fisher`: tanh of the mean of atanh.
    """
    known = ~np.isnan(by_model)
    count = known.sum(axis=-1)

    def mean(values: Floats) -> Floats:
        total = np.where(known, values, 0.0).sum(axis=-1)
        return np.asarray(np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0))

    plain = mean(by_model)
    fisher = mean(np.arctanh(np.clip(np.where(known, by_model, 0.0), -_NEARLY_ONE, _NEARLY_ONE)))
    return {"mean": plain, "fisher": np.tanh(fisher)}


@dataclass(frozen=True)
class Correlations:
    """Coefficients with their 95 % intervals from resampled images."""

    models: dict[str, dict[str, Figure]]
    """Model -> "spearman" and "kendall"."""
    spearman: dict[str, Figure]
    """`mean` and `fisher` over models, and `pooled`: all ratings of all models as one column."""
    kendall: dict[str, Figure]
    """`mean` over models."""


def correlate(columns: Sequence[Column], n_clusters: int, rounds: int, seed: int) -> Correlations:
    """Every coefficient of some models; undefined ones (a constant column) are None and left out of the means."""
    cells = [_Cells.of(column, n_clusters) for column in columns]
    everything = [
        np.concatenate(parts) for parts in zip(*((c.human, c.judge, c.cluster) for c in columns), strict=True)
    ]
    pool = _Cells.of(Column("", everything[0], everything[1], everything[2].astype(np.int64)), n_clusters)
    ones = np.ones((1, n_clusters))
    rho, tau, pooled = _rho(cells, ones), _tau(cells, ones), _rho([pool], ones)
    rhos, taus, pools, done = [rho[:0]], [tau[:0]], [pooled[:0]], 0
    if n_clusters >= MIN_GROUPS:
        for weights in draw_weights(n_clusters, rounds, seed):
            rhos.append(_rho(cells, weights))
            pools.append(_rho([pool], weights))
            taus.append(_tau(cells, weights[: max(0, KENDALL_ROUNDS - done)]))
            done += len(weights)
    drawn_rho, drawn_tau = np.concatenate(rhos), np.concatenate(taus)
    models = {}
    for place, column in enumerate(columns):
        models[column.model] = {
            "spearman": sampled(rho[0, place], drawn_rho[:, place], column.n_clusters),
            "kendall": sampled(tau[0, place], drawn_tau[:, place], column.n_clusters),
        }
    means, drawn_means = averages(rho), averages(drawn_rho)
    found = {name: sampled(means[name][0], drawn_means[name], n_clusters) for name in means}
    found["pooled"] = sampled(pooled[0, 0], np.concatenate(pools)[:, 0], n_clusters)
    mean_tau = sampled(averages(tau)["mean"][0], averages(drawn_tau)["mean"], n_clusters)
    return Correlations(models, found, {"mean": mean_tau})


def resampled_rho(columns: Sequence[Column], n_clusters: int, rounds: int, seed: int) -> tuple[Floats, Floats]:
    """Spearman's rho of each column: [columns] of the sample, [rounds, columns] of resampled images."""
    if not columns:
        return np.empty(0), np.empty((rounds, 0))
    cells = [_Cells.of(column, n_clusters) for column in columns]
    drawn = [_rho(cells, weights) for weights in draw_weights(n_clusters, rounds, seed)]
    return _rho(cells, np.ones((1, n_clusters)))[0], np.concatenate(drawn)


def _rho(cells: Sequence[_Cells], weights: Floats) -> Floats:
    """Spearman's rho [rounds, columns] for weights [rounds, clusters]."""
    return np.stack([spearman(c.human, c.judge, weights @ c.spread) for c in cells], axis=1)


def _tau(cells: Sequence[_Cells], weights: Floats) -> Floats:
    """Kendall's tau-b [rounds, columns] for weights [rounds, clusters]."""
    return np.stack([kendall(c.human, c.judge, weights @ c.spread) for c in cells], axis=1)
