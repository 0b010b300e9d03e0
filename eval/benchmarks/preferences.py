"""Every label of a benchmark that prefers one of two candidates, whatever kind of label it stands in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan

from editjudge.records.tasks import Dimension
from editjudge.records.types import EditTask, EditTriplet, ScoreCard
from eval.benchmarks import Benchmark
from eval.benchmarks.labels import SIGN, Label
from eval.metrics.pairs import Outcome, score_margin


@dataclass(frozen=True)
class Preferred:
    """A label that prefers one of two candidates."""

    id: str
    """Of the pair, or of the comparison that votes name."""
    task: EditTask
    better: EditTriplet
    worse: EditTriplet
    dimension: Dimension
    first_is_better: bool | None = None
    """Of a comparison, whether `better` is its first candidate; None for a plain pair, which nobody votes on."""


def preferences(bench: Benchmark) -> list[Preferred]:
    """Those of pairs, of comparisons, and inside groups of several candidates, in this order. Ties prefer nothing."""
    found = [Preferred(pair.id, pair.task, pair.better, pair.worse, pair.dimension) for pair in bench.pairs]
    for item in bench.comparisons:
        found += _untied(item.id, item.task, item.first, item.second, item.label, item.dimension)
    for group in bench.multiways:
        for part in group.preferences:
            first, second = group.candidates[part.first], group.candidates[part.second]
            found += _untied(part.id, group.task, first, second, part.label, group.dimension)
    return found


def _untied(
    name: str, task: EditTask, first: EditTriplet, second: EditTriplet, label: Label, dimension: Dimension
) -> list[Preferred]:
    sign = SIGN[label]
    if sign == 0:
        return []
    better, worse = (first, second) if sign > 0 else (second, first)
    return [Preferred(name, task, better, worse, dimension, sign > 0)]


def score_of(triplet: EditTriplet, pair: Preferred, cards: Mapping[str, ScoreCard]) -> float | None:
    """A candidate's score in the pair's dimension, 0 to 10; None without one."""
    card = cards.get(triplet.id)
    return None if card is None else card.value(pair.dimension)


def outcome_of(pair: Preferred, cards: Mapping[str, ScoreCard], votes: Mapping[str, Label] | None) -> Outcome:
    """How the judge answers the label: by its vote where it voted, else by its scores."""
    if votes is not None and pair.first_is_better is not None:
        if pair.id not in votes:
            return "unscored"
        sign = SIGN[votes[pair.id]]
        return "tie" if sign == 0 else "right" if (sign > 0) == pair.first_is_better else "wrong"
    margin = score_margin(score_of(pair.better, pair, cards), score_of(pair.worse, pair, cards))
    if isnan(margin):
        return "unscored"
    return "tie" if margin == 0 else "right" if margin > 0 else "wrong"
