"""A judge's ranking as the page's initial answer. It can bias people: it is off by default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from annotation.campaign.groups import Planned
from annotation.page.answers import make_result
from annotation.page.layout import layout_of
from annotation.recipe import AnnotationRecipe
from editjudge.files.io import read_jsonl
from editjudge.records.tasks import Dimension
from editjudge.records.types import ScoreCard
from editjudge.statistics.tiers import tiers_of_scores

Predictions = Mapping[str, list[dict[str, Any]]]
"""`group_id` -> the ranking as the `result` of an annotation."""


def judge_rankings(recipe: AnnotationRecipe, tasks: Sequence[Planned]) -> tuple[Predictions, int]:
    """Return the judge's rankings of tasks whose candidates all have every score, and the number of other tasks.

    Both are empty when the recipe names no score cards.
    """
    if recipe.project.predictions is None:
        return {}, 0
    cards = {card.triplet.id: card for card in read_jsonl(recipe.project.predictions, ScoreCard)}
    layout = layout_of(recipe)
    found: dict[str, list[dict[str, Any]]] = {}
    for task in tasks:
        shown = task.row.candidates
        scores = {name: _scores([cards.get(triplet) for triplet in shown], name) for name in layout.dimensions}
        if all(len(of_dimension) == len(shown) for of_dimension in scores.values()):
            tiers = {name: tiers_of_scores(scores[name], recipe.project.prediction_gap) for name in scores}
            found[task.row.group_id] = make_result(layout, tiers)
    return found, len(tasks) - len(found)


def _scores(shown: Sequence[ScoreCard | None], dimension: Dimension) -> dict[int, float]:
    """Return candidate number -> score, without the candidates that have none."""
    values = [None if card is None else card.value(dimension) for card in shown]
    return {number: value for number, value in enumerate(values, start=1) if value is not None}
