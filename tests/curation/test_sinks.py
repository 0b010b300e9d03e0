"""What leaves curation in each form is what went in, and other libraries read it."""

from __future__ import annotations

import tarfile

import pytest
from curation_ground import make_context, make_recipe
from factories import make_card, make_image, make_task, make_triplet
from pydantic import ValidationError

from curation.export.sinks import Jsonl, Parquet, WebDataset
from curation.export.stages import SFT
from curation.recipe import CurationRecipe
from curation.runner.run import run_curation
from editjudge.errors import ImageError
from editjudge.files.io import read_json, read_jsonl
from editjudge.images.store import ImageStore
from editjudge.records.types import ScoreCard, SFTExample


def make_cards(root) -> list[ScoreCard]:
    """Three cards of two tasks, whose images exist."""
    store = ImageStore(root)
    inputs = [store.add(make_image(seed=number), f"images/{number}/input.png") for number in range(2)]
    tasks = [make_task(id=f"task{number}", inputs=(ref,)) for number, ref in enumerate(inputs)]
    triplets = [
        make_triplet(
            id=f"t{number}",
            task=tasks[number // 2],
            edited=store.add(make_image(seed=10 + number), f"images/{number // 2}/{number}.png"),
        )
        for number in range(3)
    ]
    return [make_card(triplet=triplet) for triplet in triplets]


def make_examples(root) -> list[SFTExample]:
    return list(SFT(prompts="brief-v1").run(make_cards(root), make_context(root)))


def test_jsonl(tmp_path):
    rows = make_examples(tmp_path)
    path = Jsonl().write(rows, SFTExample, ImageStore(tmp_path), tmp_path / "train")
    assert path == tmp_path / "train.jsonl"
    assert list(read_jsonl(path, SFTExample)) == rows


def test_parquet_is_read_by_datasets_with_its_images(tmp_path):
    from datasets import load_dataset

    rows, store = make_examples(tmp_path), ImageStore(tmp_path)
    path = Parquet().write(iter(rows), SFTExample, store, tmp_path / "train")
    table = load_dataset("parquet", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    assert [SFTExample.model_validate_json(row["record"]) for row in table] == rows
    assert table["completion"][:] == [row.completion for row in rows]
    assert table["score_bin"][:] == [row.score_bin for row in rows]
    shown = [[image.tobytes() for image in row["images"]] for row in table]
    assert shown == [[store.read(ref).tobytes() for ref in row.images] for row in rows]


def test_parquet_of_cards_has_their_scores_as_columns(tmp_path):
    import pyarrow.parquet

    rows = [*make_cards(tmp_path)[:2], make_cards(tmp_path)[2].model_copy(update={"overall": None})]
    path = Parquet().write(rows, ScoreCard, ImageStore(tmp_path), tmp_path / "cards")
    table = pyarrow.parquet.read_table(path)
    assert table.column("overall").to_pylist() == [rows[0].overall, rows[1].overall, None]
    assert "judgments" not in table.column_names
    assert [ScoreCard.model_validate_json(text) for text in table.column("record").to_pylist()] == rows


def test_webdataset_is_read_by_the_package_and_by_our_store(tmp_path):
    import webdataset

    rows, store = make_examples(tmp_path), ImageStore(tmp_path)
    folder = WebDataset(rows_per_tar=4).write(iter(rows), SFTExample, store, tmp_path / "train")
    tars = sorted(folder.glob("*.tar"))
    assert [path.name for path in tars] == ["00000.tar", "00001.tar"]
    samples = list(webdataset.WebDataset([str(path) for path in tars], shardshuffle=False).decode("pilrgb"))
    assert [sample["__key__"] for sample in samples] == [f"{number:09d}" for number in range(6)]
    for row, sample in zip(rows, samples, strict=True):
        again, images = SFTExample.model_validate(sample["json"]), [store.read(ref) for ref in row.images]
        assert again.model_copy(update={"images": row.images}) == row
        assert [sample[f"{number}.png"].tobytes() for number in range(len(images))] == [i.tobytes() for i in images]
        assert [ImageStore(folder).read(ref).tobytes() for ref in again.images] == [i.tobytes() for i in images]


def test_a_tar_file_depends_on_nothing_but_its_rows_and_old_ones_go(tmp_path):
    rows, store = make_examples(tmp_path), ImageStore(tmp_path)
    first, again = (WebDataset().write(rows, SFTExample, store, tmp_path / name) for name in ("a", "b"))
    assert (first / "00000.tar").read_bytes() == (again / "00000.tar").read_bytes()
    with tarfile.open(first / "00000.tar") as archive:
        assert {(info.mtime, info.uid, info.uname) for info in archive} == {(0, 0, "")}
    WebDataset(rows_per_tar=1).write(rows, SFTExample, store, tmp_path / "a")
    assert len(list(first.glob("*.tar"))) == 6
    WebDataset().write(rows, SFTExample, store, tmp_path / "a")
    assert [path.name for path in first.iterdir()] == ["00000.tar"]


@pytest.mark.parametrize("sink", [Parquet(), WebDataset()])
def test_an_image_that_changed_is_not_written(sink, tmp_path):
    rows = make_examples(tmp_path)
    ImageStore(tmp_path).add(make_image(seed=99), rows[0].images[0].path)
    with pytest.raises(ImageError, match=r"input\.png"):
        sink.write(rows, SFTExample, ImageStore(tmp_path), tmp_path / "train")
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".parquet", ".tar")]


def test_a_recipe_chooses_them_for_each_part(tmp_path):
    train = make_recipe()["parts"]["train"] | {"sinks": [{"use": "webdataset"}, {"use": "parquet"}]}
    parts = make_recipe()["parts"] | {"train": train}
    out = run_curation(CurationRecipe.model_validate(make_recipe(out=str(tmp_path / "out"), parts=parts))).out
    assert (out / "train-webdataset" / "00000.tar").is_file()
    assert (out / "train.parquet").is_file()
    assert not (out / "train.jsonl").exists()
    assert (out / "benchmark.jsonl").is_file()
    assert (out / "benchmark" / "data.parquet").is_file()
    files = {name: part["file"] for name, part in read_json(out / "funnel.json")["parts"].items()}
    assert files == {"benchmark": "benchmark.jsonl", "train": "train-webdataset"}


@pytest.mark.parametrize(
    ("part", "sinks", "named"),
    [
        ("train", ["editreward_bench"], r"parts\.train\.sinks\.0[\s\S]*SFTExample"),
        ("train", ["jsonl", "parquet", "jsonl"], r"parts\.train\.sinks\.2"),
        ("train", ["tape"], r"tape"),
        ("benchmark", [], r"parts\.benchmark\.sinks"),
    ],
)
def test_sinks_that_do_not_fit_are_refused(part, sinks, named):
    parts = make_recipe()["parts"]
    parts[part] = parts[part] | {"sinks": [{"use": name} for name in sinks]}
    with pytest.raises(ValidationError, match=named):
        CurationRecipe.model_validate(make_recipe(parts=parts))
