"""Groups of candidates as files: JSONL of `EditTriplet` or `ScoreCard`, as curation leaves them.

A group is all candidates of one `EditTask`. Annotation and selection among candidates read groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from editjudge.errors import DataError
from editjudge.files.io import first_row_has, read_jsonl
from editjudge.formats.funnel import FUNNEL, read_funnel
from editjudge.records.types import EditTask, EditTriplet, ScoreCard


@dataclass(frozen=True)
class Group:
    """The candidates of one task."""

    task: EditTask
    triplets: Mapping[str, EditTriplet]
    """Triplets by id, in the order of the file."""


def group_files(place: Path) -> tuple[list[Path], Path]:
    """Return the files of a place's groups, and the folder that image paths in them are relative to.

    A place is a file, a folder of JSONL files, or a curation run: there the last stage before the run's parts that
    outputs candidates is used. Raises `DataError` for a run without such a stage.
    """
    if (place / FUNNEL).is_file():
        stages = [stage for stage in read_funnel(place / FUNNEL).stages if stage.part is None]
        names = [stage.name for stage in stages if stage.gives in ("EditTriplet", "ScoreCard")]
        if not names:
            raise DataError(
                f"{place / FUNNEL}: no stage of this run gives EditTriplet or ScoreCard; name a JSONL file instead"
            )
        return sorted((place / "stages" / names[-1]).glob("*.jsonl")), place
    if place.is_dir():
        return sorted(place.glob("*.jsonl")), place
    return [place], place.parent


def read_groups(place: Path) -> dict[str, Group]:
    """Read groups by task id, in file order. Raises `DataError` for a missing, empty or contradictory file."""
    files, _ = group_files(place)
    if not files:
        raise DataError(f"{place}: holds no .jsonl file; EditTriplet or ScoreCard rows are needed")
    found: dict[str, tuple[EditTask, dict[str, EditTriplet]]] = {}
    for path in files:
        for triplet in _triplets(path):
            task, triplets = found.setdefault(triplet.task.id, (triplet.task, {}))
            if task != triplet.task or triplets.setdefault(triplet.id, triplet) != triplet:
                raise DataError(
                    f"{path}: triplet {triplet.id} contradicts an earlier row of task {task.id}: same id, other "
                    "content; make the file again"
                )
    if not found:
        raise DataError(f"{place}: holds no groups; run the step that makes them")
    return {key: Group(task, triplets) for key, (task, triplets) in found.items()}


def _triplets(path: Path) -> Iterator[EditTriplet]:
    if first_row_has(path, "judgments"):
        yield from (card.triplet for card in read_jsonl(path, ScoreCard))
    else:
        yield from read_jsonl(path, EditTriplet)
