"""Files of scores and votes made elsewhere, read into one kind of row. What a row is about is decided later."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from editjudge.errors import DataError
from editjudge.io import read_json
from editjudge.json_text import is_unicode, replace_surrogates
from editjudge.tasks import DIMENSIONS, TASK_TYPES, Aspect, Dimension

Format = Literal["cards", "table", "viescore", "genai_votes", "editscore", "gedit"]
FORMATS: tuple[Format, ...] = get_args(Format)

VALUE_NAMES = ("prompt_following", "consistency", "perceptual_quality", "overall")
"""Values of a card, and how the columns of a plain table are called."""
NAME_COLUMNS = ("triplet_id", "id", "key", "sha256", "edited_image", "output_image", "image")
"""Columns that may name a candidate, the first that is there decides."""
COMPARISON_COLUMNS = ("comparison_id", "comparison", "idx")
VOTE_COLUMNS = ("vote", "model_vote")
_GEDIT = ("edited_image", "instruction", "sementics_score", "quality_score")
"""The misspelling is upstream's."""
_GUESSED = "guess_if_cannot_parse"
"""What VIEScore writes before the rationale of a reply that it could not read and guessed the score of."""


@dataclass(frozen=True)
class Said:
    """What one row says of one candidate."""

    where: str
    """File and place in it, for messages."""
    names: tuple[str, ...]
    """What the file calls the candidate; any one of them may be known to the benchmark."""
    editor: str | None = None
    """The editing model, where the row names it."""
    instruction: str | None = None
    values: Mapping[str, object] = field(default_factory=dict)
    """Raw values by name, as the file has them."""
    aspects: Mapping[Aspect, object] = field(default_factory=dict)
    """Raw score lists of the two questions."""
    rationale: str = ""
    guessed: bool = False
    """The file says itself that the score is a guess."""


@dataclass(frozen=True)
class PairSaid:
    """What one row of an EditScore result folder says of a pair."""

    where: str
    keys: tuple[str, str]
    """The preferred candidate first."""
    task_type: str
    dimension: Dimension
    scores: tuple[object, object]


@dataclass(frozen=True)
class Voted:
    """A vote about one comparison."""

    where: str
    name: str
    """Id of the comparison, or the number it ends with."""
    vote: object
    instruction: str | None = None


@dataclass(frozen=True)
class Problem:
    """Something in a file that cannot be used, to be counted under `kind`."""

    where: str
    kind: str
    detail: str


Row = Said | PairSaid | Voted | Problem


def detect(path: Path) -> Format:
    """Which format a file or folder has, from its content. `DataError` when it is none of them."""
    if path.is_dir():
        if any(file.parent.name in TASK_TYPES for name in DIMENSIONS for file in path.rglob(f"{name}.jsonl")):
            return "editscore"
        if (path / "cards.jsonl").is_file():
            return "cards"
        if any(path.rglob("SC.json")) or any(path.rglob("PQ.json")):
            return "viescore"
        if any(path.rglob("*.csv")):
            return "gedit"
        deeper = sorted(str(file.parent) for file in path.glob("*/cards.jsonl"))
        if deeper:
            raise DataError(f"{path}: give the folder in it that is of this benchmark: {', '.join(deeper)}")
        raise DataError(f"{path}: no scores in this folder that are in a known format ({', '.join(FORMATS)})")
    if path.suffix == ".json" and isinstance(read_json(path), dict):
        return "viescore"
    first = next(_table(path), None)
    if first is None:
        raise DataError(f"{path}: holds no row")
    row = first[1]
    if "judgments" in row:
        return "cards"
    if "sementics_score" in row:
        return "gedit"
    return "genai_votes" if "model_vote" in row else "table"


def files_of(path: Path, kind: Format) -> list[Path]:
    """The files that are read, sorted. `DataError` when there is none."""
    patterns = {
        "cards": ("cards.jsonl",),
        "viescore": ("SC.json", "PQ.json"),
        "editscore": tuple(f"{name}.jsonl" for name in DIMENSIONS),
        "gedit": ("*.csv",),
    }
    if path.is_file():
        return [path]
    found = {file for pattern in patterns.get(kind, ()) for file in path.rglob(pattern)}
    if kind == "editscore":
        found = {file for file in found if file.parent.name in TASK_TYPES}
    if kind == "viescore":
        _refuse_several_tasks(path, {file.parent.parent for file in found})
    if not found:
        wanted = f"a folder with {' or '.join(patterns[kind])}" if kind in patterns else "a file"
        raise DataError(f"{path}: nothing to read as {kind}; give {wanted}")
    return sorted(found)


def _refuse_several_tasks(path: Path, tasks: set[Path]) -> None:
    """VIEScore's folders are `<task>/<editing model>/`, and models of two tasks may share names and images."""
    if len(tasks) > 1:
        names = ", ".join(sorted(str(task) for task in tasks))
        raise DataError(f"{path}: results of {len(tasks)} tasks; give the folder of one of them: {names}")


def read_rows(files: Sequence[Path], kind: Format) -> Iterator[Row]:
    """Every row of these files. `DataError` names the file and line of what is not of the format."""
    readers: dict[Format, Callable[[Path], Iterator[Row]]] = {
        "table": _read_table,
        "genai_votes": _read_table,
        "viescore": _read_viescore,
        "editscore": _read_editscore,
        "gedit": _read_gedit,
    }
    for file in files:
        yield from readers[kind](file)


