"""The report's section of one benchmark, made from results.json's content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from editjudge.formats.results.evaluation import (
    BenchmarkSize,
    Calibration,
    JudgeOnBenchmark,
    KCurve,
    ScoreSpreads,
    Spread,
)
from editjudge.formats.results.results import Results
from editjudge.formats.results.sweep import Choice, Gains
from editjudge.records.tasks import CATEGORIES, CATEGORY_OF, DIMENSIONS, OTHER, Dimension, in_task_order
from editjudge.statistics.estimate import Difference
from eval.labels.benchmark import folder_name
from eval.metrics.figures import SAYS, FigureKey, keys_in, lowest_coverage, read_figure
from eval.report.charts import Point, floor_of, height_of, k_curve, learning_curve
from eval.report.gallery import Gallery
from eval.report.plots import Bin, calibration, heat_map, histogram

KIND = {"prompt_following": "pf", "consistency": "co", "overall": "ov", "semantic": "pf", "quality": "co"}
"""CSS class with the colour of a dimension, or of a rating scale."""

LOW_COVERAGE = 0.9
"""Below it the page first warns that figures include unreadable replies."""

Chart = tuple[str, Any]
"""Dimension and chart."""


@dataclass(frozen=True)
class LearningCurve:
    """A main figure over the checkpoints of a run."""

    key: FigureKey
    chart: Any
    gain: Difference | None
    """Last checkpoint minus base; for pairs the tiles show it."""


@dataclass(frozen=True)
class Section:
    """The report's section of one benchmark. Empty and None fields are not shown."""

    name: str
    anchor: str
    about: BenchmarkSize
    n_left_out: int
    rows: Sequence[JudgeOnBenchmark]
    """Evaluations in the order of the table."""
    shown: JudgeOnBenchmark
    """Evaluation of the tiles, tasks and examples: best or last checkpoint, with the usual passes."""
    several_runs: bool
    why_shown: str
    """As text, such as `, the last checkpoint`."""
    base: JudgeOnBenchmark | None
    """The untrained base of the same run, unless it is `shown`."""
    gain: Mapping[Dimension, Difference]
    """Paired gain over the base by dimension, for the last checkpoint; empty when another one is shown."""
    ensemble: JudgeOnBenchmark | None
    """The row with the most passes, of the judge or run shown; None when all have equally many."""
    single: JudgeOnBenchmark | None
    """The same judge or checkpoint as `ensemble`, with the fewest passes."""
    curves: Sequence[tuple[str, Sequence[LearningCurve]]]
    """Run and charts of the main figures; only for runs with two checkpoints or more."""
    k_row: JudgeOnBenchmark | None
    """`ensemble`, or else `shown`, when it has a K-curve."""
    k_curves: Sequence[Chart]
    heat_maps: Sequence[Chart]
    """Tasks x evaluations; only with three evaluations or more."""
    tasks: Sequence[tuple[str, Sequence[str]]]
    """Category and those of its tasks that have pairs."""
    histograms: Sequence[tuple[str, Spread, Any]]
    """Score, its distribution, and chart."""
    calibration: Sequence[Chart]
    costs: Sequence[JudgeOnBenchmark]
    """Rows with a known cost."""
    gallery: Gallery

    @property
    def low_coverage(self) -> float | None:
        """Return the lowest coverage of the row shown, where it is below `LOW_COVERAGE`."""
        lowest = lowest_coverage(self.shown, keys_in(self.shown))
        return None if lowest is None or lowest >= LOW_COVERAGE else lowest

    @property
    def curve_says(self) -> str:
        """Return the caption of the learning curves."""
        shown = dict.fromkeys(SAYS[curve.key.figure] for _, curves in self.curves for curve in curves)
        text = "; ".join(shown)
        return text[:1].upper() + text[1:]


def usual_rows(rows: Sequence[JudgeOnBenchmark]) -> list[JudgeOnBenchmark]:
    """Return the row with the fewest passes of every judge or checkpoint, in order."""
    fewest: dict[tuple[object, ...], JudgeOnBenchmark] = {}
    for row in rows:
        key = (row.run, row.step, row.label if row.step is None else None)
        if key not in fewest or row.passes < fewest[key].passes:
            fewest[key] = row
    return list(fewest.values())


