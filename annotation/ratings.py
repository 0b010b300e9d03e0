"""Rating tables of several people, as ImagenHub publishes them, and how far the people agree.

One tab-separated file per rater: a header `uid` and one column per model, then one line per image. A cell is
`[SC, PQ]`: semantic consistency and perceptual quality, each 0, 0.5 or 1. The overall value of an image is
O = sqrt(SC * PQ) per rater; a model's value is the mean of the raters' means, its spread their population standard
deviation (ImagenHub, arXiv 2310.01596). Fleiss' kappa takes the values as names, Krippendorff's alpha as an order.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from annotation.measures import (
    Figure,
    Floats,
    Measure,
    Sheet,
    agreements,
    coincidences,
    fleiss_kappa,
    ordinal_alpha,
)
from editjudge.errors import DataError, StorageError

SCALES = ("SC", "PQ", "O")
FIGURES = ("mean", "std", "fleiss_kappa", "krippendorff_alpha")
VALUES = (0.0, 0.5, 1.0)

_NUMBER = r"\s*([0-9]*\.?[0-9]+|[0-9]+\.)\s*"
_CELL = re.compile(rf"\s*\[{_NUMBER},{_NUMBER}\]\s*")
_PRINTED = {"SC": "SC", "PQ": "PR", "O": "HumanEval"}
"""What ImagenHub's notebook calls the three."""


@dataclass(frozen=True)
class RatingTable:
    """What one rater said."""

    path: Path
    models: tuple[str, ...]
    images: tuple[str, ...]
    values: Floats
    """[images, models, 2]: SC and PQ."""


@dataclass(frozen=True)
class ScaleRatings:
    """One model on one scale (SC, PQ or O)."""

    per_rater: tuple[float, ...]
    """Mean over images, in the order of the files."""
    per_rater_sum: tuple[float, ...]
    figures: dict[str, Figure]
    """By the names in `FIGURES`; intervals over images."""


@dataclass(frozen=True)
class Ratings:
    """Everything that several raters' tables say."""

    files: tuple[str, ...]
    n_images: int
    models: dict[str, dict[str, ScaleRatings]]
    """Model -> scale -> figures."""

    def as_json(self) -> dict[str, Any]:
        """Every number; per model also `printed`, as ImagenHub prints them: two decimals, "nan" for undefined."""
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


def read_ratings(path: str | Path) -> RatingTable:
    """Read one rater's table. `DataError` names the file, the line and the column of whatever is malformed."""
    path = Path(path)
    lines = _lines(path)
    if not lines:
        raise DataError(f"{path}: empty; a header `uid` with one column per model is needed")
    header = [name.strip() for name in lines[0][1].split("\t")]
    models = header[1:]
    if header[0] != "uid" or not models:
        raise DataError(f"{path}:{lines[0][0]}: the header must be `uid` and one column per model, got {header!r}")
    bad = [name for name in models if not name or models.count(name) > 1]
    if bad:
        raise DataError(f"{path}:{lines[0][0]}: column {bad[0]!r}: every model needs a name of its own")
    images: dict[str, int] = {}
    values = np.empty((len(lines) - 1, len(models), 2))
    for row, (number, line) in enumerate(lines[1:]):
        uid, *cells = line.split("\t")
        uid = uid.strip()
        if len(cells) != len(models):
            raise DataError(f"{path}:{number}: {len(cells)} cells after the uid, the header has {len(models)} models")
        if not uid:
            raise DataError(f"{path}:{number}: column 'uid': empty; every line names its image")
        if images.setdefault(uid, number) != number:
            raise DataError(f"{path}:{number}: column 'uid': {uid!r} stands on line {images[uid]} already")
        for place, cell in enumerate(cells):
            values[row, place] = _read_cell(cell, f"{path}:{number}: column {models[place]!r}")
    if not images:
        raise DataError(f"{path}: a header and no ratings")
    return RatingTable(path, tuple(models), tuple(images), values)


def measure_ratings(tables: Sequence[RatingTable], rounds: int = 1000, seed: int = 0, level: float = 0.95) -> Ratings:
    """Means, spreads and agreement per model, with intervals from resampled images.

    The tables must be of the same images and models, in any order; else `DataError`. One table alone is allowed: its
    agreement is undefined.
    """
    values = _joined(tables)
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
    """A model's numbers under the names and with the rounding of ImagenHub's notebook."""
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


def _lines(path: Path) -> list[tuple[int, str]]:
    """Lines that are not blank, with their numbers."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; check the path") from error
    except OSError as error:
        raise StorageError(f"{path}: cannot be read ({error.strerror or error}); check its permissions") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text (byte {error.start}); save it as tab-separated text") from error
    # Not splitlines: a form feed or the like inside a uid is no end of a line.
    lines = (line.removesuffix("\r") for line in text.split("\n"))
    return [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]


def _read_cell(cell: str, where: str) -> tuple[float, float]:
    match = _CELL.fullmatch(cell)
    if match is None:
        raise DataError(f"{where}: {cell!r} is not of the form [SC, PQ], such as [0.5, 1]")
    semantic, quality = (float(number) for number in match.groups())
    for value in (semantic, quality):
        if value not in VALUES:
            raise DataError(f"{where}: {cell.strip()!r} holds {value:g}; ratings are 0, 0.5 or 1")
    return semantic, quality


def _joined(tables: Sequence[RatingTable]) -> Floats:
    """[images, raters, models, 2] in the order of the first table."""
    if not tables:
        raise DataError("no rating table was given; name one file per rater")
    first = tables[0]
    parts = []
    for table in tables:
        for kind, wanted, found in (
            ("models", first.models, table.models),
            ("images", first.images, table.images),
        ):
            if {*wanted} != {*found}:
                missing, more = (sorted({*one} - {*two}) for one, two in ((wanted, found), (found, wanted)))
                raise DataError(
                    f"{table.path}: not the {kind} of {first.path}: missing {missing[:5]}, unknown {more[:5]}; all "
                    "tables of one comparison rate the same"
                )
        row_of = {uid: row for row, uid in enumerate(table.images)}
        rows = [row_of[uid] for uid in first.images]
        columns = [table.models.index(model) for model in first.models]
        parts.append(table.values[rows][:, columns])
    return np.stack(parts, axis=1)


def _add(sheet: Sheet, key: str, ratings: Floats) -> None:
    """The measures of one model on one scale; ratings [images, raters]."""
    everything = np.ones(len(ratings), bool)
    n_raters = ratings.shape[1]
    # Square roots of the same product must be the same value, whatever their last bit.
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
    """Mean or population standard deviation of the raters' means, from sums [..., raters + 1]."""
    result: Floats = statistic(sums[..., :-1] / sums[..., -1:], axis=-1)
    return result
