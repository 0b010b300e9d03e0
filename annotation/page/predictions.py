"""A judge's ranking for pages to open with. It can bias people, so it is off unless a recipe asks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from annotation.campaign.groups import Planned
from annotation.page.answers import make_result
from annotation.page.layout import layout_of
from annotation.recipe import AnnotationRecipe
from editjudge.files.io import read_jsonl
from editjudge.records.types import ScoreCard

Predictions = Mapping[str, list[dict[str, Any]]]
"""group_id -> the ranking as the `result` of an annotation."""


def judge_rankings(recipe: AnnotationRecipe, tasks: Sequence[Planned]) -> tuple[Predictions, int]:
    """The judge's rankings, only where every candidate has every score; and how many tasks have none.

    Nothing at all unless the recipe names score cards.
    """
    if recipe.project.predictions is None:
        return {}, 0
    cards = {card.triplet.id: card for card in read_jsonl(recipe.project.predictions, ScoreCard)}
    layout = layout_of(recipe)
    found: dict[str, list[dict[str, Any]]] = {}
    for task in tasks:
        shown = [cards.get(triplet) for triplet in task.row.candidates]
        tiers = {
            name: score_tiers(
                [None if card is None else card.value(name) for card in shown], recipe.project.prediction_gap
            )
            for name in layout.dimensions
        }
        complete = {name: value for name, value in tiers.items() if value is not None}
        if len(complete) == len(tiers):
            found[task.row.group_id] = make_result(layout, complete)
    return found, len(tasks) - len(found)


def score_tiers(scores: Sequence[float | None], min_gap: float) -> list[list[int]] | None:
    """Candidate numbers in tiers, best first: a new tier where the next lower score is at least `min_gap` away.

    None when a score is missing.
    """
    present = [(score, number) for number, score in enumerate(scores, start=1) if score is not None]
    if len(present) < len(scores):
        return None
    tiers: list[list[int]] = []
    previous = float("inf")
    for score, number in sorted(present, key=lambda pair: (-pair[0], pair[1])):
        # Scores are computed in floating point: a step of exactly min_gap must not be lost in the last bit.
        if previous - score >= min_gap - 1e-9:
            tiers.append([])
        tiers[-1].append(number)
        previous = score
    return tiers
