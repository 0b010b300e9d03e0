"""Accuracy on groups of several candidates, right only if all comparisons are right (TIGER EditReward-Bench)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from editjudge.formats.results.labels import GroupFigures, MultiwayFigures, SizedGroupFigures
from editjudge.records.types import ScoreCard
from editjudge.statistics.arrays import Ints
from editjudge.statistics.shares import Share, group_index, share_figures
from eval.labels.types import SIGN, Label, Multiway
from eval.metrics.ties import UNREADABLE, best_threshold, margin, scored_signs, voted_signs

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Decided:
    """A judge's answers to all comparisons of some groups; one entry per comparison unless stated otherwise."""

    place: Ints
    """Index of the comparison's group."""
    answered: Flags
    exact: Flags
    """Right, with ties only between equal scores."""
    fitted: Flags
    """Right, with ties between scores closer than the best tie threshold."""
    sizes: Ints
    """[groups]: number of candidates."""
    thresholds: dict[int, float | None]
    """By number of candidates; None for votes, and where people tied nothing."""

    def all_right(self, right: Flags) -> Flags:
        """[groups]: whether all comparisons of a group are right."""
        wrong = np.bincount(self.place, weights=~right, minlength=len(self.sizes))
        return np.asarray(wrong == 0)


def decide(multiways: Sequence[Multiway], cards: Mapping[str, ScoreCard], votes: Mapping[str, Label] | None) -> Decided:
    """Return answers by votes where there are any, else by scores; the threshold is fitted per number of candidates."""
    asked = [(place, group, item) for place, group in enumerate(multiways) for item in group.preferences]
    human = np.array([SIGN[item.label] for _, _, item in asked], dtype=np.int64)
    place = np.array([place for place, _, _ in asked], dtype=np.int64)
    sizes = np.array([len(group.candidates) for group in multiways], dtype=np.int64)
    if votes is not None:
        judged = voted_signs([item.id for _, _, item in asked], votes)
        nothing = dict.fromkeys(sizes.tolist())
        return Decided(place, judged != UNREADABLE, judged == human, judged == human, sizes, nothing)
    margins = np.array(
        [
            margin(group.candidates[item.first], group.candidates[item.second], group.dimension, cards)
            for _, group, item in asked
        ],
        dtype=np.float64,
    )
    exact = scored_signs(margins, 0.0) == human
    fitted, thresholds = exact.copy(), {}
    for size in sorted(set(sizes.tolist())):
        mine = sizes[place] == size
        best = best_threshold(human[mine], margins[mine]) if (human[mine] == 0).any() else None
        thresholds[size] = None if best is None else best.value
        if best is not None:
            fitted[mine] = (scored_signs(margins, best.value) == human)[mine]
    return Decided(place, ~np.isnan(margins), exact, fitted, sizes, thresholds)


def measure_multiways(
    multiways: Sequence[Multiway],
    cards: Mapping[str, ScoreCard],
    votes: Mapping[str, Label] | None,
    rounds: int,
    seed: int,
) -> MultiwayFigures:
    """Return figures per number of candidates K and over all groups pooled (arXiv 2509.26346, table 2).

    `group` is the share of groups whose comparisons are all right, with ties only between equal scores;
    in `group_with_ties` scores closer than the best tie threshold are ties too (fitted per K, where people tied);
    `pairwise` is the share of single comparisons. "overall" pools the groups: it is not the mean of the K columns.
    """
    found = decide(multiways, cards, votes)
    shares = group_shares(multiways, found)
    by_size: dict[str, dict[str, Any]] = {}
    for (name, kind), figure in share_figures(shares, rounds, seed).items():
        n, n_comparisons = (int(shares[name, of].all.sum()) for of in ("group", "pairwise"))
        by_size.setdefault(name, {}).update({"n": n, "n_comparisons": n_comparisons, kind: figure})
    return MultiwayFigures(
        n=len(multiways),
        n_tasks=len(shares["overall", "group"].all),
        n_comparisons=len(found.place),
        coverage=round(float(found.answered.mean()), 6),
        answered_by="scores" if votes is None else "votes",
        k={
            str(size): SizedGroupFigures(**by_size[str(size)], tie_threshold=found.thresholds[size])
            for size in sorted(found.thresholds)
        },
        overall=GroupFigures(**by_size["overall"]),
    )


def group_shares(multiways: Sequence[Multiway], found: Decided) -> dict[tuple[str, str], Share]:
    """Return by number of candidates, or "overall", and figure: `group`, `group_with_ties`, `pairwise`."""
    cluster, n_clusters = group_index([group.task.id for group in multiways])
    shares = {}
    every = [(str(size), found.sizes == size) for size in sorted(found.thresholds)]
    for name, wanted in [*every, ("overall", found.sizes > 0)]:
        single = wanted[found.place]
        for kind, right in (("group", found.exact), ("group_with_ties", found.fitted)):
            shares[name, kind] = Share.of(found.all_right(right)[wanted], cluster[wanted], n_clusters)
        shares[name, "pairwise"] = Share.of(found.exact[single], cluster[found.place[single]], n_clusters)
    return shares
