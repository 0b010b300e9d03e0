"""The leaderboards of results.json."""

from __future__ import annotations

from typing import Literal

from editjudge.statistics.estimate import Block, Estimate

BoardKind = Literal["pair_mean", "task_mean", "comparisons", "multiway", "ratings"]
"""Which figures a leaderboard shows."""


class BoardRow(Block):
    """A judge in a leaderboard."""

    kind: Literal["measured", "other", "published"]
    """Measured here, taken over from another results.json, or as its authors printed it."""
    name: str
    run: str | None
    step: int | None
    passes: int | None
    best: bool
    """Chosen by the rule of the sweep."""
    values: dict[str, Estimate | None]
    """By column."""
    coverage: float | None
    partial: bool
    reading: str | None
    """Of a file of scores, where its publisher's code reads it otherwise than we do."""
    counted_by: str | None
    """Whose code counts so; None: ours."""
    source: str | None
    """Of published figures."""
    protocol: str | None
    """Of published figures: "same" as here, or how it differs."""


class Board(Block):
    """One table of a benchmark and a kind of label, best first."""

    benchmark: str
    figure: BoardKind
    says: str
    """The figure in words."""
    columns: dict[str, str]
    """Key and title."""
    rows: list[BoardRow]
    notes: list[str]
