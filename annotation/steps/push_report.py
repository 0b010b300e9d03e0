"""What a push did."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class UnitPush:
    """What a push did for one unit."""

    unit: str
    link: str
    added: int = 0
    there: int = 0
    """Tasks that were there before."""
    twice: list[str] = field(default_factory=list)
    """`group_id` of tasks that are in the project more than once: somebody imported them again."""


@dataclass
class PushReport:
    """What a push did."""

    units: list[UnitPush] = field(default_factory=list)
    tasks: int = 0
    gold: int = 0
    repeats: int = 0
    too_small: int = 0
    """Groups left out because they have fewer candidates than are shown."""
    no_instruction: int = 0
    """Groups left out because their instruction is empty."""
    not_drawn: int = 0
    """Groups left out because `project.max_tasks` asks for fewer."""
    changed: list[str] = field(default_factory=list)
    """Tasks pushed before whose candidates the groups no longer hold."""
    unreadable: dict[str, str] = field(default_factory=dict)
    """`group_id` of tasks left out -> what is wrong with which image."""
    without_prediction: int = 0
    """Tasks for which the judge has no complete set of scores."""


def print_report(report: PushReport) -> None:
    """Print what was done."""
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