def pick_shown(rows: Sequence[JudgeOnBenchmark], best: Choice | None) -> JudgeOnBenchmark:
    """Return the row of the best checkpoint if there is one, else of the last one with the usual passes; of rows
    without checkpoints the first, which is the main reading of a file of scores."""
    usual = usual_rows(rows)
    if best is not None:
        for row in usual:
            if (row.run, row.step) == (best.run, best.step):
                return row
    return usual[0] if usual[-1].step is None else usual[-1]


def make_section(name: str, results: Results, shown: JudgeOnBenchmark, gallery: Gallery) -> Section:
    """Build the section of a benchmark; `shown` is one of its rows and `gallery` of that row's evaluation."""
    rows = results.of_benchmark(name)
    usual = usual_rows(rows)
    of_run = [row for row in usual if row.run == shown.run]
    first = of_run[0]
    about = results.benchmarks[name]
    with_pairs = {task for found in shown.dimensions.values() for task in found.tasks}
    ensemble, single = _ensemble([row for row in rows if row.run == shown.run], shown)
    most = shown if ensemble is None else ensemble
    return Section(
        name=name,
        anchor=f"bench-{folder_name(name)}",
        about=about,
        n_left_out=sum(kind.count for kind in about.left_out.values()),
        rows=rows,
        shown=shown,
        several_runs=len({row.run for row in rows}) > 1,
        why_shown=_why(shown, of_run, results.best),
        base=first if first.step == 0 and first is not shown else None,
        gain=_gains(results, shown.run, name).dimensions if shown is of_run[-1] else {},
        ensemble=ensemble,
        single=single,
        curves=_learning_curves(name, usual, ensemble, results),
        k_row=None if most.k_curve is None else most,
        k_curves=() if most.k_curve is None else _k_curves(most.k_curve),
        heat_maps=_heat_maps(usual, with_pairs) if len(usual) > 2 else (),
        tasks=_by_category(with_pairs),
        histograms=_histograms(shown.scores),
        calibration=_calibration(shown.calibration),
        costs=[row for row in rows if row.cost is not None],
        gallery=gallery,
    )


def _by_category(tasks: set[str]) -> list[tuple[str, list[str]]]:
    """Return the categories with any of these tasks, in the benchmark's order, "other" last."""
    found: dict[str, list[str]] = {name: [] for name in (*CATEGORIES, OTHER)}
    for task in in_task_order(tasks):
        found[CATEGORY_OF.get(task, OTHER)].append(task)
    return [(name, of_category) for name, of_category in found.items() if of_category]


def _gains(results: Results, run: str | None, bench: str) -> Gains:
    """Return the gains of a run on a benchmark."""
    of_run = {} if run not in results.runs else results.runs[run].gain
    return of_run.get(bench, Gains())


def _ensemble(
    rows: Sequence[JudgeOnBenchmark], shown: JudgeOnBenchmark
) -> tuple[JudgeOnBenchmark | None, JudgeOnBenchmark | None]:
    """Return the row with the most passes, of `shown` if there are several, and its twin with the fewest passes."""
    pairs = [
        (row, one)
        for row in rows
        for one in usual_rows(rows)
        if (row.step, row.label) == (one.step, one.label) and row.passes > one.passes
    ]
    if not pairs:
        return None, None
    return max(pairs, key=lambda pair: (pair[0].step == shown.step, pair[0].passes))


def _why(shown: JudgeOnBenchmark, of_run: Sequence[JudgeOnBenchmark], best: Choice | None) -> str:
    if best is not None and (best.run, best.step) == (shown.run, shown.step):
        return ", the checkpoint chosen as best"
    return ", the last checkpoint" if shown is of_run[-1] else ""


