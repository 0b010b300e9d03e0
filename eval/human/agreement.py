"""Agreement of a judge with people, compared with agreement between annotators, on the same rankings.

The units of comparison are pairs of candidates of one task in one dimension. A *vote* is one annotation unit's answer
for such a pair: the first is better, the second is, or they are tied. Only tasks ranked by two or more units count,
because judge and people must be measured on the same votes; if there are none, only the judge has figures.

- preference: of the votes that prefer one candidate, the share in which the judge (or another unit, the mean over
  all others) strictly prefers the same one. A tie is wrong, as in EditReward-Bench.
- relation: of all votes, the share with the same of the three answers; here a tie can be right.
- majority: of the pairs on which the *other* units (two or more) have a majority of more than half for one answer,
  the share in which the judge (or the unit left out) gives it: how well the judge would take one unit's place.
- kendall_tau_b: per task and unit, mean; left out where one of the two has all candidates in one tier.

A pair that the judge could not score is never right. `difference` is judge minus people, from the same resamples.
Intervals are 95 %, from resampled tasks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from editjudge.formats.rankings import levels_of
from editjudge.formats.results.human import BesidePeople, PeopleFigures, RankedDimension
from editjudge.records.tasks import DIMENSIONS, Dimension
from editjudge.records.types import ScoreCard, TierRanking
from editjudge.statistics.arrays import Floats, mean_of_known, ratio
from editjudge.statistics.bootstrap import draw_weights
from editjudge.statistics.correlation import tau_b
from editjudge.statistics.estimate import sampled
from eval.metrics.pairs import score_margin


@dataclass(frozen=True)
class RankedPairs:
    """All votes of one dimension. One entry per pair of candidates of a task."""

    tasks: tuple[str, ...]
    units: tuple[str, ...]
    task: NDArray[np.int64]
    """[pairs]: index into `tasks`."""
    candidates: tuple[tuple[str, str], ...]
    """[pairs]: triplet ids."""
    relation: Floats
    """[pairs, units]: 1 when the first is better, -1 when the second is, 0 when tied; NaN when not ranked."""


def tabulate(rows: Sequence[TierRanking], dimension: Dimension, known: Mapping[str, ScoreCard]) -> RankedPairs:
    """Return the votes of one dimension on candidates that have a card, scored or not."""
    of_task: dict[str, dict[str, dict[str, int]]] = {}
    for row in rows:
        if row.dimension == dimension:
            levels = {name: level for name, level in levels_of(row).items() if name in known}
            if len(levels) > 1:
                of_task.setdefault(row.task_id, {})[row.annotator] = levels
    units = tuple(sorted({unit for ranked in of_task.values() for unit in ranked}))
    shared = {name: ranked for name, ranked in of_task.items() if len(ranked) > 1}
    chosen = shared if shared else of_task
    task: list[int] = []
    candidates: list[tuple[str, str]] = []
    relation: list[list[float]] = []
    for place, ranked in enumerate(chosen.values()):
        for one, other in combinations(sorted({name for levels in ranked.values() for name in levels}), 2):
            task.append(place)
            candidates.append((one, other))
            relation.append([_vote(ranked.get(unit, {}), one, other) for unit in units])
    return RankedPairs(
        tuple(chosen),
        units,
        np.array(task, dtype=np.int64),
        tuple(candidates),
        np.array(relation, dtype=np.float64).reshape(len(task), len(units)),
    )


def _vote(levels: Mapping[str, int], one: str, other: str) -> float:
    if one not in levels or other not in levels:
        return float("nan")
    return float(np.sign(levels[other] - levels[one]))


def judge_relation(votes: RankedPairs, cards: Mapping[str, ScoreCard], dimension: Dimension) -> Floats:
    """[pairs]: the judge's answers by its scores, as in `RankedPairs.relation`; NaN where a candidate is unscored."""
    values = {name: cards[name].value(dimension) for pair in votes.candidates for name in pair}
    margins = [score_margin(values[one], values[other]) for one, other in votes.candidates]
    return np.sign(np.array(margins, dtype=np.float64))


def sums_per_task(votes: RankedPairs, judge: Floats) -> dict[str, Floats]:
    """Return per figure [tasks, units, 4]: judge's sum and number of votes, people's sum and number of votes.

    Unit u's entries are the votes of u, answered by the judge and by the units other than u.
    """
    human, given = votes.relation, ~np.isnan(votes.relation)
    same = given[:, :, None] & given[:, None, :] & (human[:, :, None] == human[:, None, :])
    same &= ~np.eye(len(votes.units), dtype=bool)
    n_others = np.maximum(given.sum(axis=1, keepdims=True) - 1, 0)
    by_others = np.divide(same.sum(axis=2), n_others, out=np.zeros(human.shape), where=n_others > 0)
    by_judge = (judge[:, None] == human).astype(np.float64)
    strict = given & (human != 0)
    majority = _majority_of_others(human)
    backed = given & ~np.isnan(majority)
    return {
        "preference": _tally(votes, by_judge, strict, by_others, strict & (n_others > 0)),
        "relation": _tally(votes, by_judge, given, by_others, given & (n_others > 0)),
        "majority": _tally(
            votes, (judge[:, None] == majority).astype(np.float64), backed, (human == majority).astype(float), backed
        ),
        "kendall_tau_b": _tau_sums(votes, judge),
    }


