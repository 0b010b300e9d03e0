"""Result tables in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from textwrap import fill
from typing import TypeVar

from rich.console import Console
from rich.table import Table

from editjudge.formats.results.evaluation import Finding, JudgeOnBenchmark
from editjudge.formats.results.leaderboard import Board
from editjudge.formats.results.results import Results
from editjudge.statistics.estimate import Estimate
from eval.metrics.figures import FigureKey, keys_in, lowest_coverage, read_coverage, read_figure
from eval.report.columns import LABEL_BOARDS
from eval.report.leaderboard import source_of


def figure(found: Estimate | None) -> str:
    """Format as `0.724 [0.690, 0.757]`, without interval when there is none."""
    if found is None or found.value is None:
        return "–"
    interval = "" if found.low is None or found.high is None else f" [{found.low:.3f}, {found.high:.3f}]"
    return f"{found.value:.3f}{interval}"


T = TypeVar("T")
_FIGURE = 20
"""Width of `0.724 [0.690, 0.757]`."""


def _parts(columns: Sequence[T], width: int, others: int) -> Iterator[Sequence[T]]:
    """Split columns of figures into groups that fit on the screen, beside `others` characters of other columns."""
    fitting = max(1, (width - others) // (_FIGURE + 3))
    for start in range(0, len(columns), fitting):
        yield columns[start : start + fitting]


def results_tables(results: Results, benchmark: str, width: int) -> Iterator[Table]:
    """Yield tables of evaluations x main figures of one benchmark, with intervals, pairs' task mean, lowest coverage.

    With several training runs, judges' names contain the run. There are several tables if one is wider than `width`.
    """
    keys = list(dict.fromkeys(key for found in results.of_benchmark(benchmark) for key in keys_in(found)))
    for part in _parts(keys, width, 40):
        yield _results_table(results, benchmark, part)


def _results_table(results: Results, benchmark: str, keys: Sequence[FigureKey]) -> Table:
    several = len({found.run for found in results.evaluations}) > 1
    about = results.benchmarks[benchmark]
    kinds = (
        (about.n_pairs, "pairs"),
        (about.n_comparisons, "comparisons"),
        (about.n_multiways, "groups of candidates"),
    )
    counted = [f"{n:,} {word}" for n, word in (*kinds, (about.n_ratings, "ratings")) if n]
    size = ", ".join([*counted, f"{about.n_groups:,} groups"])
    left_out = sum(kind.count for kind in about.left_out.values())
    table = Table(
        title=f"{benchmark}: {size}" + (f"; PARTIAL, {left_out:,} rows could not be used" if left_out else ""),
        caption="share of pairs judged right [95 % interval], below it the mean over tasks; ties count as wrong"
        if about.n_pairs
        else "with 95 % intervals",
    )
    table.add_column("judge", overflow="fold")
    table.add_column("K", justify="right", no_wrap=True)
    for key in keys:
        table.add_column(fill(key.says, _FIGURE), no_wrap=True)
    table.add_column("coverage", justify="right")
    for found in results.of_benchmark(benchmark):
        name = f"{found.run}, {found.label}" if several else found.label
        covered = _share(lowest_coverage(found, keys))
        table.add_row(name, str(found.passes), *(_cell(found, key) for key in keys), covered)
    return table


def remarks(results: Results) -> list[str]:
    """Return notes on the tables: left-out rows and reasons, suspicious rows, unreadable replies."""
    lines = []
    for name, about in results.benchmarks.items():
        if about.left_out:
            lines.append(f"{name}: PARTIAL, rows that could not be used: {_kinds(about.left_out)}")
        if about.notes:
            lines.append(f"{name}: suspicious rows, kept: {_kinds(about.notes)}")
    for found in results.evaluations:
        judge = found.label if found.run is None else f"{found.run}, {found.label}"
        start = f"{found.benchmark}: {judge}, K = {found.passes}"
        spread = found.scores.dimensions.get("overall")
        if not keys_in(found) and spread is not None and spread.mean is not None:
            lines.append(f"{start}: {spread.n:,} edits scored, overall {spread.mean:.2f} ± {spread.std:.2f} of 10")
        if found.unreadable:
            reasons = ", ".join(f"{count:,} x {reason}" for reason, count in found.unreadable.items())
            of_all = f" (of {found.cost.judgments:,} replies)" if found.cost else ""
            lines.append(f"{start}: replies without usable scores: {reasons}{of_all}")
        silent = [_topic(found, key) for key in keys_in(found) if read_coverage(found, key) == 0]
        if silent:
            lines.append(f"{start}: NOT ONE SCORE for {', '.join(silent)}: the figures say nothing of this judge there")
        if found.reading is not None:
            lines.append(f"{start}: file read: {found.reading}")
        for other in found.published:
            name = f"{other.says}, {other.column.replace('_', ' ')}"
            lines.append(f"{start}: as {other.by}'s code counts ({name}; n = {other.n:,}): {figure(other)}")
        if found.judge.unused:
            lines.append(f"{start}: not used of its file: {_kinds(found.judge.unused)}")
    return lines


def _topic(found: JudgeOnBenchmark, key: FigureKey) -> str:
    """Return the dimension of a figure, with its kind of labels if the dimension has several kinds."""
    name = key.dimension.replace("_", " ")
    several = len({other.kind for other in keys_in(found) if other.dimension == key.dimension}) > 1
    return f"{name} ({key.kind})" if several else name


def _kinds(findings: Mapping[str, Finding]) -> str:
    return "; ".join(f"{found.count:,} x {kind} (first: {found.names[0]})" for kind, found in findings.items())


def _cell(found: JudgeOnBenchmark, key: FigureKey) -> str:
    main = figure(read_figure(found, key))
    if key.kind != "pairs" or main == "–":
        return main
    return f"{main}\n[dim]{figure(read_figure(found, replace(key, figure='task_mean')))}[/dim]"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _wide(console: Console) -> Console:
    """Widen a console without a screen: a table cut to 80 columns in a file would lose figures."""
    return console if console.is_terminal else Console(file=console.file, width=max(console.width, 200))


def print_results(results: Results, console: Console | None = None) -> None:
    """Print one table per benchmark with pairs or several judges, and the remarks, to standard output.

    A single judge's figures on other labels are in the leaderboard's table.
    """
    target = _wide(Console() if console is None else console)
    for benchmark, about in results.benchmarks.items():
        labelled = any(keys_in(found) for found in results.of_benchmark(benchmark))
        if about.n_pairs or (labelled and len(results.of_benchmark(benchmark)) > 1):
            for table in results_tables(results, benchmark, target.width):
                target.print(table)
    for line in remarks(results):
        target.print(line, markup=False, highlight=False, soft_wrap=True)


def leaderboard_tables(board: Board, width: int) -> Iterator[Table]:
    """Yield one table, or several with some of the figures each if it is wider than `width`."""
    for part in _parts([*board.columns.items()], width, 65):
        yield _leaderboard_table(board, dict(part))


def _leaderboard_table(board: Board, columns: Mapping[str, str]) -> Table:
    caption = []
    if any(row.best for row in board.rows):
        caption.append("* chosen by the rule")
    if len(board.rows) > 1:
        caption.append("overlapping intervals are no order")
    if any(row.kind == "published" for row in board.rows):
        caption.append("published figures are as their authors printed them, without intervals")
    what = "leaderboard, " if len(board.rows) > 1 else ""
    table = Table(title=f"{board.benchmark}: {what}{board.says}", caption="; ".join(caption + board.notes))
    table.add_column("judge", overflow="fold")
    table.add_column("K", justify="right", no_wrap=True)
    for title in columns.values():
        table.add_column(fill(title, _FIGURE), no_wrap=True)
    table.add_column("coverage", justify="right")
    table.add_column("from")
    for row in board.rows:
        cells = [figure(row.values.get(key)) for key in columns]
        mark = ", PARTIAL" if row.partial else ""
        passes = "–" if row.passes is None else str(row.passes)
        name = f"{row.name}{' *' if row.best else ''}"
        table.add_row(name, passes, *cells, _share(row.coverage), f"{source_of(row)}{mark}")
    return table


def print_leaderboards(results: Results) -> None:
    """Print the tables of labels other than pairs, and those with several judges, to standard output."""
    wide = _wide(Console())
    for board in results.leaderboard:
        if len(board.rows) > 1 or board.figure in LABEL_BOARDS:
            for table in leaderboard_tables(board, wide.width):
                wide.print(table)
