"""The report of a pull: records, pull.json, and printed text."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from annotation.campaign.records import InvalidAnnotation, invalid_file
from editjudge.errors import DataError
from editjudge.files.io import read_json
from editjudge.formats.campaign import rankings_file

PULL = "pull.json"
"""File below `out`: the report of the last pull."""


@dataclass
class UnitPull:
    """Progress of one unit. Every task is either done, skipped, invalid, or left."""

    unit: str
    link: str
    tasks: int = 0
    done: int = 0
    skipped: int = 0
    invalid: int = 0
    """Tasks whose annotations are all unusable."""
    kept: int = 0
    """Rankings of tasks that were later deleted on the server; part of `done`."""
    withdrawn: int = 0
    """Pulled annotations that were later deleted on the server; unused."""
    flagged: dict[str, int] = field(default_factory=dict)
    """Ticked flag, such as "broken image" -> number of tasks."""
    seconds: list[float] = field(default_factory=list)
    """Seconds per done task, where the page measured them."""
    submitted: list[str] = field(default_factory=list)
    """Time at which each done task was first saved, ISO 8601."""

    @property
    def left(self) -> int:
        """Number of tasks without an answer."""
        return self.tasks - self.done - self.skipped - self.invalid


@dataclass
class PullReport:
    """The report of one pull."""

    pulled: str
    """Time of the pull, ISO 8601 in UTC."""
    units: list[UnitPull] = field(default_factory=list)
    rankings: int = 0
    """Rows of rankings.jsonl: tasks x dimensions x units."""
    invalid: list[InvalidAnnotation] = field(default_factory=list)
    imported: dict[str, int] = field(default_factory=dict)
    """Unit -> rankings from `annotate import`; part of `rankings`."""


def last_pull(out: Path) -> PullReport:
    """Read the report of the last pull; `DataError` without one."""
    path = out / PULL
    if not path.exists():
        raise DataError(f"{path}: nothing was pulled yet; run `editjudge annotate pull RECIPE`")
    values = read_json(path)
    return TypeAdapter(PullReport).validate_python(values)


def as_json(report: PullReport) -> dict[str, Any]:
    units = [asdict(unit) | {"left": unit.left} for unit in report.units]
    return {
        "pulled": report.pulled,
        "units": units,
        "rankings": report.rankings,
        "invalid": [row.model_dump(mode="json") for row in report.invalid],
        "imported": report.imported,
    }


def shortened(problem: str, most: int = 160) -> str:
    """Return the beginning of a long list of problems."""
    return problem if len(problem) <= most else f"{problem[:most].rsplit('; ', 1)[0]}; ..."


def print_report(report: PullReport, out: Path) -> None:
    for unit in report.units:
        parts = [f"{unit.done:,} of {unit.tasks:,} tasks ranked", f"{unit.left:,} left"]
        parts += [
            f"{count:,} {name}" for name, count in (("skipped", unit.skipped), ("invalid", unit.invalid)) if count
        ]
        print(f"{unit.unit}: {', '.join(parts)}")
        if unit.kept:
            print(f"  {unit.kept:,} rankings are of tasks that were deleted on the server; they are kept")
        if unit.withdrawn:
            print(f"  {unit.withdrawn:,} annotations pulled before were deleted on the server; they no longer count")
        for flag, count in unit.flagged.items():
            print(f"  {count:,} tasks marked {flag!r}")
    for name, count in report.imported.items():
        print(f"{name}: {count:,} rankings imported")
    print(f"{report.rankings:,} rankings in {rankings_file(out)}")
    for row in report.invalid[:10]:
        print(f"not used: {row.link} ({row.unit}, annotation {row.annotation_id}): {shortened(row.problem)}")
    if report.invalid:
        print(f"annotations that are not used: {len(report.invalid):,}, all of them in {invalid_file(out)}")
