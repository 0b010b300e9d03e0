"""Blocks of a recipe for the content of reports."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from editjudge.files.paths import InputPath


class Report(BaseModel):
    """Content of `report.html` besides the figures."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = "How good is this judge?"
    """Heading of the page."""
    funnel: InputPath | None = None
    """`funnel.json` of the curation run that made the training data."""
    examples: int = Field(150, ge=0)
    """Pairs not judged right that the inspector shows with their images, spread over dimensions and tasks."""
    right_examples: int = Field(10, ge=0)
    """Number of correctly judged pairs shown for comparison."""
    max_mb: float = Field(18, gt=0)
    """Limit for the inspector's pictures, in megabytes of the page."""
    tables: tuple[Literal["latex", "markdown"], ...] = ()
    """Also write the tables beside the report, as tables.tex and tables.md."""
    image_px: int = Field(224, ge=32, le=1024)
    """Longer side of the images shown."""


class LeaderboardOptions(BaseModel):
    """Rows of the leaderboard besides this measurement's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    published: bool = True
    """Include figures from the literature, on the benchmark they were published for."""
    results: tuple[InputPath, ...] = ()
    """results.json of other evaluations and sweeps; rows of the same benchmark are included."""
