"""How good the candidates are that a judge would choose, as best-of-N sampling does."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from editjudge.records.tasks import DIMENSIONS
from editjudge.records.types import PreferencePair
from editjudge.statistics.estimate import Estimate
from editjudge.statistics.shares import Share, group_index, share_figures
from eval.labels.benchmark import Benchmark
from eval.metrics.values import CARD_VALUES, Values

MIN_CANDIDATES = 3
"""Of two, choosing the better one is being right about the pair."""


def best_of_group(bench: Benchmark, values: Values, rounds: int, seed: int) -> dict[str, Estimate]:
    """Share of groups of three candidates or more whose highest-scored one is preferred to by no pair.

    Of several with the highest score, one is taken at random: their share counts. An unscored candidate is never
    taken; a group without any score is wrong.
    """
    shares: dict[str, Share] = {}
    for dimension in DIMENSIONS:
        column = values.cards[:, CARD_VALUES.index(dimension)].tolist()
        scores = {name: score for name, score in zip(values.ids, column, strict=True) if score == score}  # not NaN
        groups = _groups([pair for pair in bench.pairs if pair.dimension == dimension])
        if groups:
            right = [_unbeaten(pairs, scores) for pairs in groups.values()]
            shares[dimension] = Share.of(right, *group_index([*groups]))
    return {name: share_figures({name: share}, rounds, seed)[name] for name, share in shares.items()}


def _groups(pairs: Sequence[PreferencePair]) -> dict[str, list[PreferencePair]]:
    """The pairs of each task that has enough candidates."""
    found: dict[str, list[PreferencePair]] = {}
    for pair in pairs:
        found.setdefault(pair.task.id, []).append(pair)
    return {name: group for name, group in found.items() if len(_candidates(group)) >= MIN_CANDIDATES}


def _candidates(pairs: Collection[PreferencePair]) -> set[str]:
    return {triplet.id for pair in pairs for triplet in (pair.better, pair.worse)}


def _unbeaten(pairs: Sequence[PreferencePair], scores: Mapping[str, float]) -> float:
    """The share of the highest-scored candidates that no pair prefers another to."""
    known = {name: scores[name] for name in _candidates(pairs) if name in scores}
    if not known:
        return 0.0
    chosen = {name for name, score in known.items() if score == max(known.values())}
    return len(chosen - {pair.worse.id for pair in pairs}) / len(chosen)
