"""Read files of external scores and votes into rows of one kind. Rows are matched with a benchmark later."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal, get_args

from editjudge.errors import DataError
from editjudge.files.delimited import read_table
from editjudge.files.io import read_json
from editjudge.files.json_text import is_unicode, json_rows, open_file, parse_json, replace_surrogates
from editjudge.records.tasks import ALIASES, DIMENSIONS, Aspect, Dimension

ScoresFormat = Literal["cards", "table", "viescore", "genai_votes", "editscore", "gedit"]
FORMATS: tuple[ScoresFormat, ...] = get_args(ScoresFormat)

VALUE_NAMES = ("prompt_following", "consistency", "perceptual_quality", "overall")
"""Values of a card, and column names of a plain table."""
NAME_COLUMNS = ("triplet_id", "id", "key", "sha256", "edited_image", "output_image", "image")
"""Columns that may name a candidate; the first existing one is used."""
COMPARISON_COLUMNS = ("comparison_id", "comparison", "idx", "id")
VOTE_COLUMNS = ("vote", "model_vote")
_NUMBER_COLUMNS = (*VALUE_NAMES, "score", "sementics_score", "quality_score")
"""Columns that may use a decimal comma."""
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_GEDIT = ("edited_image", "instruction", "sementics_score", "quality_score")
"""The misspelling is upstream's."""
_GUESSED = "guess_if_cannot_parse"
"""VIEScore's marker before the rationale of an unreadable reply with a guessed score."""


@dataclass(frozen=True)
class Said:
    """One row's content about one candidate."""

    where: str
    """File and position in it, for messages."""
    names: tuple[str, ...]
    """Names of the candidate in the file; the benchmark needs to know only one of them."""
    editor: str | None = None
    """The editing model, if the row names it."""
    instruction: str | None = None
    values: Mapping[str, object] = field(default_factory=dict)
    """Raw values by name, unchanged from the file."""
    aspects: Mapping[Aspect, object] = field(default_factory=dict)
    """Raw score lists of the two questions."""
    rationale: str = ""
    guessed: bool = False
    """The file marks the score as a guess."""


@dataclass(frozen=True)
class PairSaid:
    """One row of an EditScore result folder about a pair."""

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
    """Id of the comparison, or the number at its end."""
    vote: object
    instruction: str | None = None


@dataclass(frozen=True)
class RowProblem:
    """An unusable part of a file, counted under `kind`."""

    where: str
    kind: str
    detail: str


FileRow = Said | PairSaid | Voted | RowProblem
Cells = dict[str, Any]
"""Raw cells of a row, by column."""


def file_format(path: Path) -> ScoresFormat:
    """Detect a file's format from its content. Raises `DataError` for an unknown format."""
    if path.suffix.lower() == ".json":
        rows = list(islice(json_rows(path), 2))
        if len(rows) == 1 and not rows[0].in_array:
            return "genai_votes" if _listed(_parsed(rows[0].text, rows[0].at(path))) is not None else "viescore"
    columns = _columns(path)
    if "judgments" in columns:
        return "cards"
    if "sementics_score" in columns:
        return "gedit"
    return "genai_votes" if "model_vote" in columns else "table"


def is_gedit(path: Path) -> bool:
    """Return whether a CSV file is from GEdit-Bench, by its header."""
    with open_file(path) as handle:
        return b"sementics_score" in handle.readline()


def read_rows(files: Sequence[Path], kind: ScoresFormat) -> Iterator[FileRow]:
    """Yield every row of these files. `DataError` names the file and line that do not match the format."""
    readers: dict[ScoresFormat, Callable[[Path, str, Cells], FileRow]] = {
        "table": _read_plain,
        "genai_votes": _read_plain,
        "editscore": _read_editscore,
        "gedit": _read_gedit,
    }
    for file in files:
        if kind == "viescore":
            yield from _read_viescore(file)
            continue
        for row in _table(file):
            yield row if isinstance(row, RowProblem) else readers[kind](file, *row)


def _read_plain(path: Path, where: str, row: Cells) -> Said | Voted:
    """Return a candidate with values, or a comparison with a vote."""
    vote = next((name for name in VOTE_COLUMNS if name in row), None)
    if vote is not None:
        name = _first(row, COMPARISON_COLUMNS, where)
        return Voted(where, name, row[vote], _text(row, "instruct_prompt") or _text(row, "instruction"))
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
    return Said(
        where,
        (_first(row, NAME_COLUMNS, where),),
        _text(row, "editor") or _text(row, "model"),
        _text(row, "instruction"),
        values,
        {aspect: value for aspect, value in aspects.items() if value is not None},
        _text(row, "rationale") or _text(row, "reasoning") or "",
    )


