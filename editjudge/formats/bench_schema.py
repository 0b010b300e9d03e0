"""Preference pairs as Parquet, in the columns of the public data set EditScore/EditReward-Bench.

One more column, `editjudge` (`OwnColumn`), contains the fields that these columns lack, so that pairs are read exactly
as they were written. Other readers of the schema ignore it, and tables without it are read too.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from editjudge.errors import DataError, ImageError, MissingExtraError, StorageError
from editjudge.images.store import ImageStore
from editjudge.records.tasks import Dimension
from editjudge.records.types import EditTask, EditTriplet, ImageRef, Origin, PreferencePair, Record

ROWS_PER_WRITE = 64
"""Rows in a Parquet row group: few, because every row contains three images."""

PUBLIC_COLUMNS = ("key", "instruction", "input_image", "output_images", "task_type", "dimension")
OWN_COLUMN = "editjudge"


class OwnColumn(Record):
    """One row of the column `editjudge`. Pairs of values are of the candidates, the preferred one first."""

    pair_id: str
    task_id: str
    editors: tuple[str, str]
    seeds: tuple[int, int]
    language: str
    source: str
    licence: str
    plan: str | None
    """`Origin.plan` as JSON, since every editor has other keys."""
    tier_gap: int
    n_annotators: int
    agreement: float
    sha256: tuple[str, str, str]
    """Of the files of the input and of the two outputs, because ids refer to these exact images."""

    @classmethod
    def of(cls, pair: PreferencePair) -> OwnColumn:
        """Return the fields of a pair with one input that the public columns lack."""
        task, outputs = pair.task, (pair.better, pair.worse)
        plan = task.origin.plan
        return cls(
            pair_id=pair.id,
            task_id=task.id,
            editors=(pair.better.editor, pair.worse.editor),
            seeds=(pair.better.seed, pair.worse.seed),
            language=task.language,
            source=task.origin.source,
            licence=task.origin.licence,
            plan=None if plan is None else json.dumps(plan, ensure_ascii=False),
            tier_gap=pair.tier_gap,
            n_annotators=pair.n_annotators,
            agreement=pair.agreement,
            sha256=(task.inputs[0].sha256, outputs[0].edited.sha256, outputs[1].edited.sha256),
        )

    def pair(
        self, key: Sequence[str], instruction: str, images: Sequence[ImageRef], task_type: str, dimension: Dimension
    ) -> PreferencePair:
        """Return the pair of a row: `key` is the candidates' triplet ids, `images` the input and the two outputs."""
        plan = None if self.plan is None else json.loads(self.plan)
        task = EditTask(
            id=self.task_id,
            inputs=(images[0],),
            instruction=instruction,
            task_type=task_type,
            language=self.language,
            origin=Origin(source=self.source, licence=self.licence, plan=plan),
        )
        better, worse = (
            EditTriplet(id=name, task=task, edited=edited, editor=editor, seed=seed)
            for name, edited, editor, seed in zip(key, images[1:], self.editors, self.seeds, strict=True)
        )
        return PreferencePair(
            id=self.pair_id,
            task=task,
            better=better,
            worse=worse,
            dimension=dimension,
            tier_gap=self.tier_gap,
            n_annotators=self.n_annotators,
            agreement=self.agreement,
        )


def write_editreward_bench(pairs: Iterable[PreferencePair], images: ImageStore, folder: Path) -> Path:
    """Write `folder/data.parquet` in the columns of the data set EditScore/EditReward-Bench, and `editjudge`.

    `key` is [better, worse] triplet id and `output_images` has the preferred one first. Images are embedded as the
    bytes of their files, so that `datasets.load_dataset` loads the folder on any machine. Equal pairs give equal bytes.
    `input_image` is one image in this schema: raises `DataError` for a pair whose task has several.
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
            OWN_COLUMN: {
                **{name: Value("string") for name in ("pair_id", "task_id")},
                "editors": ListOf(Value("string"), length=2),
                "seeds": ListOf(Value("int64"), length=2),
                **{name: Value("string") for name in ("language", "source", "licence", "plan")},
                **{name: Value("int64") for name in ("tier_gap", "n_annotators")},
                "agreement": Value("float64"),
                "sha256": ListOf(Value("string"), length=3),
            },
        }
    )
    schema = features.arrow_schema
    target = folder / "data.parquet"
    partial = folder / "data.parquet.partial"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # An open file, because pyarrow takes a name such as a:b for an address.
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
        raise DataError(
            f"pair {pair.id} has {len(pair.task.inputs)} input images, and rows of EditReward-Bench have one; "
            "write such pairs as jsonl, parquet or webdataset"
        )
    outputs: tuple[EditTriplet, EditTriplet] = (pair.better, pair.worse)
    return {
        "key": [triplet.id for triplet in outputs],
        "instruction": pair.task.instruction,
        "input_image": embedded(pair.task.inputs[0], images),
        "output_images": [embedded(triplet.edited, images) for triplet in outputs],
        "task_type": pair.task.task_type,
        "dimension": pair.dimension,
        OWN_COLUMN: OwnColumn.of(pair).model_dump(),
    }


def embedded(ref: ImageRef, images: ImageStore) -> dict[str, Any]:
    """Return the image as a cell of a column of images. Raises `ImageError` when its file is missing or changed."""
    content = images.read_bytes(ref.path)
    if hashlib.sha256(content).hexdigest() != ref.sha256:
        raise ImageError(f"{images.root / ref.path}: the file changed since the row was made; make the data again")
    return {"bytes": content, "path": Path(ref.path).name}
