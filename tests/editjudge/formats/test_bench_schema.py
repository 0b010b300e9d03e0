from __future__ import annotations

import io
from pathlib import Path

import pytest
from bench_ground import stored_pairs
from PIL import Image

from editjudge.errors import DataError, ImageError
from editjudge.formats.bench_schema import ROWS_PER_WRITE, write_editreward_bench
from editjudge.images.store import ImageStore


def test_the_benchmark_loads_in_the_public_schema(tmp_path):
    from datasets import load_dataset

    pairs = stored_pairs(tmp_path)
    path = write_editreward_bench(pairs, ImageStore(tmp_path), tmp_path / "bench")
    cache = str(tmp_path / "cache")
    rows = load_dataset("parquet", data_files=str(path), split="train", cache_dir=cache)
    public = ["key", "instruction", "input_image", "output_images", "task_type", "dimension"]
    assert rows.column_names == [*public, "editjudge"]
    assert rows.features.arrow_schema.names == [*public, "editjudge"]
    assert rows["key"][:] == [[pair.better.id, pair.worse.id] for pair in pairs]
    preferred = [row["output_images"][0].convert("RGB").tobytes() for row in rows]
    store = ImageStore(tmp_path)
    assert preferred == [store.read(pair.better.edited).tobytes() for pair in pairs]
    assert load_dataset(str(tmp_path / "bench"), split="train", cache_dir=cache).num_rows == len(pairs) == 6


def test_the_same_pairs_give_the_same_bytes(tmp_path):
    pairs = stored_pairs(tmp_path, groups=30)
    first, second = (
        write_editreward_bench(pairs, ImageStore(tmp_path), tmp_path / name).read_bytes() for name in ("a", "b")
    )
    assert first == second
    assert len(pairs) > ROWS_PER_WRITE  # more than one row group


def test_a_changed_image_is_refused_and_leaves_no_file(tmp_path):
    pairs = stored_pairs(tmp_path)
    buffer = io.BytesIO()
    Image.new("RGB", (3, 3)).save(buffer, "PNG")
    (tmp_path / pairs[-1].worse.edited.path).write_bytes(buffer.getvalue())
    with pytest.raises(ImageError, match="changed"):
        write_editreward_bench(pairs, ImageStore(tmp_path), tmp_path / "bench")
    assert not (tmp_path / "bench" / "data.parquet").exists()


def test_a_row_has_one_input_image(tmp_path):
    pairs = stored_pairs(tmp_path, groups=1, inputs=2)
    with pytest.raises(DataError, match="2 input images"):
        write_editreward_bench(pairs, ImageStore(tmp_path), tmp_path / "bench")


def test_a_folder_called_like_an_address_is_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pairs = stored_pairs(tmp_path)
    path = write_editreward_bench(pairs, ImageStore(tmp_path), Path("s3:run[1]") / "benchmark")
    assert path.read_bytes().startswith(b"PAR1")
    assert [item.name for item in path.parent.iterdir()] == ["data.parquet"]
