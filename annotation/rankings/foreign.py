"""Read rankings made elsewhere, in their publishers' formats, into one kind of row. Groups are matched later.

A file is CSV, JSONL, a JSON list of rows, or a JSON object of rows by id. The columns of a row determine its format:

- `tiers` or `notation` as text: candidate numbers, best tier first, `3|12|45` (see `formats.rankings`);
- `tiers` as a list of lists of names, as in `TierRanking`;
- `ranking`: one rank per candidate of `generations` or `candidates`, 1 the best, equal ranks tied, gaps allowed
  (ImageReward, arXiv 2304.05977: `labels[l] < labels[r]` makes l the better one in its rank_pair_dataset.py);
- `model_rank` with `right_models` and `wrong_models`: two tiers (I2EBench, arXiv 2408.14180: EditRank of the tasks
  that are right or wrong, written by its sample_rank_gen.py), one where a list is empty;
- `model_rank` as a list of [model, score], the highest score best, equal scores tied (I2EBench, the other tasks).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from editjudge.errors import RowError
from editjudge.files.delimited import read_table
from editjudge.files.io import read_objects
from editjudge.files.json_text import parse_json

NamedTiers = tuple[tuple[str, ...], ...]
"""Names of candidates, best tier first."""

_GROUP = ("task_id", "group_id", "id", "uid", "image")
_CANDIDATES = ("candidates", "generations", "shown")
_UNIT = ("annotator", "unit")
_INSTRUCTION = ("instruction", "prompt")


@dataclass(frozen=True)
class ForeignRanking:
    """The content of one row."""

    where: str
    """File and line or index, for messages."""
    group: tuple[str, ...]
    """Names of the row's group; one known name is enough."""
    candidates: tuple[str, ...] | None
    """Names in the order that numbers refer to; None: the campaign's order."""
    tiers: NamedTiers | str
    """Names, or numbers in the tier notation."""
    dimension: str | None = None
    unit: str | None = None
    instruction: str | None = None
    seconds: float | None = None


def read_foreign(path: Path) -> Iterator[tuple[str, ForeignRanking | RowError]]:
    """Yield each row with its place, or with its error. `DataError` for an unreadable file."""
    for where, row in read_rows(path):
        try:
            if isinstance(row, RowError):
                raise row
            yield where, _read(where, {name: _listed(value) for name, value in row.items()})
        except RowError as problem:
            yield where, problem


def _read(where: str, row: Mapping[str, Any]) -> ForeignRanking:
    candidates = _names(row, _CANDIDATES)
    return ForeignRanking(
        where=where,
        group=tuple(str(row[name]) for name in _GROUP if isinstance(row.get(name), str | int)),
        candidates=candidates,
        tiers=_tiers(row, candidates),
        dimension=_text(row, ("dimension",)),
        unit=_text(row, _UNIT),
        instruction=_text(row, _INSTRUCTION),
        seconds=_seconds(row.get("seconds")),
    )


def _tiers(row: Mapping[str, Any], candidates: Sequence[str] | None) -> NamedTiers | str:
    if row.get("model_rank") is not None:
        return _model_rank(row["model_rank"])
    said = next((row[name] for name in ("tiers", "ranking", "notation") if row.get(name) is not None), None)
    if isinstance(said, str):
        return said
    if isinstance(said, list) and said and all(isinstance(tier, list) for tier in said):
        return tuple(_strings(tier, "a tier") for tier in said)
    if isinstance(said, list) and said:
        return _by_rank(said, candidates)
    raise RowError("no_ranking", f"none of tiers, notation, ranking, model_rank holds one: {str(said)[:60]!r}")


def _by_rank(ranks: Sequence[object], candidates: Sequence[str] | None) -> NamedTiers:
    if candidates is None:
        raise RowError("no_candidates", f"`ranking` {str(ranks)[:60]} without the list of candidates it ranks")
    if len(ranks) != len(candidates):
        raise RowError("not_one_rank_each", f"{len(ranks)} ranks for {len(candidates)} candidates")
    tiers: dict[int, list[str]] = {}
    for name, rank in zip(candidates, ranks, strict=True):
        if isinstance(rank, bool) or not isinstance(rank, int | float) or rank != rank // 1 or rank < 1:
            raise RowError("unreadable_rank", f"rank {rank!r} of {name}; ranks are whole numbers from 1, the best")
        tiers.setdefault(int(rank), []).append(name)
    return tuple(tuple(tiers[rank]) for rank in sorted(tiers))


def _model_rank(said: object) -> NamedTiers:
    if isinstance(said, dict):
        missing = [name for name in ("right_models", "wrong_models") if not isinstance(said.get(name), list)]
        if missing:
            raise RowError("no_ranking", f"model_rank without a list {' and '.join(missing)}")
        buckets = (_strings(said[name], name) for name in ("right_models", "wrong_models"))
        return tuple(bucket for bucket in buckets if bucket)
    tiers: dict[float, list[str]] = {}
    for item in said if isinstance(said, list) else ():
        name, score = item if isinstance(item, list) and len(item) == 2 else (None, None)
        known = isinstance(score, int | float) and not isinstance(score, bool) and math.isfinite(score)
        if not isinstance(name, str) or not known or not isinstance(score, int | float):
            raise RowError("unreadable_rank", f"model_rank {str(item)[:60]}; such as [model, score]")
        tiers.setdefault(float(score), []).append(name)
    if not tiers:
        raise RowError("no_ranking", f"model_rank {str(said)[:60]!r}")
    return tuple(tuple(tiers[score]) for score in sorted(tiers, reverse=True))


def _names(row: Mapping[str, Any], columns: Iterable[str]) -> tuple[str, ...] | None:
    said = next((row[name] for name in columns if row.get(name) is not None), None)
    if said is None:
        return None
    if not isinstance(said, list) or not said:
        raise RowError("no_candidates", f"candidates {str(said)[:60]!r} are no list of names")
    return _strings(said, "candidates")


def _strings(values: Sequence[object], what: str) -> tuple[str, ...]:
    names = tuple(value for value in values if isinstance(value, str) and value)
    if len(names) < len(values):
        raise RowError("unreadable_name", f"{what} {str(values)[:60]}: not a list of names")
    return names


def _text(row: Mapping[str, Any], columns: Iterable[str]) -> str | None:
    return next((value for name in columns if isinstance(value := row.get(name), str)), None)


def _seconds(value: object) -> float | None:
    try:
        seconds = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
    except ValueError:
        seconds = math.nan
    return seconds if math.isfinite(seconds) and seconds > 0 else None


def _listed(value: object) -> object:
    """Parse JSON text, which CSV cells contain for lists; return other values unchanged."""
    if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
        try:
            return parse_json(value)
        except ValueError:
            return value
    return value


def read_rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any] | RowError]]:
    """Yield the rows of a JSON, JSONL, CSV or TSV file with their places; in an object of rows, the key is the `id`.

    A row with more or fewer cells than columns is a `RowError`. `DataError` when the file is not a table.
    """
    if path.suffix.lower() not in (".json", ".jsonl"):
        table = read_table(path)
        for line in table.rows:
            if line.problem is not None:
                yield f"{path}:{line.line}", RowError("unreadable_row", line.problem)
        yield from ((f"{path}:{line.line}", cells) for line, cells in table.columns())
        return
    for where, row in read_objects(path):
        if row and all(isinstance(inner, dict) for inner in row.values()):
            yield from ((f"{path}: {key}", {"id": key, **inner}) for key, inner in row.items())
        else:
            yield where, row
