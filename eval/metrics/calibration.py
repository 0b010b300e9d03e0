"""Calibration: how often the judge is right, by the margin of its scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from editjudge.formats.results.evaluation import Calibration, MarginBin
from editjudge.records.tasks import DIMENSIONS, Dimension
from editjudge.statistics.arrays import Floats, Ints
from editjudge.statistics.estimate import Estimate
from editjudge.statistics.shares import Share, share_figures
from eval.metrics.pairs import PairTable

BINS = 8
MIN_PAIRS_PER_BIN = 20
"""With fewer pairs per bin, there are fewer bins."""
_NEWTON_STEPS = 50
_MAX_SLOPE = 100.0
"""Upper limit, per point of margin. A steeper fit means that only ties are wrong."""


def calibrations(tables: Sequence[PairTable], rounds: int, seed: int) -> list[dict[Dimension, Calibration]]:
    """Return the `calibration` of each evaluation of one benchmark in results.json, per dimension; shared resamples."""
    cut: dict[tuple[int, int], tuple[Ints, Ints]] = {}
    for place, table in enumerate(tables):
        for column in range(len(DIMENSIONS)):
            chosen = np.flatnonzero((table.dimension == column) & ~np.isnan(table.margin) & (table.margin != 0))
            if chosen.size:
                cut[place, column] = (chosen, _bins(np.abs(table.margin[chosen])))
    shares = {
        (place, column, number): _share(tables[place], chosen[bins == number])
        for (place, column), (chosen, bins) in cut.items()
        for number in range(int(bins.max()) + 1)
    }
    right = share_figures(shares, rounds, seed)
    described: list[dict[Dimension, Calibration]] = [{} for _ in tables]
    for (place, column), (chosen, bins) in cut.items():
        of_bins = [
            (int((shares[key].all > 0).sum()), right[key])
            for key in ((place, column, number) for number in range(int(bins.max()) + 1))
        ]
        described[place][DIMENSIONS[column]] = _describe(tables[place].margin[chosen], bins, of_bins)
    return described


def _share(table: PairTable, inside: Ints) -> Share:
    return Share.of(table.margin[inside] > 0, table.group[inside], len(table.group_ids))


def _bins(margins: Floats) -> Ints:
    """Return the bin of each pair: by rank, with equal margins in one bin."""
    n_bins = int(np.clip(margins.size // MIN_PAIRS_PER_BIN, 1, BINS))
    edges = np.quantile(margins, np.arange(1, n_bins) / n_bins)
    raw = np.searchsorted(np.unique(edges), margins, side="right")
    return np.unique(raw, return_inverse=True)[1].astype(np.int64)


def _describe(margins: Floats, bins: Ints, of_bins: Sequence[tuple[int, Estimate]]) -> Calibration:
    """Return figures of one dimension; `of_bins`: number of groups and share right of each bin."""
    width, right = np.abs(margins), margins > 0
    slope = _slope(margins)
    found, error = [], 0.0
    for number, (n_groups, share) in enumerate(of_bins):
        inside = bins == number
        low, high, mean = (
            round(float(part), 6) for part in (width[inside].min(), width[inside].max(), width[inside].mean())
        )
        found.append(
            MarginBin(low=low, high=high, mean=mean, n_pairs=int(inside.sum()), n_groups=n_groups, right=share)
        )
        if slope is not None:
            error += inside.mean() * abs(float(right[inside].mean()) - float(_logistic(slope * width[inside]).mean()))
    return Calibration(
        n_pairs=int(margins.size),
        bins=found,
        slope=None if slope is None else round(slope, 6),
        error=None if slope is None else round(float(error), 6),
        auc=_auc(width[right], width[~right]),
    )


def _logistic(x: Floats) -> Floats:
    return np.asarray(0.5 * (1 + np.tanh(x / 2)), dtype=np.float64)


def _slope(margins: Floats) -> float | None:
    """Return the a that maximizes sum(log P), concave in a: Newton's method, halving steps that overshoot."""
    if not ((margins > 0).any() and (margins < 0).any()):
        return None
    slope = 0.0
    for _ in range(_NEWTON_STEPS):
        wrong = _logistic(-slope * margins)
        gradient, curvature = float((margins * wrong).sum()), float((margins**2 * wrong * (1 - wrong)).sum())
        if curvature < 1e-12:
            return None
        step = float(np.clip(gradient / curvature, -1, 1))
        slope += step
        if abs(step) < 1e-9:
            break
    return slope if abs(slope) < _MAX_SLOPE else None


def _auc(right: Floats, wrong: Floats) -> float | None:
    """Return Mann-Whitney's AUC: share of (right, wrong) couples with a wider right margin, ties as half."""
    if not (right.size and wrong.size):
        return None
    ordered = np.sort(wrong)
    below, up_to = np.searchsorted(ordered, right, "left"), np.searchsorted(ordered, right, "right")
    return round(float((below + up_to).sum() / 2 / right.size / wrong.size), 6)
