"""Figures of the field as their authors printed them, from published.yaml."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from editjudge.errors import DataError
from editjudge.formats.results.leaderboard import BoardKind

PUBLISHED = Path(__file__).parent / "published.yaml"


class PublishedJudge(BaseModel):
    """A judge's figures as somebody else printed them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    passes: int | None = None
    """K of Avg@K; None where it was not said or does not apply."""
    values: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(min_length=1)
    """Shares by column of the table."""
    source: str
    protocol: str
    """"same" as here, or how it differs."""


class PublishedBenchmark(BaseModel):
    """What was published on one benchmark."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: dict[str, int]
    """Of the public benchmark, as `columns.size_of` counts."""
    figure: BoardKind
    """Which of our figures is defined as the published one."""
    rows: tuple[PublishedJudge, ...]


@cache
def published() -> dict[str, PublishedBenchmark]:
    """The figures of the field, by name in the table `BENCHMARKS`. `DataError` when the file was damaged."""
    try:
        content = yaml.safe_load(PUBLISHED.read_text(encoding="utf-8"))
        return TypeAdapter(dict[str, PublishedBenchmark]).validate_python(content)
    except (yaml.YAMLError, ValidationError) as error:
        raise DataError(f"{PUBLISHED}: {error}") from error
