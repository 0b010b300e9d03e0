"""Quality control: gold tasks, repeats, a report per unit, and the tasks that need an adjudicator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np

from annotation.agreement.measures import Figure, Measure, Sheet
from annotation.rankings.consensus import contradicted_pairs
from annotation.rankings.pairs import by_task
from editjudge.errors import DataError
from editjudge.formats.rankings import Ranking, format_tiers, levels_of, numbers_of
from editjudge.records.tasks import Dimension
from editjudge.records.types import Record, TierRanking
from editjudge.statistics.arrays import ratio_of_sums
from editjudge.statistics.correlation import tau_b_of_relations

DisputeRule = Literal["contradiction", "difference"]
MATCHES = ("identical", "relation", "kendall_tau_b")
"""Share of identical rankings; share of candidate pairs with the same relation (better, tied, worse); mean tau-b."""

Matches = dict[str, Figure]
"""A figure for each of `MATCHES`; tasks are resampled."""


@dataclass(frozen=True)
class UnitQuality:
    """The quality report of one unit."""

    n_tasks: int
    """Ordinary tasks that it ranked, without gold and repeats."""
    seconds_median: float | None
    """Median seconds per task, of all tasks; None without recorded times."""
    seconds_p10: float | None
    """10 % quantile of the seconds per task."""
    one_tier: float | None
    """Share of its rankings with all candidates in one tier; None without rankings."""
    tied: float | None
    """Share of candidate pairs that it tied."""
    gold: Matches
    """Agreement with the known rankings, all dimensions together."""
    repeats: Matches
    """Agreement with itself."""

    def as_json(self) -> dict[str, Any]:
        plain = {name: value for name, value in vars(self).items() if name not in ("gold", "repeats")}
        figures = {
            name: {key: figure.as_json() for key, figure in matches.items()}
            for name, matches in (("gold", self.gold), ("repeats", self.repeats))
        }
        return {**plain, **figures}


class Dispute(Record):
    """A task for the adjudicator, on which units disagree by the rule. One row of disputes.jsonl."""

    task_id: str
    dimensions: tuple[Dimension, ...]
    """The disputed dimensions."""
    candidates: tuple[str, ...]
    """Triplet ids in shown order: candidate 1 first."""
    rankings: dict[str, dict[Dimension, str]]
    """Unit -> dimension -> ranking in tier notation; all dimensions, disputed or not."""
    contradictions: dict[Dimension, tuple[tuple[str, str], ...]]
    """Dimension -> pairs of candidates on which units prefer different ones; dimensions without pairs are left out."""


def unit_report(
    ordinary: Iterable[TierRanking],
    gold: Iterable[TierRanking],
    answers: Iterable[TierRanking],
    repeats: Iterable[TierRanking],
    repeat_of: Mapping[str, str],
    units: Sequence[str],
    rounds: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, UnitQuality]:
    """Return the quality of each unit, in the order of `units`.

    `ordinary`, `gold` and `repeats` are the rankings of the three kinds of task, `answers` the known rankings of gold
    tasks (they may rank more candidates than were shown), `repeat_of` maps the id of a repeat to the repeated task id.
    """
    ordinary, gold, repeats = list(ordinary), list(gold), list(repeats)
    gold_pairs = against_gold(gold, answers)
    repeat_pairs = against_self(repeats, ordinary, repeat_of)
    found = {}
    for unit in units:
        own = [row for row in ordinary if row.annotator == unit]
        relations = np.concatenate([np.empty(0), *(_relations(row, sorted(levels_of(row))) for row in own)])
        times = [row for rows in (own, gold, repeats) for row in rows if row.annotator == unit]
        # Every dimension of a task has the seconds of the whole task.
        seconds = [*{row.task_id: row.seconds for row in times if row.seconds is not None}.values()]
        found[unit] = UnitQuality(
            n_tasks=len({row.task_id for row in own}),
            seconds_median=float(np.median(seconds)) if seconds else None,
            seconds_p10=float(np.quantile(seconds, 0.1)) if seconds else None,
            one_tier=sum(len(row.tiers) == 1 for row in own) / len(own) if own else None,
            tied=float((relations == 0).mean()) if len(relations) else None,
            gold=match(gold_pairs.get(unit, []), "it ranked no gold task", rounds, seed, level),
            repeats=match(repeat_pairs.get(unit, []), "it ranked no task twice", rounds, seed, level),
        )
    return found


def against_gold(
    rankings: Iterable[TierRanking], answers: Iterable[TierRanking]
) -> dict[str, list[tuple[TierRanking, TierRanking]]]:
    """Return unit -> (its ranking, the known one of the same candidates). `DataError` if an answer lacks a candidate.

    Gold tasks without a known ranking in a dimension are left out there.
    """
    known: dict[tuple[str, str], TierRanking] = {}
    for answer in answers:
        if known.setdefault((answer.task_id, answer.dimension), answer) is not answer:
            raise DataError(f"gold task {answer.task_id}: two answers in {answer.dimension}; keep the right one")
    found: dict[str, list[tuple[TierRanking, TierRanking]]] = {}
    for row in rankings:
        right = known.get((row.task_id, row.dimension))
        if right is not None:
            shown = {name for tier in row.tiers for name in tier}
            missing = sorted(shown - levels_of(right).keys())
            if missing:
                raise DataError(f"gold task {row.task_id}, {row.dimension}: the answer does not rank {missing[0]}")
            tiers = tuple(kept for tier in right.tiers if (kept := tuple(name for name in tier if name in shown)))
            found.setdefault(row.annotator, []).append((row, right.model_copy(update={"tiers": tiers})))
    return found


def against_self(
    repeats: Iterable[TierRanking], ordinary: Iterable[TierRanking], repeat_of: Mapping[str, str]
) -> dict[str, list[tuple[TierRanking, TierRanking]]]:
    """Return unit -> (its second ranking of a task, its first), for the tasks that it ranked twice."""
    first = {(row.task_id, row.dimension, row.annotator): row for row in ordinary}
    found: dict[str, list[tuple[TierRanking, TierRanking]]] = {}
    for row in repeats:
        before = first.get((repeat_of[row.task_id], row.dimension, row.annotator))
        if before is not None:
            found.setdefault(row.annotator, []).append((row, before))
    return found


def match(
    pairs: Sequence[tuple[TierRanking, TierRanking]], nothing: str, rounds: int, seed: int, level: float
) -> Matches:
    """Measure how far the two rankings of each pair agree, with intervals over tasks."""
    tasks = {name: place for place, name in enumerate(sorted({one.task_id for one, _ in pairs}))}
    columns = {name: np.zeros((len(tasks), 2)) for name in MATCHES}
    for one, other in pairs:
        names = sorted(levels_of(one))
        first, second = _relations(one, names), _relations(other, names)
        tau = float(tau_b_of_relations(first, second))
        for name, amount in (
            ("identical", (levels_of(one) == levels_of(other), 1)),
            ("relation", ((first == second).sum(), len(first))),
            ("kendall_tau_b", (0, 0) if np.isnan(tau) else (tau, 1)),
        ):
            columns[name][tasks[one.task_id]] += amount
    sheet = Sheet(len(tasks), "tasks")
    reason = "all candidates are in one tier" if pairs else nothing
    for name, sums in columns.items():
        sheet.add(name, Measure(sums, ratio_of_sums, sums[:, 1] > 0, reason, reason, is_share=name != "kendall_tau_b"))
    return sheet.figures(rounds, seed, level)


def _relations(ranking: TierRanking, names: Sequence[str]) -> np.ndarray[Any, np.dtype[np.int8]]:
    levels = levels_of(ranking)
    return np.array([np.sign(levels[other] - levels[one]) for one, other in combinations(names, 2)], np.int8)


def find_disputes(rankings: Iterable[Ranking], rule: DisputeRule) -> tuple[Dispute, ...]:
    """Return the tasks on which units disagree by a rule, the most contradictions first.

    contradiction: two units prefer different candidates of a pair. difference: two rankings are not identical.
    `DataError` when a unit ranked a task twice.
    """
    rows = list(rankings)
    shown = {row.task_id: row.shown for row in rows}
    by_dimension: dict[str, dict[Dimension, list[TierRanking]]] = {}
    for (task_id, dimension), given in by_task(rows).items():
        by_dimension.setdefault(task_id, {})[dimension] = given
    found = (_dispute(task_id, shown[task_id], given, rule) for task_id, given in by_dimension.items())
    disputes = [dispute for dispute in found if dispute is not None]
    return tuple(sorted(disputes, key=lambda one: (-sum(map(len, one.contradictions.values())), one.task_id)))


def _dispute(
    task_id: str, shown: Sequence[str], by_dimension: Mapping[Dimension, Sequence[TierRanking]], rule: DisputeRule
) -> Dispute | None:
    pairs = {name: contradicted_pairs(given) for name, given in by_dimension.items()}
    disputed = [
        name
        for name, given in by_dimension.items()
        if pairs[name] or (rule == "difference" and any(levels_of(row) != levels_of(given[0]) for row in given))
    ]
    if not disputed:
        return None
    notations: dict[str, dict[Dimension, str]] = {}
    for name, given in by_dimension.items():
        for row in given:
            notation = format_tiers(numbers_of(row.tiers, shown), len(shown))
            notations.setdefault(row.annotator, {})[name] = notation
    return Dispute(
        task_id=task_id,
        dimensions=tuple(disputed),
        candidates=tuple(shown),
        rankings={unit: notations[unit] for unit in sorted(notations)},
        contradictions={name: found for name, found in pairs.items() if found},
    )
