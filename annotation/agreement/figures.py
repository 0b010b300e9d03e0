"""Agreement between annotation units. A unit gives one ranking per task: a person, or a pair that discusses.

These are the definitions for the rankings of one dimension. Two rankings are identical when they have the same tiers.
The relation of two candidates in a ranking is "better", "tied" or "worse". Only tasks with two units or more count.

- identical: probability that two units drawn from those of a task give the identical ranking; mean over tasks.
- convergence at a threshold: share of tasks on which at least that share of the task's units give the identical
  ranking (EditScore, table 7; with four units 75 % means three of them).
- agreement with the majority (EditScore, table 8), on tasks of at least three units; a majority is more than half.
  `majority_ranking`: share of the tasks with a majority for one ranking in which the unit gave that ranking.
  `majority_relation`: share of the candidate pairs with a majority for one relation in which the unit has it.
  Both count the unit's own vote. `others_relation` leaves it out: the majority is that of the other units, of which
  there must be two or more.
- kendall_tau_b: mean over tasks and pairs of units; cases in which a unit has all in one tier are left out. A unit's
  own figure is over the pairs that contain it.
- krippendorff_alpha: ordinal; candidates are rated, the rating is the number of the tier.
- fleiss_kappa: nominal, over relations; every candidate pair counts in both directions, which makes the figure
  independent of their order.

"all" pools the dimensions: every (task, dimension) is a separate case, resampled together with its task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from annotation.agreement.cases import Cases, tabulate
from annotation.agreement.measures import Figure, Measure, Sheet, fleiss_kappa, ordinal_alpha
from editjudge.errors import DataError
from editjudge.records.types import TierRanking
from editjudge.statistics.arrays import Floats, ratio_of_sums

POOLED = "all"
UNIT_MEASURES = ("majority_ranking", "majority_relation", "others_relation", "kendall_tau_b")


@dataclass(frozen=True)
class DimensionAgreement:
    """The figures of one dimension, or of all dimensions pooled."""

    n_tasks: int
    """Tasks with a ranking."""
    n_shared: int
    """Tasks that two units or more ranked, from which the figures are computed. Pooled: cases."""
    figures: dict[str, Figure]
    units: dict[str, dict[str, Figure]]
    """Unit -> measure of `UNIT_MEASURES` -> figure."""


def measure_agreement(
    rankings: Iterable[TierRanking],
    thresholds: Sequence[float] = (0.75, 1.0),
    rounds: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, DimensionAgreement]:
    """Compute every measure per ranked dimension, and pooled as "all", with bootstrap intervals over tasks.

    `thresholds` are shares, above 0 and at most 1. `rounds` is the number of resamples; 0 gives no intervals. An
    undefined measure is a `Figure` without value. `DataError` when a unit ranks a task twice in a dimension or when
    units rank different candidates.
    """
    wrong = [share for share in thresholds if not 0 < share <= 1]
    if wrong:
        raise DataError(f"convergence threshold {wrong[0]}: a share above 0 and at most 1 is needed, such as 0.75")
    table = tabulate(rankings)
    sheet = Sheet(len(table.tasks), "tasks")
    cases = [Cases(levels) for levels in table.levels]
    scopes = {name: [cases[place]] for place, name in enumerate(table.dimensions)}
    if len(cases) > 1:
        scopes[POOLED] = cases
    for scope, members in scopes.items():
        for key, measure in _measures(members, table.units, thresholds):
            sheet.add(f"{scope}/{key}", measure)
    figures = sheet.figures(rounds, seed, level)
    return {scope: _collect(scope, members, figures, table.units) for scope, members in scopes.items()}


NO_SHARED = "no task was ranked by two units"
NO_MAJORITY = "no majority on any task"
NO_THREE = "a majority needs three units on a task"
ONE_TIER = "all candidates are in one tier"


def _measures(
    cases: Sequence[Cases], units: Sequence[str], thresholds: Sequence[float]
) -> Iterator[tuple[str, Measure]]:
    """Yield every measure of these cases with its key: `name`, or `unit/name`."""

    def total(part: Callable[[Cases], Floats]) -> Floats:
        return np.sum([part(case) for case in cases], axis=0)

    def share(part: Callable[[Cases], Floats], nothing: str) -> Measure:
        columns = total(part)
        return Measure(columns, ratio_of_sums, columns[:, 1] > 0, nothing, nothing, is_share=True)

    def mean_tau(unit: int | None) -> Measure:
        columns = total(lambda case: case.tau(unit))
        shared = np.any([case.shared.any() for case in cases])
        return Measure(columns, ratio_of_sums, columns[:, 1] > 0, ONE_TIER if shared else NO_SHARED, ONE_TIER)

    shared = np.any([case.shared for case in cases], axis=0)
    no_majority = NO_MAJORITY if any((case.units_per_task >= 3).any() for case in cases) else NO_THREE
    n_tiers = max(int(case.levels.max(initial=0)) for case in cases) + 1
    yield "identical", share(Cases.identical, NO_SHARED)
    for threshold in thresholds:
        yield f"convergence@{threshold:g}", share(partial(Cases.convergence, threshold=threshold), NO_SHARED)
    yield "kendall_tau_b", mean_tau(None)
    alpha = total(lambda case: case.coincidences(n_tiers))
    yield "krippendorff_alpha", Measure(alpha, ordinal_alpha, shared, NO_SHARED, ONE_TIER)
    yield "fleiss_kappa", Measure(total(Cases.agreements), fleiss_kappa, shared, NO_SHARED, ONE_TIER)
    for place, unit in enumerate(units):
        own_counts = partial(Cases.relation_agreement, unit=place, with_own_vote=True)
        others_only = partial(Cases.relation_agreement, unit=place, with_own_vote=False)
        yield f"{unit}/majority_ranking", share(partial(Cases.majority_ranking, unit=place), no_majority)
        yield f"{unit}/majority_relation", share(own_counts, no_majority)
        yield f"{unit}/others_relation", share(others_only, no_majority)
        yield f"{unit}/kendall_tau_b", mean_tau(place)


def _collect(
    scope: str, cases: Sequence[Cases], figures: Mapping[str, Figure], units: Sequence[str]
) -> DimensionAgreement:
    own = {key.removeprefix(f"{scope}/"): figure for key, figure in figures.items() if key.startswith(f"{scope}/")}
    return DimensionAgreement(
        n_tasks=int(sum(case.ranked.any(axis=1).sum() for case in cases)),
        n_shared=int(sum(case.shared.sum() for case in cases)),
        figures={key: figure for key, figure in own.items() if "/" not in key},
        units={unit: {name: own[f"{unit}/{name}"] for name in UNIT_MEASURES} for unit in units},
    )
