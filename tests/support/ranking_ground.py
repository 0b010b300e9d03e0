"""Shared helpers for tests of annotation: rankings in a short notation, and their triplets."""

from __future__ import annotations

from factories import make_ref, make_task, make_triplet

from editjudge.formats.rankings import Ranking, make_ranking, parse_tiers
from editjudge.records.tasks import Dimension
from editjudge.records.types import EditTriplet, Origin


def rank(
    notation: str, task: str = "t0", unit: str = "ann", dimension: Dimension = "overall", seconds: float | None = None
) -> Ranking:
    """Return a ranking: `rank("3|12")` has three candidates `t0-1`, `t0-2`, `t0-3`; fewer than ten."""
    n = len(notation.replace("|", ""))
    shown = [f"{task}-{number}" for number in range(1, n + 1)]
    return make_ranking(task, dimension, unit, parse_tiers(notation, n), shown, seconds)


def group(task: str = "t0", n: int = 5, source: str | None = None) -> list[EditTriplet]:
    """Return the triplets of `rank(..., task)`; every task has its own photograph."""
    source = f"photo-{task}" if source is None else source
    edit = make_task(
        id=task, inputs=(make_ref(path=f"images/{source}.png"),), origin=Origin(source=source, licence="CC0")
    )
    return [
        make_triplet(id=f"{task}-{number}", task=edit, edited=make_ref(path=f"images/{task}-{number}.png"))
        for number in range(1, n + 1)
    ]
