"""The benchmark EditReward-Bench of EditScore, and any table in its public schema."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from editjudge.errors import DataError, ImageError, MissingExtraError
from editjudge.images import load_image
from editjudge.io import atomic_write, digest
from editjudge.tasks import DIMENSIONS, TASK_TYPES
from editjudge.types import EditTask, EditTriplet, ImageRef, Origin, PreferencePair
from eval.benchmarks import Benchmark, Findings, checked

_COLUMNS = ("key", "instruction", "input_image", "output_images", "task_type", "dimension")


class EditRewardBench(BaseModel):
    """The schema of EditScore/EditReward-Bench: one row per pair, images inside, the preferred output first.

    Columns: `key` [2] naming the two candidates, `instruction`, `input_image`, `output_images` [2], `task_type`,
    `dimension`. A group is an instruction with an input image; a candidate is a group with the bytes of an output.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str = "EditScore/EditReward-Bench"
    """Folder with Parquet files, or a name on the Hugging Face hub."""
    split: str = "train"
    """Of a hub data set; a local folder is read whole."""
    name: str | None = None
    """How reports call it; the last part of `path` when it is not given."""

    def load(self, cache: Path) -> Benchmark:
        """See `BenchmarkSource.load`."""
        left_out, notes = Findings(), Findings()
        store = _ImageCache(cache)
        images_of_key: dict[str, str] = {}
        pairs: list[PreferencePair] = []
        for number, row in enumerate(self._rows(), start=1):
            try:
                pair = _read_row(row, store)
            except _RowError as problem:
                left_out.add(problem.kind, f"row {number}: {problem}")
                continue
            for triplet in (pair.better, pair.worse):
                if images_of_key.setdefault(triplet.editor, triplet.id) != triplet.id:
                    notes.add("key_names_two_images", f"row {number}: {triplet.editor}")
            pairs.append(pair)
        name = Path(self.path).name if self.name is None else self.name
        return checked(name, self.path, pairs, cache, left_out, notes)

    def _rows(self) -> Iterator[dict[str, Any]]:
        """Rows as the format has them, images as `{"bytes", "path"}`; `DataError` for a missing column."""
        try:
            import datasets
        except ImportError as error:
            raise MissingExtraError(
                "reading Parquet benchmarks needs datasets: pip install 'editjudge[train]'"
            ) from error
        folder = Path(self.path)
        files = sorted(str(file) for file in folder.rglob("*.parquet")) if folder.is_dir() else []
        if folder.exists() and not files:
            raise DataError(f"{self.path}: no Parquet file in it; give the folder that holds data.parquet")
        try:
            if files:
                # Streaming reads the files where they lie instead of copying them into a cache first.
                table = datasets.load_dataset("parquet", data_files=files, split="train", streaming=True)
            else:
                table = datasets.load_dataset(self.path, split=self.split)
            features = table.features or {}
            _require_columns(self.path, list(features))
            for column, feature in features.items():
                if isinstance(feature, datasets.Image):
                    table = table.cast_column(column, datasets.Image(decode=False))
                elif isinstance(getattr(feature, "feature", None), datasets.Image):
                    table = table.cast_column(column, datasets.List(datasets.Image(decode=False)))
            yield from table.select_columns(list(_COLUMNS))
        except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
            raise DataError(
                f"{self.path}: cannot be read as EditReward-Bench ({error}); check path and split"
            ) from error


def _require_columns(source: str, present: list[str]) -> None:
    missing = [column for column in _COLUMNS if column not in present]
    if missing:
        raise DataError(
            f"{source}: not in the schema of EditReward-Bench: no column {', '.join(missing)} "
            f"(found: {', '.join(present)}); rename the columns or use another `use:`"
        )


class _RowError(Exception):
    """A row that cannot become a pair; `kind` is what findings count it under."""

    def __init__(self, kind: str, detail: str) -> None:
        self.kind = kind
        super().__init__(detail)


class _ImageCache:
    """Images of a table as files, each distinct one written once, named by its content."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[str, ImageRef] = {}

    def add(self, cell: object) -> ImageRef:
        """Store the file inside `{"bytes": ...}` unchanged; `_RowError` when there is none or it is no image."""
        data = cell.get("bytes") if isinstance(cell, dict) else None
        if not isinstance(data, bytes):
            raise _RowError("missing_image", "an image is missing")
        sha256 = hashlib.sha256(data).hexdigest()
        if sha256 not in self._known:
            try:
                image = load_image(data, f"image {sha256[:12]}")
            except ImageError as error:
                raise _RowError("unreadable_image", str(error)) from error
            path = f"images/{sha256[:2]}/{sha256[:20]}{_ending(data)}"
            if not (self._root / path).is_file():
                atomic_write(self._root / path, data)
            self._known[sha256] = ImageRef(path=path, sha256=sha256, width=image.width, height=image.height)
        return self._known[sha256]


def _ending(data: bytes) -> str:
    """By the file's own signature, not by the name somebody gave it."""
    if data.startswith(b"\x89PNG"):
        return ".png"
    if data.startswith(b"\xff\xd8"):
        return ".jpg"
    return ".webp" if data[8:12] == b"WEBP" else ".img"


def _read_row(row: dict[str, Any], store: _ImageCache) -> PreferencePair:
    keys, outputs = row["key"], row["output_images"]
    task_type, dimension, instruction = row["task_type"], row["dimension"], row["instruction"]
    if not (isinstance(keys, list) and len(keys) == 2 and isinstance(outputs, list) and len(outputs) == 2):
        raise _RowError("not_two_candidates", f"key {keys!r}, {len(outputs or ())} output images; two are needed")
    if task_type not in TASK_TYPES:
        raise _RowError("unknown_task", repr(task_type))
    if dimension not in DIMENSIONS:
        raise _RowError("unknown_dimension", repr(dimension))
    if not isinstance(instruction, str) or not instruction.strip():
        raise _RowError("missing_instruction", f"key {keys!r}")
    before, after = store.add(row["input_image"]), [store.add(cell) for cell in outputs]
    task = EditTask(
        id=digest("editreward_bench", instruction, before.sha256, task_type),
        inputs=(before,),
        instruction=instruction,
        task_type=task_type,
        origin=Origin(source=before.sha256, licence="see the data set's card"),
    )
    better, worse = (
        EditTriplet(id=digest(task.id, ref.sha256), task=task, edited=ref, editor=str(key), seed=0)
        for key, ref in zip(keys, after, strict=True)
    )
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
