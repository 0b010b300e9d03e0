"""Build `results.json` from evaluations: every number of a report, with its interval and sample size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from editjudge.errors import DataError
from editjudge.formats.results.evaluation import (
    BenchmarkSize,
    Calibration,
    CountedElsewhere,
    DimensionFigures,
    JudgeDescription,
    JudgeOnBenchmark,
    KCurve,
    Metric,
    ScoreSpreads,
    TaskFigures,
)
from editjudge.formats.results.human import HumanResults, JudgeBesidePeople
from editjudge.formats.results.labels import LabelFigures
from editjudge.formats.results.results import Bootstrap, ProbeFigures, ProbeResult, Results
from editjudge.formats.results.sweep import CheckpointSummary, MainFigure
from editjudge.records.tasks import CATEGORIES, DIMENSIONS, Dimension
from editjudge.statistics.arrays import Ints
from eval.evaluations.cost import Prices, describe_cost
from eval.evaluations.evaluation import Evaluation
from eval.human.agreement import compare_with_people
from eval.human.rankings import Human, rankings_that_count
from eval.labels.benchmark import Benchmark
from eval.metrics.calibration import calibrations
from eval.metrics.distributions import distributions
from eval.metrics.figures import keys_in, read_coverage, read_figure
from eval.metrics.further import measure_metrics
from eval.metrics.intervals import Intervals, intervals
from eval.metrics.kcurve import k_curve
from eval.metrics.labels import measure_labels
from eval.metrics.pairs import OUTCOMES, PairTable, count, coverage, outcome_counts
from eval.metrics.published import published_figures


@dataclass(frozen=True)
class Measured:
    """An evaluation with its judge's label, step and run."""

    label: str
    """Name in tables: "base", "step 120", "judge"."""
    step: int | None
    """Step of a checkpoint, 0 for the untrained base; None outside a training run."""
    evaluation: Evaluation
    run: str | None = None
    """Name of the training run; None outside one."""
    probes: tuple[ProbeFigures, ...] = ()
    """Results of `probes.run_probes`."""


def build_results(measured: Sequence[Measured], rounds: int, seed: int, prices: Prices | None = None) -> Results:
    """Return the content of results.json, without parts derived from it (leaderboard, people, a sweep's runs).

    `evaluations` is in the order of `measured`; all of one benchmark share their resamples. Costs are in money if
    `prices` are given.
    """
    found: dict[int, JudgeOnBenchmark] = {}
    benches: dict[str, BenchmarkSize] = {}
    for name in dict.fromkeys(item.evaluation.bench.name for item in measured):
        places = [place for place, item in enumerate(measured) if item.evaluation.bench.name == name]
        evaluations = [measured[place].evaluation for place in places]
        benches[name] = _describe_benchmark(evaluations[0].bench, evaluations[0].n_triplets)
        of_pairs = intervals([count(evaluation.table) for evaluation in evaluations], rounds, seed)
        margins = calibrations([evaluation.table for evaluation in evaluations], rounds, seed)
        for place, interval, calibration in zip(places, of_pairs, margins, strict=True):
            found[place] = _describe(measured[place], interval, calibration, rounds, seed, prices)
    return Results(
        bootstrap=Bootstrap(rounds=rounds, seed=seed, level=0.95, clusters="groups"),
        benchmarks=benches,
        evaluations=[found[place] for place in range(len(measured))],
        probes=[_probed(item, probe) for item in measured for probe in item.probes],
    )


def _probed(item: Measured, probe: ProbeFigures) -> ProbeResult:
    bench = item.evaluation.bench.name
    return ProbeResult(label=item.label, run=item.run, step=item.step, benchmark=bench, **dict(probe))


