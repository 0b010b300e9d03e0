"""Accuracy with ties, without ties, and the threshold below which scores count as tied.

C, D: both name a better one, and agree or disagree. Th: only people tie. Tm: only the judge ties. Thm: both tie
(Deutsch, Foster and Freitag 2023, arXiv 2305.14324, table 1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan

import numpy as np
from numpy.typing import NDArray

from editjudge.records.tasks import Dimension
from editjudge.records.types import EditTriplet, ScoreCard
from editjudge.statistics.arrays import Floats, Ints
from eval.labels.preferences import Preferred
from eval.labels.types import SIGN, Label
from eval.metrics.pairs import Outcome, score_margin

UNREADABLE = 9
"""Code for a missing answer; equals no label and is therefore wrong."""


def margin(first: EditTriplet, second: EditTriplet, dimension: Dimension, cards: Mapping[str, ScoreCard]) -> float:
    """Return the score of the first minus that of the second, 0 to 10 scale; NaN where either is unscored."""
    one, other = (None if (card := cards.get(each.id)) is None else card.value(dimension) for each in (first, second))
    return score_margin(one, other)


def voted_signs(names: Sequence[str], votes: Mapping[str, Label]) -> Ints:
    """Return the votes on these comparisons as signs; `UNREADABLE` where there is none."""
    return np.array([SIGN[votes[name]] if name in votes else UNREADABLE for name in names], dtype=np.int64)


def scored_signs(margins: Floats, threshold: float) -> Ints:
    """Return the signs of scores, see `signs`; `UNREADABLE` where unscored."""
    judged = np.full(len(margins), UNREADABLE, dtype=np.int64)
    known = ~np.isnan(margins)
    judged[known] = signs(margins[known], threshold)
    return judged


def signs(margin: Floats, threshold: float = 0.0) -> Ints:
    """Return 1 for the first, -1 for the second, 0 where |margin| <= threshold. `margin` must not contain NaN."""
    return np.where(np.abs(margin) <= threshold, 0, np.sign(margin)).astype(np.int64)


def right_with_ties(human: Ints, judge: Ints) -> NDArray[np.bool_]:
    """Return C or Thm: equal answers of the three."""
    return human == judge


@dataclass(frozen=True)
class Threshold:
    """The tie threshold with the best fit of a judge's scores to human labels."""

    value: float
    """Margins up to it, inclusive, count as ties; on the scale of the scores."""
    accuracy: float
    """(C + Thm) / all at this threshold, 0 to 1: acc* of Deutsch et al."""


def best_threshold(human: Ints, margin: Floats) -> Threshold | None:
    """Return the smallest threshold with the highest accuracy with ties; unscored pairs (NaN) are wrong at any.

    Candidates are 0 and every existing |margin|, because the accuracy changes only there (Deutsch et al. 2023, section
    4). It is fitted on the labels it is measured with, which slightly favours the judge. None without pairs.
    """
    if not len(human):
        return None
    known = ~np.isnan(margin)
    size = np.abs(margin[known])
    label, sign = human[known], np.sign(margin[known])
    order = np.argsort(size, kind="stable")
    size, label, sign = size[order], label[order], sign[order]
    thresholds = np.unique(np.concatenate([[0.0], size]))
    # Pairs up to the threshold are tied and right where people tie; the others are right where the order is.
    tied = np.concatenate([[0], np.cumsum(label == 0)])
    ordered = np.concatenate([[0], np.cumsum((label == sign) & (label != 0))])
    n_tied = np.searchsorted(size, thresholds, side="right")
    right = tied[n_tied] + ordered[-1] - ordered[n_tied]
    best = int(np.argmax(right))
    return Threshold(float(thresholds[best]), float(right[best] / len(human)))


def score_of(triplet: EditTriplet, pair: Preferred, cards: Mapping[str, ScoreCard]) -> float | None:
    """Return a candidate's score in the pair's dimension, 0 to 10; None without a score."""
    card = cards.get(triplet.id)
    return None if card is None else card.value(pair.dimension)


def outcome_of(pair: Preferred, cards: Mapping[str, ScoreCard], votes: Mapping[str, Label] | None) -> Outcome:
    """Return the outcome of a label: by the judge's vote if it voted, else by its scores."""
    if votes is not None and pair.first_is_better is not None:
        if pair.id not in votes:
            return "unscored"
        sign = SIGN[votes[pair.id]]
        return "tie" if sign == 0 else "right" if (sign > 0) == pair.first_is_better else "wrong"
    margin = score_margin(score_of(pair.better, pair, cards), score_of(pair.worse, pair, cards))
    if isnan(margin):
        return "unscored"
    return "tie" if margin == 0 else "right" if margin > 0 else "wrong"
