"""What the report shows of one benchmark, taken from results.json's content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from editjudge.records.tasks import CATEGORIES, CATEGORY_OF, DIMENSIONS, OTHER, in_task_order
from eval.labels.benchmark import folder_name
from eval.metrics.figures import SAYS, Key, keys_in, read_coverage, read_figure
from eval.report.charts import Point, floor_of, height_of, k_curve, learning_curve
from eval.report.gallery import Gallery
from eval.report.plots import Bin, calibration, heat_map, histogram

KIND = {"prompt_following": "pf", "consistency": "co", "overall": "ov", "semantic": "pf", "quality": "co"}
"""Class of the style sheet that carries the colour of a dimension, or of a scale of ratings."""

LOW_COVERAGE = 0.9
"""Below it the page says first of all that figures are of replies that could not be read."""

Row = Mapping[str, Any]
Chart = tuple[str, Any]
"""Dimension and chart."""


@dataclass(frozen=True)
class LearningCurve:
    """A main figure over the checkpoints of a run."""

    key: Key
    chart: Any
    gain: Row | None
    """Last checkpoint minus base; of pairs it stands in the tiles."""


@dataclass(frozen=True)
class Section:
    """What the report shows of one benchmark. Whatever is empty or None is not shown."""

    name: str
    anchor: str
    about: Row
    n_left_out: int
    rows: Sequence[Row]
    """Evaluations in the order of the table."""
    shown: Row
    """The one the tiles, the tasks and the examples are of: the best or last checkpoint, asked the usual way."""
    several_runs: bool
    why_shown: str
    """In words, as `, the last checkpoint`."""
    base: Row | None
    """The untrained base of the same run, when it is another one than `shown`."""
    gain: Row | None
    """Paired gain over the base by dimension; of the last checkpoint, so None when another one is shown."""
    ensemble: Row | None
    """The row with the most passes, of the judge or run shown; None when all have as many."""
    single: Row | None
    """The same judge or checkpoint as `ensemble`, with the fewest passes."""
    curves: Sequence[tuple[str, Sequence[LearningCurve]]]
    """Run and charts of the main figures; only of runs with two checkpoints or more."""
    k_row: Row | None
    """`ensemble`, or else `shown`, when it has a K-curve."""
    k_curves: Sequence[Chart]
    heat_maps: Sequence[Chart]
    """Tasks x evaluations; only with three evaluations or more."""
    tasks: Sequence[tuple[str, Sequence[str]]]
    """Category and those of its tasks that have pairs."""
    labels: Row | None
    histograms: Sequence[tuple[str, Row, Any]]
    """Score, what is known of its spread, and chart."""
    calibration: Sequence[Chart]
    costs: Sequence[Row]
    """Rows whose cost is known."""
    gallery: Gallery

    @property
    def low_coverage(self) -> float | None:
        """The lowest coverage of the row shown, where it is below `LOW_COVERAGE`."""
        known = [found for key in keys_in(self.shown) if (found := read_coverage(self.shown, key)) is not None]
        return min(known) if known and min(known) < LOW_COVERAGE else None

    @property
    def curve_says(self) -> str:
        """What the learning curves show."""
        shown = dict.fromkeys(SAYS[curve.key.figure] for _, curves in self.curves for curve in curves)
        text = "; ".join(shown)
        return text[:1].upper() + text[1:]


def usual_rows(rows: Sequence[Row]) -> list[Row]:
    """Of every judge or checkpoint the row with the fewest passes, in order."""
    fewest: dict[tuple[object, ...], Row] = {}
    for row in rows:
        key = (row.get("run"), row["step"], row["label"] if row["step"] is None else None)
        if key not in fewest or (row["passes"] or 0) < (fewest[key]["passes"] or 0):
            fewest[key] = row
    return list(fewest.values())


def pick_shown(rows: Sequence[Row], best: Row | None) -> Row:
    """The row of the best checkpoint where one is named, else the last one asked the usual way; of rows that are no
    checkpoints the first, which is the main reading of a file of scores."""
    usual = usual_rows(rows)
    if best is not None:
        for row in usual:
            if row.get("run") == best.get("run") and row["step"] == best.get("step"):
                return row
    return usual[0] if usual[-1]["step"] is None else usual[-1]


def make_section(name: str, results: Row, shown: Row, gallery: Gallery) -> Section:
    """The section of a benchmark; `shown` is one of its rows and `gallery` of that row's evaluation."""
    rows = [row for row in results["evaluations"] if row["benchmark"] == name]
    usual = usual_rows(rows)
    of_run = [row for row in usual if row.get("run") == shown.get("run")]
    first = of_run[0]
    about = results["benchmarks"][name]
    with_pairs = {task for found in shown["dimensions"].values() for task in found["tasks"]}
    ensemble, single = _ensemble([row for row in rows if row.get("run") == shown.get("run")], shown)
    most = shown if ensemble is None else ensemble
    k_row = most if most.get("k_curve") else None
    return Section(
        name=name,
        anchor=f"bench-{folder_name(name)}",
        about=about,
        n_left_out=sum(kind["count"] for kind in about["left_out"].values()),
        rows=rows,
        shown=shown,
        several_runs=len({row.get("run") for row in rows}) > 1,
        why_shown=_why(shown, of_run, results.get("best")),
        base=first if first["step"] == 0 and first is not shown else None,
        gain=_gain(name, results, shown) if shown is of_run[-1] else None,
        ensemble=ensemble,
        single=single,
        curves=_learning_curves(name, usual, ensemble, results),
        k_row=k_row,
        k_curves=_k_curves(k_row),
        heat_maps=_heat_maps(usual, with_pairs) if len(usual) > 2 else (),
        tasks=_by_category(with_pairs),
        labels=shown.get("labels"),
        histograms=_histograms(shown),
        calibration=_calibration(shown),
        costs=[row for row in rows if row.get("cost")],
        gallery=gallery,
    )


