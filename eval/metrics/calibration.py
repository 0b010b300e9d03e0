"""Whether a wide margin means more than a narrow one: how often the judge is right, by the margin of its scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from editjudge.records.tasks import DIMENSIONS
from editjudge.statistics.arrays import Floats, Ints
from editjudge.statistics.shares import Share, share_figures
from eval.metrics.pairs import PairTable

BINS = 8
MIN_PAIRS_PER_BIN = 20
"""With fewer pairs there are fewer bins."""
_NEWTON_STEPS = 50
_MAX_SLOPE = 100.0
"""Per point of margin. A steeper fit means that no pair but a tie is wrong."""


def calibrations(tables: Sequence[PairTable], rounds: int, seed: int) -> list[dict[str, Any]]:
    """The `calibration` of each evaluation of one benchmark in results.json, per dimension; shared resamples.

    Ties and unscored pairs say nothing about margins and are left out; `n_pairs` counts the rest.
    `bins`: equally many pairs each, by margin (points of 10): `low`, `high`, `mean` margin, `n_pairs`, `n_groups`,
    `right` (share with interval over groups). `slope`: a of P(right) = 1 / (1 + exp(-a * margin)) by maximum
    likelihood, None when right and wrong are separated; `error`: expected calibration error of that curve, the mean
    over bins of |share right - mean predicted|. `auc`: chance that a right pair has a wider margin than a wrong one,
    0.5 when margins mean nothing; None without both kinds.
    """
    cut: list[tuple[int, int, Ints, Ints]] = []
    described: list[dict[str, Any]] = [{} for _ in tables]
    for place, table in enumerate(tables):
        for column, name in enumerate(DIMENSIONS):
            chosen = np.flatnonzero((table.dimension == column) & ~np.isnan(table.margin) & (table.margin != 0))
            if chosen.size:
                bins = _bins(np.abs(table.margin[chosen]))
                described[place][name] = _describe(table.margin[chosen], bins)
                cut.append((place, column, chosen, bins))
    if cut:
        _add_intervals(tables, described, cut, rounds, seed)
    return described


def _bins(margins: Floats) -> Ints:
    """Bin of each pair: by rank, but equal margins always share one."""
    n_bins = int(np.clip(margins.size // MIN_PAIRS_PER_BIN, 1, BINS))
    edges = np.quantile(margins, np.arange(1, n_bins) / n_bins)
    raw = np.searchsorted(np.unique(edges), margins, side="right")
    return np.unique(raw, return_inverse=True)[1].astype(np.int64)


def _describe(margins: Floats, bins: Ints) -> dict[str, Any]:
    """Figures of one dimension; intervals come later."""
    width, right = np.abs(margins), margins > 0
    slope = _slope(margins)
    rows, error = [], 0.0
    for number in range(int(bins.max()) + 1):
        inside = bins == number
        share = float(right[inside].mean())
        rows.append(
            {
                "low": round(float(width[inside].min()), 6),
                "high": round(float(width[inside].max()), 6),
                "mean": round(float(width[inside].mean()), 6),
                "n_pairs": int(inside.sum()),
                "right": {"value": round(share, 6), "low": None, "high": None},
            }
        )
        if slope is not None:
            error += inside.mean() * abs(share - float(_logistic(slope * width[inside]).mean()))
    return {
        "n_pairs": int(margins.size),
        "bins": rows,
        "slope": None if slope is None else round(slope, 6),
        "error": None if slope is None else round(float(error), 6),
        "auc": _auc(width[right], width[~right]),
    }


def _logistic(x: Floats) -> Floats:
    return np.asarray(0.5 * (1 + np.tanh(x / 2)), dtype=np.float64)


def _slope(margins: Floats) -> float | None:
    """Maximum of sum(log P) over a, which is concave in a: Newton's method, halving steps that overshoot."""
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
    """Mann-Whitney: share of (right, wrong) couples in which the right one's margin is wider, equals as half."""
    if not (right.size and wrong.size):
        return None
    ordered = np.sort(wrong)
    below, up_to = np.searchsorted(ordered, right, "left"), np.searchsorted(ordered, right, "right")
    return round(float((below + up_to).sum() / 2 / right.size / wrong.size), 6)


def _add_intervals(
    tables: Sequence[PairTable],
    described: list[dict[str, Any]],
    cut: Sequence[tuple[int, int, Ints, Ints]],
    rounds: int,
    seed: int,
) -> None:
    """Intervals of every bin of every table from one set of draws, written into `described`."""
    n_groups = len(tables[0].group_ids)
    shares: dict[str, Share] = {}
    rows: list[dict[str, Any]] = []
    for place, column, chosen, bins in cut:
        table, found = tables[place], described[place][DIMENSIONS[column]]["bins"]
        for number, row in enumerate(found):
            inside = chosen[bins == number]
            share = Share.of(table.margin[inside] > 0, table.group[inside], n_groups)
            shares[str(len(rows))] = share
            row["n_groups"] = int((share.all > 0).sum())
            rows.append(row)
    for row, figure in zip(rows, share_figures(shares, rounds, seed).values(), strict=True):
        row["right"] = figure
