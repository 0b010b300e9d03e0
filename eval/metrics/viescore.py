"""VIEScore's two figures for a task of ImagenHub, by VIEScore's own formula; our figures have other names.

Source: `analyze_json.ipynb` of TIGER-AI-Lab/VIEScore at aeb1f18 (paper: arXiv 2312.14867, 4). For one task:

- A judge: per editing model that it scored, Spearman's rho between its scores and the mean of the raters, over the
  images that have both a semantic (SC) and a quality (PQ) score; then tanh of the plain mean over these models. This is
  Fisher's method without its first half (atanh of each), so it is below the plain mean.
- People: per editing model that the judge scored, over all its images, rho between each rater and the mean of the
  others; tanh of the mean over raters, then tanh of the mean over models.

A coefficient is undefined if people or the judge gave every image the same value. It makes the whole figure
undefined, as in VIEScore; our means leave that model out. The overall value is sqrt(SC PQ), of a rater and of a judge.
Floats are compared without rounding: 1 x 9 and 3 x 3 differ in the last bit of the product and do not tie.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from editjudge.formats.results.labels import VIEScoreModel, VIEScoreModels
from editjudge.records.types import ScoreCard
from editjudge.statistics.arrays import TIE_DECIMALS, Floats
from editjudge.statistics.estimate import Estimate, Samples, rounded, sampled
from editjudge.statistics.shares import group_index
from eval.labels.types import Rating, Scale, card_value
from eval.metrics.correlation import Column, resampled_rho

_PARTS: tuple[Scale, Scale] = ("semantic", "quality")


@dataclass(frozen=True)
class _Output:
    """One output of an editing model that people rated."""

    model: str
    image: int
    """Index of the image."""
    people: tuple[float, ...]
    """Each rater's value on the scale, unrounded; only the mean if no more is known."""
    judge: float | None
    """0 to 1; None when the judge lacks one of the two scores."""
    touched: bool
    """The judge has at least one of the two scores."""


@dataclass(frozen=True)
class VIEScoreFigures:
    """Judge's and people's figure of one scale."""

    judge: Estimate
    people: Estimate | None
    """None with fewer than two raters (VIEScore's code has three)."""
    of: VIEScoreModels
    """The editing models in the judge's figure."""


def measure_viescore(
    ratings: Sequence[Rating], cards: Mapping[str, ScoreCard], scale: Scale, rounds: int, seed: int
) -> VIEScoreFigures:
    """Return both figures of one scale; `ratings` are those of all scales of a benchmark."""
    outputs, n_images = _outputs(ratings, cards, scale)
    columns = _judge_columns(outputs)
    rho, drawn = resampled_rho(columns, n_images, rounds, seed)
    models = {
        column.model: VIEScoreModel(n=len(column.human), spearman=rounded(float(value)))
        for column, value in zip(columns, rho, strict=True)
    }
    undefined = [name for name, found in models.items() if found.spearman is None]
    return VIEScoreFigures(
        sampled(float(printed(rho)), printed(drawn), n_images),
        _people(outputs, tuple(models), n_images, rounds, seed),
        VIEScoreModels(models=models, undefined=undefined),
    )


def viescore_samples(
    ratings: Sequence[Rating], cards: Mapping[str, ScoreCard], scale: Scale, rounds: int, seed: int
) -> Samples:
    """Return the judge's figure: a number, and [rounds] for resampled images."""
    outputs, n_images = _outputs(ratings, cards, scale)
    rho, drawn = resampled_rho(_judge_columns(outputs), n_images, rounds, seed)
    return Samples(printed(rho), printed(drawn), n_images)


def printed(by_model: Floats) -> Floats:
    """Return tanh of the mean over the last axis; NaN if any value is NaN, or for an empty axis."""
    if not by_model.shape[-1]:
        return np.full(by_model.shape[:-1], np.nan)
    return np.asarray(np.tanh(by_model.mean(axis=-1)))


def _outputs(ratings: Sequence[Rating], cards: Mapping[str, ScoreCard], scale: Scale) -> tuple[list[_Output], int]:
    """Return the rated outputs on a scale, and the number of images."""
    mine = [rating for rating in ratings if rating.scale == scale]
    others = {(rating.triplet.id, rating.scale): rating for rating in ratings}
    image, n_images = group_index([rating.triplet.task.id for rating in mine])
    found = {rating.triplet.id: cards.get(rating.triplet.id) for rating in mine}
    # A judge with only an overall value has no part scores that could be missing.
    in_parts = any(card_value(card, part) is not None for card in found.values() for part in _PARTS)
    outputs = []
    for place, rating in enumerate(mine):
        card = found[rating.triplet.id]
        if in_parts:
            semantic, quality = (card_value(card, part) for part in _PARTS)
            judge, touched = _judge_value(card, scale, semantic, quality), not semantic is quality is None
        else:
            overall = card_value(card, scale)
            judge, touched = None if overall is None else overall / 10, overall is not None
        outputs.append(
            _Output(rating.triplet.editor, int(image[place]), _people_values(rating, others), judge, touched)
        )
    return outputs, n_images


def _judge_value(card: ScoreCard | None, scale: Scale, semantic: float | None, quality: float | None) -> float | None:
    """Return 0 to 1. With one pass the overall value is the unrounded product; with several it is the card's mean."""
    if semantic is None or quality is None:
        return None
    if scale != "overall":
        return (semantic if scale == "semantic" else quality) / 10
    product = sqrt(semantic / 10 * (quality / 10))
    overall = card_value(card, "overall")
    return product if overall is None or round(10 * product, TIE_DECIMALS) == overall else overall / 10


def _people_values(rating: Rating, others: Mapping[tuple[str, Scale], Rating]) -> tuple[float, ...]:
    """Return the raters' values, unrounded as in VIEScore; the benchmark's overall values are rounded."""
    parts = [found.raters for part in _PARTS if (found := others.get((rating.triplet.id, part))) is not None]
    if rating.scale == "overall" and len(parts) == 2 and parts[0] and len(parts[0]) == len(parts[1]):
        return tuple(sqrt(one * other) for one, other in zip(*parts, strict=True))
    return rating.raters or (rating.value,)


def _judge_columns(outputs: Sequence[_Output]) -> list[Column]:
    """Return one column per editing model that the judge scored; empty when no image of it has both scores."""
    columns = []
    for model in dict.fromkeys(output.model for output in outputs if output.touched):
        known = [output for output in outputs if output.model == model and output.judge is not None]
        people = np.array([np.mean(output.people) for output in known], dtype=np.float64)
        judge = np.array([output.judge for output in known], dtype=np.float64)
        columns.append(Column(model, people, judge, _images(known), exact=True))
    return columns


def _people(
    outputs: Sequence[_Output], models: Sequence[str], n_images: int, rounds: int, seed: int
) -> Estimate | None:
    n_raters = min((len(output.people) for output in outputs), default=0)
    if n_raters < 2 or not models:
        return None
    columns = []
    for model in models:
        mine = [output for output in outputs if output.model == model]
        given = np.array([output.people[:n_raters] for output in mine], dtype=np.float64)
        for rater in range(n_raters):
            rest = np.delete(given, rater, axis=1).mean(axis=1)
            columns.append(Column(model, rest, given[:, rater], _images(mine), exact=True))
    rho, drawn = resampled_rho(columns, n_images, rounds, seed)
    value, samples = (printed(printed(part.reshape(*part.shape[:-1], len(models), n_raters))) for part in (rho, drawn))
    return sampled(float(value), samples, n_images)


def _images(outputs: Sequence[_Output]) -> Any:
    return np.array([output.image for output in outputs], dtype=np.int64)
