"""All labels of a benchmark that prefer one of two candidates, from every kind of label."""

from __future__ import annotations

from dataclasses import dataclass

from editjudge.records.tasks import Dimension
from editjudge.records.types import EditTask, EditTriplet
from eval.labels.benchmark import Benchmark
from eval.labels.types import SIGN, Label


@dataclass(frozen=True)
class Preferred:
    """A label that prefers one of two candidates."""

    id: str
    """Id of the pair, or of the comparison that votes name."""
    task: EditTask
    better: EditTriplet
    worse: EditTriplet
    dimension: Dimension
    first_is_better: bool | None = None
    """Whether `better` is a comparison's first candidate; None for a plain pair, which gets no votes."""


def preferences(bench: Benchmark) -> list[Preferred]:
    """Return the preferences of pairs, comparisons and groups of several candidates, in this order, without ties."""
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
