"""What the readers of published tables share: rows, images inside and beside a table, and rows that are unfit."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from editjudge.errors import DataError, ImageError, MissingExtraError
from editjudge.images import load_image
from editjudge.io import atomic_write, digest
from editjudge.tasks import UNKNOWN_TASK
from editjudge.text import is_blank, valid_text
from editjudge.types import EditTask, EditTriplet, ImageRef, Origin

_HUB_NAME = re.compile(r"[\w-][\w.-]*(/[\w.-]+)?")
"""A data set on the Hugging Face hub: a name, or owner and name."""


class RowError(Exception):
    """A row that cannot become a label; `kind` is what findings count it under."""

    def __init__(self, kind: str, detail: str) -> None:
        self.kind = kind
        super().__init__(detail)


def local_files(source: str) -> list[Path]:
    """The Parquet files below a folder, sorted; empty when `source` is no folder and so a name on the hub.

    `DataError` for a folder without any, and for what is neither a folder nor can be a name.
    """
    folder = Path(source)
    if folder.is_file():
        raise DataError(f"{source}: a file; give the folder it lies in")
    if not folder.exists() and not _HUB_NAME.fullmatch(source):
        raise DataError(
            f"{source}: no such folder; check `path` (names on the hub are like EditScore/EditReward-Bench)"
        )
    files = sorted(folder.rglob("*.parquet")) if folder.is_dir() else []
    if folder.exists() and not files:
        raise DataError(f"{source}: no Parquet file in it; give the folder that holds data.parquet")
    return files


def parquet_rows(
    source: str, files: Sequence[Path], columns: Sequence[str], data_set: str, split: str, config: str | None = None
) -> Iterator[dict[str, Any]]:
    """Rows with these columns, images as `{"bytes", "path"}`: of `files`, or without any of the hub's data set.

    `DataError` for a missing column and for what cannot be read; `data_set` is what messages call the format.
    """
    try:
        import datasets
    except ImportError as error:
        raise MissingExtraError("reading Parquet benchmarks needs datasets: pip install 'editjudge[train]'") from error
    try:
        if files:
            files = _with_rows(source, files)
            # Streaming reads the files where they lie instead of copying them into a cache first.
            names = [str(file) for file in files]
            table = datasets.load_dataset("parquet", data_files=names, split="train", streaming=True)
        else:
            table = datasets.load_dataset(source, config, split=split)
        features = table.features or {}
        _require_columns(source, data_set, columns, list(features))
        for column, feature in features.items():
            if isinstance(feature, datasets.Image):
                table = table.cast_column(column, datasets.Image(decode=False))
            elif isinstance(getattr(feature, "feature", None), datasets.Image):
                table = table.cast_column(column, datasets.List(datasets.Image(decode=False)))
        yield from table.select_columns(list(columns))
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        where = "check path and split" if files else "there is no such folder here, and it was not had from the hub"
        raise DataError(f"{source}: cannot be read as {data_set} ({error}); {where}") from error


def _with_rows(source: str, files: Sequence[Path]) -> list[Path]:
    """The files that have rows, as `datasets` fails on others; `DataError` when none has."""
    import pyarrow.parquet as parquet
    from pyarrow import ArrowInvalid

    try:
        heads = [(file, parquet.read_metadata(file)) for file in files]
    except ArrowInvalid as error:
        raise DataError(f"{source}: a file is no Parquet file ({error}); get the benchmark again") from error
    found = [file for file, head in heads if head.num_rows > 0]
    if not found:
        raise DataError(f"{source}: holds no row; get the benchmark again")
    return found


def _require_columns(source: str, data_set: str, needed: Sequence[str], present: list[str]) -> None:
    missing = [column for column in needed if column not in present]
    if missing:
        raise DataError(
            f"{source}: not in the schema of {data_set}: no column {', '.join(missing)} "
            f"(found: {', '.join(present)}); rename the columns or use another `use:`"
        )


class TableImages:
    """Images of a table as files, each distinct one written once, named by its content."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[str, ImageRef] = {}

    def add(self, cell: object) -> ImageRef:
        """Store the file inside `{"bytes": ...}` unchanged; `RowError` when there is none or it is no image."""
        data = cell.get("bytes") if isinstance(cell, dict) else None
        if not isinstance(data, bytes):
            raise RowError("missing_image", "an image is missing")
        sha256 = hashlib.sha256(data).hexdigest()
        if sha256 not in self._known:
            path = f"images/{sha256[:2]}/{sha256[:20]}{_ending(data)}"
            ref = _ref(data, sha256, path, f"image {sha256[:12]}")
            if not (self._root / path).is_file():
                atomic_write(self._root / path, data)
            self._known[sha256] = ref
        return self._known[sha256]


class FolderImages:
    """Images that lie as files below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._known: dict[str, ImageRef] = {}

    def add(self, path: str) -> ImageRef:
        """The image at a path below the folder, relative or absolute; `RowError` when it is missing or unreadable."""
        given = Path(path)
        try:
            name = (given.relative_to(self.root) if given.is_absolute() else given).as_posix()
        except ValueError:
            raise RowError("missing_image", f"{path} lies outside {self.root}") from None
        if name not in self._known:
            try:
                data = (self.root / name).read_bytes()
            except OSError as error:
                raise RowError("missing_image", name) from error
            self._known[name] = _ref(data, hashlib.sha256(data).hexdigest(), name, name)
        return self._known[name]


def _ref(data: bytes, sha256: str, path: str, name: str) -> ImageRef:
    try:
        image = load_image(data, name, "stored")  # only its size is asked for
    except ImageError as error:
        raise RowError(error.reason, str(error)) from error
    return ImageRef(path=path, sha256=sha256, width=image.width, height=image.height)


def _ending(data: bytes) -> str:
    """By the file's own signature, not by the name somebody gave it."""
    if data.startswith(b"\x89PNG"):
        return ".png"
    if data.startswith(b"\xff\xd8"):
        return ".jpg"
    return ".webp" if data[8:12] == b"WEBP" else ".img"


def absent_image(name: str) -> ImageRef:
    """Stands for an image that is not at hand, in a benchmark whose `has_images` is false."""
    return ImageRef(path=f"absent/{name}", sha256=hashlib.sha256(name.encode()).hexdigest(), width=1, height=1)


def make_task(
    data_set: str, instruction: object, before: ImageRef, source: str | None = None, task_type: str = UNKNOWN_TASK
) -> EditTask:
    """The group of a row: an instruction with an input image. `source` names the image upstream (its digest if not).

    `RowError` for an empty instruction.
    """
    if not isinstance(instruction, str) or is_blank(instruction):
        raise RowError("missing_instruction", f"instruction {instruction!r}")
    instruction = valid_text(instruction)
    return EditTask(
        id=digest(data_set, instruction, before.sha256, task_type),
        inputs=(before,),
        instruction=instruction,
        task_type=task_type,
        origin=Origin(source=before.sha256 if source is None else source, licence="see the data set's card"),
    )


def make_triplet(task: EditTask, edited: ImageRef, editor: str) -> EditTriplet:
    """A candidate: a group with an output."""
    return EditTriplet(id=digest(task.id, edited.sha256), task=task, edited=edited, editor=editor, seed=0)
