"""Shared helpers for tests of published figures: files in their publishers' formats, and the figures by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from places import DATA

from eval.labels.benchmark import Benchmark
from eval.metrics.published import AsPublished, published_figures

GENAI_FILE = DATA / "genai_bench" / "votes.json"
"""Real votes of three judges, with the printed accuracy."""


def published(
    bench: Benchmark, cards: Any = None, votes: Any = None, said: AsPublished | None = None
) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Return the figures by (publisher of the code, kind of label, column)."""
    found = published_figures(bench, cards or {}, votes is not None, said or AsPublished(votes or {}), 200, 0)
    return {(row.by, row.kind, row.column): row.as_json() for row in found}


def write(path: Path, rows: object) -> Path:
    """Write a JSON file."""
    path.write_text(json.dumps(rows))
    return path


def editscore_folder(folder: Path, rows: Any) -> Path:
    """Write rows (pair, score of the preferred, score of the other) in the format of EditScore's evaluation.py."""
    for pair, one, other in rows:
        file = folder / pair.task.task_type / f"{pair.dimension}.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a") as handle:
            handle.write(json.dumps({"key": [pair.better.editor, pair.worse.editor], "score": [one, other]}) + "\n")
    return folder
