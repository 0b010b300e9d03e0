"""A table of judges per benchmark: from this sweep, other evaluations and publications, each marked by its source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, cast

from pydantic import BaseModel

from editjudge.formats.results.evaluation import JudgeOnBenchmark
from editjudge.formats.results.leaderboard import Board, BoardKind, BoardRow
from editjudge.formats.results.results import Results, read_results
from editjudge.recipes.recipe_use import Use
from editjudge.statistics.estimate import Estimate
from eval.benchmarks import BENCHMARKS, BenchmarkSource
from eval.labels.benchmark import Benchmark
from eval.report.columns import SAYS, board_coverage, boards_of, columns_of, size_of, values_of
from eval.report.published import PublishedBenchmark, PublishedJudge, published

_READINGS = (
    "file read as published: as its publisher's code reads it; "
    "file read ours: by our own rules (docs/reference/published.md)"
)
_COUNTED = "counted as another's code does: the same answers, but only the figure that this code prints"


def build_leaderboard(
    results: Results, name: str, kinds: Mapping[str, str], others: Sequence[Path], with_published: bool
) -> list[Board]:
    """Return one table per benchmark and kind of label.

    `results` is a sweep's or an evaluation's, named `name` if it has no runs; `kinds` maps each benchmark to its entry
    of `BENCHMARKS`. Rows of the same labels are copied from `others` (results.json files). Raises `DataError` for
    another kind of file.
    """
    elsewhere = [(path, read_results(path)) for path in others]
    boards = []
    for benchmark in results.benchmarks:
        known = published().get(kinds.get(benchmark, ""))
        first = results.of_benchmark(benchmark)[0]
        for which in boards_of(first, None if known is None else known.figure):
            rows = _measured_rows(results, benchmark, which, "measured", name)
            notes: list[str] = []
            for path, other in elsewhere:
                more, note = _rows_elsewhere(path, other, results.benchmarks[benchmark].labels, which)
                rows += more
                notes += note
            columns = columns_of(first, which)
            if with_published and known is not None and known.figure == which:
                reason = _not_comparable(size_of(first), known)
                rows += [] if reason else [_published_row(row, columns) for row in known.rows]
                notes += [reason] if reason else []
            notes += [_READINGS] if any(row.reading for row in rows) else []
            notes += [_COUNTED] if any(row.counted_by for row in rows) else []
            rows.sort(key=partial(_order, decides=_decides(columns, rows)))
            says = SAYS[which]
            boards.append(Board(benchmark=benchmark, figure=which, says=says, columns=columns, rows=rows, notes=notes))
    return boards


def _rows_elsewhere(path: Path, other: Results, labels: str, which: BoardKind) -> tuple[list[BoardRow], list[str]]:
    """Return rows of another file's evaluations of exactly these labels, or a note that it has none."""
    same = [key for key, about in other.benchmarks.items() if about.labels == labels]
    rows = [row for key in same for row in _measured_rows(other, key, which, "other", str(path.parent))]
    return rows, [] if same else [f"{path}: has no evaluation of exactly these labels"]


def kinds_of(sources: Sequence[BenchmarkSource], benches: Sequence[Benchmark]) -> dict[str, str]:
    """Return each benchmark's entry of `BENCHMARKS`, by the benchmark's name."""
    dump = Use(BENCHMARKS).dump
    return {bench.name: dump(cast(BaseModel, source))["use"] for bench, source in zip(benches, sources, strict=True)}


def notable(results: Results, benchmark: str) -> list[JudgeOnBenchmark]:
    """Return base, best and last checkpoint of each run, evaluations with more passes, and everything without a run."""
    of_bench = results.of_benchmark(benchmark)
    chosen, seen = [], set()
    for found in of_bench:
        of_run = [other for other in of_bench if other.run == found.run]
        last, fewest = max(other.step or 0 for other in of_run), min(other.passes for other in of_run)
        wanted = found.step in (None, 0, last, _best_step(results, found.run)) or found.passes > fewest
        # Runs with the same base share one measurement of it.
        key = (found.judge.identity, None if found.step == 0 else (found.run, found.label))
        if wanted and key not in seen:
            seen.add(key)
            chosen.append(found)
    return chosen


def _best_step(results: Results, run: str | None) -> int | None:
    """Return the selected checkpoint of a run."""
    return None if run not in results.runs else results.runs[run].best.step


