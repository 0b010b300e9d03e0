"""Rank correlation of judges with people's ratings, per editing model, and our averages over models.

VIEScore's average is in `metrics.viescore`: it uses other images and another formula.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from editjudge.formats.results.labels import KendallAverages, ModelCorrelation
from editjudge.statistics.arrays import TIE_DECIMALS, Floats, Ints, mean_of_known
from editjudge.statistics.bootstrap import MIN_GROUPS, draw_weights
from editjudge.statistics.correlation import kendall, spearman
from editjudge.statistics.estimate import Estimate, sampled

KENDALL_ROUNDS = 1_000
"""Resamples for an interval of Kendall's tau, whose cost is quadratic in the number of ratings."""
_NEARLY_ONE = 1 - 1e-7
"""Replaces 1 in Fisher's mean, because atanh of 1 is infinite."""


@dataclass(frozen=True)
class Column:
    """People's and a judge's values of one editing model's outputs, all scored."""

    model: str
    human: Floats
    judge: Floats
    cluster: Ints
    """Index of the image: ratings of one image by several models are not independent."""
    exact: bool = False
    """Values tie only when all bits are equal, instead of rounded to `TIE_DECIMALS`."""

    @property
    def n_clusters(self) -> int:
        """Return the number of images with a rating."""
        return len(set(self.cluster.tolist()))


def make_columns(models: Sequence[str], human: Floats, judge: Floats, cluster: Ints) -> list[Column]:
    """Return one column per editing model, from one entry per rating; NaN ratings are left out."""
    known, names = ~(np.isnan(human) | np.isnan(judge)), np.array(models)
    columns = []
    for model in dict.fromkeys(models):
        mine = known & (names == model)
        columns.append(Column(model, human[mine], judge[mine], cluster[mine]))
    return columns


@dataclass(frozen=True)
class _Cells:
    """A column's distinct pairs of values: a resample only changes their counts."""

    human: Floats
    """Ranks of the values: rank correlation needs no more."""
    judge: Floats
    spread: Floats
    """[clusters, cells]: count of each pair of values per image."""

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
    """Return averages over models of the defined coefficients [..., models].

    `mean`: plain. `fisher`: tanh of the mean of atanh.
    """
    fisher = mean_of_known(np.arctanh(np.clip(by_model, -_NEARLY_ONE, _NEARLY_ONE)))
    return {"mean": mean_of_known(by_model), "fisher": np.tanh(fisher)}


@dataclass(frozen=True)
class Correlations:
    """Coefficients with their 95 % intervals from resampled images."""

    models: dict[str, ModelCorrelation]
    spearman: dict[str, Estimate]
    """`mean` and `fisher` over models, and `pooled`: all ratings of all models as one column."""
    kendall: KendallAverages


def correlate(columns: Sequence[Column], n_clusters: int, rounds: int, seed: int) -> Correlations:
    """Return every coefficient; undefined ones (a constant column) are None and left out of the means."""
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
        models[column.model] = ModelCorrelation(
            n=len(column.human),
            spearman=sampled(rho[0, place], drawn_rho[:, place], column.n_clusters),
            kendall=sampled(tau[0, place], drawn_tau[:, place], column.n_clusters),
        )
    means, drawn_means = averages(rho), averages(drawn_rho)
    found = {name: sampled(means[name][0], drawn_means[name], n_clusters) for name in means}
    found["pooled"] = sampled(pooled[0, 0], np.concatenate(pools)[:, 0], n_clusters)
    mean_tau = sampled(averages(tau)["mean"][0], averages(drawn_tau)["mean"], n_clusters)
    return Correlations(models, found, KendallAverages(mean=mean_tau))


def resampled_rho(columns: Sequence[Column], n_clusters: int, rounds: int, seed: int) -> tuple[Floats, Floats]:
    """Return Spearman's rho of each column: [columns] of the sample, [rounds, columns] of resampled images."""
    if not columns:
        return np.empty(0), np.empty((rounds, 0))
    cells = [_Cells.of(column, n_clusters) for column in columns]
    drawn = [_rho(cells, weights) for weights in draw_weights(n_clusters, rounds, seed)]
    return _rho(cells, np.ones((1, n_clusters)))[0], np.concatenate(drawn)


def _rho(cells: Sequence[_Cells], weights: Floats) -> Floats:
    """Return Spearman's rho [rounds, columns] for weights [rounds, clusters]."""
    return np.stack([spearman(c.human, c.judge, weights @ c.spread) for c in cells], axis=1)


def _tau(cells: Sequence[_Cells], weights: Floats) -> Floats:
    """Return Kendall's tau-b [rounds, columns] for weights [rounds, clusters]."""
    return np.stack([kendall(c.human, c.judge, weights @ c.spread) for c in cells], axis=1)
