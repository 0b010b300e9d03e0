"""Accuracy on two candidates whose label may be a tie (GenAI-Bench, AURORA-Bench in pairs), by 4 and 3 labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from editjudge.formats.results.labels import ComparisonFigures
from editjudge.records.types import ScoreCard
from editjudge.statistics.arrays import Ints
from editjudge.statistics.shares import Share, group_index, share_figures
from eval.labels.types import LABELS, SIGN, Comparison, Label
from eval.metrics.ties import (
    UNREADABLE,
    Threshold,
    best_threshold,
    margin,
    right_with_ties,
    scored_signs,
    voted_signs,
)

ANSWERS = ("first", "second", "tie", "unanswered")


def measure_comparisons(
    comparisons: Sequence[Comparison],
    cards: Mapping[str, ScoreCard],
    votes: Mapping[str, Label] | None,
    rounds: int,
    seed: int,
) -> ComparisonFigures:
    """Return figures of the comparisons of one dimension. Unanswered comparisons are always wrong.

    `four_label`: exact match of A>B, B>A, both good, both bad (GenAI-Bench, arXiv 2406.04485); a vote "A=B" matches
    either tie. Only for votes: scores do not distinguish good from bad ties.
    `three_class`: the same with one kind of tie; equal scores are ties.
    `with_ties`: (C + Thm) / all at the best tie threshold (Deutsch et al. 2023); votes need no threshold.
    `without_ties`: C / (C + D + Tm), on comparisons that people did not tie; equal scores are ties.
    """
    found = answer(comparisons, cards, votes)
    shares = comparison_shares(comparisons, found)
    if votes is not None:
        exact = [same_label(item.label, votes.get(item.id)) for item in comparisons]
        shares["four_label"] = Share.of(exact, *group_index([item.task.id for item in comparisons]))
    figures: dict[str, Any] = {**share_figures(shares, rounds, seed)}
    return ComparisonFigures(
        n=len(comparisons),
        n_groups=len(shares["three_class"].all),
        n_untied=int((found.human != 0).sum()),
        coverage=round(float((found.judged != UNREADABLE).mean()), 6),
        answered_by="scores" if votes is None else "votes",
        **({"four_label": None} | figures),
        tie_threshold=None if found.threshold is None else round(found.threshold.value, 9),
        answers=_confusion(comparisons, found.judged),
    )


@dataclass(frozen=True)
class Answered:
    """Human labels and a judge's answers as signs, one entry per comparison."""

    human: Ints
    judged: Ints
    """Equal scores are ties; `UNREADABLE` without an answer."""
    fitted: Ints
    """Scores closer than `threshold` are ties too."""
    threshold: Threshold | None
    """The best tie threshold; None for votes."""


def answer(
    comparisons: Sequence[Comparison], cards: Mapping[str, ScoreCard], votes: Mapping[str, Label] | None
) -> Answered:
    """Return answers by votes where there are any, else by scores."""
    human = np.array([SIGN[item.label] for item in comparisons], dtype=np.int64)
    if votes is not None:
        judged = voted_signs([item.id for item in comparisons], votes)
        return Answered(human, judged, judged, None)
    margins = np.array(
        [margin(item.first, item.second, item.dimension, cards) for item in comparisons], dtype=np.float64
    )
    judged, threshold = scored_signs(margins, 0.0), best_threshold(human, margins)
    fitted = judged if threshold is None else scored_signs(margins, threshold.value)
    return Answered(human, judged, fitted, threshold)


def comparison_shares(comparisons: Sequence[Comparison], found: Answered) -> dict[str, Share]:
    """Return `three_class`, `with_ties` and `without_ties` as in `measure_comparisons`."""
    cluster, n_clusters = group_index([item.task.id for item in comparisons])
    right, untied = right_with_ties(found.human, found.judged), found.human != 0
    return {
        "three_class": Share.of(right, cluster, n_clusters),
        "with_ties": Share.of(right_with_ties(found.human, found.fitted), cluster, n_clusters),
        "without_ties": Share.of(right[untied], cluster[untied], n_clusters),
    }


def same_label(human: Label, vote: Label | None) -> bool:
    """Return whether a vote matches the label; a tie without "good" or "bad" on one side matches either."""
    return vote == human or (vote is not None and "A=B" in (vote, human) and SIGN[vote] == SIGN[human] == 0)


def _confusion(comparisons: Sequence[Comparison], judged: Ints) -> dict[str, dict[str, int]]:
    """Return human label -> the judge's answer -> count, for the labels that occur."""
    name = {1: "first", -1: "second", 0: "tie", UNREADABLE: "unanswered"}
    table = {label: dict.fromkeys(ANSWERS, 0) for label in LABELS if any(item.label == label for item in comparisons)}
    for item, answer in zip(comparisons, judged.tolist(), strict=True):
        table[item.label][name[answer]] += 1
    return {str(label): row for label, row in table.items()}