def _measured_rows(
    results: Results, benchmark: str, which: BoardKind, kind: Literal["measured", "other"], place: str
) -> list[BoardRow]:
    """Return the rows of a benchmark's evaluations. Each is followed by a row with the publisher's code's figures for
    the same answers, if these differ."""
    rows = []
    for found in notable(results, benchmark):
        row = _measured_row(found, which, kind, place, results)
        rows += [row, *_counted_elsewhere(row, found, which)]
    return rows


def _counted_elsewhere(row: BoardRow, found: JudgeOnBenchmark, which: BoardKind) -> Iterator[BoardRow]:
    wanted = "pairs" if which == "task_mean" else which
    theirs = [entry for entry in found.published if entry.kind == wanted and entry.column in row.values]
    for by in dict.fromkeys(entry.by for entry in theirs):
        known = {
            entry.column: Estimate(value=entry.value, low=entry.low, high=entry.high)
            for entry in theirs
            if entry.by == by
        }
        if any((ours := row.values[name]) is None or ours.value != one.value for name, one in known.items()):
            values = {name: known.get(name) for name in row.values}
            counted = f"{row.name}, counted as {by}"
            yield row.model_copy(update={"name": counted, "values": values, "counted_by": by, "best": False})


def _measured_row(
    found: JudgeOnBenchmark, which: BoardKind, kind: Literal["measured", "other"], place: str, results: Results
) -> BoardRow:
    what = found.label if found.step is None else f"step {found.step}"
    runs = found.run
    if found.step == 0:
        what = "base"
        same = [other.run for other in results.evaluations if _same_judge(found, other)]
        runs = ", ".join(dict.fromkeys(run for run in same if run is not None))
    return BoardRow(
        kind=kind,
        name=f"{place if found.run is None else runs}: {what}",
        run=found.run,
        step=found.step,
        passes=found.passes,
        best=found.run is not None and found.step is not None and _best_step(results, found.run) == found.step,
        values=values_of(found, which),
        coverage=board_coverage(found, which),
        partial=found.partial,
        reading=found.reading,
        counted_by=None,
        source=None,
        protocol=None,
    )


def _same_judge(one: JudgeOnBenchmark, other: JudgeOnBenchmark) -> bool:
    return one is other or (one.step, one.judge.identity) == (other.step, other.judge.identity)


def _published_row(row: PublishedJudge, columns: Mapping[str, str]) -> BoardRow:
    return BoardRow(
        kind="published",
        name=row.name,
        run=None,
        step=None,
        passes=row.passes,
        best=False,
        values={
            name: Estimate(value=row.values[name], low=None, high=None) if name in row.values else None
            for name in columns
        },
        coverage=None,
        partial=False,
        reading=None,
        counted_by=None,
        source=row.source,
        protocol=row.protocol,
    )


def _not_comparable(here: Mapping[str, int], known: PublishedBenchmark) -> str | None:
    """Return the reason why published figures are not comparable with these; None when they are."""
    if here == known.size:
        return None

    def told(size: Mapping[str, int]) -> str:
        return ", ".join(f"{name.replace('_', ' ')} {n:,}" for name, n in size.items())

    return f"published figures are left out: they are for other labels ({told(known.size)}) than these ({told(here)})"


def _decides(columns: Mapping[str, str], rows: Sequence[BoardRow]) -> str:
    """Return the column that orders the rows: overall, or else, of the columns with measured figures, the one that
    most rows have."""
    if "overall" in columns:
        return "overall"

    def n_known(key: str) -> int:
        known = [row for row in rows if row.counted_by is None and _value(row, key) is not None]
        return len(known) if any(row.kind == "measured" for row in known) else 0

    return max(columns, key=n_known)


def _value(row: BoardRow, key: str) -> float | None:
    found = row.values.get(key)
    return None if found is None else found.value


def _order(row: BoardRow, decides: str) -> tuple[float, float, str]:
    """Return the sort key by the deciding column; rows without it come last, by the mean of their figures."""
    known = [value for key in row.values if (value := _value(row, key)) is not None]
    first = _value(row, decides)
    return (2.0 if first is None else -first, -sum(known) / len(known) if known else 1.0, row.name)


def source_of(row: BoardRow) -> str:
    """Return the source of a leaderboard's row, and the reading of its file."""
    if row.source is not None:
        return f"published: {row.source}, protocol {row.protocol}"
    read = "" if row.reading is None else f", file read: {row.reading}"
    return f"{row.kind}{read}" + (f", counted as {row.counted_by}'s code does" if row.counted_by else "")
