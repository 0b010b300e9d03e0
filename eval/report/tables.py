"""The report's tables as LaTeX (booktabs) and Markdown, for papers and issues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from editjudge.files.io import atomic_write
from editjudge.formats.results.evaluation import JudgeOnBenchmark, Metric
from editjudge.formats.results.leaderboard import Board, BoardKind
from editjudge.formats.results.results import Results
from editjudge.records.tasks import CATEGORIES, DIMENSIONS
from editjudge.statistics.estimate import Estimate
from eval.report.columns import SAYS, board_coverage, columns_of, label_boards, values_of
from eval.report.leaderboard import source_of
from eval.report.sections import Section

TableFormat = Literal["latex", "markdown"]
FILES: dict[TableFormat, str] = {"latex": "tables.tex", "markdown": "tables.md"}

_LATEX = {
    "\\": r"\textbackslash{}",
    **{char: "\\" + char for char in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "–": "--",
    "−": "$-$",
}
_MARKDOWN = {char: "\\" + char for char in "\\`*_[]<>|#~$"}


@dataclass(frozen=True)
class Table:
    """Plain cells; the first column is text, the others are figures."""

    caption: str
    head: Sequence[str]
    body: Sequence[Sequence[str]]


def write_tables(folder: Path, results: Results, sections: Sequence[Section], formats: Sequence[TableFormat]) -> None:
    """Write the requested ones of `tables.tex` and `tables.md` into a folder."""
    for name in formats:
        tables = make_tables(results, sections)
        text = "\n".join(as_latex(table) if name == "latex" else as_markdown(table) for table in tables)
        start = "% needs \\usepackage{booktabs}\n" if name == "latex" else ""
        atomic_write(folder / FILES[name], start + text)


def make_tables(results: Results, sections: Sequence[Section]) -> list[Table]:
    """Return leaderboards; then per benchmark judges by dimension, tasks of the one shown, other labels, metrics."""
    tables = [_board(board) for board in results.leaderboard if len(board.rows) > 1]
    for section in sections:
        if section.tasks:
            tables += [_judges(section, results), _tasks(section)]
        tables += [_labels(section, which) for which in label_boards(section.shown.labels)]
        tables += [_metric(section, name, metric) for name, metric in section.shown.metrics.items()]
    return tables


def _board(board: Board) -> Table:
    """Return measured and published rows, with the source in the last column."""
    body = []
    for row in board.rows:
        cells = [_cell(row.values.get(key), board.figure) for key in board.columns]
        name = f"{row.name}, PARTIAL" if row.partial else row.name
        body.append([name, _passes(row.passes), *cells, _share(row.coverage), source_of(row)])
    unit = "" if board.figure == "ratings" else " in %"
    caption = f"{board.benchmark}: {board.says}{unit}, with 95 % intervals. {' '.join(board.notes)}"
    return Table(caption.strip(), ["Judge", "K", *board.columns.values(), "coverage", "from"], body)


def _labels(section: Section, which: BoardKind) -> Table:
    """Return all judges on labels other than pairs."""
    columns = columns_of(section.shown, which)
    body = []
    for row in section.rows:
        values = values_of(row, which)
        cells = [_cell(values.get(key), which) for key in columns]
        body.append([_name(row, section), _passes(row.passes), *cells, _share(board_coverage(row, which))])
    unit = "" if which == "ratings" else " in %"
    caption = f"{section.name}: {SAYS[which]}{unit}, with 95 % intervals."
    return Table(_marked(caption, section), ["Judge", "K", *columns.values(), "coverage"], body)


def _metric(section: Section, name: str, metric: Metric) -> Table:
    """Return all judges by one of the further metrics."""
    body = []
    for row in section.rows:
        found = row.metrics[name].figures if name in row.metrics else {}
        cells = [_plain(found.get(topic)) for topic in metric.figures]
        body.append([_name(row, section), _passes(row.passes), *cells])
    caption = _marked(f"{section.name}: {metric.says} With 95 % intervals.", section)
    return Table(caption, ["Judge", "K", *(topic.replace("_", " ") for topic in metric.figures)], body)


def _cell(found: Estimate | None, which: BoardKind) -> str:
    """Format shares in per cent, correlations unchanged."""
    return figure(found) if which != "ratings" else _plain(found)


def _plain(found: Estimate | None) -> str:
    """Format as `0.724 [0.690, 0.757]`, without interval where there is none."""
    if found is None or found.value is None:
        return "–"
    interval = "" if found.low is None else f" [{found.low:.3f}, {found.high:.3f}]"
    return f"{found.value:.3f}{interval}"


def _name(row: JudgeOnBenchmark, section: Section) -> str:
    return f"{row.run} {row.label}" if section.several_runs and row.run else row.label


def _passes(passes: int | None) -> str:
    return str(passes) if passes else "–"


def _judges(section: Section, results: Results) -> Table:
    size = f"{section.about.n_pairs:,} pairs, {section.about.n_groups:,} groups"
    caption = (
        f"{section.name}: share of pairs judged right in %, pair mean and task mean, with 95 % intervals from "
        f"{results.bootstrap.rounds:,} resamples of groups ({size}). Ties and unreadable replies count as wrong."
    )
    head = ["Judge", "K"]
    for name in DIMENSIONS:
        head += [name.replace("_", " "), "task mean"]
    body = []
    for row in section.rows:
        cells = [_name(row, section), _passes(row.passes)]
        for name in DIMENSIONS:
            found = row.dimensions.get(name)
            cells += ["–", "–"] if found is None else [figure(found.pair_mean), figure(found.task_mean)]
        body.append([*cells, _share(board_coverage(row, "pair_mean"))])
    return Table(_marked(caption, section), [*head, "coverage"], body)


def _tasks(section: Section) -> Table:
    caption = f"{section.name}: share of pairs judged right in % by task, {section.shown.label}."
    body = []
    found = [section.shown.dimensions.get(name) for name in DIMENSIONS]
    for category, tasks in section.tasks:
        for task in tasks:
            body.append([task, *(figure(None if one is None else one.tasks.get(task)) for one in found)])
        if len(tasks) > 1 and category in CATEGORIES:
            means = [None if one is None else one.categories.get(category) for one in found]
            body.append([f"mean of {category}", *map(figure, means)])
    return Table(_marked(caption, section), ["Task", *(name.replace("_", " ") for name in DIMENSIONS)], body)


def _marked(caption: str, section: Section) -> str:
    """Mark the caption of an incomplete benchmark, whose figures must never appear without the mark."""
    if not section.about.partial:
        return caption
    return f"{caption} PARTIAL: {section.n_left_out:,} rows of the benchmark could not be used."


def figure(found: Estimate | None) -> str:
    """Format in per cent: `72.4 [69.0, 75.7]`, without interval where there is none."""
    if found is None or found.value is None:
        return "–"
    text = f"{100 * found.value:.1f}"
    if found.low is None or found.high is None:
        return text
    return f"{text} [{100 * found.low:.1f}, {100 * found.high:.1f}]"


def _share(value: float | None) -> str:
    """Format in per cent."""
    return "–" if value is None else f"{100 * value:.1f}"


def as_latex(table: Table) -> str:
    """Return a floating table in booktabs style."""
    lines = [
        r"\begin{table}[t]",
        r"\centering\small",
        rf"\caption{{{_escape(table.caption, _LATEX)}}}",
        rf"\begin{{tabular}}{{l{'r' * (len(table.head) - 1)}}}",
        r"\toprule",
        " & ".join(_escape(cell, _LATEX) for cell in table.head) + r" \\",
        r"\midrule",
        *(" & ".join(_escape(cell, _LATEX) for cell in row) + r" \\" for row in table.body),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def as_markdown(table: Table) -> str:
    """Return a GitHub table below its caption."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(_escape(cell, _MARKDOWN) for cell in cells) + " |"

    rule = "|" + "|".join(["---", *["---:"] * (len(table.head) - 1)]) + "|"
    return "\n".join([_escape(table.caption, _MARKDOWN), "", line(table.head), rule, *map(line, table.body)]) + "\n"


def _escape(text: str, how: Mapping[str, str]) -> str:
    """Escape each character once, because sequential replacement would escape twice; line breaks become spaces."""
    return "".join(how.get(char, char) for char in " ".join(text.split()))
