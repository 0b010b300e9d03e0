"""The blocks of a recipe that decide what reports show."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from editjudge.files.paths import InputPath


class Report(BaseModel):
    """What `report.html` shows besides the figures."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = "How good is this judge?"
    """Heading of the page."""
    funnel: InputPath | None = None
    """`funnel.json` of the curation run that made the training data."""
    examples: int = Field(150, ge=0)
    """Pairs not judged right that the inspector shows with their images, spread over dimensions and tasks."""
    right_examples: int = Field(10, ge=0)
    """Pairs judged right, for comparison."""
    max_mb: float = Field(18, gt=0)
    """The inspector ends where its pictures would take more, in megabytes of the page."""
    tables: tuple[Literal["latex", "markdown"], ...] = ()
    """Also write the tables beside the report, as tables.tex and tables.md."""
    image_px: int = Field(224, ge=32, le=1024)
    """Longer side of the images shown."""


class LeaderboardOptions(BaseModel):
    """What stands in the leaderboard besides what is measured here."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    published: bool = True
    """Figures of the field, on the benchmark they were published for."""
    results: tuple[InputPath, ...] = ()
    """results.json of other evaluations and sweeps; rows of the same benchmark are taken over."""
