"""A table of judges per benchmark: this sweep's, other evaluations', and published ones, each marked as what it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel

from editjudge.errors import DataError
from editjudge.files.io import read_json
from editjudge.recipes.recipe_use import Use
from eval.benchmarks import BENCHMARKS, BenchmarkSource
from eval.labels.benchmark import Benchmark
from eval.report.columns import SAYS, VIESCORE, columns_of, figures_of, lowest_coverage, size_of, values_of
from eval.report.published import Figure, PublishedBenchmark, PublishedRow, published

Row = Mapping[str, Any]
_READINGS = (
    "file read as published: as its publisher's code reads it; file read ours: by our own rules (docs/evaluation.md)"
)
_COUNTED = "counted as another's code does: the same answers, but only the figure that this code prints"
_VIESCORE_SINCE = 2
"""Format of results.json in which the figure is VIEScore's own; before, it was tanh of our mean."""


def build_leaderboard(
    results: Row, name: str, kinds: Mapping[str, str], others: Sequence[Path], with_published: bool
) -> list[dict[str, Any]]:
    """One table per benchmark and kind of label: `benchmark`, `figure`, `says` (the figure in words), `columns` (key:
    title), `rows` by value, best first, and `notes`.

    A row: `kind` ("measured", "other", "published"), `name`, `run`, `step`, `passes`, `best` (chosen by the rule),
    `values` (per column `{value, low, high}` or None), `coverage`, `partial`, `reading` (of a file of scores, where its
    publisher's code reads it otherwise than we do), `counted_by` (whose code counts so; None: ours), `source`,
    `protocol`.
    `results` is a sweep's or an evaluation's, called `name` where it has no runs; `kinds` says which entry of
    `BENCHMARKS` each benchmark is. Of `others` (results.json files) the rows of the same benchmark, by content, are
    taken over; `DataError` when one is no results.json.
    """
    elsewhere = [(path, read_results(path)) for path in others]
    tables = []
    for benchmark, about in results["benchmarks"].items():
        known = published().get(kinds.get(benchmark, ""))
        first = next(row for row in results["evaluations"] if row["benchmark"] == benchmark)
        for which in figures_of(first, None if known is None else known.figure):
            notes: list[str] = []
            rows = [
                found
                for row in notable(results, benchmark)
                for found in _measured_rows(row, which, "measured", name, results)
            ]
            for path, other in elsewhere:
                same = [key for key, value in other["benchmarks"].items() if _same_labels(value, about)]
                if not same:
                    notes.append(f"{path}: has no evaluation of exactly these labels")
                for key in same:
                    for row in notable(other, key):
                        rows += _measured_rows(row, which, "other", str(path.parent), other)
            columns = columns_of(first, which)
            if with_published and known is not None and known.figure == which:
                reason = _not_comparable(size_of(first), known)
                rows += [] if reason else [_published_row(row, columns) for row in known.rows]
                notes += [reason] if reason else []
            notes += [_READINGS] if any(row["reading"] for row in rows) else []
            notes += [_COUNTED] if any(row["counted_by"] for row in rows) else []
            rows.sort(key=partial(_order, decides=_decides(columns, rows)))
            table = {"benchmark": benchmark, "figure": which, "says": SAYS[which], "columns": columns}
            tables.append(table | {"rows": rows, "notes": notes})
    return tables


def _same_labels(one: Row, other: Row) -> bool:
    """Whether two entries of `benchmarks` hold the same labels; results.json of earlier versions have no digest of
    them, there the edits must be the same too."""
    if "labels" in one and "labels" in other:
        return bool(one["labels"] == other["labels"])
    return bool(one.get("identity") == other.get("identity"))


def kinds_of(sources: Sequence[BenchmarkSource], benches: Sequence[Benchmark]) -> dict[str, str]:
    """Which entry of `BENCHMARKS` each benchmark is, by its name."""
    dump = Use(BENCHMARKS).dump
    return {bench.name: dump(cast(BaseModel, source))["use"] for bench, source in zip(benches, sources, strict=True)}


def notable(results: Row, benchmark: str) -> list[Row]:
    """Of each run: base, best and last checkpoint, and what was asked with more passes; everything that is no run."""
    rows = [row for row in results["evaluations"] if row["benchmark"] == benchmark]
    best = _best_steps(results)
    found, seen = [], set()
    for row in rows:
        of_run = [other for other in rows if other["run"] == row["run"]]
        last, fewest = max(other["step"] or 0 for other in of_run), min(other["passes"] for other in of_run)
        wanted = row["step"] in (None, 0, last, best.get(row["run"])) or row["passes"] > fewest
        # Runs that share a base have one measurement of it.
        key = (row["judge"].get("identity"), None if row["step"] == 0 else (row["run"], row["label"]))
        if wanted and (key[0] is None or key not in seen):
            seen.add(key)
            found.append(row)
    return found


def _best_steps(results: Row) -> dict[str, int | None]:
    """The chosen checkpoint of each run."""
    return {name: run["best"]["step"] for name, run in results.get("runs", {}).items()}


