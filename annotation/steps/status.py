"""`editjudge annotate status`: progress and expected end of each unit, on the terminal and as an HTML page."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from rich.table import Table

from annotation.agreement.figures import POOLED, measure_agreement
from annotation.agreement.measures import Figure
from annotation.agreement.tables import dimension_name, measure_name, show
from annotation.campaign.campaign import read_campaign
from annotation.campaign.records import InvalidAnnotation
from annotation.label_studio.client import StudioError
from annotation.label_studio.connect import connect
from annotation.recipe import AnnotationRecipe
from annotation.steps.pull import pull
from annotation.steps.pull_report import PullReport, UnitPull, last_pull, shortened
from editjudge.cli.options import add_json, add_recipe, json_results
from editjudge.files.io import atomic_write
from editjudge.recipes.recipe import load_recipe
from editjudge.system.progress import duration

PAGE = "status.html"
"""File below `out`."""

SHOWN_INVALID = 100
"""Most invalid annotations listed on the page; invalid.jsonl has all of them."""


@dataclass(frozen=True)
class UnitStatus:
    """The present status of one unit."""

    unit: str
    who: str
    """"anna", or "ben and carl, together"."""
    link: str
    tasks: int
    done: int
    left: int
    skipped: int
    invalid: int
    flagged: dict[str, int]
    median_s: float | None
    """Seconds per task; None when no task has a time."""
    work_left_s: float | None
    """Seconds for the remaining tasks at that speed, without breaks."""
    finish: str | None
    """Expected end at the pace since the first ranking, breaks included; ISO 8601."""
    why_no_finish: str | None
    """Why `finish` is None."""


@dataclass(frozen=True)
class Status:
    """The present status of a campaign."""

    title: str
    pulled: str
    """Time of the last pull, ISO 8601."""
    units: tuple[UnitStatus, ...]
    agreement: dict[str, dict[str, Figure]]
    """Dimension ("all": pooled) -> measure -> figure, without intervals."""
    agreement_tasks: int
    """Tasks with rankings of two units or more."""
    invalid: tuple[InvalidAnnotation, ...]


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="editjudge annotate status",
        description="How far each unit is and when it will be done, here and in out/status.html.",
    )
    add_recipe(parser)
    parser.add_argument("--offline", action="store_true", help="ask no server: tell what the last pull found")
    add_json(parser)
    arguments = parser.parse_intermixed_args(argv)
    recipe = load_recipe(arguments.recipe, AnnotationRecipe, arguments.overrides)
    with json_results(arguments.json) as write:
        report = last_pull(recipe.out) if arguments.offline else _pull_now(recipe)
        status = make_status(recipe, report, datetime.now(timezone.utc))
        atomic_write(recipe.out / PAGE, render(status))
        write(as_json(status))
        _print(status, report)
        print(f"as a page: {recipe.out / PAGE}")
    return 0


def _pull_now(recipe: AnnotationRecipe) -> PullReport:
    try:
        with connect(recipe) as studio:
            return pull(recipe, studio)
    except StudioError as error:
        raise StudioError(f"{error}\nWhat the last pull found: add --offline") from error


def _print(status: Status, report: PullReport) -> None:
    show(*tables(status))
    if status.agreement and status.agreement_tasks == 0:
        print("Agreement: undefined, no task was ranked by two units yet.")
    for name, count in report.imported.items():
        print(f"{name}: {count:,} rankings imported")
    for row in status.invalid[:5]:
        print(f"not used: {row.link} ({row.unit}): {shortened(row.problem)}")
    if len(status.invalid) > 5:
        print(f"... and {len(status.invalid) - 5:,} more annotations that are not used")


def make_status(recipe: AnnotationRecipe, report: PullReport, now: datetime) -> Status:
    """Compute the status from a pull; agreement is over the ordinary tasks in out/rankings.jsonl."""
    members = {unit.name: unit.members or (unit.name,) for unit in recipe.all_units}
    units = tuple(unit_status(unit, members.get(unit.unit, (unit.unit,)), now) for unit in report.units)
    ordinary = read_campaign(recipe).ordinary
    found = measure_agreement(ordinary, recipe.agreement.thresholds, rounds=0) if ordinary else {}
    shared = [part.n_shared for name, part in found.items() if name != POOLED]
    return Status(
        title=recipe.project.title,
        pulled=report.pulled,
        units=units,
        agreement={name: part.figures for name, part in found.items()},
        agreement_tasks=max(shared, default=0),
        invalid=tuple(report.invalid),
    )


def unit_status(unit: UnitPull, members: Sequence[str], now: datetime) -> UnitStatus:
    """Compute the status of a unit from its answers."""
    median = statistics.median(unit.seconds) if unit.seconds else None
    finish, why = projected_finish([datetime.fromisoformat(moment) for moment in unit.submitted], unit.left, now)
    if unit.left == 0 and unit.invalid > 0:
        why = "all but the invalid ones"
    return UnitStatus(
        unit=unit.unit,
        who=" and ".join(members) + (", together" if len(members) > 1 else ""),
        link=unit.link,
        tasks=unit.tasks,
        done=unit.done,
        left=unit.left,
        skipped=unit.skipped,
        invalid=unit.invalid,
        flagged=unit.flagged,
        median_s=median,
        work_left_s=None if median is None else median * unit.left,
        finish=None if finish is None else finish.isoformat(timespec="minutes"),
        why_no_finish=why,
    )


def projected_finish(submitted: Sequence[datetime], left: int, now: datetime) -> tuple[datetime | None, str | None]:
    """Return the end of `left` more tasks at the pace since the first, breaks included; or why it is unknown."""
    if left == 0:
        return None, "done"
    if len(submitted) < 2:
        return None, "not enough rankings yet"
    pace = (now - min(submitted)) / len(submitted)
    if pace <= timedelta(0):
        return None, "the clocks of this machine and of the server differ"
    try:
        return now + pace * left, None
    except OverflowError:
        return None, "not in this era"


def as_json(status: Status) -> dict[str, Any]:
    return {
        "title": status.title,
        "pulled": status.pulled,
        "units": [asdict(unit) for unit in status.units],
        "agreement": {
            name: {key: figure.as_json() for key, figure in figures.items()}
            for name, figures in status.agreement.items()
        },
        "agreement_tasks": status.agreement_tasks,
        "invalid": [row.model_dump(mode="json") for row in status.invalid],
    }


COLUMNS = ("unit", "done", "left", "skipped", "invalid", "per task", "work left", "expected end")


def cells(unit: UnitStatus) -> tuple[str, ...]:
    """Return one row of the table, in the order of `COLUMNS`."""
    return (
        unit.unit if unit.who == unit.unit else f"{unit.unit} ({unit.who})",
        f"{unit.done:,} of {unit.tasks:,} ({unit.done / unit.tasks:.0%})" if unit.tasks else "no tasks",
        f"{unit.left:,}",
        f"{unit.skipped:,}",
        f"{unit.invalid:,}",
        "–" if unit.median_s is None else duration(unit.median_s),
        "–" if unit.work_left_s is None else duration(unit.work_left_s),
        readable(unit.finish) if unit.finish is not None else f"– ({unit.why_no_finish})",
    )


def readable(moment: str) -> str:
    """Return a time in ISO 8601 as `2026-03-01 20:00 UTC`."""
    return f"{datetime.fromisoformat(moment).astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"


def tables(status: Status) -> list[Table]:
    """Return the tables for the terminal."""
    progress = Table(
        title=f"{status.title}, as of {readable(status.pulled)}",
        caption="per task: median time; work left: at that speed; expected end: at the pace so far, breaks included",
    )
    for column in COLUMNS:
        progress.add_column(column, justify="left" if column in ("unit", "expected end") else "right")
    for unit in status.units:
        progress.add_row(*cells(unit))
    if status.agreement_tasks == 0:
        return [progress]
    agreement = Table(
        title=f"Agreement so far, on {status.agreement_tasks:,} tasks that two units or more ranked",
        caption="with intervals: editjudge annotate agreement",
    )
    agreement.add_column("measure")
    for name in status.agreement:
        agreement.add_column(dimension_name(name), justify="right")
    for key in next(iter(status.agreement.values())):
        agreement.add_row(measure_name(key), *(plain(figures[key]) for figures in status.agreement.values()))
    return [progress, agreement]


def plain(figure: Figure) -> str:
    """Return `0.724`, or the reason why there is no number."""
    return f"undefined ({figure.why})" if figure.value is None else f"{figure.value:.3f}"


def render(status: Status) -> str:
    """Return the self-contained page: one file without scripts or external resources."""
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True)
    return environment.get_template("status.html").render(
        status=status,
        columns=COLUMNS,
        rows=[(unit, cells(unit)) for unit in status.units],
        dimensions=[*status.agreement],
        measures=[*next(iter(status.agreement.values()), {})],
        plain=plain,
        readable=readable,
        measure_name=measure_name,
        dimension_name=dimension_name,
        invalid=status.invalid[:SHOWN_INVALID],
    )