def _describe_benchmark(bench: Benchmark, n_triplets: int) -> BenchmarkSize:
    return BenchmarkSize(
        source=bench.source,
        identity=bench.identity,
        labels=bench.label_identity,
        n_pairs=len(bench.pairs),
        n_comparisons=len(bench.comparisons),
        n_multiways=len(bench.multiways),
        n_ratings=len(bench.ratings),
        n_groups=len({triplet.task.id for triplet in bench.mentioned()}),
        n_triplets=n_triplets,
        partial=bench.partial,
        left_out=bench.left_out.by_kind(),
        notes=bench.notes.by_kind(),
    )


def _describe(
    item: Measured,
    of_pairs: Intervals,
    calibration: dict[Dimension, Calibration],
    rounds: int,
    seed: int,
    prices: Prices | None,
) -> JudgeOnBenchmark:
    evaluation = item.evaluation
    n, seconds = evaluation.n_triplets, evaluation.seconds
    return JudgeOnBenchmark(
        label=item.label,
        run=item.run,
        step=item.step,
        passes=evaluation.judge["passes"],
        benchmark=evaluation.bench.name,
        partial=evaluation.bench.partial,
        judge=JudgeDescription.model_validate(evaluation.judge),
        reading=evaluation.reading,
        n_triplets=n,
        seconds=round(seconds, 3),
        unreadable=evaluation.unreadable,
        triplets_per_second=round(n / seconds, 3) if seconds > 0 else None,
        dimensions=_dimensions(evaluation.table, of_pairs),
        k_curve=evaluation.once(("k_curve", rounds, seed), partial(_k_curve, evaluation, rounds, seed)),
        cost=describe_cost(evaluation.cost, seconds, n, prices),
        scores=evaluation.once(("scores",), partial(_distributions, evaluation)),
        calibration=calibration,
        labels=evaluation.once(("labels", rounds, seed), partial(_measure_labels, evaluation, rounds, seed)),
        published=evaluation.once(("published", rounds, seed), partial(_as_published, evaluation, rounds, seed)),
        metrics=evaluation.once(("metrics", rounds, seed), partial(_metrics, evaluation, rounds, seed)),
    )


def _k_curve(evaluation: Evaluation, rounds: int, seed: int) -> KCurve | None:
    return k_curve(evaluation.bench.pairs, evaluation.table, evaluation.values(), rounds, seed)


def _distributions(evaluation: Evaluation) -> ScoreSpreads:
    return distributions(evaluation.values())


def _measure_labels(evaluation: Evaluation, rounds: int, seed: int) -> LabelFigures:
    if not evaluation.bench.has_other_labels:
        return LabelFigures()
    return measure_labels(evaluation.bench, evaluation.cards(), evaluation.votes, rounds, seed)


def _as_published(evaluation: Evaluation, rounds: int, seed: int) -> list[CountedElsewhere]:
    bench = evaluation.bench
    cards = evaluation.cards() if bench.comparisons or bench.multiways else {}
    return published_figures(bench, cards, evaluation.votes is not None, evaluation.published, rounds, seed)


def _metrics(evaluation: Evaluation, rounds: int, seed: int) -> dict[str, Metric]:
    return measure_metrics(evaluation.bench, evaluation.values(), rounds, seed)


def _dimensions(table: PairTable, found: Intervals) -> dict[Dimension, DimensionFigures]:
    """Return the figures of the dimensions with pairs."""
    outcomes = outcome_counts(table)
    groups = count(table).pairs > 0
    return {
        dimension: DimensionFigures(
            **_counts(outcomes[:, column], int(groups[:, :, column].any(axis=1).sum())),
            pair_mean=found.estimate("pair_mean", column),
            task_mean=found.estimate("task_mean", column),
            categories={
                name: found.estimate("category", (row, column))
                for row, name in enumerate(CATEGORIES)
                if not np.isnan(found.value.category[row, column])
            },
            tasks={
                name: TaskFigures(
                    **dict(found.estimate("task", (row, column))),
                    **_counts(outcomes[row, column], int(groups[:, row, column].sum())),
                )
                for row, name in enumerate(table.task_types)
                if outcomes[row, column].any()
            },
        )
        for column, dimension in enumerate(DIMENSIONS)
        if outcomes[:, column].any()
    }


