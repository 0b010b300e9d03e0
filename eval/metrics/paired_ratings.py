"""Two judges on the same ratings: differences of their rank correlation with people, by a bootstrap over images.

Only outputs that both judges scored count, so that neither gains by leaving out the hard ones; and an editing model
for which either coefficient is undefined (all its outputs scored alike) is left out of both means. So the correlations
here may differ from those in each judge's own report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eval.benchmarks.labels import SCALES, Scale
from eval.metrics.correlation import averages, make_columns, resampled_rho
from eval.metrics.paired import Difference, Scope, difference_of
from eval.metrics.pairs import Floats
from eval.metrics.ratios import group_index

_MEANS: tuple[tuple[Scope, str], ...] = (("all", "mean"), ("viescore", "viescore"))
"""Which average over models a scope is."""


@dataclass(frozen=True)
class RatedByBoth:
    """One rating, and what the two judges gave its output; None when unscored."""

    scale: Scale
    model: str
    image: str
    human: float
    a: float | None
    b: float | None


def rating_differences(ratings: Sequence[RatedByBoth], rounds: int, seed: int) -> list[Difference]:
    """Per scale the plain mean over editing models (`all`), VIEScore's (`viescore`) and each of several models.

    Not yet corrected for being many. Undefined coefficients are None. A scale without an output that both scored gives
    nothing.
    """
    found = []
    for scale in SCALES:
        mine = [item for item in ratings if item.scale == scale and item.a is not None and item.b is not None]
        if mine:
            found += _of_scale(scale, mine, rounds, seed)
    return found


def _of_scale(scale: Scale, ratings: Sequence[RatedByBoth], rounds: int, seed: int) -> list[Difference]:
    cluster, n_images = group_index([item.image for item in ratings])
    models, human = [item.model for item in ratings], np.array([item.human for item in ratings], dtype=np.float64)
    sides = [np.array([getattr(item, side) for item in ratings], dtype=np.float64) for side in ("a", "b")]
    columns = [make_columns(models, human, given, cluster) for given in sides]
    values, drawn = zip(*(resampled_rho(each, n_images, rounds, seed) for each in columns), strict=True)
    both, drawn_both = _defined_in_both(values), _defined_in_both(drawn)
    means, drawn_means = averages(both), averages(drawn_both)

    def row(scope: Scope, model: str | None, n: int, n_images: int, value: Floats, samples: Floats) -> Difference:
        size, values = (n, n_images), (float(value[0]), float(value[1]))
        return difference_of(f"{scale}, Spearman", scope, model, size, values, samples, "correlation")

    defined = [column for column, rho in zip(columns[0], both[0], strict=True) if not np.isnan(rho)]
    n = sum(len(column.human) for column in defined)
    n_behind = len({image for column in defined for image in column.cluster.tolist()})
    found = [
        row(scope, None, n, n_behind, means[average], drawn_means[average][0] - drawn_means[average][1])
        for scope, average in _MEANS
    ]
    if len(columns[0]) > 1:
        for place, column in enumerate(columns[0]):
            samples = drawn_both[0, :, place] - drawn_both[1, :, place]
            found.append(row("model", column.model, len(column.human), column.n_clusters, both[:, place], samples))
    return found


def _defined_in_both(coefficients: Sequence[Floats]) -> Floats:
    """[2, ..., models]: NaN where either judge's is."""
    stacked = np.stack(coefficients)
    return np.where(np.isnan(stacked).any(axis=0), np.nan, stacked)
