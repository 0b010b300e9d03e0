"""The K-curve: a judge's accuracy with 1, 2, 4, 8, ... passes, from the passes of one run.

Self-ensembling (EditScore, section 4.1) averages K passes. A run with K passes contains all smaller ones: the accuracy
at k is the mean over subsets of k passes, which has less variance than the first k alone.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from editjudge.files.io import rng
from editjudge.formats.results.evaluation import AveragedFigures, KCurve, KGain, KPoint
from editjudge.records.tasks import DIMENSIONS, Dimension
from editjudge.records.types import PreferencePair
from editjudge.statistics.arrays import Floats
from eval.metrics.intervals import Intervals, compare, intervals
from eval.metrics.pairs import OUTCOMES, Counts, PairTable, count, outcome_counts
from eval.metrics.values import PairPlaces, Values

MAX_SUBSETS = 32
"""Largest number of subsets of one size; if there are more, this many are drawn."""


def sizes(n_passes: int) -> list[int]:
    """Return the numbers of passes shown: powers of 2 up to `n_passes`, and `n_passes` itself."""
    powers = [2**power for power in range(n_passes.bit_length()) if 2**power <= n_passes]
    return powers if powers[-1] == n_passes else [*powers, n_passes]


def subsets(n_passes: int, size: int) -> list[tuple[int, ...]]:
    """Return all subsets of that size, or if more than `MAX_SUBSETS`, that many different ones, drawn by hash."""
    if math.comb(n_passes, size) <= MAX_SUBSETS:
        return list(itertools.combinations(range(n_passes), size))
    generator = rng(0, "k_curve", n_passes, size)
    found: set[tuple[int, ...]] = set()
    while len(found) < MAX_SUBSETS:
        found.add(tuple(sorted(generator.choice(n_passes, size, replace=False).tolist())))
    return sorted(found)


def k_curve(pairs: Sequence[PreferencePair], table: PairTable, values: Values, rounds: int, seed: int) -> KCurve | None:
    """Return the `k_curve` of an evaluation in results.json; None with fewer than two passes or without pairs.

    `table` contains the pairs in their order, `values` their candidates.

    Figures are means over the subsets, with intervals over groups; the gain is of all passes over one.
    """
    if values.n_passes < 2 or len(table) == 0:
        return None
    places = PairPlaces.of(pairs, values)
    ks = sizes(values.n_passes)
    averaged: list[Counts] = []
    outcomes: list[Floats] = []
    between: list[Floats] = []
    for k in ks:
        tables = [
            replace(table, margin=places.margins(values.of_passes(chosen))) for chosen in subsets(values.n_passes, k)
        ]
        counts = [count(table) for table in tables]
        averaged.append(Counts(np.mean([each.right for each in counts], axis=0), counts[0].pairs))
        outcomes.append(np.mean([outcome_counts(table).sum(axis=0) for table in tables], axis=0))
        between.append(np.array([each.measures().pair_mean for each in counts]))
    found = intervals(averaged, rounds, seed)
    gain = compare(averaged[-1], averaged[0], rounds, seed)
    return KCurve(
        points=[_point(*parts) for parts in zip(ks, found, outcomes, between, strict=True)],
        gain=KGain(k=ks[-1], over=ks[0], dimensions=gain.by_dimension()),
    )


def _point(k: int, found: Intervals, outcomes: Floats, between: Floats) -> KPoint:
    """Return one k; `outcomes` [3, 4] are mean counts, `between` [subsets, 3] pair means."""
    dimensions: dict[Dimension, AveragedFigures] = {}
    for column, name in enumerate(DIMENSIONS):
        total = float(outcomes[column].sum())
        if total == 0:
            continue
        dimensions[name] = AveragedFigures(
            pair_mean=found.estimate("pair_mean", column),
            task_mean=found.estimate("task_mean", column),
            coverage=round(1 - float(outcomes[column][OUTCOMES.index("unscored")]) / total, 6),
            ties=round(float(outcomes[column][OUTCOMES.index("tie")]) / total, 6),
            sd=round(float(between[:, column].std(ddof=1)), 6) if len(between) > 1 else None,
        )
    return KPoint(k=k, subsets=len(between), dimensions=dimensions)