def _read_table(path: Path) -> Iterator[Row]:
    """Plain rows: a candidate with values, or a comparison with a vote."""
    for where, row in _table(path):
        vote = next((name for name in VOTE_COLUMNS if name in row), None)
        if vote is not None:
            name = _first(row, COMPARISON_COLUMNS, where)
            yield Voted(where, name, row[vote], _text(row, "instruct_prompt") or _text(row, "instruction"))
            continue
        aspects: dict[Aspect, object] = {
            "semantic": row.get("semantic", row.get("SC")),
            "quality": row.get("quality", row.get("PQ")),
        }
        values = {name: row[name] for name in VALUE_NAMES if name in row}
        if "score" in row and not isinstance(row["score"], list):
            values["overall"] = row["score"]
        if not values and not any(value is not None for value in aspects.values()):
            raise DataError(
                f"{where}: neither a score nor a vote in it; a score is a column {', '.join(VALUE_NAMES)} or score, or "
                f"lists of two called semantic and quality (of a list called score nobody knows which); a vote is "
                f"a column {' or '.join(VOTE_COLUMNS)}"
            )
        yield Said(
            where,
            (_first(row, NAME_COLUMNS, where),),
            _text(row, "editor") or _text(row, "model"),
            _text(row, "instruction"),
            values,
            {aspect: value for aspect, value in aspects.items() if value is not None},
            _text(row, "rationale") or _text(row, "reasoning") or "",
        )


def _read_viescore(path: Path) -> Iterator[Row]:
    """{name of the output: {"score": ..., "reasoning"}}, in `<editing model>/SC.json` and `PQ.json`."""
    content = read_json(path, keep_surrogates=True)
    aspects: dict[str, Aspect] = {"SC": "semantic", "PQ": "quality"}
    if path.stem not in aspects:
        raise DataError(f"{path}: VIEScore's files are called SC.json and PQ.json, by what they judge; rename it")
    if not isinstance(content, dict) or not all(isinstance(row, dict) for row in content.values()):
        raise DataError(f"{path}: not an object of names with a block for each")
    if not is_unicode(content):
        for name, row in content.items():
            if not is_unicode({name: row}):
                where = f"{path}: {replace_surrogates(name)}"
                yield Problem(where, "invalid_unicode", "half a surrogate pair, read as U+FFFD")
        content = replace_surrogates(content)
    for name, row in content.items():
        reasoning = row.get("reasoning")
        rationale = reasoning if isinstance(reasoning, str) else ""
        yield Said(
            f"{path}: {name}",
            (name,),
            path.parent.name,
            aspects={aspects[path.stem]: row.get("score")},
            rationale=rationale,
            guessed=rationale.startswith(_GUESSED),
        )


def _read_editscore(path: Path) -> Iterator[Row]:
    """`<task>/<dimension>.jsonl` with `key` [2] and `score` [2], the preferred candidate first."""
    dimension = next(name for name in DIMENSIONS if name == path.stem)
    for where, row in _table(path):
        keys, scores = row.get("key"), row.get("score")
        if not (isinstance(keys, list) and len(keys) == 2 and isinstance(scores, list) and len(scores) == 2):
            raise DataError(f"{where}: `key` and `score` must be lists of two, the preferred candidate first")
        yield PairSaid(where, (str(keys[0]), str(keys[1])), path.parent.name, dimension, (scores[0], scores[1]))


def _read_gedit(path: Path) -> Iterator[Row]:
    """GEdit-Bench's score CSV: SC and PQ are already the lower of their two scores, O = sqrt(SC PQ)."""
    for where, row in _table(path):
        missing = [name for name in _GEDIT if name not in row]
        if missing:
            raise DataError(f"{where}: not a score file of GEdit-Bench: no column {', '.join(missing)}")
        semantic, quality = as_number(row["sementics_score"]), as_number(row["quality_score"])
        known = semantic is not None and quality is not None and semantic >= 0 and quality >= 0
        overall = (semantic * quality) ** 0.5 if known and semantic is not None and quality is not None else None
        yield Said(
            where,
            (str(row["edited_image"]),),
            instruction=str(row["instruction"]),
            values={"perceptual_quality": row["quality_score"], "overall": overall},
        )


def as_number(value: object) -> float | None:
    """A finite number, also where a CSV has it as text; None for everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None


def _table(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows of a JSONL, CSV or JSON file with their places."""
    if path.suffix == ".json":
        rows = read_json(path)
        if not isinstance(rows, list):
            raise DataError(f"{path}: not a list of rows")
        numbered: Iterator[tuple[str, Any]] = ((f"{path}: row {number}", row) for number, row in enumerate(rows))
    elif path.suffix == ".csv":
        numbered = ((f"{path}:{number}", row) for number, row in enumerate(_csv(path), start=2))
    else:
        numbered = _jsonl(path)
    for where, row in numbered:
        if not isinstance(row, dict):
            raise DataError(f"{where}: not an object with columns but {str(row)[:60]!r}")
        yield where, row


def _lines(path: Path) -> list[str]:
    try:
        # JSON may hold line separators of Unicode, at which str.splitlines would cut.
        return path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as text ({error}); check the path") from error


def _csv(path: Path) -> Iterator[dict[str, Any]]:
    # Joined again, since a quoted cell may hold line breaks; an empty cell is no value.
    for row in csv.DictReader(io.StringIO("\n".join(_lines(path)), newline="")):
        yield {str(name): value if value != "" else None for name, value in row.items()}


def _jsonl(path: Path) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(_lines(path), start=1):
        if line.strip():
            try:
                yield f"{path}:{number}", json.loads(line)
            except ValueError as error:
                raise DataError(f"{path}:{number}: not valid JSON ({error}); make the file again") from error


def _first(row: Mapping[str, Any], columns: Sequence[str], where: str) -> str:
    for column in columns:
        if row.get(column) is not None:
            return str(row[column])
    raise DataError(f"{where}: no column says what the row is about; one of {', '.join(columns)} must")


def _text(row: Mapping[str, Any], column: str) -> str | None:
    value = row.get(column)
    return value if isinstance(value, str) else None
