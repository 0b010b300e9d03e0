"""Figures printed by their authors, from published.yaml."""

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
    """A judge's figures from a publication."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    passes: int | None = None
    """K of Avg@K; None where it is not stated or does not apply."""
    values: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(min_length=1)
    """Shares by column of the table."""
    source: str
    protocol: str
    """"same" as here, or the difference."""


class PublishedBenchmark(BaseModel):
    """Published figures on one benchmark."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: dict[str, int]
    """Size of the public benchmark, counted as in `columns.size_of`."""
    figure: BoardKind
    """Our figure with the same definition as the published one."""
    rows: tuple[PublishedJudge, ...]


@cache
def published() -> dict[str, PublishedBenchmark]:
    """Return the published figures, by name in the table `BENCHMARKS`. Raises `DataError` for a damaged file."""
    try:
        content = yaml.safe_load(PUBLISHED.read_text(encoding="utf-8"))
        return TypeAdapter(dict[str, PublishedBenchmark]).validate_python(content)
    except (yaml.YAMLError, ValidationError) as error:
        raise DataError(f"{PUBLISHED}: {error}") from error