def _counts(outcomes: Ints, n_groups: int) -> dict[str, Any]:
    """Return the fields of `Outcomes`, from counts whose last axis is `OUTCOMES`."""
    totals = outcomes.reshape(-1, len(OUTCOMES)).sum(axis=0)
    by_outcome: dict[str, int] = {name: int(total) for name, total in zip(OUTCOMES, totals, strict=True)}
    return {"n_pairs": int(totals.sum()), "n_groups": n_groups, **by_outcome, "coverage": coverage(totals)}


def summarise(results: Results, benchmark: str | None = None, run: str | None = None) -> list[CheckpointSummary]:
    """Return one entry per checkpoint of one training run, the untrained base first.

    For a checkpoint measured with several numbers of passes, the entry with the fewest is used. `benchmark` and `run`
    default to the first ones.
    """
    name = next(iter(results.benchmarks)) if benchmark is None else benchmark
    of_bench = [found for found in results.of_benchmark(name) if found.step is not None]
    if run is None and of_bench:
        run = of_bench[0].run
    by_step: dict[int, JudgeOnBenchmark] = {}
    for found in sorted(of_bench, key=lambda found: found.passes):
        if found.run == run and found.step is not None:
            by_step.setdefault(found.step, found)
    return [summary(by_step[step]) for step in sorted(by_step)]


def summary(found: JudgeOnBenchmark) -> CheckpointSummary:
    """Return the entry of one evaluation of a checkpoint; see `summarise`."""
    known = {name: found.dimensions.get(name) for name in DIMENSIONS}

    def pick(figure: str, end: str) -> dict[Dimension, float | None]:
        return {name: None if about is None else getattr(getattr(about, figure), end) for name, about in known.items()}

    figures: dict[str, dict[str, MainFigure]] = {}
    for key in keys_in(found):
        value = read_figure(found, key)
        assert value is not None  # `keys_in` returns only existing figures
        figure = MainFigure(figure=key.figure, **dict(value), coverage=read_coverage(found, key))
        figures.setdefault(key.kind, {})[key.dimension] = figure
    return CheckpointSummary(
        step=found.step or 0,
        label=found.label,
        passes=found.passes,
        partial=found.partial,
        **pick("pair_mean", "value"),
        coverage={name: None if about is None else about.coverage for name, about in known.items()},
        low=pick("pair_mean", "low"),
        high=pick("pair_mean", "high"),
        task_mean=pick("task_mean", "value"),
        task_mean_low=pick("task_mean", "low"),
        task_mean_high=pick("task_mean", "high"),
        figures=figures,
    )


def human_results(options: Human, measured: Sequence[Measured], rounds: int, seed: int) -> HumanResults:
    """Return the rankings read, and one entry per evaluation with ranked candidates.

    Raises `DataError` when no ranking is about candidates of these benchmarks.
    """
    rankings = rankings_that_count(options)
    evaluations = [
        JudgeBesidePeople(
            label=item.label,
            run=item.run,
            step=item.step,
            passes=item.evaluation.judge["passes"],
            benchmark=item.evaluation.bench.name,
            dimensions=found,
        )
        for item in measured
        if (found := compare_with_people(rankings.rows, item.evaluation.cards(), rounds, seed))
    ]
    if not evaluations:
        raise DataError(
            f"human.rankings: {options.rankings}: none of its {len(rankings.rows)} rankings is about candidates of the "
            "benchmarks measured; triplet ids must be the same, as in the pairs.jsonl or the Parquet of the same "
            "campaign"
        )
    return HumanResults(
        source=str(options.rankings),
        units=sorted({row.annotator for row in rankings.rows}),
        n_rankings=len(rankings.rows),
        left_out=rankings.left_out.by_kind(),
        evaluations=evaluations,
    )
