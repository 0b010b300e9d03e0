"""The tables a command ends with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from textwrap import fill
from typing import Any, TypeVar

from rich.console import Console
from rich.table import Table

from eval.metrics.figures import Key, keys_in, read_coverage, read_figure
from eval.report.columns import LABEL_FIGURES
from eval.report.leaderboard import source_of


def figure(value: float | None, low: float | None, high: float | None) -> str:
    """`0.724 [0.690, 0.757]`; without interval when there is none."""
    if value is None:
        return "–"
    return f"{value:.3f}" if low is None or high is None else f"{value:.3f} [{low:.3f}, {high:.3f}]"


T = TypeVar("T")
_FIGURE = 20
"""Width of `0.724 [0.690, 0.757]`."""


def _parts(columns: Sequence[T], width: int, others: int) -> Iterator[Sequence[T]]:
    """Columns of figures that fit on a screen together, beside `others` characters of other columns."""
    fitting = max(1, (width - others) // (_FIGURE + 3))
    for start in range(0, len(columns), fitting):
        yield columns[start : start + fitting]


def results_tables(results: Mapping[str, Any], benchmark: str, width: int) -> Iterator[Table]:
    """Evaluations x main figures of one benchmark, with intervals; of pairs also the task mean. Lowest coverage.

    Of several training runs, each judge is called by its run too. Several tables where one is wider than `width`.
    """
    rows = [row for row in results["evaluations"] if row["benchmark"] == benchmark]
    keys = list(dict.fromkeys(key for row in rows for key in keys_in(row)))
    for part in _parts(keys, width, 40):
        yield _results_table(results, benchmark, part)


def _results_table(results: Mapping[str, Any], benchmark: str, keys: Sequence[Key]) -> Table:
    several = len({row["run"] for row in results["evaluations"]}) > 1
    about = results["benchmarks"][benchmark]
    rows = [row for row in results["evaluations"] if row["benchmark"] == benchmark]
    kinds = (("n_pairs", "pairs"), ("n_comparisons", "comparisons"), ("n_multiways", "groups of candidates"))
    counted = [f"{about[name]:,} {word}" for name, word in (*kinds, ("n_ratings", "ratings")) if about[name]]
    size = ", ".join([*counted, f"{about['n_groups']:,} groups"])
    left_out = sum(kind["count"] for kind in about["left_out"].values())
    table = Table(
        title=f"{benchmark}: {size}" + (f"; PARTIAL, {left_out:,} rows could not be used" if left_out else ""),
        caption="share of pairs judged right [95 % interval], below it the mean over tasks; ties count as wrong"
        if about["n_pairs"]
        else "with 95 % intervals",
    )
    table.add_column("judge", overflow="fold")
    table.add_column("K", justify="right", no_wrap=True)
    for key in keys:
        table.add_column(fill(key.says, _FIGURE), no_wrap=True)
    table.add_column("coverage", justify="right")
    for row in rows:
        name = f"{row['run']}, {row['label']}" if several else row["label"]
        table.add_row(name, str(row["passes"]), *(_cell(row, key) for key in keys), _coverage(row, keys))
    return table


def remarks(results: Mapping[str, Any]) -> list[str]:
    """What a reader of the tables must know: rows left out and why, suspicious ones, unreadable replies."""
    lines = []
    for name, about in results["benchmarks"].items():
        if about["left_out"]:
            lines.append(f"{name}: PARTIAL, rows that could not be used: {_kinds(about['left_out'])}")
        if about["notes"]:
            lines.append(f"{name}: suspicious rows, kept: {_kinds(about['notes'])}")
    for row in results["evaluations"]:
        judge = row["label"] if row["run"] is None else f"{row['run']}, {row['label']}"
        start = f"{row['benchmark']}: {judge}, K = {row['passes']}"
        if row["unreadable"]:
            reasons = ", ".join(f"{count:,} x {reason}" for reason, count in row["unreadable"].items())
            of_all = f" (of {row['cost']['judgments']:,} replies)" if row["cost"] else ""
            lines.append(f"{start}: replies without usable scores: {reasons}{of_all}")
        silent = [_topic(row, key) for key in keys_in(row) if read_coverage(row, key) == 0]
        if silent:
            lines.append(f"{start}: NOT ONE SCORE for {', '.join(silent)}: the figures say nothing of this judge there")
        if row.get("reading") is not None:
            lines.append(f"{start}: file read: {row['reading']}")
        for found in row.get("published") or ():
            name = f"{found['says']}, {found['column'].replace('_', ' ')}"
            value = figure(found["value"], found["low"], found["high"])
            lines.append(f"{start}: as {found['by']}'s code counts ({name}; n = {found['n']:,}): {value}")
        if row["judge"].get("unused"):
            lines.append(f"{start}: not used of its file: {_kinds(row['judge']['unused'])}")
    return lines


def _topic(row: Mapping[str, Any], key: Key) -> str:
    """The dimension of a figure, with the kind of its labels where the dimension has several kinds."""
    name = key.dimension.replace("_", " ")
    several = len({other.kind for other in keys_in(row) if other.dimension == key.dimension}) > 1
    return f"{name} ({key.kind})" if several else name


def _kinds(findings: Mapping[str, Any]) -> str:
    return "; ".join(f"{found['count']:,} x {kind} (first: {found['names'][0]})" for kind, found in findings.items())


def _cell(row: Mapping[str, Any], key: Key) -> str:
    found = read_figure(row, key)
    if found is None:
        return "–"
    task = read_figure(row, replace(key, figure="task_mean")) if key.kind == "pairs" else None
    return figure(**found) if task is None else f"{figure(**found)}\n[dim]{figure(**task)}[/dim]"


def _coverage(row: Mapping[str, Any], keys: Sequence[Key]) -> str:
    """The lowest of the figures."""
    known = [found for key in keys if (found := read_coverage(row, key)) is not None]
    return f"{min(known):.1%}" if known else "–"


def _wide(console: Console) -> Console:
    """Piped into a file there is no screen to fit, and a table cut to 80 columns would lose figures."""
    return console if console.is_terminal else Console(file=console.file, width=max(console.width, 200))


def print_results(results: Mapping[str, Any], console: Console | None = None) -> None:
    """One table per benchmark with pairs or several judges, and what must be known of them, on standard output.

    A single judge's figures on other labels stand in the leaderboard's table, all of them.
    """
    target = _wide(Console() if console is None else console)
    for benchmark, about in results["benchmarks"].items():
        if about["n_pairs"] or sum(row["benchmark"] == benchmark for row in results["evaluations"]) > 1:
            for table in results_tables(results, benchmark, target.width):
                target.print(table)
    for line in remarks(results):
        target.print(line, markup=False, highlight=False, soft_wrap=True)


def leaderboard_tables(board: Mapping[str, Any], width: int) -> Iterator[Table]:
    """One table for a terminal; several, with some of the figures each, where it is wider than `width`."""
    for part in _parts([*board["columns"].items()], width, 65):
        yield _leaderboard_table(dict(board) | {"columns": dict(part)})


def _leaderboard_table(board: Mapping[str, Any]) -> Table:
    caption = []
    if any(row["best"] for row in board["rows"]):
        caption.append("* chosen by the rule")
    if len(board["rows"]) > 1:
        caption.append("overlapping intervals are no order")
    if any(row["kind"] == "published" for row in board["rows"]):
        caption.append("published figures are as their authors printed them, without intervals")
    what = "leaderboard, " if len(board["rows"]) > 1 else ""
    table = Table(title=f"{board['benchmark']}: {what}{board['says']}", caption="; ".join(caption + board["notes"]))
    table.add_column("judge", overflow="fold")
    table.add_column("K", justify="right", no_wrap=True)
    for title in board["columns"].values():
        table.add_column(fill(title, _FIGURE), no_wrap=True)
    table.add_column("coverage", justify="right")
    table.add_column("from")
    for row in board["rows"]:
        found = [row["values"].get(key) for key in board["columns"]]
        cells = ["–" if value is None else figure(**value) for value in found]
        source = source_of(row)
        mark = ", PARTIAL" if row["partial"] else ""
        passes = "–" if row["passes"] is None else str(row["passes"])
        coverage = "–" if row["coverage"] is None else f"{row['coverage']:.1%}"
        name = f"{row['name']}{' *' if row['best'] else ''}"
        table.add_row(name, passes, *cells, coverage, f"{source}{mark}")
    return table


def print_leaderboards(results: Mapping[str, Any]) -> None:
    """The tables of labels that are no pairs, and those of more than one judge, on standard output."""
    wide = _wide(Console())
    for board in results["leaderboard"]:
        if len(board["rows"]) > 1 or board["figure"] in LABEL_FIGURES:
            for table in leaderboard_tables(board, wide.width):
                wide.print(table)