def _tally(votes: RankedPairs, judge: Floats, judged: NDArray[Any], human: Floats, heard: NDArray[Any]) -> Floats:
    columns = np.stack([judge * judged, judged, human * heard, heard], axis=-1).astype(np.float64)
    sums = np.zeros((len(votes.tasks), *columns.shape[1:]))
    np.add.at(sums, votes.task, columns)
    return sums


def _majority_of_others(human: Floats) -> Floats:
    """[pairs, units]: answer of more than half of the other units, of two or more; NaN where there is none."""
    answers = np.stack([human == answer for answer in (-1, 0, 1)], axis=-1).astype(np.float64)
    others = answers.sum(axis=1, keepdims=True) - answers
    voters = others.sum(axis=-1, keepdims=True)
    winning = (others * 2 > voters) & (voters >= 2)
    return np.where(winning.any(axis=-1), winning.argmax(axis=-1) - 1.0, np.nan)


def _tau_sums(votes: RankedPairs, judge: Floats) -> Floats:
    """Return sums as `sums_per_task`; the people's part of a unit is its mean tau-b with the others."""
    n_units = len(votes.units)
    sums = np.zeros((len(votes.tasks), n_units, 4))
    raters = np.concatenate([votes.relation, judge[:, None]], axis=1)
    for place in range(n_units):
        sums[:, place, 0], sums[:, place, 1] = _defined(_tau_b(votes, raters[:, place], raters[:, n_units]))
        taus = [_tau_b(votes, raters[:, place], raters[:, other]) for other in range(n_units) if other != place]
        if taus:
            sums[:, place, 2], sums[:, place, 3] = _defined(mean_of_known(np.stack(taus), axis=0))
    return sums


def _tau_b(votes: RankedPairs, one: Floats, other: Floats) -> Floats:
    """[tasks]: Kendall's tau-b (1945) over the pairs that both answered; NaN where one has only ties."""
    both = ~np.isnan(one) & ~np.isnan(other)
    columns = np.stack([one * other, one**2, other**2], axis=-1)
    sums = np.zeros((len(votes.tasks), 3))
    np.add.at(sums, votes.task[both], columns[both])
    return tau_b(*sums.T)


def _defined(values: Floats) -> tuple[Floats, Floats]:
    known = ~np.isnan(values)
    return np.where(known, values, 0.0), known.astype(np.float64)


def compare_with_people(
    rows: Sequence[TierRanking], cards: Mapping[str, ScoreCard], rounds: int, seed: int
) -> dict[Dimension, RankedDimension]:
    """Return figures per dimension that people ranked; shares 0 to 1, tau-b and differences -1 to 1."""
    found: dict[Dimension, RankedDimension] = {}
    for dimension in DIMENSIONS:
        votes = tabulate(rows, dimension, cards)
        if not votes.candidates:
            continue
        judge = judge_relation(votes, cards, dimension)
        sums = sums_per_task(votes, judge)
        found[dimension] = RankedDimension(
            n_tasks=len(votes.tasks),
            n_pairs=len(votes.candidates),
            coverage=round(float(1 - np.isnan(judge).mean()), 6),
            figures=_figures({name: sums[name].sum(axis=1) for name in sums}, rounds, seed),
            units={
                unit: _figures({name: sums[name][:, place] for name in sums}, rounds, seed)
                for place, unit in enumerate(votes.units)
            },
        )
    return found


def _figures(columns: Mapping[str, Floats], rounds: int, seed: int) -> PeopleFigures:
    """Return the figures from columns [tasks, 4] of every figure, as in `sums_per_task`."""
    return PeopleFigures(**{name: _beside_people(mine, rounds, seed) for name, mine in columns.items()})


def _beside_people(columns: Floats, rounds: int, seed: int) -> BesidePeople:
    drawn = np.concatenate([weights @ columns for weights in draw_weights(len(columns), rounds, seed)])
    parts = {"judge": (0, 1), "people": (2, 3)}
    value, samples, behind = {}, {}, {}
    for name, (top, bottom) in parts.items():
        value[name] = ratio(*columns.sum(axis=0)[[top, bottom]])
        samples[name] = ratio(drawn[..., top], drawn[..., bottom])
        behind[name] = int((columns[:, bottom] > 0).sum())
    value["difference"] = value["judge"] - value["people"]
    samples["difference"] = samples["judge"] - samples["people"]
    behind["difference"] = min(behind.values())
    return BesidePeople(**{name: sampled(float(value[name]), samples[name], behind[name]) for name in value})
