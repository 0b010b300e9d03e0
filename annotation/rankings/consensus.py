"""The consensus of several rankings of one task about each pair of its candidates.

A unit prefers A to B when A is in a higher tier; it *votes* for A when A is at least `min_tier_gap` tiers higher.
- unanimous: every unit of the task votes for A.
- majority: more than half of them do. Majorities can form a cycle (A over B, B over C, C over A), which no ranking
  can represent: all pairs between the candidates of a cycle are left out.
- adjudicated: where rankings differ and the adjudicator ranked the task, that ranking decides, and counts as one more
  unit. A task on which units contradict each other waits for it; other tasks follow the rule `unanimous`.
A dropped pair has one of the `REASONS`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from annotation.recipe import Rule
from editjudge.errors import DataError
from editjudge.formats.rankings import levels_of
from editjudge.records.types import TierRanking
from editjudge.statistics.graphs import circles

REASONS: dict[str, str] = {
    "tied": "every unit has them in one tier",
    "contradiction": "units prefer different ones, and the rule finds no winner",
    "no_consensus": "too few units prefer one; none prefers the other",
    "gap_too_small": "there would be a winner without the minimum tier gap",
    "cycle": "majorities run in a circle",
    "waiting": "units contradict each other and nobody has adjudicated yet",
    "too_few_units": "fewer units than required ranked the task",
}


@dataclass(frozen=True)
class Preference:
    """A preference for one candidate over another."""

    better: str
    worse: str
    tier_gap: int
    """Smallest gap among the units that vote for it."""
    n_units: int
    """Units that ranked the task, plus one with an adjudication."""
    share: float
    """Share of these units that vote for it: above 0, at most 1."""


@dataclass(frozen=True)
class Consensus:
    """The preferences in one task and dimension, with the dropped pairs."""

    preferences: tuple[Preference, ...]
    dropped: dict[str, int]
    """Candidate pairs by reason."""
    contradictions: tuple[tuple[str, str], ...]
    """Candidate pairs on which two units prefer different candidates, kept or dropped."""
    cycles: tuple[tuple[str, ...], ...]
    """Sets of candidates that form a cycle of majorities, ids ascending."""


def find_consensus(
    rankings: Sequence[TierRanking],
    rule: Rule,
    min_tier_gap: int = 1,
    min_units: int = 1,
    adjudication: TierRanking | None = None,
) -> Consensus:
    """Return the consensus of the rankings of one task and dimension under a rule, as defined in this module.

    `DataError` when they rank different candidates.
    """
    levels = [levels_of(ranking) for ranking in rankings]
    every = levels if adjudication is None else [*levels, levels_of(adjudication)]
    for ranking, found in zip(rankings, levels, strict=True):
        if found.keys() != every[-1].keys():
            raise DataError(
                f"task {ranking.task_id}, {ranking.dimension}: {ranking.annotator} ranked other candidates than the "
                f"others did; not in both: {', '.join(sorted(found.keys() ^ every[-1].keys()))}; pull again"
            )
    pairs = list(combinations(sorted(every[-1]), 2)) if every else []
    contradictions = contradicted_pairs(rankings)
    if len(levels) < min_units:
        return Consensus((), _counted("too_few_units", len(pairs)), contradictions, ())
    if rule == "adjudicated" and adjudication is None and contradictions:
        return Consensus((), _counted("waiting", len(pairs)), contradictions, ())
    differ = any(found != levels[0] for found in levels)
    if rule == "adjudicated" and adjudication is not None and differ:
        outcomes = [_decide(pair, [levels_of(adjudication)], levels, rule, min_tier_gap) for pair in pairs]
    else:
        outcomes = [_decide(pair, levels, [], rule, min_tier_gap) for pair in pairs]
    dropped: dict[str, int] = {}
    for outcome in outcomes:
        if isinstance(outcome, str):
            dropped[outcome] = dropped.get(outcome, 0) + 1
    preferences = [outcome for outcome in outcomes if isinstance(outcome, Preference)]
    cycles = circles((one.better, one.worse) for one in preferences)
    circle = {name: place for place, cycle in enumerate(cycles) for name in cycle}
    kept = [p for p in preferences if p.better not in circle or circle[p.better] != circle.get(p.worse)]
    if len(kept) < len(preferences):
        dropped["cycle"] = len(preferences) - len(kept)
    return Consensus(tuple(kept), dropped, contradictions, cycles)


def contradicted_pairs(rankings: Sequence[TierRanking]) -> tuple[tuple[str, str], ...]:
    """Return the pairs of candidates on which two units prefer different ones; ids ascending."""
    levels = [levels_of(ranking) for ranking in rankings]
    names = sorted(set().union(*levels)) if levels else []
    return tuple(pair for pair in combinations(names, 2) if _contradicted(pair, levels))


def _contradicted(pair: tuple[str, str], levels: Sequence[Mapping[str, int]]) -> bool:
    gaps = [_gap(pair, found) for found in levels]
    return any(gap > 0 for gap in gaps) and any(gap < 0 for gap in gaps)


def _gap(pair: tuple[str, str], levels: Mapping[str, int]) -> int:
    """Return by how many tiers the first is higher; 0 if the ranking lacks one of them."""
    one, other = pair
    return levels[other] - levels[one] if one in levels and other in levels else 0


def _decide(
    pair: tuple[str, str],
    deciding: Sequence[Mapping[str, int]],
    watching: Sequence[Mapping[str, int]],
    rule: Rule,
    min_tier_gap: int,
) -> Preference | str:
    """Return the preference in one pair, or the reason why there is none. `watching` count, but do not decide."""
    for one, other in (pair, pair[::-1]):
        gaps = [_gap((one, other), levels) for levels in deciding]
        if _wins(gaps, rule, min_tier_gap):
            all_gaps = [*gaps, *(_gap((one, other), levels) for levels in watching)]
            votes = [gap for gap in all_gaps if gap >= min_tier_gap]
            deciding_votes = [gap for gap in gaps if gap >= min_tier_gap]
            return Preference(one, other, min(deciding_votes), len(all_gaps), len(votes) / len(all_gaps))
    gaps = [_gap(pair, levels) for levels in deciding]
    if not any(gaps):
        return "tied"
    if min_tier_gap > 1 and any(_wins([sign * gap for gap in gaps], rule, 1) for sign in (1, -1)):
        return "gap_too_small"
    return "contradiction" if _contradicted(pair, deciding) else "no_consensus"


def _wins(gaps: Sequence[int], rule: Rule, min_tier_gap: int) -> bool:
    votes = sum(gap >= min_tier_gap for gap in gaps)
    return votes * 2 > len(gaps) if rule == "majority" else votes == len(gaps)


def _counted(reason: str, n_pairs: int) -> dict[str, int]:
    return {reason: n_pairs} if n_pairs else {}