def _by_category(tasks: set[str]) -> list[tuple[str, list[str]]]:
    """The categories that have any of these tasks, in the benchmark's order, "other" last."""
    found: dict[str, list[str]] = {name: [] for name in (*CATEGORIES, OTHER)}
    for task in in_task_order(tasks):
        found[CATEGORY_OF.get(task, OTHER)].append(task)
    return [(name, of_category) for name, of_category in found.items() if of_category]


def _gain(name: str, results: Row, shown: Row) -> Row | None:
    """The gain of the run that `shown` is of, on this benchmark."""
    of_run = results.get("runs", {}).get(shown.get("run"), results)
    found: Row | None = (of_run.get("gain") or {}).get(name)
    return found


def _ensemble(rows: Sequence[Row], shown: Row) -> tuple[Row | None, Row | None]:
    """The row with the most passes, that of `shown` where there are several, and its twin with the fewest passes."""
    pairs = [
        (row, one)
        for row in rows
        for one in usual_rows(rows)
        if (row["step"], row["label"]) == (one["step"], one["label"]) and (row["passes"] or 0) > (one["passes"] or 0)
    ]
    if not pairs:
        return None, None
    return max(pairs, key=lambda pair: (pair[0]["step"] == shown["step"], pair[0]["passes"]))


def _why(shown: Row, of_run: Sequence[Row], best: Row | None) -> str:
    if best is not None and best.get("run") == shown.get("run") and best.get("step") == shown["step"]:
        return ", the checkpoint chosen as best"
    return ", the last checkpoint" if shown is of_run[-1] else ""


