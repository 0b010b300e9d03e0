"""Find result files in a folder, and their format. One folder contains the results of one task.

Candidates of two tasks may share names, so results of several tasks or judges are never mixed: the message lists
the results found and the folders to choose from.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from editjudge.errors import DataError
from editjudge.records.tasks import DIMENSIONS, is_task_type
from eval.external.rows import FORMATS, ScoresFormat, is_gedit

_LAYOUT: dict[ScoresFormat, str] = {
    "editscore": "<task>/<dimension>.jsonl",
    "viescore": "<editing model>/SC.json and PQ.json",
    "cards": "cards.jsonl",
    "gedit": "CSV files of GEdit-Bench",
}
"""Layout of a folder of results."""


def folder_format(path: Path) -> ScoresFormat:
    """Return the format of a folder's results. Raises `DataError` when there are none, or those of several tasks."""
    if (path / "cards.jsonl").is_file():
        return "cards"
    found = [(kind, folder) for kind in _LAYOUT for folder in results_in(path, kind)]
    if not found:
        raise DataError(
            f"{path}: no scores in this folder that are in a known format ({', '.join(FORMATS)}); give a table as a "
            "file, not as its folder"
        )
    if len(found) > 1:
        raise _several(path, found)
    return found[0][0]


def folder_files(path: Path, kind: ScoresFormat) -> list[Path]:
    """Return a folder's result files, sorted. Raises `DataError` when there are none, or those of several tasks."""
    if kind == "cards" and (path / "cards.jsonl").is_file():
        return [path / "cards.jsonl"]
    found = results_in(path, kind)
    if not found:
        wanted = f"a folder with {_LAYOUT[kind]}" if kind in _LAYOUT else "a file"
        raise DataError(f"{path}: nothing to read as {kind}; give {wanted}")
    if len(found) > 1:
        raise _several(path, [(kind, folder) for folder in found])
    return sorted(next(iter(found.values())))


def results_in(path: Path, kind: ScoresFormat) -> dict[Path, list[Path]]:
    """Return folder of results -> its files, for every such folder at or below `path`."""
    found: dict[Path, list[Path]] = {}
    for folder, file in sorted(_results(path, kind)):
        # An evaluation's subfolders contain the cards of its probes and of its file's other reading.
        if kind != "cards" or not any(outer in found for outer in folder.parents):
            found.setdefault(folder, []).append(file)
    return found


def _results(path: Path, kind: ScoresFormat) -> Iterator[tuple[Path, Path]]:
    if kind == "editscore":
        for dimension in DIMENSIONS:
            files = path.rglob(f"{dimension}.jsonl")
            yield from ((file.parent.parent, file) for file in files if is_task_type(file.parent.name))
    elif kind == "viescore":
        for name in ("SC.json", "PQ.json"):
            yield from ((file.parent.parent, file) for file in path.rglob(name))
    elif kind == "cards":
        yield from ((file.parent, file) for file in path.rglob("cards.jsonl"))
    elif kind == "gedit":
        yield from ((file.parent, file) for file in path.rglob("*.csv") if is_gedit(file))


def _several(path: Path, found: list[tuple[ScoresFormat, Path]]) -> DataError:
    listed = "\n".join(f"  {folder} ({kind})" for kind, folder in found)
    return DataError(f"{path}: holds the results of {len(found)} tasks or judges; give the folder of one:\n{listed}")
