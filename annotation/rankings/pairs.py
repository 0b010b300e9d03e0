"""Convert tier rankings to preference pairs, across tiers only, and pairs that form a weak order back to tiers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, permutations
from typing import Any

from annotation.rankings.consensus import Consensus, Preference, find_consensus
from annotation.rankings.leaks import TrainingInputs
from annotation.recipe import Rule
from editjudge.errors import DataError
from editjudge.formats.rankings import levels_of
from editjudge.records.tasks import DIMENSIONS, Dimension
from editjudge.records.types import EditTriplet, PreferencePair, TierRanking
from editjudge.statistics.graphs import circles

Case = tuple[str, Dimension]
"""Task id and dimension."""


@dataclass
class DimensionPairs:
    """Counts of the kept and dropped candidate pairs of one dimension."""

    tasks: int = 0
    candidate_pairs: int = 0
    kept: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    """Candidate pairs by reason: one of `consensus.REASONS`, `source_in_training` or `image_in_training`."""
    contradicted: int = 0
    """Candidate pairs on which two units prefer different ones, kept or dropped."""


@dataclass(frozen=True)
class PairReport:
    """The preference pairs, with counts and problems."""

    pairs: tuple[PreferencePair, ...]
    """Sorted by task, dimension and ids."""
    dimensions: dict[Dimension, DimensionPairs]
    contradictions: tuple[dict[str, Any], ...]
    """`task_id`, `dimension`, `candidates` (two), `prefer` (two lists of units)."""
    cycles: tuple[dict[str, Any], ...]
    """`task_id`, `dimension`, `candidates`."""
    waiting: tuple[Case, ...]
    """Tasks and dimensions that wait for the adjudicator."""

    def as_json(self) -> dict[str, Any]:
        """Return every number and problem, without the pairs."""
        return {
            "n_pairs": len(self.pairs),
            "dimensions": {name: vars(counts) for name, counts in self.dimensions.items()},
            "contradictions": list(self.contradictions),
            "cycles": list(self.cycles),
            "waiting": [{"task_id": task, "dimension": dimension} for task, dimension in self.waiting],
        }


def make_pairs(
    rankings: Iterable[TierRanking],
    triplets: Iterable[EditTriplet],
    rule: Rule,
    min_tier_gap: int = 1,
    min_units: int = 1,
    adjudications: Iterable[TierRanking] = (),
    training: TrainingInputs | None = None,
) -> PairReport:
    """Make the pairs on which units agree under a rule (defined in `consensus`).

    `adjudications` are the adjudicator's rankings; they do not vote. Pairs that share a source or an image with
    `training` are left out and counted. `DataError` for unknown triplets, duplicate rankings of a unit, and
    adjudications under another rule.
    """
    by_id = {triplet.id: triplet for triplet in triplets}
    by_key = by_task(rankings)
    decided = by_task(adjudications)
    if decided and rule != "adjudicated":
        raise DataError(f"adjudications were given, and the rule is {rule!r}; use `adjudicated` or leave them out")
    twice = [key for key, found in decided.items() if len(found) > 1]
    if twice:
        raise DataError(f"task {twice[0][0]}, {twice[0][1]}: adjudicated by more than one unit; keep one of them")
    pairs: list[PreferencePair] = []
    dimensions: dict[Dimension, DimensionPairs] = {}
    contradictions: list[dict[str, Any]] = []
    cycles: list[dict[str, Any]] = []
    waiting: list[Case] = []
    for key, found in by_key.items():
        task_id, dimension = key
        consensus = find_consensus(found, rule, min_tier_gap, min_units, next(iter(decided.get(key, ())), None))
        made = [_pair(preference, dimension, by_id, task_id) for preference in consensus.preferences]
        counts = dimensions.setdefault(dimension, DimensionPairs())
        pairs += _without_leaks(made, training, counts)
        _count(counts, consensus)
        contradictions += [_contradiction(key, pair, found) for pair in consensus.contradictions]
        cycles += [{"task_id": task_id, "dimension": dimension, "candidates": list(c)} for c in consensus.cycles]
        waiting += [key] if "waiting" in consensus.dropped else []
    in_order = {name: dimensions[name] for name in DIMENSIONS if name in dimensions}
    pairs.sort(key=lambda pair: (pair.task.id, DIMENSIONS.index(pair.dimension), pair.better.id, pair.worse.id))
    return PairReport(tuple(pairs), in_order, tuple(contradictions), tuple(cycles), tuple(waiting))


def by_task(rankings: Iterable[TierRanking]) -> dict[Case, list[TierRanking]]:
    """Group rankings by task and dimension, sorted, units ascending. `DataError` for duplicate rankings of a unit."""
    found: dict[Case, dict[str, TierRanking]] = {}
    for ranking in rankings:
        units = found.setdefault((ranking.task_id, ranking.dimension), {})
        if units.setdefault(ranking.annotator, ranking) is not ranking:
            raise DataError(
                f"task {ranking.task_id}, {ranking.dimension}: two rankings of {ranking.annotator}; keep the one that "
                "counts"
            )
    keys = sorted(found, key=lambda key: (key[0], DIMENSIONS.index(key[1])))
    return {key: [found[key][unit] for unit in sorted(found[key])] for key in keys}


def _pair(
    preference: Preference, dimension: Dimension, triplets: Mapping[str, EditTriplet], task_id: str
) -> PreferencePair:
    unknown = [name for name in (preference.better, preference.worse) if name not in triplets]
    if unknown:
        raise DataError(
            f"task {task_id}: triplet {unknown[0]} was ranked and is not among the groups; give the groups that were "
            "pushed"
        )
    better, worse = triplets[preference.better], triplets[preference.worse]
    return PreferencePair.of(
        better,
        worse,
        dimension,
        tier_gap=preference.tier_gap,
        n_annotators=preference.n_units,
        agreement=preference.share,
    )


def _without_leaks(
    pairs: Sequence[PreferencePair], training: TrainingInputs | None, counts: DimensionPairs
) -> list[PreferencePair]:
    kept = []
    for pair in pairs:
        reason = None if training is None else training.leak(pair)
        if reason is None:
            kept.append(pair)
        else:
            counts.dropped[reason] = counts.dropped.get(reason, 0) + 1
    counts.kept += len(kept)
    return kept


def _count(counts: DimensionPairs, consensus: Consensus) -> None:
    counts.tasks += 1
    counts.candidate_pairs += len(consensus.preferences) + sum(consensus.dropped.values())
    counts.contradicted += len(consensus.contradictions)
    for reason, number in consensus.dropped.items():
        counts.dropped[reason] = counts.dropped.get(reason, 0) + number


def _contradiction(key: Case, pair: tuple[str, str], rankings: Sequence[TierRanking]) -> dict[str, Any]:
    prefer: tuple[list[str], list[str]] = ([], [])
    for ranking in rankings:
        levels = levels_of(ranking)
        if levels[pair[0]] != levels[pair[1]]:
            prefer[levels[pair[0]] > levels[pair[1]]].append(ranking.annotator)
    return {"task_id": key[0], "dimension": key[1], "candidates": list(pair), "prefer": list(prefer)}


@dataclass(frozen=True)
class NoOrder:
    """Pairs of a task that tiers cannot represent."""

    task_id: str
    dimension: Dimension
    why: str


def tiers_of_pairs(
    pairs: Iterable[PreferencePair], annotator: str
) -> tuple[tuple[TierRanking, ...], tuple[NoOrder, ...]]:
    """Convert pairs back to rankings: the tiers per task and dimension, or the reason why there are none.

    Candidates of a task without a pair between them must be tied. Candidates that are in no pair are unknown here: a
    task whose candidates are all tied does not appear. `annotator` is the author of the rankings.
    """
    by_key: dict[Case, set[tuple[str, str]]] = {}
    for pair in pairs:
        by_key.setdefault((pair.task.id, pair.dimension), set()).add((pair.better.id, pair.worse.id))
    rankings: list[TierRanking] = []
    problems: list[NoOrder] = []
    for task_id, dimension in sorted(by_key, key=lambda key: (key[0], DIMENSIONS.index(key[1]))):
        found = weak_order(by_key[task_id, dimension])
        if isinstance(found, str):
            problems.append(NoOrder(task_id, dimension, found))
        else:
            ranking = TierRanking(task_id=task_id, dimension=dimension, annotator=annotator, tiers=found)
            rankings.append(ranking)
    return tuple(rankings), tuple(problems)


def weak_order(edges: Iterable[tuple[str, str]]) -> tuple[tuple[str, ...], ...] | str:
    """Return the tiers, best first, whose pairs are exactly these (better, worse); else a sentence with the reason."""
    beats = set(edges)
    names = sorted({name for edge in beats for name in edge})
    # In a weak order, exactly the candidates of higher tiers beat a candidate.
    above = {name: sum((other, name) in beats for other in names) for name in names}
    if all(((one, other) in beats) == (above[one] < above[other]) for one, other in permutations(names, 2)):
        levels = sorted(set(above.values()))
        return tuple(tuple(name for name in names if above[name] == level) for level in levels)
    for one, other in combinations(names, 2):
        if (one, other) in beats and (other, one) in beats:
            return f"contradiction: {one} over {other} and {other} over {one}"
    cycles = circles(beats)
    if cycles:
        return f"cycle: {', '.join(cycles[0])} each lead to the others"
    for one, between, other in permutations(names, 3):
        if {(one, between), (between, other)} <= beats and (one, other) not in beats:
            return f"missing: {one} over {between} over {other}, but there is no pair of {one} and {other}"
    for one, other, third in permutations(names, 3):
        tied = not any(edge in beats for name in (one, other) for edge in ((name, third), (third, name)))
        if (one, other) in beats and tied:
            return f"partial: {one} over {other}, but there is no pair of {third} with either of them"
    raise AssertionError("an acyclic, transitive relation without such a triple is a weak order")
