"""`funnel.json` of a curation run: how many rows each stage read, kept, dropped and failed, and its outputs.

```
{"format": 1,
 "stages": [{"name": "05-group_std",          folder below out/stages, in the order of the run
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

from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from editjudge.errors import DataError
from editjudge.files.io import read_json, write_json

FUNNEL = "funnel.json"
"""File name in a run's folder."""
FORMAT: Final = 1
"""Increased when the meaning of a key changes."""


class StageCount(BaseModel):
    """Counts of one stage; see the module's docstring."""

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
    """One part of the output."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    """Relative to the run's folder."""
    record: str
    rows: int


class Funnel(BaseModel):
    """All stages and parts of a run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = FORMAT
    stages: tuple[StageCount, ...]
    parts: dict[str, PartCount]


def write_funnel(out: Path, funnel: Funnel) -> None:
    """Write the file into a run's folder."""
    write_json(out / FUNNEL, funnel.model_dump(mode="json", by_alias=True))


def read_funnel(path: Path) -> Funnel:
    """Read the file. Raises `DataError` when it is missing, invalid, or of another format."""
    content = read_json(path)
    if not isinstance(content, dict) or "stages" not in content:
        raise DataError(f"{path}: not the funnel of a curation run; give the {FUNNEL} in the `out` of its recipe")
    if content.get("format") != FORMAT:
        raise DataError(f"{path}: written by another version of EditJudge; run the curation again")
    try:
        return Funnel.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise DataError(
            f"{path}: not the funnel of a curation run: {where}: {first['msg']}; run the curation again"
        ) from error
