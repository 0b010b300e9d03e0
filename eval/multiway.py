"""Groups of several candidates, right only when every comparison in them is (TIGER EditReward-Bench)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from editjudge.types import ScoreCard
from eval.labels import SIGN, Label, Multiway
from eval.metrics import Floats, Ints
from eval.ratios import Share, group_index, share_figures
from eval.ties import best_threshold, signs

UNREADABLE = 9
"""Stands for no answer; it equals no label, so it is wrong."""


@dataclass(frozen=True)
class Comparisons:
    """All comparisons of some groups; one entry each."""

    human: Ints
    margin: Floats
    """First minus second, 0 to 10; NaN where unscored or where the judge voted."""
    voted: Ints
    """The judge's vote as a sign; `UNREADABLE` where there is none."""
    place: Ints
    """Index of the group."""


def measure_multiways(
    multiways: Sequence[Multiway],
    cards: Mapping[str, ScoreCard],
    votes: Mapping[str, Label] | None,
    rounds: int,
    seed: int,
) -> dict[str, Any]:
    """Figures per number of candidates K and over all groups pooled (arXiv 2509.26346, table 2).

    `group` is the share of groups whose comparisons are all right, a tie being right only between equal scores;
    in `group_with_ties` scores closer than the best tie threshold are tied too (fitted per K, where people tied);
    `pairwise` is the share of single comparisons. "overall" pools the groups: it is no mean of the K columns.
    """
    answers = _answers(multiways, cards, votes)
    sizes = np.array([len(group.candidates) for group in multiways], dtype=np.int64)
    cluster, n_clusters = group_index([group.task.id for group in multiways])
    exact = _decide(answers, 0.0)
    fitted = exact.copy()
    by_size: dict[str, dict[str, Any]] = {}
    for size in sorted(set(sizes.tolist())):
        mine = sizes[answers.place] == size
        threshold = best_threshold(answers.human[mine], answers.margin[mine]) if votes is None else None
        if threshold is not None and (answers.human[mine] == 0).any():
            fitted[mine] = _decide(answers, threshold.value)[mine]
        else:
            threshold = None
        by_size[str(size)] = {"tie_threshold": None if threshold is None else threshold.value}
    shares: dict[str, Share] = {}
    for name, wanted in [*((key, sizes == int(key)) for key in by_size), ("overall", sizes > 0)]:
        of_groups, of_pairs = cluster[wanted], cluster[answers.place[wanted[answers.place]]]
        for kind, right in (("group", exact), ("group_with_ties", fitted)):
            shares[f"{name} {kind}"] = Share.of(_all_right(right, answers, len(sizes))[wanted], of_groups, n_clusters)
        shares[f"{name} pairwise"] = Share.of(exact[wanted[answers.place]], of_pairs, n_clusters)
        block = by_size.setdefault(name, {})
        block |= {"n": int(wanted.sum()), "n_comparisons": len(of_pairs)}
    for key, found in share_figures(shares, rounds, seed).items():
        name, _, kind = key.partition(" ")
        by_size[name][kind] = found
    answered = ~np.isnan(answers.margin) if votes is None else answers.voted != UNREADABLE
    return {
        "n": len(multiways),
        "n_tasks": n_clusters,
        "n_comparisons": len(answers.human),
        "coverage": round(float(answered.mean()), 6),
        "answered_by": "scores" if votes is None else "votes",
        "k": {name: block for name, block in by_size.items() if name != "overall"},
        "overall": by_size["overall"],
    }


def _answers(
    multiways: Sequence[Multiway], cards: Mapping[str, ScoreCard], votes: Mapping[str, Label] | None
) -> Comparisons:
    human, margins, voted, places = [], [], [], []
    for place, group in enumerate(multiways):
        found = [cards.get(triplet.id) for triplet in group.candidates]
        values = [None if card is None else card.value(group.dimension) for card in found]
        for item in group.preferences:
            human.append(SIGN[item.label])
            first, second = values[item.first], values[item.second]
            margins.append(np.nan if first is None or second is None else round(first - second, 9))
            voted.append(SIGN[votes[item.id]] if votes is not None and item.id in votes else UNREADABLE)
            places.append(place)
    by_vote = np.full(len(human), np.nan) if votes is not None else np.array(margins, dtype=np.float64)
    return Comparisons(
        np.array(human, dtype=np.int64), by_vote, np.array(voted, dtype=np.int64), np.array(places, dtype=np.int64)
    )


def _decide(answers: Comparisons, threshold: float) -> NDArray[np.bool_]:
    """Whether each comparison is right."""
    known = ~np.isnan(answers.margin)
    judged = answers.voted.copy()
    judged[known] = signs(answers.margin[known], threshold)
    return judged == answers.human


def _all_right(right: NDArray[np.bool_], answers: Comparisons, n_groups: int) -> Floats:
    wrong = np.bincount(answers.place, weights=~right, minlength=n_groups)
    return (wrong == 0).astype(np.float64)
