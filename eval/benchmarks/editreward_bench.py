"""EditScore's benchmark EditReward-Bench, and any table in its public schema."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from editjudge.errors import RowError
from editjudge.files.paths import ModelName
from editjudge.files.text import is_blank
from editjudge.formats.bench_schema import OWN_COLUMN, PUBLIC_COLUMNS, OwnColumn
from editjudge.records.tasks import DIMENSIONS, canonical_task_type
from editjudge.records.types import ImageRef, PreferencePair
from eval.benchmarks.parquet import Schema, local_files, parquet_rows
from eval.benchmarks.rows import AbsentImages, TableImages, make_task, make_triplet, split_unknown
from eval.labels.benchmark import Benchmark, checked
from eval.labels.findings import Findings

_SCHEMA = Schema(
    "EditReward-Bench",
    columns=PUBLIC_COLUMNS,
    images=("input_image", "output_images"),
    optional=(OWN_COLUMN,),
)


class EditRewardBench(BaseModel):
    """EditScore/EditReward-Bench and its schema: one row per pair, images inside, the preferred output first.

    Columns: `key` [2] naming the two candidates, `instruction`, `input_image`, `output_images` [2], `task_type`,
    `dimension`. A group is an instruction with an input image; a candidate is a group with the bytes of an output.
    A table written by EditJudge also names the editors and keeps its ids (column `editjudge`). Rows of task type
    "unknown", which `annotate pairs` writes for groups without a task type, become comparisons.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: ModelName = "EditScore/EditReward-Bench"
    """Folder with Parquet files, or a name on the Hugging Face hub."""
    split: str = "train"
    """Split of a hub data set; a local folder is read completely."""
    labels_only: bool = False
    """Read no images, whose columns may be missing: enough to measure external scores."""
    name: str | None = None
    """Name in reports. Default: the last part of `path`."""

    @property
    def title(self) -> str:
        """Return the name in reports."""
        return Path(self.path).name if self.name is None else self.name

    def load(self, cache: Path) -> Benchmark:
        """Read the benchmark, see `BenchmarkSource.load`."""
        left_out, notes = Findings(), Findings()
        store = AbsentImages() if self.labels_only else TableImages(cache)
        rows = parquet_rows(self.path, local_files(self.path), _SCHEMA.of(self.labels_only), cache, self.split)
        image_of_key: dict[tuple[str, str], str] = {}
        found: list[PreferencePair] = []
        for number, row in enumerate(rows, start=1):
            try:
                pair = _read_row(row, store)
            except RowError as problem:
                left_out.add(problem.kind, f"row {number}: {problem}")
                continue
            for key, triplet in zip(row["key"], (pair.better, pair.worse), strict=True):
                # A key may be reused in another group; within a group it identifies one output.
                if image_of_key.setdefault((pair.task.id, str(key)), triplet.id) != triplet.id:
                    notes.add("key_names_two_images", f"row {number}: {key}")
            found.append(pair)
        pairs, comparisons = split_unknown(found, notes)
        return checked(
            self.title,
            self.path,
            pairs,
            cache,
            left_out,
            notes,
            comparisons=comparisons,
            has_images=not self.labels_only,
        )


def _read_row(row: dict[str, Any], store: TableImages | AbsentImages) -> PreferencePair:
    keys, outputs = row["key"], row["output_images"]
    if isinstance(store, AbsentImages) and not isinstance(outputs, list):
        outputs = [outputs, outputs]
    task_type, dimension, instruction = row["task_type"], row["dimension"], row["instruction"]
    if not (isinstance(keys, list) and len(keys) == 2 and isinstance(outputs, list) and len(outputs) == 2):
        n_outputs = len(outputs) if isinstance(outputs, list) else 0
        raise RowError("not_two_candidates", f"key {keys!r}, {n_outputs} output images; two are needed")
    try:
        task_type = canonical_task_type(task_type)
    except (TypeError, ValueError) as error:  # TypeError: not even text
        raise RowError("not_a_task_type", repr(task_type)) from error
    if dimension not in DIMENSIONS:
        raise RowError("unknown_dimension", repr(dimension))
    if not isinstance(instruction, str) or is_blank(instruction):
        raise RowError("missing_instruction", f"instruction {instruction!r}")
    before = store.add(row["input_image"], f"input of {instruction}")
    after = [store.add(cell, str(key)) for key, cell in zip(keys, outputs, strict=True)]
    if row.get(OWN_COLUMN) is not None:
        return _own_pair(row, [before, *after], task_type, isinstance(store, AbsentImages))
    task = make_task("editreward_bench", instruction, before, task_type=task_type)
    better, worse = (make_triplet(task, ref, str(key)) for key, ref in zip(keys, after, strict=True))
    return PreferencePair.of(better, worse, dimension)


def _own_pair(row: dict[str, Any], images: list[ImageRef], task_type: str, absent: bool) -> PreferencePair:
    """Return the pair that EditJudge wrote. The images must match its ids, unless they are absent."""
    try:
        own = OwnColumn.model_validate(row[OWN_COLUMN])
        if absent:
            images = [ref.model_copy(update={"sha256": sha}) for ref, sha in zip(images, own.sha256, strict=True)]
        changed = [ref.path for ref, sha in zip(images, own.sha256, strict=True) if ref.sha256 != sha]
        if changed:
            raise RowError("changed_image", f"pair {own.pair_id}: {changed[0]} is not the image that was compared")
        return own.pair([str(key) for key in row["key"]], row["instruction"], images, task_type, row["dimension"])
    except ValueError as error:  # also for values that the records reject, and for a plan that is not JSON
        first = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise RowError("not_a_pair", f"column {OWN_COLUMN}: {first}") from error