def _learning_curves(
    bench: str, usual: Sequence[JudgeOnBenchmark], ensemble: JudgeOnBenchmark | None, results: Results
) -> list[tuple[str, list[LearningCurve]]]:
    """Return per run one chart per main figure, those of one kind of label on the same vertical axis."""
    runs: dict[str, list[JudgeOnBenchmark]] = {}
    for row in usual:
        if row.step is not None:
            runs.setdefault(row.run or "", []).append(row)
    keys = list(dict.fromkeys(key for rows in runs.values() for row in rows for key in keys_in(row)))
    lines = {(run, key): _points(rows, key) for run, rows in runs.items() for key in keys}
    heights = {
        kind: height_of(
            [point for (_, key), line in lines.items() if key.kind == kind for point in line],
            next(key.chance for key in keys if key.kind == kind),
            kind != "ratings",
        )
        for kind in {key.kind for key in keys}
    }
    curves = []
    for run, rows in runs.items():
        ring = ensemble if ensemble is not None and (ensemble.run or "") == run else None
        charts = []
        for key in keys:
            extra = next(iter(_points([] if ring is None else [ring], key)), None)
            title = f"{run} {key.says} over steps"
            chart = learning_curve(lines[run, key], extra, heights[key.kind], title, KIND[key.dimension])
            if lines[run, key]:
                gain = _gains(results, run, bench).labels.get(key.kind, {}).get(key.dimension)
                charts.append(LearningCurve(key, chart, gain))
        if len(rows) > 1 and charts:
            curves.append((run, charts))
    return curves


def _points(rows: Sequence[JudgeOnBenchmark], key: FigureKey) -> list[Point]:
    """Return points for the rows in which the figure is defined."""
    found = ((row.step or 0, read_figure(row, key)) for row in rows)
    return [
        Point(step, value, one.low, one.high)
        for step, one in found
        if one is not None and (value := one.value) is not None
    ]


def _k_curves(curve: KCurve) -> list[Chart]:
    """Draw accuracy by number of passes, per dimension."""
    points = {
        name: [
            Point(point.k, value, found.pair_mean.low, found.pair_mean.high)
            for point in curve.points
            if (found := point.dimensions.get(name)) is not None and (value := found.pair_mean.value) is not None
        ]
        for name in DIMENSIONS
    }
    bottom = floor_of([point for line in points.values() for point in line])
    return [
        (name, k_curve(line, bottom, f"{name}: share right by number of passes", KIND[name]))
        for name, line in points.items()
        if line
    ]


def _histograms(scores: ScoreSpreads) -> list[tuple[str, Spread, Any]]:
    """Draw a histogram of every value of the cards."""
    low, high = scores.edges[0], scores.edges[-1]
    found = []
    for name, spread in scores.dimensions.items():
        if spread.n:
            title = f"{name}: how often each score was given"
            chart = histogram(spread.counts, low, high, "score", title, KIND.get(name, "k"))
            found.append((name, spread, chart))
    return found


def _calibration(found: Mapping[Dimension, Calibration]) -> list[Chart]:
    """Draw the share right by margin; the axis ends at a round number above the widest bin."""
    widest = max((part.bins[-1].mean for part in found.values() if part.bins), default=0.0)
    end = max(1.0, float(ceil(widest)))
    ticks = [(share, f"{share * end:.3g}") for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    charts: list[Chart] = []
    for name, part in found.items():
        bins = [
            Bin(one.mean / end, f"margin {one.low:.2f} to {one.high:.2f}", n=one.n_pairs, **dict(one.right))
            for one in part.bins
        ]
        title = f"{name}: share right by margin"
        charts.append((name, calibration(bins, ticks, "margin between the two scores", title, KIND[name])))
    return charts


def _heat_maps(usual: Sequence[JudgeOnBenchmark], with_pairs: set[str]) -> list[Chart]:
    """Draw tasks x judges or checkpoints, per dimension."""
    tasks = in_task_order(with_pairs)
    several = len({row.run for row in usual}) > 1
    columns = [f"{row.run} {row.label}" if several else row.label for row in usual]
    charts: list[Chart] = []
    for name in DIMENSIONS:
        of_dimension = [{} if (found := row.dimensions.get(name)) is None else found.tasks for row in usual]
        values = [[found[task].value if task in found else None for found in of_dimension] for task in tasks]
        if any(value is not None for line in values for value in line):
            title = f"{name}: share right by task"
            charts.append((name, heat_map(tasks, [column.removeprefix("step ") for column in columns], values, title)))
    return charts
