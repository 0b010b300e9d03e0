"""From evaluations to `results.json`: every number a report prints, with its interval and what it rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from editjudge.errors import DataError
from editjudge.records.tasks import CATEGORIES, DIMENSIONS
from editjudge.statistics.arrays import Ints
from editjudge.statistics.bootstrap import Figure, figure
from eval.evaluations.cost import Prices, describe_cost
from eval.evaluations.evaluation import Evaluation
from eval.human.agreement import compare_with_people
from eval.human.rankings import Human, rankings_that_count
from eval.labels.benchmark import Benchmark
from eval.metrics.calibration import calibrations
from eval.metrics.distributions import distributions
from eval.metrics.figures import keys_in, read_coverage, read_figure
from eval.metrics.intervals import Intervals, intervals
from eval.metrics.kcurve import k_curve
from eval.metrics.labels import measure_labels
from eval.metrics.pairs import OUTCOMES, count, coverage, outcome_counts
from eval.metrics.published import published_figures

FORMAT = 2
"""Raised when the meaning of a key in results.json changes."""


@dataclass(frozen=True)
class Measured:
    """An evaluation and what it is of."""

    label: str
    """For tables: "base", "step 120", "judge"."""
    step: int | None
    """Of a checkpoint, 0 for the untrained base; None outside a training run."""
    evaluation: Evaluation
    run: str | None = None
    """Name of the training run; None outside of one."""
    probes: tuple[dict[str, Any], ...] = ()
    """What `probes.run_probes` found."""


def build_results(measured: Sequence[Measured], rounds: int, seed: int, prices: Prices | None = None) -> dict[str, Any]:
    """The content of results.json.

    `evaluations` is in the order of `measured`; all of one benchmark share their resamples. Costs are in money where
    `prices` says what things cost.
    """
    rows: dict[int, dict[str, Any]] = {}
    benches: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys(item.evaluation.bench.name for item in measured):
        places = [place for place, item in enumerate(measured) if item.evaluation.bench.name == name]
        of_bench = [measured[place] for place in places]
        benches[name] = _describe_benchmark(of_bench[0].evaluation.bench, of_bench[0].evaluation.n_triplets)
        found = intervals([count(item.evaluation.table) for item in of_bench], rounds, seed)
        margins = calibrations([item.evaluation.table for item in of_bench], rounds, seed)
        for place, item, interval, calibration in zip(places, of_bench, found, margins, strict=True):
            evaluation = item.evaluation
            rows[place] = _describe(item, interval) | {
                "k_curve": evaluation.once(("k_curve", rounds, seed), partial(_k_curve, evaluation, rounds, seed)),
                "cost": describe_cost(evaluation.cost, evaluation.seconds, evaluation.n_triplets, prices),
                "scores": evaluation.once(("scores",), partial(_distributions, evaluation)),
                "calibration": calibration,
            }
            if evaluation.bench.has_other_labels:
                rows[place]["labels"] = evaluation.once(
                    ("labels", rounds, seed), partial(_measure_labels, evaluation, rounds, seed)
                )
            theirs = evaluation.once(("published", rounds, seed), partial(_as_published, evaluation, rounds, seed))
            rows[place] |= {"published": theirs} if theirs else {}
    probed = [
        {"label": item.label, "run": item.run, "step": item.step, "benchmark": item.evaluation.bench.name, **row}
        for item in measured
        for row in item.probes
    ]
    return {
        "format": FORMAT,
        "bootstrap": {"rounds": rounds, "seed": seed, "level": 0.95, "clusters": "groups"},
        "benchmarks": benches,
        "evaluations": [rows[place] for place in range(len(measured))],
        **({"probes": probed} if probed else {}),
    }


def _k_curve(evaluation: Evaluation, rounds: int, seed: int) -> dict[str, Any] | None:
    return k_curve(evaluation.bench.pairs, evaluation.table, evaluation.values(), rounds, seed)


def _distributions(evaluation: Evaluation) -> dict[str, Any]:
    return distributions(evaluation.values())


def _measure_labels(evaluation: Evaluation, rounds: int, seed: int) -> dict[str, Any]:
    return measure_labels(evaluation.bench, evaluation.cards(), evaluation.votes, rounds, seed)


def _as_published(evaluation: Evaluation, rounds: int, seed: int) -> list[dict[str, Any]]:
    bench = evaluation.bench
    cards = evaluation.cards() if bench.comparisons or bench.multiways else {}
    return published_figures(bench, cards, evaluation.votes is not None, evaluation.published, rounds, seed)


def _describe_benchmark(bench: Benchmark, n_triplets: int) -> dict[str, Any]:
    return {
        "source": bench.source,
        "identity": bench.identity,
        "labels": bench.label_identity,
        "n_pairs": len(bench.pairs),
        "n_comparisons": len(bench.comparisons),
        "n_multiways": len(bench.multiways),
        "n_ratings": len(bench.ratings),
        "n_groups": len({triplet.task.id for triplet in bench.mentioned()}),
        "n_triplets": n_triplets,
        "partial": bench.partial,
        "left_out": bench.left_out.as_json(),
        "notes": bench.notes.as_json(),
    }


def _describe(item: Measured, found: Intervals) -> dict[str, Any]:
    evaluation = item.evaluation
    outcomes = outcome_counts(evaluation.table)
    groups = count(evaluation.table).pairs > 0
    dimensions = {}
    for column, dimension in enumerate(DIMENSIONS):
        if not outcomes[:, column].any():
            continue
        dimensions[dimension] = {
            **_counts(outcomes[:, column], int(groups[:, :, column].any(axis=1).sum())),
            "pair_mean": _figure(found, "pair_mean", column),
            "task_mean": _figure(found, "task_mean", column),
            "categories": {
                name: _figure(found, "category", (row, column))
                for row, name in enumerate(CATEGORIES)
                if not np.isnan(found.value.category[row, column])
            },
            "tasks": {
                name: {
                    **_figure(found, "task", (row, column)),
                    **_counts(outcomes[row, column], int(groups[:, row, column].sum())),
                }
                for row, name in enumerate(evaluation.table.task_types)
                if outcomes[row, column].any()
            },
        }
    seconds = evaluation.seconds
    return {
        "label": item.label,
        "run": item.run,
        "step": item.step,
        "passes": evaluation.judge["passes"],
        "benchmark": evaluation.bench.name,
        "partial": evaluation.bench.partial,
        "judge": evaluation.judge,
        "reading": evaluation.reading,
        "n_triplets": evaluation.n_triplets,
        "seconds": round(seconds, 3),
        "unreadable": evaluation.unreadable,
        "triplets_per_second": round(evaluation.n_triplets / seconds, 3) if seconds > 0 else None,
        "dimensions": dimensions,
    }


def _counts(outcomes: Ints, n_groups: int) -> dict[str, Any]:
    """Pairs by outcome, from counts whose last axis is `OUTCOMES`."""
    totals = outcomes.reshape(-1, len(OUTCOMES)).sum(axis=0)
    return {
        "n_pairs": int(totals.sum()),
        "n_groups": n_groups,
        **{name: int(total) for name, total in zip(OUTCOMES, totals, strict=True)},
        "coverage": coverage(totals),
    }


def _figure(found: Intervals, name: str, where: int | tuple[int, int]) -> Figure:
    """A figure with its 95 % interval; None for an interval that too few groups stand behind."""
    return figure(*(float(getattr(part, name)[where]) for part in (found.value, found.low, found.high)))


def summarise(results: Mapping[str, Any], benchmark: str | None = None, run: str | None = None) -> list[dict[str, Any]]:
    """One entry per checkpoint of one training run, the untrained base first, from what is in results.json.

    `prompt_following`, `consistency` and `overall` are pair-mean accuracies, 0 to 1, or None without such pairs.
    `coverage`, `low`, `high`, `task_mean`, `task_mean_low`, `task_mean_high` hold the same three keys. `figures` holds
    the main figures of every kind of label: kind -> dimension -> `figure` (name), `value`, `low`, `high`, `coverage`.
    Of a checkpoint measured with several numbers of passes the entry with the fewest is taken.
    `benchmark` and `run` are the first ones when they are not given.
    """
    name = next(iter(results["benchmarks"])) if benchmark is None else benchmark
    of_bench = [row for row in results["evaluations"] if row["benchmark"] == name and row["step"] is not None]
    if run is None and of_bench:
        run = of_bench[0]["run"]
    by_step: dict[int, Mapping[str, Any]] = {}
    for row in of_bench:
        if row["run"] != run:
            continue
        known = by_step.get(row["step"])
        if known is None or row["passes"] < known["passes"]:
            by_step[row["step"]] = row
    return [summary(by_step[step]) for step in sorted(by_step)]


def summary(row: Mapping[str, Any]) -> dict[str, Any]:
    """The entry of one evaluation; see `summarise`."""

    def pick(figure: str, key: str) -> dict[str, float | None]:
        return {name: found[figure][key] if (found := row["dimensions"].get(name)) else None for name in DIMENSIONS}

    figures: dict[str, dict[str, Any]] = {}
    for key in keys_in(row):
        found = {"figure": key.figure, **(read_figure(row, key) or {}), "coverage": read_coverage(row, key)}
        figures.setdefault(key.kind, {})[key.dimension] = found
    return {
        "step": row["step"],
        "label": row["label"],
        "passes": row["passes"],
        "partial": row["partial"],
        **pick("pair_mean", "value"),
        "coverage": {
            name: row["dimensions"][name]["coverage"] if name in row["dimensions"] else None for name in DIMENSIONS
        },
        "low": pick("pair_mean", "low"),
        "high": pick("pair_mean", "high"),
        "task_mean": pick("task_mean", "value"),
        "task_mean_low": pick("task_mean", "low"),
        "task_mean_high": pick("task_mean", "high"),
        "figures": figures,
    }


def human_results(options: Human, measured: Sequence[Measured], rounds: int, seed: int) -> dict[str, Any]:
    """The key `human` of results.json: what was read, and one entry per evaluation whose candidates people ranked.

    Raises `DataError` when not one ranking is about candidates of these benchmarks.
    """
    rankings = rankings_that_count(options)
    evaluations = []
    for item in measured:
        found = compare_with_people(rankings.rows, item.evaluation.cards(), rounds, seed)
        if found:
            evaluations.append(
                {
                    "label": item.label,
                    "run": item.run,
                    "step": item.step,
                    "passes": item.evaluation.judge.get("passes"),
                    "benchmark": item.evaluation.bench.name,
                    "dimensions": found,
                }
            )
    if not evaluations:
        raise DataError(
            f"human.rankings: {options.rankings}: none of its {len(rankings.rows)} rankings is about candidates of the "
            "benchmarks measured; triplet ids must be the same, as in pairs.jsonl or the Parquet of the same campaign"
        )
    return {
        "source": str(options.rankings),
        "units": sorted({row.annotator for row in rankings.rows}),
        "n_rankings": len(rankings.rows),
        "left_out": rankings.left_out.as_json(),
        "evaluations": evaluations,
    }
