"""Agreement between the rating tables of several people, in ImagenHub's terms.

The overall value of an image is O = sqrt(SC * PQ) per rater; a model's value is the mean of the raters' means, its
spread their population standard deviation (ImagenHub, arXiv 2310.01596). Fleiss' kappa treats the values as nominal,
Krippendorff's alpha as ordinal. `editjudge.formats.rating_tables` reads the files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from annotation.agreement.measures import (
    Figure,
    Measure,
    Sheet,
    agreements,
    coincidences,
    fleiss_kappa,
    ordinal_alpha,
)
from editjudge.formats.rating_tables import RatingTable, join_ratings
from editjudge.statistics.arrays import Floats

SCALES = ("SC", "PQ", "O")
FIGURES = ("mean", "std", "fleiss_kappa", "krippendorff_alpha")
_PRINTED = {"SC": "SC", "PQ": "PR", "O": "HumanEval"}
"""Names of the three scales in ImagenHub's notebook."""


@dataclass(frozen=True)
class ScaleRatings:
    """The ratings of one model on one scale (SC, PQ or O)."""

    per_rater: tuple[float, ...]
    """Mean over images, in the order of the files."""
    per_rater_sum: tuple[float, ...]
    figures: dict[str, Figure]
    """By the names in `FIGURES`; intervals over images."""


@dataclass(frozen=True)
class Ratings:
    """The figures of several raters' tables."""

    files: tuple[str, ...]
    n_images: int
    models: dict[str, dict[str, ScaleRatings]]
    """Model -> scale -> figures."""

    def as_json(self) -> dict[str, Any]:
        """Return every number; per model also `printed`, in ImagenHub's form: two decimals, "nan" for undefined."""
        models = {}
        for model, scales in self.models.items():
            plain: dict[str, Any] = {
                scale: {
                    "per_rater": list(found.per_rater),
                    "per_rater_sum": list(found.per_rater_sum),
                    **{name: figure.as_json() for name, figure in found.figures.items()},
                }
                for scale, found in scales.items()
            }
            models[model] = {**plain, "printed": printed(scales)}
        return {"files": list(self.files), "n_images": self.n_images, "n_raters": len(self.files), "models": models}


def measure_ratings(tables: Sequence[RatingTable], rounds: int = 1000, seed: int = 0, level: float = 0.95) -> Ratings:
    """Compute mean, spread and agreement per model, with intervals from resampled images.

    The tables must contain the same images and models, in any order; else `DataError`. The agreement of a single
    table is undefined.
    """
    values = join_ratings(tables)
    first = tables[0]
    sheet = Sheet(len(first.images), "images")
    scales: dict[tuple[str, str], Floats] = {}
    for place, model in enumerate(first.models):
        semantic, quality = values[:, :, place, 0], values[:, :, place, 1]
        for scale, ratings in zip(SCALES, (semantic, quality, np.sqrt(semantic * quality)), strict=True):
            scales[model, scale] = ratings
            _add(sheet, f"{model}\t{scale}", ratings)
    figures = sheet.figures(rounds, seed, level)
    models: dict[str, dict[str, ScaleRatings]] = {model: {} for model in first.models}
    for (model, scale), ratings in scales.items():
        models[model][scale] = ScaleRatings(
            per_rater=tuple(float(mean) for mean in ratings.mean(axis=0)),
            per_rater_sum=tuple(float(total) for total in ratings.sum(axis=0)),
            figures={name: figures[f"{model}\t{scale}\t{name}"] for name in FIGURES},
        )
    return Ratings(tuple(str(table.path) for table in tables), len(first.images), models)


def printed(scales: dict[str, ScaleRatings]) -> dict[str, float | str | list[float]]:
    """Return a model's numbers with the names and the rounding of ImagenHub's notebook."""
    found: dict[str, float | str | list[float]] = {}
    for scale, ratings in scales.items():
        name = _PRINTED[scale]
        average = f"{name}Avg" if scale == "O" else f"{name}_avg"
        mean, std = ratings.figures["mean"].value, ratings.figures["std"].value
        assert mean is not None
        assert std is not None
        found[f"per_rater.{average}"] = [round(value, 2) for value in ratings.per_rater]
        found[f"mean.{average}"] = round(mean, 2)
        found[f"mean.{name}_std"] = round(std, 2)
        if scale == "O":
            found[f"per_rater.{name}Sum"] = [round(value, 2) for value in ratings.per_rater_sum]
            found[f"mean.{name}Sum"] = round(float(np.mean(ratings.per_rater_sum)), 2)
        for key, figure in (("kappa", "fleiss_kappa"), ("alpha", "krippendorff_alpha")):
            value = ratings.figures[figure].value
            found[f"{key}.{name}"] = "nan" if value is None else str(round(value, 2))
    return found


def _add(sheet: Sheet, key: str, ratings: Floats) -> None:
    """Add the measures of one model on one scale; ratings [images, raters]."""
    everything = np.ones(len(ratings), bool)
    n_raters = ratings.shape[1]
    # Square roots of equal products must be equal values, despite rounding errors.
    values = np.unique(ratings.round(9))
    counts = np.stack([(ratings.round(9) == value).sum(axis=1) for value in values], axis=-1).astype(np.float64)
    means = np.column_stack([ratings, np.ones(len(ratings))])
    several = everything if n_raters > 1 else ~everything
    constant = "every rating is the same value"
    for name, columns, compute, behind in (
        ("mean", means, partial(_over_raters, statistic=np.mean), everything),
        ("std", means, partial(_over_raters, statistic=np.std), everything),
        ("fleiss_kappa", agreements(counts), fleiss_kappa, several),
        ("krippendorff_alpha", coincidences(counts), ordinal_alpha, several),
    ):
        sheet.add(f"{key}\t{name}", Measure(columns, compute, behind, "there is one rater", constant))


def _over_raters(sums: Floats, statistic: Any) -> Floats:
    """Compute mean or population standard deviation of the raters' means, from sums [..., raters + 1]."""
    result: Floats = statistic(sums[..., :-1] / sums[..., -1:], axis=-1)
    return result
