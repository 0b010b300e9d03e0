"""Parquet tables as others write them, folders with odd names, and caches that cannot be written."""

from __future__ import annotations

import base64
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from factories import make_image
from fake_hub import fake_hub

from editjudge.errors import DataError
from editjudge.images.store import ImageStore
from eval.benchmarks.editreward_bench import EditRewardBench
from eval.benchmarks.genai_bench import GenAIBench


def png(seed: int) -> bytes:
    buffer = io.BytesIO()
    make_image(seed=seed).save(buffer, "PNG")
    return buffer.getvalue()


def make_row(before: object, first: object, second: object, **changes: object) -> dict:
    return {
        "key": ["one", "two"],
        "instruction": "Make the sky pink.",
        "input_image": before,
        "output_images": [first, second],
        "task_type": "color_alter",
        "dimension": "overall",
    } | changes


def write_rows(file: Path, rows: list[dict], image: str) -> Path:
    """A table written with pyarrow alone, its images in columns of one type."""
    import pyarrow
    import pyarrow.parquet as parquet

    kinds = {
        "bytes": pyarrow.binary(),
        "large bytes": pyarrow.large_binary(),
        "text": pyarrow.string(),
        "struct": pyarrow.struct({"bytes": pyarrow.binary(), "path": pyarrow.string()}),
        "number": pyarrow.int64(),
    }
    text = pyarrow.string()
    schema = pyarrow.schema(
        {
            "key": pyarrow.list_(text),
            "instruction": text,
            "input_image": kinds[image],
            "output_images": pyarrow.list_(kinds[image]),
            "task_type": text,
            "dimension": text,
        }
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as handle:
        parquet.write_table(pyarrow.Table.from_pylist(rows, schema=schema), handle)
    return file


def load(folder: Path, cache: Path):
    return EditRewardBench(path=str(folder)).load(cache)


def base64_url(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


@pytest.mark.parametrize(
    ("kind", "cell"),
    [
        ("bytes", png),
        ("large bytes", png),
        ("struct", lambda seed: {"bytes": png(seed), "path": None}),
        ("struct", lambda seed: {"bytes": None, "path": f"images/{seed}.png"}),
        ("text", lambda seed: f"images/{seed}.png"),
        ("text", lambda seed: f"./images/{seed}.png"),
        ("text", lambda seed: f"deeper/{seed}.png"),
        ("text", lambda seed: base64_url(png(seed))),
        ("text", lambda seed: base64.b64encode(png(seed)).decode()),
    ],
)
def test_images_may_be_bytes_or_paths_beside_the_table(tmp_path, kind, cell):
    """Paths begin beside the file of the table or, failing that, in a folder above it, up to the one that is named."""
    folder = tmp_path / "bench"
    for seed in range(3):
        for place in (folder / "images", folder / "data" / "deeper"):
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{seed}.png").write_bytes(png(seed))
    write_rows(folder / "data" / "train.parquet", [make_row(cell(0), cell(1), cell(2))], kind)
    bench = load(folder, tmp_path / "cache")
    assert bench.left_out.total == 0
    [pair] = bench.pairs
    refs = (pair.task.inputs[0], pair.better.edited, pair.worse.edited)
    assert [ImageStore(bench.root).read(ref).tobytes() for ref in refs] == [
        make_image(seed=seed).tobytes() for seed in range(3)
    ]


@pytest.mark.parametrize("named", ["bench", "./bench/", "../{here}/bench", "link", "{root}/link"])
def test_an_absolute_path_below_the_folder_is_read(tmp_path, monkeypatch, named):
    """However the folder is named: by a link, from below, from above."""
    monkeypatch.chdir(tmp_path)
    Path("link").symlink_to("bench")
    (tmp_path / "bench").mkdir()
    cells = []
    for seed in range(3):
        (tmp_path / "bench" / f"{seed}.png").write_bytes(png(seed))
        cells.append(str(tmp_path / "bench" / f"{seed}.png"))
    write_rows(tmp_path / "bench" / "data.parquet", [make_row(*cells)], "text")
    named = named.format(here=tmp_path.name, root=tmp_path)
    assert len(EditRewardBench(path=named).load(tmp_path / "cache").pairs) == 1


@pytest.mark.parametrize(
    ("kind", "cell", "problem", "said"),
    [
        ("text", "images/none.png", "missing_image", "no file 'images/none.png' in "),
        ("text", "../secret.png", "missing_image", "no file '../secret.png' in "),
        ("text", "{root}/secret.png", "missing_image", "secret.png' in "),
        ("text", "https://example.org/a.png", "missing_image", "address"),
        ("text", "a\0.png", "missing_image", "no file "),
        ("text", "x" * 5000, "missing_image", "no file "),
        ("text", "data:image/png;base64,%%%", "unreadable_image", "base64 text"),
        ("text", None, "missing_image", "empty"),
        ("struct", {"bytes": None, "path": None}, "missing_image", "empty"),
        ("struct", {"bytes": None, "path": "gone.png"}, "missing_image", "no file 'gone.png'"),
        ("bytes", b"no image", "unreadable_image", ""),
        ("number", 7, "missing_image", "a int "),
    ],
)
def test_an_image_that_is_not_to_be_had_is_named_for_what_it_is(tmp_path, kind, cell, problem, said):
    (tmp_path / "secret.png").write_bytes(png(0))
    good = {"text": base64_url(png(1)), "struct": {"bytes": png(1), "path": None}, "bytes": png(1), "number": 1}[kind]
    if isinstance(cell, str):
        cell = cell.replace("{root}", str(tmp_path))
    rows = [make_row(good, good, good)] if kind != "number" else []
    write_rows(tmp_path / "bench" / "data.parquet", [*rows, make_row(good, good, cell)], kind)
    if kind == "number":
        with pytest.raises(DataError, match=said):
            load(tmp_path / "bench", tmp_path / "cache")
        return
    bench = load(tmp_path / "bench", tmp_path / "cache")
    assert bench.left_out.counts == {problem: 1}
    assert said in bench.left_out.names[problem][0]


def test_no_list_of_images_is_a_row_that_is_left_out(tmp_path):
    row = make_row(png(0), png(1), png(2))
    write_rows(tmp_path / "bench" / "data.parquet", [row, row | {"output_images": None}], "bytes")
    assert load(tmp_path / "bench", tmp_path / "cache").left_out.counts == {"not_two_candidates": 1}


@pytest.mark.parametrize("name", ["bench[1]", "bench*", "bench?", "{bench1,b}", "zip::bench1", "bench1#x", "**"])
def test_what_is_named_is_read_and_not_what_it_matches_as_a_pattern(tmp_path, monkeypatch, name):
    """Beside it are folders that the name would match as a pattern, or as a chain of fsspec."""
    monkeypatch.chdir(tmp_path)
    for folder, instruction in (("bench1", "Wrong."), ("b", "Wrong."), (name, "Right.")):
        row = make_row(png(0), png(1), png(2), instruction=instruction)
        write_rows(Path(folder, "data", "train[0]-of-*.parquet"), [row], "bytes")
    for path in (Path(name), tmp_path / name):
        bench = load(path, tmp_path / name / "cache")
        assert [pair.task.instruction for pair in bench.pairs] == ["Right."]
        assert bench.name == name
        assert len([*bench.root.rglob("*.png")]) == 3


def test_a_split_is_a_name_and_no_pattern(tmp_path):
    rows = [make_row(png(0), png(1), png(2))]
    write_rows(tmp_path / "a-0.parquet", rows, "bytes")
    with pytest.raises(DataError, match="schema of GenAI-Bench"):
        GenAIBench(path=str(tmp_path), split="[a]").load(tmp_path / "cache")


def test_a_column_that_is_there_twice_is_refused(tmp_path):
    import pyarrow
    import pyarrow.parquet as parquet

    file = write_rows(tmp_path / "bench" / "data.parquet", [make_row(png(0), png(1), png(2))], "bytes")
    table = parquet.read_table(file)
    parquet.write_table(table.append_column("dimension", pyarrow.array(["consistency"])), file)
    with pytest.raises(DataError, match=r"data\.parquet: two columns .*'dimension'"):
        load(tmp_path / "bench", tmp_path / "cache")


LOAD = """
import sys
from pathlib import Path
from editjudge.__main__ import run
from eval.benchmarks.editreward_bench import EditRewardBench

def main(arguments):
    bench = EditRewardBench(path=arguments[0]).load(Path(arguments[1]))
    print(len(bench.pairs), bench.pairs[0].better.editor, bench.pairs[0].task.instruction)

sys.exit(run("load", main, sys.argv[1:]))
"""


def run_code(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A program of its own: where the hub and the caches lie is read when their libraries are imported."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGINGFACE_"))}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=others | {"HF_HUB_OFFLINE": "0"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def published(tmp_path):
    """The folder of a data set on a hub, and a place below which nothing can be made: a file."""
    row = make_row(png(0), png(1), png(2))
    write_rows(tmp_path / "bench" / "data" / "train-00000-of-00001.parquet", [row, row], "bytes")
    (tmp_path / "file").write_text("")
    return tmp_path


def test_a_data_set_on_the_hub_is_read_by_its_name(published):
    with fake_hub("owner/bench", published / "bench") as address:
        images, home = str(published / "images"), str(published / "home")
        ran = run_code(LOAD, "owner/bench", images, HF_ENDPOINT=address, HF_HOME=home)
    assert ran.stdout == "2 one Make the sky pink.\n", ran.stderr
    assert len(list((published / "images").rglob("*.png"))) == 3


def test_a_local_benchmark_needs_no_cache(published):
    folder, images = str(published / "bench"), str(published / "images")
    ran = run_code(LOAD, folder, images, HF_HOME=str(published / "file" / "hf"))
    assert (ran.returncode, ran.stdout) == (0, "2 one Make the sky pink.\n"), ran.stderr


def test_without_a_cache_of_datasets_a_passing_folder_of_the_run_is_taken(published):
    homes = {"HF_HOME": str(published / "home"), "HF_DATASETS_CACHE": str(published / "file" / "datasets")}
    with fake_hub("owner/bench", published / "bench") as address:
        ran = run_code(LOAD, "owner/bench", str(published / "images"), HF_ENDPOINT=address, **homes)
    assert (ran.returncode, ran.stdout) == (0, "2 one Make the sky pink.\n"), ran.stderr
    assert [path.name for path in (published / "images").iterdir()] == ["images"]


@pytest.mark.parametrize("variable", ["HF_HOME", "HF_HUB_CACHE"])
def test_a_cache_of_the_hub_that_cannot_be_written_is_named_with_its_variable(published, variable):
    place = published / "file" / "hf"
    homes = {"HF_HOME": str(published / "home")} | {variable: str(place)}
    with fake_hub("owner/bench", published / "bench") as address:
        ran = run_code(LOAD, "owner/bench", str(published / "images"), HF_ENDPOINT=address, **homes)
    assert ran.returncode == 1
    said = ran.stderr.strip().splitlines()[-1]
    cache = place / "hub" if variable == "HF_HOME" else place
    assert said.startswith(f"owner/bench: the cache of the Hugging Face hub, {cache}, cannot be written (Not a dir")
    assert "set the environment variable HF_HOME" in said
    assert "Traceback" not in ran.stderr


LOAD_MODEL = """
import sys
from editjudge.families import get_family
from editjudge.engines.weights import load_config, model_digest
from editjudge.errors import CheckpointError

for load in (get_family("qwen2_5_vl").load_processor, load_config, lambda name: model_digest(name, None)):
    try:
        load("owner/model")
    except CheckpointError as error:
        print(error)
"""


def test_a_model_that_cannot_be_cached_names_the_variable(published):
    with fake_hub("owner/other", published / "bench") as address:
        ran = run_code(LOAD_MODEL, HF_ENDPOINT=address, HF_HOME=str(published / "file" / "hf"))
    lines = ran.stdout.splitlines()
    assert len(lines) == 3, ran.stderr
    assert all(f"{published / 'file' / 'hf' / 'hub'}, cannot be written (Not a directory)" in line for line in lines)
