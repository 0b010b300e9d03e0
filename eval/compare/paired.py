"""Paired comparison of two judges: differences with intervals and p values, by one bootstrap over groups.

The paired bootstrap of EditScore (arXiv 2509.23909, appendix D) resamples pairs; this one resamples whole groups,
because the pairs of a group share their images. Values are A minus B.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from editjudge.records.tasks import CATEGORY_OF
from editjudge.statistics.arrays import Floats, mean_of_known, ratio
from editjudge.statistics.bootstrap import ZERO_DECIMALS, draw_weights, gaps_of, shows_spread
from editjudge.statistics.significance import LEVEL, Power, holm, power_of

Scope = Literal["all", "task_mean", "task", "viescore", "model"]
"""`all`: all questions of a figure weigh the same; `task_mean`: mean over those of the 13 tasks with questions;
`task`: one task. For correlations: mean over editing models, `viescore` as VIEScore prints it, or one model."""
Unit = Literal["share", "correlation"]


@dataclass(frozen=True)
class AnsweredByBoth:
    """One question that both judges were asked."""

    figure: str
    """The figure it counts in: a dimension, or a kind of label."""
    task_type: str
    group: str
    """Questions of one group are resampled together."""
    right_a: bool
    right_b: bool


@dataclass(frozen=True)
class Contrast:
    """One figure of two judges. None where it is undefined, or where an interval would have too few groups."""

    figure: str
    scope: Scope
    task: str | None
    """Task or editing model."""
    n: int
    n_groups: int
    a: float | None
    b: float | None
    value: float | None
    low: float | None = None
    high: float | None = None
    p_one_sided: float | None = None
    """Share of resamples in which A is not better (difference <= 0), as in EditScore's appendix D."""
    p_two_sided: float | None = None
    """Twice the smaller tail, with one resample added to both tails, which keeps it above 0."""
    p_holm: float | None = None
    """`p_two_sided` corrected for the figures of the same scope (Holm 1979)."""
    power: Power | None = None
    unit: Unit = "share"
    """A share, 0 to 1, is shown in per cent; a correlation, -1 to 1, is shown unchanged."""

    @property
    def significant(self) -> bool:
        """Return whether the corrected two-sided p is below 0.05."""
        return self.p_holm is not None and self.p_holm < LEVEL


@dataclass(frozen=True)
class _Column:
    """A figure as a mean of cell accuracies: one cell, the sum of all cells, or the mean over cells."""

    figure: str
    scope: Scope
    task: str | None
    cells: tuple[int, ...]


def differences(questions: Sequence[AnsweredByBoth], rounds: int, seed: int) -> list[Contrast]:
    """Return every figure of these questions: per `figure` over all, mean over tasks, and each task. See `corrected`.

    Figures follow the order of the questions. The same questions and seed give the same numbers.
    """
    if not questions:
        return []
    groups = {name: place for place, name in enumerate(sorted({item.group for item in questions}))}
    cells = {cell: place for place, cell in enumerate(dict.fromkeys((q.figure, q.task_type) for q in questions))}
    where = np.array([groups[q.group] * len(cells) + cells[q.figure, q.task_type] for q in questions])

    def tally(weights: Floats) -> Floats:
        counts = np.bincount(where, weights=weights, minlength=len(groups) * len(cells))
        return counts.reshape(len(groups), len(cells)).astype(np.float64)

    asked = tally(np.ones(len(questions)))
    right = [tally(np.array([getattr(q, side) for q in questions], dtype=float)) for side in ("right_a", "right_b")]
    columns = _columns(list(cells))
    stacked = np.concatenate([asked, *right], axis=1)
    drawn = [_accuracies(weights @ stacked, columns) for weights in draw_weights(len(groups), rounds, seed)]
    samples = np.concatenate([both[0] - both[1] for both in drawn])
    values = _accuracies(stacked.sum(axis=0), columns)
    found = []
    for place, column in enumerate(columns):
        mine = asked[:, list(column.cells)]
        size = (int(mine.sum()), int((mine.sum(axis=1) > 0).sum()))
        both = (float(values[0][place]), float(values[1][place]))
        found.append(difference_of(column.figure, column.scope, column.task, size, both, samples[:, place]))
    return found


def _columns(cells: Sequence[tuple[str, str]]) -> list[_Column]:
    columns = []
    for figure in dict.fromkeys(name for name, _ in cells):
        mine = [(place, task) for place, (name, task) in enumerate(cells) if name == figure]
        everything = tuple(place for place, _ in mine)
        columns.append(_Column(figure, "all", None, everything))
        if len(mine) > 1:
            of_the_13 = tuple(place for place, task in mine if task in CATEGORY_OF)
            columns += [_Column(figure, "task_mean", None, of_the_13)] if of_the_13 else []
            columns += [_Column(figure, "task", task, (place,)) for place, task in mine]
    return columns


def _accuracies(sums: Floats, columns: Sequence[_Column]) -> tuple[Floats, Floats]:
    """[..., columns] for A and B from [..., 3 * cells]: questions asked, right by A, right by B."""
    asked, *rights = np.split(sums, 3, axis=-1)
    found = []
    for right in rights:
        cell = ratio(right, asked)
        parts = []
        for column in columns:
            places = list(column.cells)
            if column.scope == "task_mean":
                parts.append(mean_of_known(cell[..., places]))
            else:
                parts.append(ratio(right[..., places].sum(axis=-1), asked[..., places].sum(axis=-1)))
        found.append(np.stack(parts, axis=-1))
    return found[0], found[1]


def difference_of(
    figure: str,
    scope: Scope,
    task: str | None,
    size: tuple[int, int],
    values: tuple[float, float],
    samples: Floats,
    unit: Unit = "share",
) -> Contrast:
    """Return the contrast from both judges' values and differences [rounds]; `size` is questions and groups."""
    n, n_groups = size
    a, b = (None if math.isnan(value) else value for value in values)
    value = None if a is None or b is None else round(a - b, ZERO_DECIMALS)
    bare = Contrast(figure, scope, task, n, n_groups, a, b, value, unit=unit)
    if value is None or not shows_spread(samples, n_groups):
        return bare
    gaps = gaps_of(samples[:, None])
    return replace(
        bare,
        low=float(gaps.low[0]),
        high=float(gaps.high[0]),
        p_one_sided=float(gaps.p[0]),
        p_two_sided=float(gaps.p_two_sided[0]),
        power=power_of(value, float(np.nanstd(np.round(samples, ZERO_DECIMALS))), n_groups, n),
    )


def corrected(found: Sequence[Contrast]) -> list[Contrast]:
    """Return the contrasts with `p_holm`; the figures of a scope are one family."""
    adjusted = [*found]
    for scope in get_args(Scope):
        places = [place for place, item in enumerate(found) if item.scope == scope and item.p_two_sided is not None]
        for place, p in zip(places, holm([found[place].p_two_sided or 0.0 for place in places]), strict=True):
            adjusted[place] = replace(found[place], p_holm=p)
    return adjusted
