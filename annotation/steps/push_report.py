"""The report of a push."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class UnitPush:
    """Counts of one unit's tasks."""

    unit: str
    link: str
    added: int = 0
    there: int = 0
    """Tasks that existed before."""
    twice: list[str] = field(default_factory=list)
    """`group_id` of duplicate tasks in the project: somebody imported them again."""


@dataclass
class PushReport:
    """The report of one push."""

    units: list[UnitPush] = field(default_factory=list)
    tasks: int = 0
    gold: int = 0
    repeats: int = 0
    too_small: int = 0
    """Groups left out: fewer candidates than a page shows."""
    no_instruction: int = 0
    """Groups left out: blank instruction."""
    not_drawn: int = 0
    """Groups left out: beyond `project.max_tasks`."""
    changed: list[str] = field(default_factory=list)
    """Pushed tasks with candidates that the groups no longer contain."""
    unreadable: dict[str, str] = field(default_factory=dict)
    """`group_id` of tasks left out -> unreadable image and error."""
    without_prediction: int = 0
    """Tasks for which the judge has no complete set of scores."""


def print_report(report: PushReport) -> None:
    special = f" ({report.gold} gold, {report.repeats} repeats)" if report.gold or report.repeats else ""
    print(f"{report.tasks:,} tasks{special}")
    for unit in report.units:
        print(f"  {unit.unit}: {unit.added:,} added, {unit.there:,} were there. {unit.link}")
        if unit.twice:
            print(f"    {len(unit.twice)} tasks are there twice, {unit.twice[0]} for one: delete the copies")
    if report.too_small:
        print(f"  {report.too_small:,} groups have too few candidates and were left out")
    if report.no_instruction:
        print(f"  {report.no_instruction:,} groups have no instruction and were left out")
    if report.not_drawn:
        print(f"  {report.not_drawn:,} groups more are left out by project.max_tasks")
    if report.changed:
        print(
            f"  {len(report.changed):,} tasks were pushed before with candidates that the groups no longer hold: kept"
        )
    if report.without_prediction:
        print(
            f"  {report.without_prediction:,} tasks open without the judge's ranking: it has not scored all candidates"
        )
    for group_id, problem in [*report.unreadable.items()][:10]:
        print(f"  left out {group_id}: {problem}")
    if len(report.unreadable) > 10:
        print(f"  ... and {len(report.unreadable) - 10:,} more tasks with images that cannot be read")
