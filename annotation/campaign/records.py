"""The files of a campaign that only annotation reads: what could not be read, and what was ranked elsewhere.

What others read is in `formats.campaign`.
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
    """One row of invalid.jsonl: an annotation that is not used, and why."""

    unit: str
    group_id: str | None
    studio_task: int | None
    annotation_id: str | None
    link: str
    """Opens the task in Label Studio."""
    problem: str
    """What is wrong, for a person; several problems are separated by `; `."""


def invalid_file(out: Path) -> Path:
    """Where pull lists what it could not read."""
    return out / INVALID


def imported_file(out: Path, unit: str) -> Path:
    """Where the rankings are kept that a unit gave elsewhere."""
    return out / "imported" / f"{unit}.jsonl"


def imported_units(out: Path, units: Sequence[str]) -> list[str]:
    """Those of these units whose rankings were imported: they rank nothing in Label Studio."""
    return [unit for unit in units if imported_file(out, unit).exists()]


def shown_units(recipe: AnnotationRecipe) -> tuple[Unit, ...]:
    """Those of `recipe.all_units` that rank in Label Studio: the others were imported."""
    imported = imported_units(recipe.out, [unit.name for unit in recipe.all_units])
    return tuple(unit for unit in recipe.all_units if unit.name not in imported)


def imported_rankings(out: Path, units: Sequence[str]) -> Iterator[Ranking]:
    """Every imported ranking of these units, in their order."""
    for unit in imported_units(out, units):
        yield from read_jsonl(imported_file(out, unit), Ranking)


@contextmanager
def campaign_lock(out: Path, title: str) -> Iterator[None]:
    """Only one command at a time may change a campaign: two pushes at once would show every task twice.

    `DataError` when the folder holds a campaign of another title: its tasks and rankings must not be mixed with these.
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
            if tasks_file(out).exists():  # until tasks are recorded there is nothing to mix: a title can be corrected
                write_json(path, {"title": title})
