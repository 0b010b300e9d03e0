"""What an image filter and an editor take to add: a module, a line in a table, a test. Here both are this file."""

from __future__ import annotations

from typing import ClassVar

import pytest
import yaml
from curation_ground import make_recipe
from PIL import Image, ImageOps

import curation
from curation.runner.run import main
from curation.stage import Context, Filter
from editjudge.cli.catalog import catalog
from editjudge.cli.check import main as check_main
from editjudge.editors.base import Editor
from editjudge.files.io import read_jsonl, read_objects
from editjudge.formats.funnel import read_funnel
from editjudge.images.store import ImageStore
from editjudge.records.types import EditTask, EditTriplet


class Unchanged(Filter):
    """Drop outputs that are their input, to the byte."""

    version: ClassVar[int] = 1

    def check(self, row: EditTriplet, ctx: Context) -> str | None:
        return "unchanged" if row.edited.sha256 == row.task.inputs[0].sha256 else None


class Mirror(Editor):
    """Mirrors the input whatever it is asked for."""

    @property
    def identity(self) -> str:
        return "mirror-v1"

    def edit(self, task: EditTask, images: ImageStore, seed: int) -> Image.Image:
        return ImageOps.mirror(images.read(task.inputs[0]))


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """A recipe that uses both; this is all that names them."""
    monkeypatch.setitem(curation.STAGES, "unchanged", f"{__name__}:Unchanged")
    monkeypatch.setitem(curation.EDITORS, "mirror", f"{__name__}:Mirror")
    source, templates, edit, *_ = make_recipe()["stages"]
    edit = {**edit, "editors": {**edit["editors"], "mirror": {"use": "mirror"}}, "per_task": 3}
    stages = [source, templates, edit, {"use": "unchanged"}, {"use": "min_side", "px": 8}]
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(make_recipe(out=str(tmp_path / "out"), stages=stages, parts={"train": {}})))
    return path


def test_they_run_are_counted_and_leave_what_they_drop(recipe, tmp_path):
    assert main([str(recipe)]) == 0
    out = tmp_path / "out"
    made, kept = (
        next(stage for stage in read_funnel(out / "funnel.json").stages if stage.stage == name)
        for name in ("edit", "unchanged")
    )
    assert kept.dropped == {"unchanged": made.rows_in}  # one of the three editors changes nothing
    dropped = [row for path in (out / "stages").glob("03-*/dropped/*.jsonl") for _, row in read_objects(path)]
    assert {row["row"]["editor"] for row in dropped} == {"programmatic-v1:untouched+none"}
    assert "mirror-v1" in {row.editor for row in read_jsonl(out / "train.jsonl", EditTriplet)}


def test_they_run_dry_and_are_listed_and_checked(recipe, tmp_path, capsys):
    assert main([str(recipe), "--dry-run"]) == 0
    assert read_funnel(tmp_path / "out-dry-run" / "funnel.json").parts["train"].rows > 0
    check_main([str(recipe)])
    assert "unchanged" in capsys.readouterr().out
    listed = catalog()
    assert listed["editors"]["mirror"] == "Mirrors the input whatever it is asked for."
    assert listed["sources, stages and filters"]["unchanged"].startswith("Drop outputs")
