"""AURORA-Bench with human ratings, in the table that TIGER-Lab's EditReward evaluates: one rated edit per row."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from editjudge.errors import RowError
from editjudge.files.io import read_objects
from editjudge.files.paths import InputPath
from eval.benchmarks.rows import AbsentFolder, FolderImages, make_task, make_triplet
from eval.labels.benchmark import Benchmark, checked
from eval.labels.findings import Findings
from eval.labels.types import Comparison, Label, Rating, Scale

_POINT = {
    "instruction": ("prompt", "instruction"),
    "input": ("input", "input_path"),
    "output": ("gen", "output_path"),
    "score": ("score",),
    "model": ("model",),
}
"""Column names of a pointwise table: AURORA's, or those of the ImagenHub table beside it."""
_PAIR = ("prompt", "path_src", "path1", "path2", "model1_dim1_score", "model2_dim1_score")


class Aurora(BaseModel):
    """AURORA-Bench's human ratings (arXiv 2407.03471) as EditReward evaluates them: rated edits, or pairs of them.

    A JSON list or JSONL. Pointwise rows have `prompt`, `input`, `gen`, `score` and `model` (or `instruction`,
    `input_path`, `output_path`); pairwise rows `prompt`, `path_src`, `path1`, `path2` and `model1_dim1_score`,
    `model2_dim1_score`, whose order is the label. The metric is correlation per model for pointwise rows, and accuracy
    with ties for pairwise rows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: InputPath
    """JSON file."""
    images: InputPath | None = None
    """Folder that contains the images: the base of relative paths. Default: the file's own folder."""
    labels_only: bool = False
    """Read no image files: enough to measure external scores, which name candidates by these paths."""
    scale: Scale = "overall"
    """Scale that people rated."""
    name: str = "AURORA-Bench"
    """Name in reports."""

    @property
    def title(self) -> str:
        """Return the name in reports."""
        return self.name

    def load(self, cache: Path) -> Benchmark:
        """Read the benchmark, see `BenchmarkSource.load`."""
        root = (self.path.parent if self.images is None else self.images).absolute()
        store = AbsentFolder(root) if self.labels_only else FolderImages(root)
        left_out = Findings()
        ratings: list[Rating] = []
        comparisons: list[Comparison] = []
        for number, (_, row) in enumerate(read_objects(self.path)):
            try:
                if "path1" in row:
                    comparisons.append(_read_pair(row, number, store))
                else:
                    ratings.append(_read_point(row, number, store, self.scale))
            except RowError as problem:
                left_out.add(problem.kind, f"row {number}: {problem}")
        source, notes = str(self.path), Findings()
        return checked(
            self.title,
            source,
            (),
            root,
            left_out,
            notes,
            comparisons=comparisons,
            ratings=ratings,
            has_images=not self.labels_only,
        )


def _cell(row: dict[str, Any], names: tuple[str, ...]) -> Any:
    for name in names:
        if name in row:
            return row[name]
    raise RowError("missing_column", f"no {' or '.join(names)}")


def _number(value: object, name: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise RowError("unknown_label", f"{name} {value!r} is no number")
    return float(value)


def _path(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise RowError("missing_image", f"path {value!r}")
    return value


def _read_point(row: dict[str, Any], number: int, store: FolderImages | AbsentFolder, scale: Scale) -> Rating:
    # A row without a model gets the model "unknown", as in EditReward's code.
    cells = {name: _cell({"model": "unknown"} | row, names) for name, names in _POINT.items()}
    value = _number(cells["score"], "score")
    task = make_task("aurora", cells["instruction"], store.add(_path(cells["input"])))
    triplet = make_triplet(task, store.add(_path(cells["output"])), str(cells["model"]))
    # Two models may produce the same bytes; the id contains the model to keep their ratings apart.
    triplet = triplet.model_copy(update={"id": f"{triplet.id}-{triplet.editor}"})
    return Rating(id=f"aurora-{number}", triplet=triplet, scale=scale, value=value)


def _read_pair(row: dict[str, Any], number: int, store: FolderImages | AbsentFolder) -> Comparison:
    instruction, before, left, right, first, second = (_cell(row, (name,)) for name in _PAIR)
    difference = _number(first, _PAIR[4]) - _number(second, _PAIR[5])
    label: Label = "A>B" if difference > 0 else "B>A" if difference < 0 else "A=B"
    task = make_task("aurora", instruction, store.add(_path(before)))
    models = (str(row.get("model1", "1")), str(row.get("model2", "2")))
    refs = [store.add(_path(path)) for path in (left, right)]
    one, two = (make_triplet(task, ref, model) for ref, model in zip(refs, models, strict=True))
    return Comparison(id=f"aurora-{number}", task=task, first=one, second=two, dimension="overall", label=label)
