"""The folder of a training run as its readers find it."""

from __future__ import annotations

from pathlib import Path

import pytest

from editjudge.errors import CheckpointError
from editjudge.files.io import write_marker
from editjudge.formats.checkpoint import (
    DONE,
    STARTED,
    checkpoint_folder,
    mark_complete,
    read_checkpoint,
    require_complete,
    scan,
    training_identity,
)


def make_checkpoint(out: Path, step: int, complete: bool = True) -> Path:
    folder = checkpoint_folder(out, step)
    folder.mkdir(parents=True)
    if complete:
        mark_complete(folder, {"rank": 4}, step, 2)
    return folder


def test_a_run_that_does_not_exist_yet_holds_nothing(tmp_path):
    found = scan(tmp_path / "out")
    assert (found.complete, found.incomplete, found.finished) == ((), (), False)
    assert training_identity(tmp_path / "out") is None


def test_checkpoints_are_told_apart_and_ordered_by_step(tmp_path):
    for step, complete in ((200, True), (1000, False), (30, True), (300, False)):
        make_checkpoint(tmp_path, step, complete)
    (tmp_path / "checkpoint-best").mkdir()
    (tmp_path / "checkpoint-5").write_text("a file")
    found = scan(tmp_path)
    assert [(each.step, each.world_size, each.path.name) for each in found.complete] == [
        (30, 2, "checkpoint-30"),
        (200, 2, "checkpoint-200"),
    ]
    assert [path.name for path in found.incomplete] == ["checkpoint-300", "checkpoint-1000"]
    assert not found.finished
    write_marker(tmp_path / DONE, {}, {})
    assert scan(tmp_path).finished


def test_the_step_is_the_one_that_training_recorded(tmp_path):
    make_checkpoint(tmp_path, 40).rename(tmp_path / "checkpoint-7")
    assert [(each.step, each.path.name) for each in scan(tmp_path).complete] == [(40, "checkpoint-7")]


@pytest.mark.parametrize(
    ("info", "said"),
    [
        ({"step": 2, "world_size": 1}, "another version of EditJudge"),
        ({"format": 99, "step": 2, "world_size": 1}, "another version of EditJudge"),
        ({"format": 1, "step": "7", "world_size": 1}, "step: .*'7'"),
        ({"format": 1, "step": 0, "world_size": 1}, "step: "),
        ({"format": 1, "step": 2}, "world_size: "),
    ],
)
def test_another_format_is_refused_with_one_line_that_says_what_to_do(tmp_path, info, said):
    write_marker(tmp_path / "checkpoint-2" / DONE, {}, info)
    with pytest.raises(CheckpointError, match=f"checkpoint-2.*{said}.*train it again") as error:
        read_checkpoint(tmp_path / "checkpoint-2")
    assert "\n" not in str(error.value)
    with pytest.raises(CheckpointError):
        scan(tmp_path)


def test_a_half_written_checkpoint_of_ours_is_refused_and_adapters_made_elsewhere_are_not(tmp_path):
    folder = make_checkpoint(tmp_path, 2, complete=False)
    require_complete(folder)
    write_marker(tmp_path / STARTED, {"rank": 4}, {})
    assert training_identity(tmp_path) == {"rank": 4}
    with pytest.raises(CheckpointError, match="incomplete"):
        require_complete(folder)
    mark_complete(folder, {"rank": 4}, 2, 1)
    require_complete(folder)
    with pytest.raises(CheckpointError, match="no such checkpoint folder"):
        require_complete(tmp_path / "checkpoint-4")
