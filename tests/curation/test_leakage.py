from __future__ import annotations

from pathlib import Path

import pytest
from curation_ground import make_context, make_group
from factories import make_card, make_ref, make_task, make_triplet

from curation.export.stages import SFT
from curation.filters.leakage import Split, check_images, check_known, check_sources, source_of
from curation.stage import Drop, Photo
from editjudge.errors import DataError

SOURCES = {"benchmark": ("cat",), "tuning": ("dog",)}


def split(part: str, rows: list, tmp_path) -> list:
    return list(Split(part=part, sources=SOURCES, rest="train").run(rows, make_context(tmp_path)))


def with_input(cards: list, path: str) -> list:
    """The same cards about another input image."""
    task = cards[0].triplet.task.model_copy(update={"inputs": (make_ref(path=path),)})
    return [card.model_copy(update={"triplet": card.triplet.model_copy(update={"task": task})}) for card in cards]


def make_rows() -> list:
    """One card of each of three sources, without a common image."""
    return [
        card for name in ("cat", "dog", "sky") for card in with_input(make_group([5], task_id=name, source=name), name)
    ]


@pytest.mark.parametrize(("part", "kept"), [("benchmark", "cat-0"), ("tuning", "dog-0"), ("train", "sky-0")])
def test_every_row_goes_to_one_part(part, kept, tmp_path):
    outcomes = split(part, make_rows(), tmp_path)
    assert [row.triplet.id for row in outcomes if not isinstance(row, Drop)] == [kept]
    others = sorted({"benchmark", "tuning", "train"} - {part})
    assert sorted(row.reason for row in outcomes if isinstance(row, Drop)) == [f"in_part_{name}" for name in others]


def test_an_image_of_the_benchmark_is_kept_out_of_the_other_parts(tmp_path):
    cat, dog, sky = make_rows()
    same = with_input([sky], "cat")[0]
    assert Drop("sky-0", "image_in_benchmark", same) in split("train", [cat, dog, same], tmp_path)
    assert cat in split("benchmark", [cat, dog, same], tmp_path)


def test_a_source_in_two_parts_is_named():
    parts = {"benchmark": make_group([5], source="cat"), "train": make_group([5], source="cat")}
    with pytest.raises(DataError, match=r"'cat'.*'benchmark'.*'train'"):
        check_sources(parts)


def test_an_image_in_two_parts_is_named():
    cat, dog, sky = make_rows()
    check_images({"benchmark": [cat], "train": [dog, sky]})
    with pytest.raises(DataError, match="same image"):
        check_images({"benchmark": [cat], "train": with_input([sky], "cat")})


def test_clean_parts_pass():
    cat, dog, sky = make_rows()
    parts = {"benchmark": [cat], "tuning": [dog], "train": [sky]}
    assert check_sources(parts) is None
    with pytest.raises(DataError, match="in both"):
        check_sources({**parts, "train": [sky, cat]})


def test_unknown_sources_are_named():
    check_known(["cat"], ["cat", "dog"])
    with pytest.raises(DataError, match=r"'bird'.*cat, dog"):
        check_known(["bird", "cat"], ["cat", "dog"])


def test_source_of():
    photo = Photo(id="p", image=make_ref(), source="cat", licence="CC0", details={})
    assert source_of(photo) == "cat"
    assert source_of(make_triplet(task=make_task())) == "photo0"
    rows = SFT(prompts="brief-v1").run([make_card()], make_context(Path()))
    assert [source_of(row) for row in rows] == ["photo0", "photo0"]  # so that a training set can be checked afterwards
