"""Photographs and instructions: what the first two stages of the quickstart give."""

from __future__ import annotations

import io
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError
from world import make_context

from curation.stage import Drop, Fail, Photo
from curation.synthetic.edits import EDITS
from curation.synthetic.photographs import PHOTOGRAPHS, Photograph, Photographs, _decoded
from curation.synthetic.templates import Templates
from editjudge.errors import MissingExtraError
from editjudge.images.pixels import load_image
from editjudge.records.types import EditTask

SOME = ("coffee", "chelsea", "camera")


def photos(root, stage=None, **changes):
    stage = Photographs(crops=3, photographs=SOME) if stage is None else stage
    return list(stage.run((), make_context(root, **changes)))


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_every_photograph_is_there_and_has_a_licence(name):
    assert PHOTOGRAPHS[name].locate().is_file()
    assert PHOTOGRAPHS[name].licence


def test_a_missing_package_ends_the_run_instead_of_failing_every_row(tmp_path, monkeypatch):
    monkeypatch.setitem(PHOTOGRAPHS, "coffee", Photograph("no_such_package", "coffee.png", "CC0-1.0"))
    with pytest.raises(MissingExtraError, match=r"no_such_package .*pip install"):
        photos(tmp_path)


def test_the_photograph_with_a_profile_keeps_its_stored_numbers():
    """`rocket` is in Adobe RGB; the quickstart's figures were measured on its pixels as they are in the file."""
    path = PHOTOGRAPHS["rocket"].locate()
    with Image.open(path) as image:
        assert _decoded(path).tobytes() == image.convert("RGB").tobytes()
    assert load_image(path).tobytes() != _decoded(path).tobytes()


def test_pictures_with_the_usual_srgb_profile_stay_as_stored():
    """Converted, some colours would move by a level; the profile is the one that most cameras and programs embed."""
    with Image.open(PHOTOGRAPHS["astronaut"].locate()) as image:
        profile = image.info["icc_profile"]
    steps = np.linspace(0, 255, 17).round().astype(np.uint8)
    colours = Image.fromarray(np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(17, -1, 3))
    buffer = io.BytesIO()
    colours.save(buffer, "PNG", icc_profile=profile)
    assert load_image(buffer.getvalue()).tobytes() == colours.tobytes()


def test_crops_are_square_stored_and_named_after_their_photograph(tmp_path):
    rows = [row for row in photos(tmp_path) if isinstance(row, Photo)]
    assert {row.source for row in rows} == set(SOME)
    assert len({row.id for row in rows}) == len(rows)
    for row in rows:
        assert (row.image.width, row.image.height) == (112, 112)
        assert (tmp_path / row.image.path).is_file()


def test_the_shards_share_the_crops_between_them(tmp_path):
    whole = {row.id for row in photos(tmp_path / "a") if isinstance(row, Photo)}
    parts = [
        {row.id for row in photos(tmp_path / "b", shard=shard, shards=4) if isinstance(row, Photo)}
        for shard in range(4)
    ]
    assert set().union(*parts) == whole
    assert sum(len(part) for part in parts) == len(whole)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_crops(tmp_path):
    first, again = photos(tmp_path / "a"), photos(tmp_path / "b")
    assert first == again
    assert [row.image.sha256 for row in first] == [row.image.sha256 for row in again]
    assert {row.image.sha256 for row in first}.isdisjoint(row.image.sha256 for row in photos(tmp_path / "c", seed=2))


def test_flat_crops_are_dropped_on_purpose(tmp_path):
    rows = photos(tmp_path, Photographs(crops=2, photographs=SOME, min_contrast=0.5))
    assert all(isinstance(row, Drop) and row.reason == "flat_crop" for row in rows)


@pytest.mark.parametrize("changes", [{"photographs": ("mona_lisa",)}, {"photographs": ()}, {"crops": 0}])
def test_bad_parameters_are_refused(changes):
    with pytest.raises(ValidationError):
        Photographs(**changes)


def test_a_photograph_gets_different_tasks_and_an_input_image(tmp_path):
    ctx = make_context(tmp_path)
    rows = [row for row in photos(tmp_path) if isinstance(row, Photo)]
    tasks = list(Templates(tasks_per_photo=4).run(rows, ctx))
    assert len(tasks) == 4 * len(rows)
    per_photo = Counter((task.origin.plan["photo"]["sha256"], task.task_type) for task in tasks)
    assert max(per_photo.values()) == 1
    for task in tasks:
        assert isinstance(task, EditTask)
        assert (tmp_path / task.inputs[0].path).is_file()
        assert "{" not in task.instruction


def test_all_task_types_come_up(tmp_path):
    rows = [row for row in photos(tmp_path, Photographs(crops=12, photographs=SOME)) if isinstance(row, Photo)]
    found = {task.task_type for task in Templates(tasks_per_photo=3).run(rows, make_context(tmp_path))}
    assert found == set(EDITS)


def test_a_missing_photo_file_fails_its_task_only(tmp_path):
    rows = [row for row in photos(tmp_path) if isinstance(row, Photo)]
    (tmp_path / rows[0].image.path).unlink()
    outcomes = list(Templates().run(rows, make_context(tmp_path)))
    assert isinstance(outcomes[0], Fail)
    assert all(isinstance(outcome, EditTask) for outcome in outcomes[1:])


@pytest.mark.parametrize("tasks", [("ps_human",), ("subject_add",), ()])
def test_tasks_without_templates_are_refused(tasks):
    with pytest.raises(ValidationError):
        Templates(tasks=tasks)
