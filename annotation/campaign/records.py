"""The files of a campaign that only annotation reads: invalid annotations and imported rankings.

`formats.campaign` defines the files that other applications read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from annotation.recipe import AnnotationRecipe, Unit
from editjudge.errors import DataError
from editjudge.files.io import read_json, read_jsonl, write_json
from editjudge.formats.campaign import tasks_file
from editjudge.formats.rankings import Ranking
from editjudge.records.types import Record
from editjudge.system.processes import alone_in

INVALID = "invalid.jsonl"
CAMPAIGN = "campaign.json"
"""File names below `out`."""


class InvalidAnnotation(Record):
    """One row of invalid.jsonl: an unused annotation with the reason."""

    unit: str
    group_id: str | None
    studio_task: int | None
    annotation_id: str | None
    link: str
    """Opens the task in Label Studio."""
    problem: str
    """The problem, in words; several problems are separated by `; `."""


def invalid_file(out: Path) -> Path:
    """Return the path of the file that lists unreadable annotations."""
    return out / INVALID


def imported_file(out: Path, unit: str) -> Path:
    """Return the path of a unit's imported rankings."""
    return out / "imported" / f"{unit}.jsonl"


def imported_units(out: Path, units: Sequence[str]) -> list[str]:
    """Return the units with imported rankings: they rank nothing in Label Studio."""
    return [unit for unit in units if imported_file(out, unit).exists()]


def shown_units(recipe: AnnotationRecipe) -> tuple[Unit, ...]:
    """Return the units of `recipe.all_units` that rank in Label Studio: the others were imported."""
    imported = imported_units(recipe.out, [unit.name for unit in recipe.all_units])
    return tuple(unit for unit in recipe.all_units if unit.name not in imported)


def imported_rankings(out: Path, units: Sequence[str]) -> Iterator[Ranking]:
    """Yield every imported ranking of these units, in their order."""
    for unit in imported_units(out, units):
        yield from read_jsonl(imported_file(out, unit), Ranking)


@contextmanager
def campaign_lock(out: Path, title: str) -> Iterator[None]:
    """Lock a campaign against other commands: two pushes at once would show every task twice.

    `DataError` when the folder contains a campaign of another title: tasks and rankings must not be mixed.
    """
    with alone_in(out, "another annotate command is at work here"):
        path = out / CAMPAIGN
        holds = read_json(path)["title"] if path.exists() else title
        if holds != title:
            raise DataError(
                f"{out}: holds the campaign {holds!r}; give {title!r} an `out` of its own, or put project.title back"
            )
        try:
            yield
        finally:
            if tasks_file(out).exists():  # without recorded tasks nothing can be mixed: the title may change
                write_json(path, {"title": title})
