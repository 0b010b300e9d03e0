"""The funnel: how many rows each stage read, kept, dropped and failed. `out/funnel.json`:

```
{"stages": [{"name": "05-group_std",          folder below out/stages, in the order of the run
             "stage": "group_std",            name in recipes
             "part": null,                    or the part's name
             "gives": "ScoreCard",            record type of the rows kept
             "in": 600,                       rows read; 0 for a source
             "kept": 555,                     rows given; may exceed "in" where one row becomes several
             "dropped": {"group_std_below_1": 45},
             "failed": 0,
             "errors": {}}, ...],             the most common error lines and how often
 "parts": {"train": {"file": "train.jsonl", "record": "SFTExample", "rows": 1110}, ...}}
```
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from curation.runner.steps import Step
from curation.runner.work import Work
from editjudge.errors import DataError
from editjudge.files.io import read_json, read_marker, write_json

COMMON_ERRORS = 10
"""Different error lines listed for a stage."""


class StageCount(BaseModel):
    """One stage's line; see the module's docstring."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    name: str
    stage: str
    part: str | None
    gives: str
    rows_in: int = Field(alias="in")
    kept: int
    dropped: dict[str, int]
    failed: int
    errors: dict[str, int]


class PartCount(BaseModel):
    """What a part became."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    """Relative to `out`."""
    record: str
    rows: int


class Funnel(BaseModel):
    """All stages and parts of a run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stages: tuple[StageCount, ...]
    parts: dict[str, PartCount]


def count_stages(work: Work, steps: Iterable[Step]) -> tuple[StageCount, ...]:
    """The counts of complete steps, from their markers."""
    return tuple(_count(step, infos(work, step)) for step in steps)


def infos(work: Work, step: Step) -> list[Mapping[str, Any]]:
    """What the markers of a complete step say; `DataError` when one is missing."""
    found: list[Mapping[str, Any]] = []
    for path in work.markers(step):
        marker = read_marker(path)
        if marker is None:
            raise DataError(f"{path}: no such marker; run the recipe again to complete {step.name}")
        found.append(marker["info"])
    return found


def write_funnel(out: Path, funnel: Funnel) -> None:
    """Write `out/funnel.json`."""
    write_json(out / "funnel.json", funnel.model_dump(mode="json", by_alias=True))


def read_funnel(out: Path) -> Funnel:
    """Read `out/funnel.json`; `DataError` when it is missing or something else."""
    path = out / "funnel.json"
    try:
        return Funnel.model_validate(read_json(path))
    except ValueError as error:
        raise DataError(f"{path}: not the funnel of a curation run: {error}") from error


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
