"""Paired comparison of two judges on ratings: differences of rank correlation, by a bootstrap over images.

Only outputs that both judges scored count, because otherwise a judge could gain by skipping hard ones. An editing
model with an undefined coefficient (all its outputs scored alike) is left out of both means. Therefore these
correlations may differ from those in each judge's own report. VIEScore's average (`metrics.viescore`) uses outputs to
which both judges gave a semantic and a quality score, and is undefined when one model's coefficient is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from editjudge.statistics.arrays import Floats
from editjudge.statistics.shares import group_index
from eval.compare.paired import Contrast, Scope, difference_of
from eval.labels.types import SCALES, Scale
from eval.metrics.correlation import Column, averages, make_columns, resampled_rho
from eval.metrics.viescore import printed


@dataclass(frozen=True)
class RatedByBoth:
    """One rating, and both judges' values of its output; None when unscored."""

    scale: Scale
    model: str
    image: str
    human: float
    a: float | None
    b: float | None


def rating_differences(ratings: Sequence[RatedByBoth], rounds: int, seed: int) -> list[Contrast]:
    """Return per scale the mean over models (`all`), VIEScore's average (`viescore`) and, if several, each model.

    p values are not corrected yet. Undefined coefficients are None. A scale without an output that both scored is
    omitted.
    """
    found = []
    whole = _with_all_parts(ratings)
    for scale in SCALES:
        mine = [item for item in ratings if item.scale == scale and item.a is not None and item.b is not None]
        if not mine:
            continue
        mean, *models = _of_scale(scale, mine, rounds, seed)
        of_whole = [item for item in mine if (item.model, item.image) in whole]
        found += [mean, *([_viescore(scale, of_whole, rounds, seed)] if of_whole else []), *models]
    return found


def _with_all_parts(ratings: Sequence[RatedByBoth]) -> set[tuple[str, str]]:
    """Return model and image of outputs with all of SC and PQ that each judge scores; for judges that score neither,
    those with the overall value."""
    lacking = set()
    for side in ("a", "b"):
        known = {(item.scale, item.model, item.image) for item in ratings if getattr(item, side) is not None}
        in_parts = any(scale != "overall" for scale, _, _ in known)
        needed: tuple[Scale, ...] = ("semantic", "quality") if in_parts else ("overall",)
        lacking |= {
            (item.model, item.image)
            for item in ratings
            if item.scale in needed and (item.scale, item.model, item.image) not in known
        }
    return {(item.model, item.image) for item in ratings} - lacking


def _of_scale(scale: Scale, ratings: Sequence[RatedByBoth], rounds: int, seed: int) -> list[Contrast]:
    """Return the mean over models, then every model if there are several."""
    columns, values, drawn = _coefficients(ratings, rounds, seed)
    both, drawn_both = _defined_in_both(values), _defined_in_both(drawn)
    mean, drawn_mean = averages(both)["mean"], averages(drawn_both)["mean"]
    defined = [column for column, rho in zip(columns, both[0], strict=True) if not np.isnan(rho)]
    found = [_row(scale, "all", defined, mean, drawn_mean[0] - drawn_mean[1])]
    if len(columns) > 1:
        for place, column in enumerate(columns):
            samples = drawn_both[0, :, place] - drawn_both[1, :, place]
            found.append(_row(scale, "model", [column], both[:, place], samples))
    return found


def _viescore(scale: Scale, ratings: Sequence[RatedByBoth], rounds: int, seed: int) -> Contrast:
    columns, values, drawn = _coefficients(ratings, rounds, seed)
    both = _defined_in_both(tuple(printed(each)[None] for each in values))[:, 0]
    samples = printed(drawn[0]) - printed(drawn[1])
    return _row(scale, "viescore", columns, both, samples)


def _coefficients(
    ratings: Sequence[RatedByBoth], rounds: int, seed: int
) -> tuple[list[Column], tuple[Floats, Floats], tuple[Floats, Floats]]:
    """Return editing models, and both judges' Spearman's rho per model: of the sample, and of the same resamples."""
    cluster, n_images = group_index([item.image for item in ratings])
    models, human = [item.model for item in ratings], np.array([item.human for item in ratings], dtype=np.float64)
    sides = [np.array([getattr(item, side) for item in ratings], dtype=np.float64) for side in ("a", "b")]
    columns = [make_columns(models, human, given, cluster) for given in sides]
    (value_a, drawn_a), (value_b, drawn_b) = (resampled_rho(each, n_images, rounds, seed) for each in columns)
    return columns[0], (value_a, value_b), (drawn_a, drawn_b)


def _row(scale: Scale, scope: Scope, columns: Sequence[Column], value: Floats, samples: Floats) -> Contrast:
    """`value` [2]; the size counts these columns, and a single column adds its model's name."""
    size = (
        sum(len(column.human) for column in columns),
        len({image for column in columns for image in column.cluster.tolist()}),
    )
    model = columns[0].model if scope == "model" else None
    values = (float(value[0]), float(value[1]))
    return difference_of(f"{scale}, Spearman", scope, model, size, values, samples, "correlation")


def _defined_in_both(coefficients: Sequence[Floats]) -> Floats:
    """[2, ..., models]: NaN where either judge's coefficient is undefined."""
    stacked = np.stack(coefficients)
    return np.where(np.isnan(stacked).any(axis=0), np.nan, stacked)
