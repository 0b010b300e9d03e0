"""Balance a scored set over task types and scores: no easy task or common score dominates training."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from math import ceil
from statistics import median
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from curation.filters.scores import scored
from curation.stage import Context, Drop, Fail, Stage, describe_error, row_id
from editjudge.files.io import digest
from editjudge.records.types import Record, ScoreCard


def _increasing(edges: int | tuple[float, ...]) -> int | tuple[float, ...]:
    if isinstance(edges, int):
        if edges < 1:
            raise ValueError(f"{edges} bins: at least one is needed")
        return edges
    if any(low >= high for low, high in pairwise(edges)) or not all(0 < e < 10 for e in edges):
        raise ValueError(f"edges must increase and lie strictly between 0 and 10; got {list(edges)}")
    return edges


Bins = Annotated[int | tuple[float, ...], AfterValidator(_increasing)]
"""Bins of `overall`: a number of equally wide bins of 0 to 10, or the inner edges (an edge is in the higher bin)."""

DEFAULT_BINS = 5


def score_bin(overall: float, bins: int | tuple[float, ...]) -> int:
    """Return the bin index of a score (0 to 10), 0 for the lowest bin; 10 is in the highest."""
    if isinstance(bins, int):
        return min(int(overall * bins / 10), bins - 1)
    return sum(overall >= edge for edge in bins)


class Balance(Stage):
    """Limit the number of score cards per cell (task type x score bin).

    The limit is the smaller of `per_cell` and `max_ratio` x the median size of the non-empty cells, rounded up; the
    median, because the smallest cell may contain a single row. A hash of (seed, triplet id) selects the rows of a cell:
    neither their order nor the number of shards matters.
    """

    version: ClassVar[int] = 1
    scope: ClassVar[Literal["shard", "dataset"]] = "dataset"
    takes: ClassVar[type[Record] | None] = ScoreCard
    gives: ClassVar[type[Record]] = ScoreCard

    bins: Bins = DEFAULT_BINS
    """Bins of `overall`: a number of equally wide bins of 0 to 10, or the inner edges; a score on an edge is in the
    higher bin."""
    max_ratio: float | None = Field(None, ge=1)
    """Largest size of a cell, as a multiple of the median cell's."""
    per_cell: int | None = Field(None, ge=1)
    """Largest number of rows in a cell."""

    @model_validator(mode="after")
    def _some_limit(self) -> Balance:
        if self.max_ratio is None and self.per_cell is None:
            raise ValueError("give max_ratio, per_cell, or both; without a limit there is nothing to balance")
        return self

    def limit(self, sizes: Iterable[int]) -> int:
        """Return the largest number of rows a cell can keep, given the sizes of the non-empty cells."""
        limits = [] if self.per_cell is None else [self.per_cell]
        if self.max_ratio is not None:
            limits.append(ceil(self.max_ratio * median(sizes)))
        return min(limits)

    def run(self, rows: Iterable[Any], ctx: Context) -> Iterator[Record | Drop | Fail]:
        """Yield kept cards in input order; the surplus of a cell is dropped as `surplus_<task>_bin<k>`."""
        cards: list[ScoreCard] = []
        cells: dict[tuple[str, int], list[str]] = defaultdict(list)
        for card in rows:
            try:
                cell = (card.triplet.task.task_type, score_bin(scored(card), self.bins))
            except ValueError as error:
                yield Fail(row_id(card), describe_error(error), card)
                continue
            cards.append(card)
            cells[cell].append(card.triplet.id)
        if not cells:
            return
        limit = self.limit([len(ids) for ids in cells.values()])
        surplus: dict[str, str] = {}
        for (task_type, index), ids in cells.items():
            reason = f"surplus_{task_type.replace('-', '_')}_bin{index}"
            ranked = sorted(ids, key=lambda triplet_id: digest("balance", ctx.seed, triplet_id))
            surplus.update(dict.fromkeys(ranked[limit:], reason))
        for card in cards:
            dropped = surplus.get(card.triplet.id)
            yield card if dropped is None else Drop(card.triplet.id, dropped, card)


class PickGroups(Stage):
    """Keep a number of whole groups of each task type, for a benchmark in which all tasks have equal weight.

    A hash of (seed, task id) selects the groups.
    """

    version: ClassVar[int] = 1
    scope: ClassVar[Literal["shard", "dataset"]] = "dataset"
    takes: ClassVar[type[Record] | None] = ScoreCard
    gives: ClassVar[type[Record]] = ScoreCard

    per_task: int = Field(ge=1)
    """Groups to keep of each task type."""

    def run(self, rows: Iterable[Any], ctx: Context) -> Iterator[Record | Drop | Fail]:
        """Yield kept cards in input order; the cards of the other groups are dropped as `not_picked`."""
        cards: list[ScoreCard] = list(rows)
        tasks: dict[str, set[str]] = defaultdict(set)
        for card in cards:
            tasks[card.triplet.task.task_type].add(card.triplet.task.id)
        picked: set[str] = set()
        for ids in tasks.values():
            picked.update(sorted(ids, key=lambda task_id: digest("pick", ctx.seed, task_id))[: self.per_task])
        for card in cards:
            yield card if card.triplet.task.id in picked else Drop(card.triplet.id, "not_picked", card)
