"""A table of judges per benchmark: this sweep's, other evaluations', and published ones, each marked as what it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from rich.table import Table

from editjudge.errors import DataError
from editjudge.io import read_json
from editjudge.tasks import DIMENSIONS, Dimension
from eval.terminal import figure

PUBLISHED = Path(__file__).parent / "published.yaml"

Row = Mapping[str, Any]
Share = Field(None, ge=0, le=1)


class PublishedRow(BaseModel):
    """A judge's figures as somebody else printed them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    passes: int | None = None
    """K of Avg@K; None where it was not said or does not apply."""
    prompt_following: float | None = Share
    consistency: float | None = Share
    overall: float | None = Share
    source: str
    protocol: str
    """"same" as here, or how it differs."""


class PublishedBenchmark(BaseModel):
    """What was published on one benchmark."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pairs: dict[Dimension, int]
    """Size of the public benchmark."""
    figure: Literal["pair_mean", "task_mean"]
    """Which of our figures is defined as the published one."""
    rows: tuple[PublishedRow, ...]


def published() -> dict[str, PublishedBenchmark]:
    """The figures of the field, by name in the table `BENCHMARKS`. `DataError` when the file was damaged."""
    try:
        content = yaml.safe_load(PUBLISHED.read_text(encoding="utf-8"))
        return TypeAdapter(dict[str, PublishedBenchmark]).validate_python(content)
    except (yaml.YAMLError, ValidationError) as error:
        raise DataError(f"{PUBLISHED}: {error}") from error


def build_leaderboard(
    results: Row, name: str, kinds: Mapping[str, str], others: Sequence[Path], with_published: bool
) -> list[dict[str, Any]]:
    """One table per benchmark that has pairs: `benchmark`, `figure`, `rows` from best to worst overall, `notes`.

    A row: `kind` ("measured", "other", "published"), `name`, `run`, `step`, `passes`, `best` (chosen by the rule),
    `values` (per dimension `{value, low, high}` or None), `coverage`, `partial`, `source`, `protocol`.
    `results` is a sweep's or an evaluation's, called `name` where it has no runs; `kinds` says which entry of
    `BENCHMARKS` each benchmark is. Of `others` (results.json files) the rows of the same benchmark, by content, are
    taken over; `DataError` when one is no results.json.
    """
    elsewhere = [(path, _read_results(path)) for path in others]
    tables = []
    for benchmark, about in results["benchmarks"].items():
        if about["n_pairs"] == 0:
            continue
        known = published().get(kinds.get(benchmark, ""))
        which = "task_mean" if known is None else known.figure
        notes: list[str] = []
        rows = [_measured_row(row, which, "measured", name, results) for row in notable(results, benchmark)]
        for path, other in elsewhere:
            same = [key for key, value in other["benchmarks"].items() if value.get("identity") == about["identity"]]
            if not same:
                notes.append(f"{path}: has no evaluation on exactly these pairs")
            for key in same:
                rows += [_measured_row(row, which, "other", str(path.parent), other) for row in notable(other, key)]
        if with_published and known is not None:
            reason = _not_comparable(results, benchmark, known)
            rows += [] if reason else [_published_row(row) for row in known.rows]
            notes += [reason] if reason else []
        tables.append({"benchmark": benchmark, "figure": which, "rows": sorted(rows, key=_order), "notes": notes})
    return tables


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


def _measured_row(row: Row, which: str, kind: str, place: str, results: Row) -> dict[str, Any]:
    found = row["dimensions"]
    coverages = [found[name]["coverage"] for name in DIMENSIONS if name in found]
    best = _best_steps(results)
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
        "values": {name: dict(found[name][which]) if name in found else None for name in DIMENSIONS},
        "coverage": min(coverages) if coverages else None,
        "partial": row["partial"],
        "source": None,
        "protocol": None,
    }


def _same_judge(row: Row, other: Row) -> bool:
    return row is other or (row["step"], row["judge"].get("identity")) == (
        other["step"],
        other["judge"].get("identity"),
    )


def _published_row(row: PublishedRow) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in DIMENSIONS}
    return {
        "kind": "published",
        "name": row.name,
        "run": None,
        "step": None,
        "passes": row.passes,
        "best": False,
        "values": {
            name: None if value is None else {"value": value, "low": None, "high": None}
            for name, value in values.items()
        },
        "coverage": None,
        "partial": False,
        "source": row.source,
        "protocol": row.protocol,
    }


def _not_comparable(results: Row, benchmark: str, known: PublishedBenchmark) -> str | None:
    """Why published figures do not belong beside these; None when they do."""
    row = next(row for row in results["evaluations"] if row["benchmark"] == benchmark)
    here = {name: found["n_pairs"] for name, found in row["dimensions"].items()}
    if here == dict(known.pairs):
        return None

    def sizes(pairs: Mapping[Any, int]) -> str:
        return ", ".join(f"{name.replace('_', ' ')} {pairs[name]:,}" for name in DIMENSIONS if name in pairs)

    return f"published figures are left out: they are for other pairs ({sizes(known.pairs)}) than these ({sizes(here)})"


def _order(row: Row) -> tuple[float, float, str]:
    """Overall first; without it, the mean of what is there; what has nothing comes last."""
    known = [found["value"] for found in row["values"].values() if found is not None and found["value"] is not None]
    overall = row["values"]["overall"]
    first = None if overall is None else overall["value"]
    return (2.0 if first is None else -first, -sum(known) / len(known) if known else 1.0, row["name"])


def _read_results(path: Path) -> Row:
    content = read_json(path)
    if not isinstance(content, dict) or not {"evaluations", "benchmarks", "format"} <= set(content):
        raise DataError(f"{path}: not the results.json of an evaluation or a sweep; give the file in its `out`")
    return content


def leaderboard_table(board: Row) -> Table:
    """One benchmark's table for a terminal."""
    table = Table(
        title=f"{board['benchmark']}: leaderboard, {board['figure'].replace('_', ' ')} accuracy",
        caption="; ".join(
            ["* chosen by the rule; published figures are as their authors printed them, without intervals"]
            + board["notes"]
        ),
    )
    table.add_column("judge", no_wrap=True)
    table.add_column("K", justify="right")
    for dimension in DIMENSIONS:
        table.add_column(dimension.replace("_", " "), no_wrap=True)
    table.add_column("from")
    for row in board["rows"]:
        cells = ["–" if value is None else figure(**value) for value in row["values"].values()]
        source = row["kind"] if row["source"] is None else f"published: {row['source']}, protocol {row['protocol']}"
        partial = ", PARTIAL" if row["partial"] else ""
        passes = "–" if row["passes"] is None else str(row["passes"])
        table.add_row(f"{row['name']}{' *' if row['best'] else ''}", passes, *cells, f"{source}{partial}")
    return table
