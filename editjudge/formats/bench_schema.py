"""Preference pairs as Parquet, in the columns of the public data set EditScore/EditReward-Bench."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

from editjudge.errors import ImageError, MissingExtraError, StorageError
from editjudge.images.store import ImageStore
from editjudge.records.types import EditTriplet, ImageRef, PreferencePair

ROWS_PER_WRITE = 64
"""Rows in one Parquet row group: few, because every row carries three images."""


def write_editreward_bench(pairs: Iterable[PreferencePair], images: ImageStore, folder: Path) -> Path:
    """Write `folder/data.parquet` in the columns of the data set EditScore/EditReward-Bench.

    `key` is [better, worse] triplet id and `output_images` has the preferred one first. Images are embedded as the
    bytes of their files, so the folder loads anywhere with `datasets.load_dataset`. Same pairs, same bytes.
    `input_image` is one image in this schema: a pair whose task has several is refused by `ValueError`.
    """
    try:
        import pyarrow
        import pyarrow.parquet as parquet
        from datasets import Features, Image, Value
        from datasets import List as ListOf
    except ImportError as error:
        raise MissingExtraError(f"writing Parquet needs {error.name}: pip install 'editjudge[train]'") from error
    features = Features(
        {
            "key": ListOf(Value("string"), length=2),
            "instruction": Value("string"),
            "input_image": Image(),
            "output_images": ListOf(Image(), length=2),
            "task_type": Value("string"),
            "dimension": Value("string"),
        }
    )
    schema = features.arrow_schema
    target = folder / "data.parquet"
    partial = folder / "data.parquet.partial"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # An open file, as pyarrow takes a name such as a:b for an address.
        with partial.open("wb") as handle, parquet.ParquetWriter(handle, schema) as writer:
            source = iter(pairs)
            while batch := list(islice(source, ROWS_PER_WRITE)):
                rows = [_bench_row(pair, images) for pair in batch]
                writer.write_table(pyarrow.Table.from_pylist(rows, schema=schema))
        os.replace(partial, target)
    except OSError as error:
        raise StorageError(f"cannot write {target}: {error.strerror or error}") from error
    return target


def _bench_row(pair: PreferencePair, images: ImageStore) -> dict[str, Any]:
    if len(pair.task.inputs) != 1:
        raise ValueError(f"pair {pair.id} has {len(pair.task.inputs)} input images; EditReward-Bench rows have one")
    outputs: tuple[EditTriplet, EditTriplet] = (pair.better, pair.worse)
    return {
        "key": [triplet.id for triplet in outputs],
        "instruction": pair.task.instruction,
        "input_image": _embedded(pair.task.inputs[0], images),
        "output_images": [_embedded(triplet.edited, images) for triplet in outputs],
        "task_type": pair.task.task_type,
        "dimension": pair.dimension,
    }


def _embedded(ref: ImageRef, images: ImageStore) -> dict[str, Any]:
    content = images.read_bytes(ref.path)
    if hashlib.sha256(content).hexdigest() != ref.sha256:
        raise ImageError(f"{images.root / ref.path}: the file changed since the pair was made; make the pairs again")
    return {"bytes": content, "path": Path(ref.path).name}
