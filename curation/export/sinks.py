"""Output formats for the rows of a part, chosen by the recipe for each part."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from curation.filters.leakage import images_of
from editjudge.errors import MissingExtraError
from editjudge.files.io import write_jsonl
from editjudge.files.storage import replacing
from editjudge.formats.bench_schema import embedded, write_editreward_bench
from editjudge.images.store import ImageStore
from editjudge.records.types import PreferencePair, Record

ROWS_PER_GROUP = 64
"""Rows in one Parquet row group: few, because every row contains images."""


class Sink(BaseModel):
    """Writes the rows of a part; its fields are its recipe parameters. The same rows give the same bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    takes: ClassVar[type[Record]] = Record
    package: ClassVar[str | None] = None
    """Package that the sink needs besides curation's own; the extra `train` installs it."""

    def check(self) -> None:
        """Raise `MissingExtraError` when its package is not installed."""
        if self.package is not None and find_spec(self.package) is None:
            raise MissingExtraError(f"{self.package} is not installed: pip install 'editjudge[train]'")

    def write(self, rows: Iterable[Any], record: type[Record], images: ImageStore, part: Path) -> Path:
        """Write `rows`, all of type `record`, and return the file or folder.

        `part` is the path of the part without a suffix, such as out/train.
        """
        raise NotImplementedError


class Jsonl(Sink):
    """One row per line, images by reference: <part>.jsonl. Training, evaluation and annotation read it."""

    def write(self, rows: Iterable[Any], record: type[Record], images: ImageStore, part: Path) -> Path:
        path = part.with_name(f"{part.name}.jsonl")
        write_jsonl(path, rows)
        return path


class EditRewardBench(Sink):
    """Preference pairs with their images, in the public schema of EditReward-Bench: <part>/data.parquet."""

    takes: ClassVar[type[Record]] = PreferencePair
    package: ClassVar[str | None] = "datasets"

    def write(self, rows: Iterable[Any], record: type[Record], images: ImageStore, part: Path) -> Path:
        return write_editreward_bench(rows, images, part)


class Parquet(Sink):
    """One table with the images inside, for `datasets.load_dataset`: <part>.parquet.

    Columns: the row's plain fields, `images` (their stored bytes), and `record`, the whole row as JSON.
    """

    package: ClassVar[str | None] = "datasets"

    def write(self, rows: Iterable[Any], record: type[Record], images: ImageStore, part: Path) -> Path:
        import pyarrow
        import pyarrow.parquet as parquet

        path, plain = part.with_name(f"{part.name}.parquet"), _plain_fields(record)
        schema = _schema(plain)
        with replacing(path) as handle, parquet.ParquetWriter(handle, schema) as writer:
            for batch in _batches(rows, ROWS_PER_GROUP):
                table = [_columns(row, plain, images) for row in batch]
                writer.write_table(pyarrow.Table.from_pylist(table, schema=schema))
        return path


class WebDataset(Sink):
    """Tar files for streaming with the package webdataset: <part>-webdataset/00000.tar, ...

    A sample is <number>.json, the row, and <number>.0.png, ... its images. The row refers to images as members of the
    tar file; an `ImageStore` of the folder reads them too.
    """

    rows_per_tar: int = Field(5000, ge=1)
    """Rows in each tar file except the last."""

    def write(self, rows: Iterable[Any], record: type[Record], images: ImageStore, part: Path) -> Path:
        folder = part.with_name(f"{part.name}-webdataset")
        written = set()
        for number, batch in enumerate(_batches(rows, self.rows_per_tar)):
            path = folder / f"{number:05d}.tar"
            with replacing(path) as handle, tarfile.open(fileobj=handle, mode="w") as archive:
                for index, row in enumerate(batch, start=number * self.rows_per_tar):
                    for name, content in _sample(row, f"{index:09d}", path.name, images):
                        _add(archive, name, content)
            written.add(path)
        for old in {*folder.glob("*.tar")} - written:
            old.unlink()
        return folder


def _batches(rows: Iterable[Any], size: int) -> Iterator[list[Any]]:
    rest = iter(rows)
    while batch := list(islice(rest, size)):
        yield batch


_COLUMNS = {"string": "string", "integer": "int64", "number": "float64", "boolean": "bool"}


def _plain_fields(record: type[Record]) -> dict[str, str]:
    """Return the fields with a single text or number (or None), and their column types."""
    found = {}
    for name, schema in record.model_json_schema()["properties"].items():
        kinds = {choice.get("type") for choice in schema.get("anyOf", [schema])} - {"null"}
        if len(kinds) == 1 and (kind := kinds.pop()) in _COLUMNS:
            found[name] = _COLUMNS[kind]
    return found


def _schema(plain: dict[str, str]) -> Any:
    from datasets import Features, Image, Value
    from datasets import List as ListOf

    columns = {name: Value(kind) for name, kind in plain.items()}
    return Features({**columns, "images": ListOf(Image()), "record": Value("string")}).arrow_schema


def _columns(row: Record, plain: Iterable[str], images: ImageStore) -> dict[str, Any]:
    pictures = [embedded(ref, images) for ref in images_of(row)]
    return {**{name: getattr(row, name) for name in plain}, "images": pictures, "record": row.model_dump_json()}


def _sample(row: Record, key: str, tar: str, images: ImageStore) -> Iterator[tuple[str, bytes]]:
    """Yield the members of one row. An image that several references share is stored once."""
    refs = {ref.path: ref for ref in images_of(row)}
    names = {path: f"{key}.{index}{PurePosixPath(path).suffix}" for index, path in enumerate(refs)}
    moved = _moved(row.model_dump(mode="json"), {path: f"{tar}/{name}" for path, name in names.items()})
    yield f"{key}.json", json.dumps(moved, ensure_ascii=False).encode()
    yield from ((names[path], embedded(ref, images)["bytes"]) for path, ref in refs.items())


def _moved(value: Any, paths: dict[str, str]) -> Any:
    """Return the JSON value with image references replaced by their new paths."""
    if isinstance(value, dict):
        if value.keys() == {"path", "sha256", "width", "height"}:
            return {**value, "path": paths.get(value["path"], value["path"])}
        return {key: _moved(item, paths) for key, item in value.items()}
    return [_moved(item, paths) for item in value] if isinstance(value, list) else value


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)  # no time, user or permissions of this machine
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))


def default_sinks(record: type[Record]) -> Sequence[Sink]:
    """Return the sinks of a part without `sinks`."""
    return (Jsonl(), EditRewardBench()) if record is PreferencePair else (Jsonl(),)
