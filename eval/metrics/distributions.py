"""Distribution of a judge's scores: with only three values, or only high ones, it cannot tell candidates apart."""

from __future__ import annotations

import numpy as np

from editjudge.formats.results.evaluation import ScoreSpreads, Spread
from editjudge.records.tasks import Aspect
from editjudge.statistics.arrays import TIE_DECIMALS, Floats
from eval.metrics.values import CARD_VALUES, PASS_SCORES, Values

EDGES = [step / 2 for step in range(21)]
"""Bin edges of the histograms, on 0 to 10; a bin contains its lower edge, the last one both edges."""


def distributions(values: Values) -> ScoreSpreads:
    """Return the `scores` of an evaluation in results.json, everything on 0 to 10."""
    passes = 10 * values.passes
    aspects: dict[Aspect, dict[str, Spread]] = {
        "semantic": {name: _spread_of(passes[:, :, column]) for column, name in enumerate(PASS_SCORES[:2])},
        "quality": {name: _spread_of(passes[:, :, 2 + column]) for column, name in enumerate(PASS_SCORES[2:])},
    }
    return ScoreSpreads(
        edges=EDGES,
        dimensions={name: _spread_of(values.cards[:, column]) for column, name in enumerate(CARD_VALUES)},
        aspects=aspects if values.n_passes else None,
        spread=_between_passes(values),
    )


def _spread_of(scores: Floats) -> Spread:
    known = scores[~np.isnan(scores)]
    # Float sums may be slightly above 10 or below an edge.
    known = np.clip(np.round(known, TIE_DECIMALS), 0, 10)
    return Spread(
        n=int(known.size),
        unscored=int(scores.size - known.size),
        mean=round(float(known.mean()), 6) if known.size else None,
        std=round(float(known.std()), 6) if known.size else None,
        distinct=len(np.unique(known)),
        counts=np.histogram(known, bins=EDGES)[0].tolist(),
    )


def _between_passes(values: Values) -> float | None:
    """Return the mean over the triplets with at least two readable passes."""
    singles = [values.of_passes([number])[:, CARD_VALUES.index("overall")] for number in range(values.n_passes)]
    if len(singles) < 2:
        return None
    overall = np.stack(singles, axis=1)
    several = overall[(~np.isnan(overall)).sum(axis=1) >= 2]
    return round(float(np.nanstd(several, axis=1).mean()), 6) if len(several) else None
