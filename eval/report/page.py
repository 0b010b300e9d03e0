"""`report.html`: one self-contained file for newcomers. Every number in it is also in results.json."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from editjudge.files.io import atomic_write
from editjudge.formats.funnel import read_funnel
from editjudge.formats.results.evaluation import BenchmarkSize, Finding
from editjudge.formats.results.leaderboard import Board
from editjudge.formats.results.results import Results
from editjudge.records.tasks import DIMENSIONS
from eval.report.charts import strip
from eval.report.columns import label_boards
from eval.report.gallery import build_gallery
from eval.report.leaderboard import source_of
from eval.report.options import Report
from eval.report.pictures import Pictures
from eval.report.sections import KIND, Section, make_section, pick_shown
from eval.report.tables import write_tables
from eval.results import Measured

MEANING = {
    "prompt_following": "Which edit carries out the instruction better?",
    "consistency": "Which edit leaves the rest of the photograph alone?",
    "overall": "Which edit is better, all in all?",
}
THUMBNAILS = ".thumbnails"
"""Folder of thumbnails beside the report; the next report reuses them."""


def write_report(path: Path, results: Results, measured: Sequence[Measured], options: Report) -> None:
    """Write the report, and the requested tables beside it. `results` is of `measured`, in the same order."""
    pictures = Pictures(path.parent / THUMBNAILS, options.image_px)
    sections = _sections(results, measured, options, pictures)
    funnel = None if options.funnel is None else read_funnel(options.funnel)
    html = (
        _environment()
        .get_template("report.html")
        .render(
            title=options.title,
            results=results,
            sections=sections,
            parts=_parts(results, sections, funnel is not None),
            boards=_boards(results),
            funnel=funnel,
            widest=max((max(stage.rows_in, stage.kept) for stage in funnel.stages), default=0) if funnel else 0,
            # Keys are hexadecimal and values Base64, so they cannot close the HTML element that contains them.
            pictures=Markup(json.dumps(pictures.content)) if pictures.content else None,
            dimensions=DIMENSIONS,
            kind=KIND,
            meaning=MEANING,
            strip=strip,
            labelled=label_boards,
            heat=_heat,
        )
    )
    atomic_write(path, html)
    write_tables(path.parent, results, sections, options.tables)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("eval.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": _percent,
        "words": _words,
        "signed": _signed,
        "whole": _whole,
        "size": _size,
        "value": _value,
        "findings": _findings,
        "reasons": _reasons,
        "source": source_of,
        "who": lambda label: "the judge" if label == "judge" else label,
    }
    return environment


def _sections(results: Results, measured: Sequence[Measured], options: Report, pictures: Pictures) -> list[Section]:
    sections = []
    for name in results.benchmarks:
        both = zip(results.evaluations, measured, strict=True)
        of_bench = [(row, item.evaluation) for row, item in both if row.benchmark == name]
        shown = pick_shown([row for row, _ in of_bench], results.best)
        evaluation = next(evaluation for row, evaluation in of_bench if row is shown)
        room = round(options.max_mb * 1e6)
        gallery = build_gallery(
            evaluation, evaluation.cards(), pictures, options.examples, options.right_examples, room
        )
        sections.append(make_section(name, results, shown, gallery))
    return sections


def _parts(results: Results, sections: Sequence[Section], with_funnel: bool) -> list[tuple[str, str]]:
    """Return anchors and names of the visible parts of the page."""
    parts = [("leaderboard", "Leaderboard")] if _boards(results) else []
    parts += [("checkpoints", "Checkpoints")] if results.runs else []
    parts += [(section.anchor, section.name) for section in sections]
    parts += [("human", "Judge and people")] if results.human is not None else []
    parts += [("probes", "Probes")] if results.probes else []
    return [*parts, ("funnel", "Training data")] if with_funnel else parts


def _boards(results: Results) -> list[Board]:
    """Return the leaderboards with more than one judge."""
    return [board for board in results.leaderboard if len(board.rows) > 1]


def _percent(value: float | None, digits: int = 1) -> str:
    """0.724 -> "72.4 %" with a narrow no-break space; a dash for None."""
    return "–" if value is None else f"{100 * value:.{digits}f}\u202f%"


def _signed(value: float | None, points: bool = True) -> str:
    """Format a difference: of shares in percentage points, "+12.3"; of correlations unchanged, "+0.123"."""
    if value is None:
        return "–"
    return (f"{100 * value:+.1f}" if points else f"{value:+.3f}").replace("-", "−")


def _whole(value: int) -> str:
    return f"{value:,}"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _size(about: BenchmarkSize) -> str:
    """Return a benchmark's size as text, without missing kinds of labels."""
    kinds = (
        (about.n_pairs, "pairs"),
        (about.n_comparisons, "comparisons"),
        (about.n_multiways, "groups"),
        (about.n_ratings, "ratings"),
    )
    labels = [f"{n:,} {word}" for n, word in kinds if n]
    groups = "instructions" if about.n_multiways else "groups"  # a group of a multiway benchmark consists of candidates
    if not labels:
        return f"{about.n_triplets:,} edits of {about.n_groups:,} groups, without labels"
    return f"{' and '.join(labels)} from {about.n_groups:,} {groups}, {about.n_triplets:,} edits"


def _value(value: object) -> str:
    """Format a value of a judge's description."""
    if isinstance(value, Mapping):
        return ", ".join(f"{_words(str(key))} {_value(part)}" for key, part in value.items())
    return "–" if value is None else str(value)


def _findings(found: Mapping[str, Finding]) -> str:
    """`3 × missing image (first: row 7: ...)`, kind by kind."""
    kinds = (f"{about.count:,} × {_words(kind)} (first: {about.names[0]})" for kind, about in found.items())
    return "; ".join(kinds)


def _reasons(found: Mapping[str, int]) -> str:
    """`560 × no json, 2 × truncated`."""
    return ", ".join(f"{count:,} × {_words(reason)}" for reason, count in found.items())


def _heat(value: float | None) -> str:
    """Return the background of a cell: towards the good colour above one half, towards the bad one below."""
    if value is None:
        return ""
    strength = min(1.0, abs(value - 0.5) * 2) * 62
    colour = "good" if value >= 0.5 else "bad"
    return f"background: color-mix(in oklab, var(--{colour}) {strength:.0f}%, transparent)"
