"""The funnel of a run (`formats.funnel`), counted from the markers of its steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from curation.runner.steps import Step
from curation.runner.work import Work
from editjudge.errors import DataError
from editjudge.files.io import read_marker
from editjudge.formats.funnel import StageCount

COMMON_ERRORS = 10
"""Largest number of different errors listed for a stage."""


def count_stages(work: Work, steps: Iterable[Step]) -> tuple[StageCount, ...]:
    """Return the counts of complete steps, from their markers."""
    return tuple(_count(step, infos(work, step)) for step in steps)


def infos(work: Work, step: Step) -> list[Mapping[str, Any]]:
    """Return the contents of a complete step's markers; `DataError` when one is missing."""
    found: list[Mapping[str, Any]] = []
    for path in work.markers(step):
        marker = read_marker(path)
        if marker is None:
            raise DataError(f"{path}: no such marker; run the recipe again to complete {step.name}")
        found.append(marker["info"])
    return found


def _count(step: Step, markers: list[Mapping[str, Any]]) -> StageCount:
    dropped: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    for info in markers:
        dropped.update(info["dropped"])
        errors.update(info["errors"])
    common = sorted(errors.items(), key=lambda item: (-item[1], item[0]))[:COMMON_ERRORS]
    return StageCount(
        name=step.name,
        stage=str(step.identity["stage"]),
        part=step.part,
        gives=step.row_type.__name__,
        rows_in=sum(info["in"] for info in markers),
        kept=sum(info["kept"] for info in markers),
        dropped=dict(sorted(dropped.items())),
        failed=sum(info["failed"] for info in markers),
        errors=dict(common),
    )
