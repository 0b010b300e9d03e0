"""Measures of agreement as functions of sums over items: one weight matrix gives all intervals.

Every measure depends on its items (tasks, images) only through sums of a few columns per item. A bootstrap resample
is a vector with the count of each item; one matrix product gives all sums of all resamples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from editjudge.statistics.arrays import Floats, ratio, ratio_of_sums
from editjudge.statistics.bootstrap import MIN_GROUPS, draw_weights
from editjudge.statistics.exact import exact_bound


@dataclass(frozen=True)
class Figure:
    """A number with its bootstrap interval, or the reason why it is undefined."""

    value: float | None
    """None when it is undefined; `why` has the reason."""
    low: float | None
    high: float | None
    n: int
    """Number of items (tasks, images) that it is computed from."""
    why: str | None = None
    """Why the value, or only its interval, is undefined."""

    def as_json(self) -> dict[str, Any]:
        """Return `value`, `low`, `high` (null when undefined), `n`, and `why` if there is a reason."""
        plain = {"value": self.value, "low": self.low, "high": self.high, "n": self.n}
        return plain if self.why is None else {**plain, "why": self.why}

    def text(self, digits: int = 3) -> str:
        """Return `0.724 [0.690, 0.757]`, `1.000 [interval undefined: ...]`, or `undefined (...)`."""
        if self.value is None:
            return f"undefined ({self.why})"
        if self.low is None or self.high is None:
            return f"{self.value:.{digits}f} [interval undefined: {self.why}]"
        return f"{self.value:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}]"


@dataclass(frozen=True)
class Measure:
    """A figure as a function of the sums of its columns."""

    columns: Floats
    """[items, k]: contribution of each item to the sums."""
    compute: Callable[[Floats], Floats]
    """Maps sums [..., k] to figures [...]; NaN where undefined."""
    behind: NDArray[np.bool_]
    """[items]: whether the item contributes."""
    nothing: str
    """Why the figure is undefined when no item contributes."""
    degenerate: str
    """Why the figure is undefined when some items contribute."""
    is_share: bool = False
    """A share of 0 to 1: extreme values get a binomial bound instead of an interval of no width."""


@dataclass
class Sheet:
    """Measures of the same items, resampled together."""

    n_items: int
    item: str
    """Name of the items in messages, plural."""
    measures: dict[str, Measure] = field(default_factory=dict)

    def add(self, key: str, measure: Measure) -> None:
        """Add a measure; `ValueError` for a duplicate key or columns of other items."""
        if key in self.measures or len(measure.columns) != self.n_items or measure.columns.ndim != 2:
            raise ValueError(f"measure {key!r}: taken already, or columns of shape {measure.columns.shape}")
        self.measures[key] = measure

    def figures(self, rounds: int, seed: int, level: float = 0.95) -> dict[str, Figure]:
        """Compute every measure with its percentile interval at `level` (0 to 1). Draws depend on the seed only."""
        if self.n_items == 0 or not self.measures:
            return {key: Figure(None, None, None, 0, measure.nothing) for key, measure in self.measures.items()}
        stacked = np.concatenate([measure.columns for measure in self.measures.values()], axis=1)
        ends = np.cumsum([measure.columns.shape[1] for measure in self.measures.values()])
        samples: list[list[Floats]] = [[] for _ in self.measures]
        for weights in draw_weights(self.n_items, rounds, seed):
            sums = weights @ stacked
            for place, measure in enumerate(self.measures.values()):
                part = sums[:, ends[place] - measure.columns.shape[1] : ends[place]]
                samples[place].append(measure.compute(part))
        return {
            key: self._figure(measure, np.concatenate(drawn) if drawn else np.empty(0), 1 - level)
            for (key, measure), drawn in zip(self.measures.items(), samples, strict=True)
        }

    def _figure(self, measure: Measure, samples: Floats, outside: float) -> Figure:
        n = int(measure.behind.sum())
        value = float(measure.compute(measure.columns.sum(axis=0)))
        if n == 0 or np.isnan(value):
            return Figure(None, None, None, n, measure.nothing if n == 0 else measure.degenerate)
        value = round(value, 12)
        if n < MIN_GROUPS:
            return Figure(value, None, None, n, f"fewer than {MIN_GROUPS} {self.item}")
        defined = samples[~np.isnan(samples)]
        if len(defined) * 2 <= len(samples):
            return Figure(value, None, None, n, "undefined in most resamples" if len(samples) else "no resamples")
        low, high = (round(float(end), 12) for end in np.quantile(defined, (outside / 2, 1 - outside / 2)))
        if measure.is_share and value in (0, 1):
            bound = float(exact_bound(n, outside))  # each item counts as one trial
            return Figure(value, bound if value == 1 else 0.0, 1.0 if value == 1 else 1 - bound, n)
        if low == high:
            return Figure(value, None, None, n, "the same in every resample")
        return Figure(value, low, high, n)


def coincidences(counts: Floats) -> Floats:
    """Return each item's part of Krippendorff's coincidences: counts [items, k] (raters per value) to [items, k * k].

    Items with fewer than two ratings add nothing (Krippendorff 2011, "Computing Krippendorff's alpha-reliability").
    """
    n_ratings = counts.sum(axis=1)
    pairs = counts[:, :, None] * counts[:, None, :]
    pairs -= counts[:, :, None] * np.eye(counts.shape[1])
    weight = np.where(n_ratings > 1, 1 / np.maximum(n_ratings - 1, 1), 0.0)
    return (pairs * weight[:, None, None]).reshape(len(counts), -1)


def ordinal_alpha(sums: Floats) -> Floats:
    """Compute Krippendorff's alpha with ordinal distances from summed coincidences: [..., k * k] to [...].

    The distance of two values is the number of ratings between their middles, squared. NaN with fewer than two
    different values: the expected disagreement is 0.
    """
    k = round(sums.shape[-1] ** 0.5)
    observed = sums.reshape(*sums.shape[:-1], k, k)
    n = observed.sum(axis=-1)
    total = n.sum(axis=-1)
    middle = np.cumsum(n, axis=-1) - n / 2
    distance = (middle[..., :, None] - middle[..., None, :]) ** 2
    seen = (observed * distance).sum(axis=(-1, -2)) * (total - 1)
    expected = (n[..., :, None] * n[..., None, :] * distance).sum(axis=(-1, -2))
    return 1 - ratio(seen, expected)


def agreements(counts: Floats) -> Floats:
    """Return each item's contribution to Fleiss' kappa: counts [items, k] to [items, 2 + k].

    The columns are its share of agreeing rater pairs, 1, and its counts. Items with fewer than two ratings add
    nothing. Fleiss (1971) requires equally many ratings per item; with unequal numbers, items have equal weights in
    the observed agreement, and ratings in the expected agreement.
    """
    n_ratings = counts.sum(axis=1)
    enough = n_ratings > 1
    possible = np.where(enough, n_ratings * (n_ratings - 1), 1)
    share = ((counts**2).sum(axis=1) - n_ratings) / possible
    return np.column_stack([share, np.ones(len(counts)), counts]) * enough[:, None]


def fleiss_kappa(sums: Floats) -> Floats:
    """Compute Fleiss' kappa from summed `agreements`: [..., 2 + k] to [...]; NaN when only one value occurs."""
    observed = ratio_of_sums(sums[..., :2])
    counts = sums[..., 2:]
    total = counts.sum(axis=-1)
    n_values = (counts > 0).sum(axis=-1)
    shares = np.divide(counts, total[..., None], out=np.zeros(counts.shape), where=total[..., None] > 0)
    expected = (shares**2).sum(axis=-1)
    return np.divide(observed - expected, 1 - expected, out=np.full(total.shape, np.nan), where=n_values > 1)
