"""The benchmark EditReward-Bench of EditScore, and any table in its public schema."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from editjudge.files.io import digest
from editjudge.files.paths import ModelName
from editjudge.records.tasks import DIMENSIONS, canonical_task_type
from editjudge.records.types import PreferencePair
from eval.benchmarks import Benchmark, checked
from eval.benchmarks.lint import Findings
from eval.benchmarks.parquet import Schema, local_files, parquet_rows
from eval.benchmarks.rows import AbsentImages, RowError, TableImages, make_task, make_triplet, split_unknown

_SCHEMA = Schema(
    "EditReward-Bench",
    columns=("key", "instruction", "input_image", "output_images", "task_type", "dimension"),
    images=("input_image", "output_images"),
)


class EditRewardBench(BaseModel):
    """The schema of EditScore/EditReward-Bench: one row per pair, images inside, the preferred output first.

    Columns: `key` [2] naming the two candidates, `instruction`, `input_image`, `output_images` [2], `task_type`,
    `dimension`. A group is an instruction with an input image; a candidate is a group with the bytes of an output.
    Rows of task type "unknown", as `annotate pairs` writes them for groups without one, become comparisons.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: ModelName = "EditScore/EditReward-Bench"
    """Folder with Parquet files, or a name on the Hugging Face hub."""
    split: str = "train"
    """Of a hub data set; a local folder is read whole."""
    labels_only: bool = False
    """Read no images, whose columns may be missing: enough to measure scores made elsewhere."""
    name: str | None = None
    """How reports call it; the last part of `path` when it is not given."""

    @property
    def title(self) -> str:
        """What the benchmark is called."""
        return Path(self.path).name if self.name is None else self.name

    def load(self, cache: Path) -> Benchmark:
        """See `BenchmarkSource.load`."""
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
            for triplet in (pair.better, pair.worse):
                # A key may come again in another group; within one it stands for one output.
                if image_of_key.setdefault((pair.task.id, triplet.editor), triplet.id) != triplet.id:
                    notes.add("key_names_two_images", f"row {number}: {triplet.editor}")
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
    before = store.add(row["input_image"], f"input of {instruction}")
    after = [store.add(cell, str(key)) for key, cell in zip(keys, outputs, strict=True)]
    task = make_task("editreward_bench", instruction, before, task_type=task_type)
    better, worse = (make_triplet(task, ref, str(key)) for key, ref in zip(keys, after, strict=True))
    return PreferencePair(
        id=digest("pair", better.id, worse.id, dimension),
        task=task,
        better=better,
        worse=worse,
        dimension=dimension,
        tier_gap=1,
        n_annotators=1,
        agreement=1.0,
    )
