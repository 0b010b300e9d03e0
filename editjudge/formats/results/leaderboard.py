"""The leaderboards of results.json."""

from __future__ import annotations

from typing import Literal

from editjudge.statistics.estimate import Block, Estimate

BoardKind = Literal["pair_mean", "task_mean", "comparisons", "multiway", "ratings"]
"""Kind of figures in a leaderboard."""


class BoardRow(Block):
    """A judge in a leaderboard."""

    kind: Literal["measured", "other", "published"]
    """Measured here, taken from another results.json, or as published by the authors."""
    name: str
    run: str | None
    step: int | None
    passes: int | None
    best: bool
    """Selected by the rule of the sweep."""
    values: dict[str, Estimate | None]
    """By column."""
    coverage: float | None
    partial: bool
    reading: str | None
    """How a file of scores was read, where this differs from its publisher's code."""
    counted_by: str | None
    """Publisher whose code counted; None: ours."""
    source: str | None
    """Source of published figures."""
    protocol: str | None
    """Protocol of published figures: "same" as here, or the difference."""


class Board(Block):
    """Table of a benchmark and a kind of label, best first."""

    benchmark: str
    figure: BoardKind
    says: str
    """Description of the figure."""
    columns: dict[str, str]
    """Key and title."""
    rows: list[BoardRow]
    notes: list[str]