def _learning_curves(
    bench: str, usual: Sequence[Row], ensemble: Row | None, results: Row
) -> list[tuple[str, list[LearningCurve]]]:
    """Per run one chart per main figure, those of one kind of label on the same vertical axis."""
    runs: dict[str, list[Row]] = {}
    for row in usual:
        if row["step"] is not None:
            runs.setdefault(row.get("run") or "", []).append(row)
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
        ring = ensemble if ensemble is not None and (ensemble.get("run") or "") == run else None
        charts = []
        for key in keys:
            extra = next(iter(_points([] if ring is None else [ring], key)), None)
            title = f"{run} {key.says} over steps"
            chart = learning_curve(lines[run, key], extra, heights[key.kind], title, KIND[key.dimension])
            if lines[run, key]:
                charts.append(LearningCurve(key, chart, _label_gain(bench, run, key, results)))
        if len(rows) > 1 and charts:
            curves.append((run, charts))
    return curves


def _points(rows: Sequence[Row], key: Key) -> list[Point]:
    """The rows in which the figure is defined."""
    found = ((row["step"], read_figure(row, key)) for row in rows)
    return [
        Point(step, value, one["low"], one["high"])
        for step, one in found
        if one is not None and (value := one["value"]) is not None
    ]


def _label_gain(bench: str, run: str, key: Key, results: Row) -> Row | None:
    of_run = results.get("runs", {}).get(run, results)
    of_kind = (of_run.get("gain") or {}).get(bench, {}).get("labels", {}).get(key.kind, {})
    found: Row | None = of_kind.get(key.dimension)
    return found


def _k_curves(row: Row | None) -> list[Chart]:
    """Per dimension, accuracy by number of passes."""
    if row is None:
        return []
    points = {
        name: [
            Point(point["k"], **found["pair_mean"])
            for point in row["k_curve"]["points"]
            if (found := point["dimensions"].get(name)) is not None and found["pair_mean"]["value"] is not None
        ]
        for name in DIMENSIONS
    }
    bottom = floor_of([point for line in points.values() for point in line])
    return [
        (name, k_curve(line, bottom, f"{name}: share right by number of passes", KIND[name]))
        for name, line in points.items()
        if line
    ]


def _histograms(row: Row) -> list[tuple[str, Row, Any]]:
    """Of every value of the cards."""
    scores = row.get("scores")
    if not scores:
        return []
    low, high = scores["edges"][0], scores["edges"][-1]
    found = []
    for name, spread in scores["dimensions"].items():
        if spread["n"]:
            title = f"{name}: how often each score was given"
            chart = histogram(spread["counts"], low, high, "score", title, KIND.get(name, "k"))
            found.append((name, spread, chart))
    return found


def _calibration(row: Row) -> list[Chart]:
    """Share right by margin; the axis ends at a round number above the widest bin."""
    found = row.get("calibration") or {}
    widest = max((part["bins"][-1]["mean"] for part in found.values() if part["bins"]), default=0.0)
    end = max(1.0, float(ceil(widest)))
    ticks = [(share, f"{share * end:.3g}") for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    charts: list[Chart] = []
    for name, part in found.items():
        bins = [
            Bin(one["mean"] / end, f"margin {one['low']:.2f} to {one['high']:.2f}", n=one["n_pairs"], **one["right"])
            for one in part["bins"]
        ]
        title = f"{name}: share right by margin"
        charts.append((name, calibration(bins, ticks, "margin between the two scores", title, KIND[name])))
    return charts


def _heat_maps(usual: Sequence[Row], with_pairs: set[str]) -> list[Chart]:
    """Per dimension, tasks x judges or checkpoints."""
    tasks = in_task_order(with_pairs)
    several = len({row.get("run") for row in usual}) > 1
    columns = [f"{row['run']} {row['label']}" if several else str(row["label"]) for row in usual]
    charts: list[Chart] = []
    for name in DIMENSIONS:
        of_dimension = [row["dimensions"].get(name, {"tasks": {}})["tasks"] for row in usual]
        values = [[found[task]["value"] if task in found else None for found in of_dimension] for task in tasks]
        if any(value is not None for line in values for value in line):
            title = f"{name}: share right by task"
            charts.append((name, heat_map(tasks, [column.removeprefix("step ") for column in columns], values, title)))
    return charts
