"""Rating tables of several people, as ImagenHub publishes them.

One tab-separated file per rater: a header `uid` and one column per model, then one line per image. A cell is
`[SC, PQ]`: semantic consistency and perceptual quality, each 0, 0.5 or 1 (ImagenHub, arXiv 2310.01596).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from editjudge.errors import DataError, StorageError

Floats = NDArray[np.float64]

VALUES = (0.0, 0.5, 1.0)

_NUMBER = r"\s*([0-9]*\.?[0-9]+|[0-9]+\.)\s*"
_CELL = re.compile(rf"\s*\[{_NUMBER},{_NUMBER}\]\s*")


@dataclass(frozen=True)
class RatingTable:
    """What one rater said."""

    path: Path
    models: tuple[str, ...]
    images: tuple[str, ...]
    values: Floats
    """[images, models, 2]: SC and PQ."""


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


def join_ratings(tables: Sequence[RatingTable]) -> Floats:
    """Several raters' values, [images, raters, models, 2], in the order of the first table.

    The tables must be of the same images and models, in any order; else `DataError`.
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
