"""Rows of benchmarks in Parquet tables: in a local folder, or a data set on the Hugging Face hub.

Local files are read by name with pyarrow alone: `datasets` interprets a folder name as a pattern, which makes it
read `bench1` for `bench[1]`, and needs a writable cache.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from editjudge.errors import DataError, MissingExtraError, StorageError
from editjudge.files.hub_cache import hub_cache_advice, write_problem
from editjudge.system.network import check_network
from eval.benchmarks.rows import ImageCell

_HUB_NAME = re.compile(r"[\w-][\w.-]*(/[\w.-]+)?")
"""Name of a data set on the Hugging Face hub: a name, or owner and name."""
_ROWS_AT_ONCE = 16
"""Small, because a row contains several images."""


@dataclass(frozen=True)
class Schema:
    """The column names of a format."""

    data_set: str
    """Name in messages."""
    columns: tuple[str, ...]
    images: tuple[str, ...]
    """Those of `columns` that contain an image or a list of images."""
    labels_only: bool = False
    """The image columns may be missing."""
    optional: tuple[str, ...] = ()
    """Columns that are read where they exist."""

    def of(self, labels_only: bool) -> Schema:
        """Return the same schema with this value of `labels_only`."""
        return replace(self, labels_only=labels_only)

    @property
    def needed(self) -> tuple[str, ...]:
        """Return the required columns."""
        return tuple(name for name in self.columns if not self.labels_only or name not in self.images)

    def in_table(self, present: Sequence[str]) -> list[str]:
        """Return the columns to read from a table."""
        return [name for name in (*self.columns, *self.optional) if name in present]


def local_files(source: str) -> list[Path]:
    """Return the Parquet files below a folder, sorted; empty when `source` is a name on the hub.

    Raises `DataError` for a folder without Parquet files, and for text that is neither a folder nor a valid name.
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
    source: str, files: Sequence[Path], schema: Schema, cache: Path, split: str, config: str | None = None
) -> Iterator[dict[str, Any]]:
    """Yield rows with the columns of `schema`, images as `ImageCell`: from `files`, or if empty from the hub.

    `cache` is the run's own folder, used where no other cache is writable. Raises `DataError` for a missing column and
    for an unreadable table.
    """
    found = _local_rows(source, files, schema) if files else _hub_rows(source, schema, cache, split, config)
    for row, folders in found:
        for name in schema.images:
            cells = row.get(name)
            row[name] = (
                [ImageCell(cell, folders) for cell in cells] if isinstance(cells, list) else ImageCell(cells, folders)
            )
        yield row


def _local_rows(
    source: str, files: Sequence[Path], schema: Schema
) -> Iterator[tuple[dict[str, Any], tuple[Path, ...]]]:
    try:
        import pyarrow
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise MissingExtraError("reading Parquet benchmarks needs pyarrow: pip install 'editjudge[train]'") from error
    n_rows = 0
    for file in files:
        folders = _folders(file, Path(source))
        try:
            # Pass an open file, because pyarrow interprets some names as URLs.
            with file.open("rb") as handle, parquet.ParquetFile(handle) as table:
                if table.metadata.num_rows == 0:
                    continue
                _require_columns(str(file), schema, table.schema_arrow.names)
                columns = schema.in_table(table.schema_arrow.names)
                for batch in table.iter_batches(batch_size=_ROWS_AT_ONCE, columns=columns):
                    for row in batch.to_pylist():
                        n_rows += 1
                        yield row, folders
        except (pyarrow.ArrowException, UnicodeDecodeError) as error:
            raise DataError(
                f"{file}: is no Parquet file, or not a whole one ({error}); get the benchmark again"
            ) from error
        except OSError as error:
            raise StorageError(f"{file}: cannot be read ({error.strerror or error}); check the disk") from error
    if not n_rows:
        raise DataError(f"{source}: holds no row; get the benchmark again")


def _folders(file: Path, root: Path) -> tuple[Path, ...]:
    """Return the base folders of a path in a table: its file's folder first, then each parent up to `root`."""
    above = [folder for folder in file.parents if folder.is_relative_to(root)]
    # An absolute path in a table may use a symbolic link or its target.
    return tuple(dict.fromkeys(place for folder in above for place in (folder.absolute(), folder.resolve())))


def _hub_rows(
    source: str, schema: Schema, cache: Path, split: str, config: str | None
) -> Iterator[tuple[dict[str, Any], tuple[Path, ...]]]:
    try:
        import datasets
        from huggingface_hub import constants
    except ImportError as error:
        raise MissingExtraError("a data set of the hub needs datasets: pip install 'editjudge[train]'") from error
    check_network()
    with _datasets_cache(Path(datasets.config.HF_DATASETS_CACHE), cache) as folder:
        # The caches contain the files of data sets that are not Parquet tables.
        places = (Path(constants.HF_HUB_CACHE).absolute(), folder.absolute())
        try:
            table = datasets.load_dataset(source, config, split=split, cache_dir=str(folder))
            features = table.features or {}
            _require_columns(source, schema, list(features))
            for column, feature in features.items():
                if isinstance(feature, datasets.Image):
                    table = table.cast_column(column, datasets.Image(decode=False))
                elif isinstance(getattr(feature, "feature", None), datasets.Image):
                    table = table.cast_column(column, datasets.List(datasets.Image(decode=False)))
            for row in table.select_columns(schema.in_table(list(features))):
                yield row, places
        except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
            advice = hub_cache_advice(source)
            if advice is not None:
                raise StorageError(f"{source}: {advice} ({error})") from error
            raise DataError(
                f"{source}: no such folder, and it cannot be fetched from the hub as {schema.data_set} ({error}); "
                "check the name, `split` and the network"
            ) from error


@contextmanager
def _datasets_cache(own: Path, run: Path) -> Iterator[Path]:
    """Yield the folder for `datasets`' tables: its own cache, or if that is not writable a temporary one in `run`."""
    if write_problem(own) is None:
        yield own
        return
    run.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".tmp-datasets-", dir=run) as folder:
        yield Path(folder)


def _require_columns(source: str, schema: Schema, present: Sequence[str]) -> None:
    missing = [column for column in schema.needed if column not in present]
    if missing:
        raise DataError(
            f"{source}: not in the schema of {schema.data_set}: no column {', '.join(missing)} "
            f"(found: {', '.join(present)}); rename the columns or use another `use:`"
        )
    twice = [column for column in schema.columns if present.count(column) > 1]
    if twice:
        raise DataError(f"{source}: two columns are called {twice[0]!r}; rename or remove one of them")
