"""`report.html`: one self-contained file that a newcomer can read. Every number in it is also in results.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from editjudge.errors import DataError
from editjudge.io import atomic_write, read_json
from editjudge.tasks import CATEGORIES, CATEGORY_OF, DIMENSIONS, TASK_TYPES
from eval.charts import Point, floor_of, learning_curve, strip
from eval.gallery import Example, build_gallery
from eval.recipe import Report
from eval.results import Measured

KIND = {"prompt_following": "pf", "consistency": "co", "overall": "ov"}
"""Class of the style sheet that carries a dimension's colour."""

MEANING = {
    "prompt_following": "Which edit carries out the instruction better?",
    "consistency": "Which edit leaves the rest of the photograph alone?",
    "overall": "Which edit is better, all in all?",
}

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Section:
    """What the report shows of one benchmark."""

    name: str
    about: Row
    n_left_out: int
    rows: Sequence[Row]
    """Evaluations in the order of the table."""
    shown: Row
    """The one the tiles, the tasks and the examples are of: the last checkpoint, asked the usual way."""
    base: Row | None
    """The untrained base, when it is another one than `shown`."""
    ensemble: Row | None
    """`shown` with more passes."""
    curves: Sequence[tuple[str, Any]]
    """Dimension and chart; empty without at least two checkpoints."""
    tasks: Sequence[tuple[str, Sequence[str]]]
    """Category and those of its tasks that have pairs."""
    examples: Sequence[Example]


def write_report(path: Path, results: Row, measured: Sequence[Measured], options: Report) -> None:
    """Write the file. `results` is what `build_results` made of `measured`."""
    environment = Environment(
        loader=PackageLoader("eval"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"percent": _percent, "words": _words, "signed": _signed}
    template = environment.get_template("report.html")
    funnel = None if options.funnel is None else read_funnel(options.funnel)
    html = template.render(
        title=options.title,
        results=results,
        sections=[_section(name, results, measured, options) for name in results["benchmarks"]],
        gain=results.get("gain"),
        funnel=funnel,
        widest=max((max(stage["in"], stage["kept"]) for stage in funnel), default=0) if funnel else 0,
        dimensions=DIMENSIONS,
        kind=KIND,
        meaning=MEANING,
        category_of=CATEGORY_OF,
        strip=strip,
        heat=_heat,
    )
    atomic_write(path, html)


def read_funnel(path: Path) -> list[dict[str, Any]]:
    """The stages of a curation run's funnel.json: `name`, `in`, `kept`, `dropped` by reason, `failed`.

    `DataError` when the file is missing or something else.
    """
    content = read_json(path)
    needed = {"name", "part", "in", "kept", "dropped", "failed"}
    stages = content.get("stages") if isinstance(content, dict) else None
    if not isinstance(stages, list) or not all(isinstance(stage, dict) and needed <= set(stage) for stage in stages):
        raise DataError(f"{path}: not the funnel of a curation run; give the funnel.json in the `out` of its recipe")
    return stages


def _section(name: str, results: Row, measured: Sequence[Measured], options: Report) -> Section:
    both = zip(results["evaluations"], measured, strict=True)
    of_bench = [(row, item) for row, item in both if row["benchmark"] == name]
    rows = [row for row, _ in of_bench]
    usual = [row for row in rows if row["passes"] == rows[0]["passes"]]
    shown = usual[-1]
    ensemble = next((row for row in rows if row["step"] == shown["step"] and row["passes"] > shown["passes"]), None)
    evaluation = next(item.evaluation for row, item in of_bench if row is shown)
    about = results["benchmarks"][name]
    with_pairs = {task for found in shown["dimensions"].values() for task in found["tasks"]}
    return Section(
        name=name,
        about=about,
        n_left_out=sum(kind["count"] for kind in about["left_out"].values()),
        rows=rows,
        shown=shown,
        base=usual[0] if usual[0]["step"] == 0 and len(usual) > 1 else None,
        ensemble=ensemble,
        curves=_curves(usual, ensemble) if len(usual) > 1 else (),
        tasks=[
            (category, [task for task in TASK_TYPES if task in tasks and task in with_pairs])
            for category, tasks in CATEGORIES.items()
            if with_pairs & set(tasks)
        ],
        examples=build_gallery(evaluation, options.examples, options.image_px),
    )


def _curves(rows: Sequence[Row], ensemble: Row | None) -> list[tuple[str, Any]]:
    """One chart per dimension, all on the same vertical axis."""
    points = {name: [point for row in rows if (point := _point(row, name)) is not None] for name in DIMENSIONS}
    bottom = floor_of([point for line in points.values() for point in line])
    return [
        (
            name,
            learning_curve(
                line,
                None if ensemble is None else _point(ensemble, name),
                bottom,
                f"{_words(name)}: share of pairs judged right over training steps",
                KIND[name],
            ),
        )
        for name, line in points.items()
        if line
    ]


def _point(row: Row, dimension: str) -> Point | None:
    found = row["dimensions"].get(dimension)
    return None if found is None else Point(row["step"], **found["pair_mean"])


def _percent(value: float | None, digits: int = 1) -> str:
    """0.724 -> "72.4 %" with a narrow no-break space; a dash for nothing."""
    return "–" if value is None else f"{100 * value:.{digits}f}\u202f%"


def _signed(value: float | None) -> str:
    """A difference of shares in percentage points: "+12.3"."""
    return "–" if value is None else f"{100 * value:+.1f}".replace("-", "−")


def _words(name: str) -> str:
    return name.replace("_", " ")


def _heat(value: float | None) -> str:
    """Background of a cell: towards the good colour above one half, towards the bad one below."""
    if value is None:
        return ""
    strength = min(1.0, abs(value - 0.5) * 2) * 62
    colour = "good" if value >= 0.5 else "bad"
    return f"background: color-mix(in oklab, var(--{colour}) {strength:.0f}%, transparent)"
