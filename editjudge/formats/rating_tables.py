"""Rating tables of several people, as ImagenHub publishes them.

One table per rater, tab-separated as published or in any form that `delimited` reads: a header `uid` and one column per
model, then one row per image. A cell is `[SC, PQ]`: semantic consistency and perceptual quality, each 0, 0.5 or 1
(ImagenHub, arXiv 2310.01596).

ImagenHub's code (`AnalyzeHumanEval.ipynb` of TIGER-AI-Lab/ImagenHub at 439f72c) evaluates a cell as Python, and stops
at a missing cell, NaN, another number of values and any value but the three; VIEScore's stops at the first two. Both
stop at an image that one rater lacks. This module refuses all of these, naming the cell.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from editjudge.errors import DataError
from editjudge.files.delimited import read_table

Floats = NDArray[np.float64]

VALUES = (0.0, 0.5, 1.0)

_NUMBER = r"\s*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\s*"
_PAIR = rf"{_NUMBER},{_NUMBER}(?:,\s*)?"
_CELL = re.compile(rf"\s*(?:\[{_PAIR}\]|\({_PAIR}\))\s*")


@dataclass(frozen=True)
class RatingTable:
    """The ratings of one rater."""

    path: Path
    models: tuple[str, ...]
    images: tuple[str, ...]
    values: Floats
    """[images, models, 2]: SC and PQ."""


def read_ratings(path: str | Path) -> RatingTable:
    """Read one rater's table. Raises `DataError` naming the file, line and column of a malformed cell."""
    table = read_table(Path(path))
    path, head = table.path, f"{table.path}:{table.header_line}"
    models = table.header[1:]
    if table.header[0] != "uid" or not models:
        raise DataError(f"{head}: the header must be `uid` and one column per model, got {list(table.header)!r}")
    if "" in models:
        raise DataError(f"{head}: column {models.index('') + 2} has no name: every model needs a name of its own")
    images: dict[str, int] = {}
    values = np.empty((len(table.rows), len(models), 2))
    for place, row in enumerate(table.rows):
        if row.cells is None:
            raise DataError(f"{path}:{row.line}: {row.problem}; all raters rate the same images, so correct the row")
        uid = row.cells[0].strip()
        if not uid:
            raise DataError(f"{path}:{row.line}: column 'uid': empty; every line names its image")
        if images.setdefault(uid, row.line) != row.line:
            raise DataError(f"{path}:{row.line}: column 'uid': {uid!r} is on line {images[uid]} already; keep one row")
        for column, (model, cell) in enumerate(zip(models, row.cells[1:], strict=True)):
            values[place, column] = _read_cell(cell, f"{path}:{row.line}: column {model!r}")
    if not images:
        raise DataError(f"{path}: a header and no ratings")
    return RatingTable(path, models, tuple(images), values)


def join_ratings(tables: Sequence[RatingTable]) -> Floats:
    """Return several raters' values, [images, raters, models, 2], in the order of the first table.

    Raises `DataError` unless the tables have the same images and models, in any order.
    """
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


def _read_cell(cell: str, where: str) -> tuple[float, float]:
    match = _CELL.fullmatch(cell)
    if match is None:
        raise DataError(f"{where}: {cell!r} is not of the form [SC, PQ], such as [0.5, 1]")
    semantic, quality = (float(number) for number in match.groups() if number is not None)
    for value in (semantic, quality):
        if value not in VALUES:
            raise DataError(f"{where}: {cell.strip()!r} holds {value:g}; ratings are 0, 0.5 or 1")
    return semantic, quality