def _read_viescore(path: Path) -> Iterator[FileRow]:
    """Read {name of the output: {"score": ..., "reasoning"}}, in `<editing model>/SC.json` and `PQ.json`."""
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
                yield RowProblem(where, "invalid_unicode", "half a surrogate pair, read as U+FFFD")
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


def _read_editscore(path: Path, where: str, row: Cells) -> PairSaid:
    """Read `<task>/<dimension>.jsonl` with `key` [2] and `score` [2], the preferred candidate first."""
    dimension = next(name for name in DIMENSIONS if name == path.stem)
    keys, scores = row.get("key"), row.get("score")
    if not (isinstance(keys, list) and len(keys) == 2 and isinstance(scores, list) and len(scores) == 2):
        raise DataError(f"{where}: `key` and `score` must be lists of two, the preferred candidate first")
    task_type = ALIASES.get(path.parent.name, path.parent.name)
    return PairSaid(where, (str(keys[0]), str(keys[1])), task_type, dimension, (scores[0], scores[1]))


def _read_gedit(path: Path, where: str, row: Cells) -> Said:
    """Read GEdit-Bench's score CSV: SC and PQ are already the lower of their two scores, O = sqrt(SC PQ)."""
    missing = [name for name in _GEDIT if name not in row]
    if missing:
        raise DataError(f"{where}: not a score file of GEdit-Bench: no column {', '.join(missing)}")
    semantic, quality = as_number(row["sementics_score"]), as_number(row["quality_score"])
    known = semantic is not None and quality is not None and semantic >= 0 and quality >= 0
    overall = (semantic * quality) ** 0.5 if known and semantic is not None and quality is not None else None
    return Said(
        where,
        (str(row["edited_image"]),),
        instruction=str(row["instruction"]),
        values={"perceptual_quality": row["quality_score"], "overall": overall},
    )


def as_number(value: object) -> float | None:
    """Return a finite number, also from CSV text; None for everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and not _NUMBER.fullmatch(value.strip()):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if abs(number) < float("inf") else None


def _is_json(path: Path) -> bool:
    """Detect JSON by content: it begins with a bracket or brace, a table's header does not."""
    if path.suffix.lower() in (".json", ".jsonl"):
        return True
    row = next(json_rows(path), None)
    return row is not None and row.text.lstrip().startswith(("{", "["))


def _columns(path: Path) -> Collection[str]:
    """Return the column names, for JSON those of the first row; raises `DataError` when there is no row."""
    if not _is_json(path):
        table = read_table(path)
        if table.rows:
            return table.header
    for row in _table(path):
        if not isinstance(row, RowProblem):
            return row[1].keys()
    raise DataError(f"{path}: holds no row")


def _table(path: Path) -> Iterator[tuple[str, Cells] | RowProblem]:
    """Yield rows of a JSONL, JSON, CSV or TSV file with their positions, and unreadable ones."""
    if not _is_json(path):
        table = read_table(path)
        for row in table.rows:
            if row.problem is not None:
                yield RowProblem(f"{path}:{row.line}", "unreadable_row", row.problem)
        for row, cells in table.columns(numbers=_NUMBER_COLUMNS):
            yield f"{path}:{row.line}", dict(cells)
        return
    for item in json_rows(path):
        where = item.at(path)
        content = _parsed(item.text, where)
        if (rows := _listed(content)) is not None:
            yield from ((f"{path}: row {number}", row) for number, row in enumerate(rows) if isinstance(row, dict))
            continue
        if not is_unicode(content):
            yield RowProblem(where, "invalid_unicode", "half a surrogate pair, read as U+FFFD")
            content = replace_surrogates(content)
        if not isinstance(content, dict):
            raise DataError(f"{where}: not an object with columns but {str(content)[:60]!r}")
        yield where, content


def _parsed(text: str, where: str) -> Any:
    try:
        return parse_json(text, keep_surrogates=True)
    except ValueError as error:
        raise DataError(f"{where}: not valid JSON ({error}); make the file again") from None


def _listed(content: object) -> list[Any] | None:
    """Return the rows in `results` of a file written by EditReward's scripts; a null there is a failed request."""
    rows = content.get("results") if isinstance(content, dict) else None
    return (
        rows if isinstance(rows, list) and any(isinstance(row, dict) and "model_vote" in row for row in rows) else None
    )


def _first(row: Mapping[str, Any], columns: Sequence[str], where: str) -> str:
    for column in columns:
        if row.get(column) is not None:
            return str(row[column])
    raise DataError(f"{where}: no column says what the row is about; one of {', '.join(columns)} must")


def _text(row: Mapping[str, Any], column: str) -> str | None:
    value = row.get(column)
    return value if isinstance(value, str) else None