def _measured_rows(row: Row, which: Figure, kind: str, place: str, results: Row) -> list[dict[str, Any]]:
    """An evaluation's row, and below it one with the figures of the same answers as their publisher's code counts
    them, where these are others."""
    found = [_measured_row(row, which, kind, place, results)]
    wanted = "pairs" if which == "task_mean" else which
    theirs = [entry for entry in row.get("published") or () if entry["kind"] == wanted]
    for by in dict.fromkeys(entry["by"] for entry in theirs):
        values: dict[str, Any] = dict.fromkeys(found[0]["values"])
        values |= {
            entry["column"]: {key: entry[key] for key in ("value", "low", "high")}
            for entry in theirs
            if entry["by"] == by and entry["column"] in values
        }
        known = {name: value["value"] for name, value in values.items() if value is not None}
        if any(found[0]["values"][name]["value"] != value for name, value in known.items()):
            counted = f"{found[0]['name']}, counted as {by}"
            found.append(found[0] | {"name": counted, "values": values, "counted_by": by, "best": False})
    return found


def _measured_row(row: Row, which: Figure, kind: str, place: str, results: Row) -> dict[str, Any]:
    best = _best_steps(results)
    values = values_of(row, which)
    if results["format"] < _VIESCORE_SINCE:
        values = {key: found for key, found in values.items() if not key.endswith(VIESCORE)}
    what = row["label"] if row["step"] is None else f"step {row['step']}"
    runs = row["run"]
    if row["step"] == 0:
        what = "base"
        runs = ", ".join(dict.fromkeys(other["run"] for other in results["evaluations"] if _same_judge(row, other)))
    return {
        "kind": kind,
        "name": f"{place if row['run'] is None else runs}: {what}",
        "run": row["run"],
        "step": row["step"],
        "passes": row["passes"],
        "best": row["run"] is not None and best.get(row["run"]) == row["step"],
        "values": values,
        "coverage": lowest_coverage(row, which),
        "partial": row["partial"],
        "reading": row.get("reading"),
        "counted_by": None,
        "source": None,
        "protocol": None,
    }


def _same_judge(row: Row, other: Row) -> bool:
    return row is other or (row["step"], row["judge"].get("identity")) == (
        other["step"],
        other["judge"].get("identity"),
    )


def _published_row(row: PublishedRow, columns: Mapping[str, str]) -> dict[str, Any]:
    return {
        "kind": "published",
        "name": row.name,
        "run": None,
        "step": None,
        "passes": row.passes,
        "best": False,
        "values": {
            name: {"value": row.values[name], "low": None, "high": None} if name in row.values else None
            for name in columns
        },
        "coverage": None,
        "partial": False,
        "reading": None,
        "counted_by": None,
        "source": row.source,
        "protocol": row.protocol,
    }


def _not_comparable(here: Mapping[str, int], known: PublishedBenchmark) -> str | None:
    """Why published figures do not belong beside these; None when they do."""
    if here == known.size:
        return None

    def told(size: Mapping[str, int]) -> str:
        return ", ".join(f"{name.replace('_', ' ')} {n:,}" for name, n in size.items())

    return f"published figures are left out: they are for other labels ({told(known.size)}) than these ({told(here)})"


def _decides(columns: Mapping[str, str], rows: Sequence[Row]) -> str:
    """The column that rows are ordered by: overall, or else of those that measured rows have figures in the one that
    most rows have."""
    if "overall" in columns:
        return "overall"

    def n_known(key: str) -> int:
        known = [
            row
            for row in rows
            if row["counted_by"] is None
            and (found := row["values"].get(key)) is not None
            and found["value"] is not None
        ]
        return len(known) if any(row["kind"] == "measured" for row in known) else 0

    return max(columns, key=n_known)


def _order(row: Row, decides: str) -> tuple[float, float, str]:
    """By the column that decides; what has nothing there comes last, by the mean of what it has."""
    known = [found["value"] for found in row["values"].values() if found is not None and found["value"] is not None]
    found = row["values"].get(decides)
    first = None if found is None else found["value"]
    return (2.0 if first is None else -first, -sum(known) / len(known) if known else 1.0, row["name"])


def read_results(path: Path) -> Row:
    """The content of an evaluation's or a sweep's results.json; `DataError` when the file is something else."""
    content = read_json(path)
    if not isinstance(content, dict) or not {"evaluations", "benchmarks", "format"} <= set(content):
        raise DataError(f"{path}: not the results.json of an evaluation or a sweep; give the file in its `out`")
    return content


def source_of(row: Row) -> str:
    """Where a row of a leaderboard is from, and how its file was read."""
    if row["source"] is not None:
        return f"published: {row['source']}, protocol {row['protocol']}"
    read = "" if row.get("reading") is None else f", file read: {row['reading']}"
    return f"{row['kind']}{read}" + (f", counted as {row['counted_by']}'s code does" if row.get("counted_by") else "")
