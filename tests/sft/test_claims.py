"""A folder belongs to a run from the first thing worth keeping: a corrected mistake needs no other `out`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT
from sft_ground import make_base, make_run

from editjudge.errors import CheckpointError, DataError, EditJudgeError, StaleOutputError
from editjudge.files.io import is_marked, write_marker
from editjudge.formats.checkpoint import mark_complete, require_complete, scan, training_identity
from editjudge.training import checkpoints
from eval.checkpoints import pin_training
from sft.train import main


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("base"))


def test_after_a_mistake_in_training_the_corrected_command_runs_in_the_same_folder(base: Path, tmp_path: Path) -> None:
    """Each run ends before its first checkpoint, at another stage: the data, the loading of the model."""
    recipe, out = make_run(tmp_path, base, train={"max_steps": 1}), tmp_path / "out"
    with pytest.raises(DataError, match="cannot be trained on"):
        main([str(recipe), "max_tokens=5"])
    cut = shutil.copytree(base, tmp_path / "cut") / "model.safetensors"
    cut.write_bytes(cut.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="damaged"):
        main([str(recipe), f"model={cut.parent}"])
    assert scan(out).complete == ()
    assert main([str(recipe)]) == 0
    assert json.loads((out / "started.json").read_text())["identity"]["recipe"]["max_tokens"] == 8192


def test_a_complete_checkpoint_keeps_the_folder(base: Path, tmp_path: Path) -> None:
    recipe, out = make_run(tmp_path, base, train={"max_steps": 1}), tmp_path / "out"
    assert main([str(recipe)]) == 0
    (out / "done.json").unlink()  # as if it had been stopped after its first checkpoint
    with pytest.raises(StaleOutputError, match=r"recipe\.seed: 3 -> 4"):
        main([str(recipe), "seed=4"])


def test_a_claim_is_replaced_until_something_is_complete(tmp_path: Path) -> None:
    checkpoints.claim(tmp_path, {"rank": 4})
    checkpoints.claim(tmp_path, {"rank": 8})
    (tmp_path / "checkpoint-2").mkdir()  # half-written
    checkpoints.claim(tmp_path, {"rank": 16})
    assert training_identity(tmp_path) == {"rank": 16}
    mark_complete(tmp_path / "checkpoint-2", {"rank": 16}, 2, 1)
    checkpoints.claim(tmp_path, {"rank": 16})
    with pytest.raises(StaleOutputError, match="rank: 16 -> 4"):
        checkpoints.claim(tmp_path, {"rank": 4})


def test_a_half_written_first_checkpoint_is_still_known_as_ours(tmp_path: Path) -> None:
    checkpoints.claim(tmp_path, {"rank": 4})
    (tmp_path / "checkpoint-2").mkdir()
    with pytest.raises(CheckpointError, match="incomplete"):
        require_complete(tmp_path / "checkpoint-2")


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_two_processes_ignore_the_claim_of_a_run_that_failed(base: Path, tmp_path: Path) -> None:
    """The second process must not take up what the first is about to replace."""
    changes = {"processes": 2, "train": {"max_steps": 1, "per_device_train_batch_size": 1}}
    recipe, out = make_run(tmp_path, base, **changes), tmp_path / "out"
    command = [sys.executable, str(ROOT / "sft" / "train.py"), str(recipe)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    failed = subprocess.run([*command, "max_tokens=5"], env=environment, capture_output=True, text=True, check=False)
    assert failed.returncode != 0
    assert (out / "started.json").is_file()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (out / "done.json").is_file()


def test_a_sweep_is_pinned_to_a_training_by_its_first_figures(tmp_path: Path) -> None:
    run, sweep = tmp_path / "run", tmp_path / "sweep"
    write_marker(run / "started.json", {"rank": 4}, {})
    pin_training(run, sweep)
    write_marker(run / "started.json", {"rank": 8}, {})
    pin_training(run, sweep)
    assert is_marked(sweep / "training.json", {"rank": 8})
    write_marker(sweep / "step-000010-k1" / "bench" / "shards" / "00000.done.json", {}, {})
    pin_training(run, sweep)
    write_marker(run / "started.json", {"rank": 16}, {})
    with pytest.raises(StaleOutputError, match="rank: 8 -> 16"):
        pin_training(run, sweep)


def test_a_stage_that_failed_can_be_replaced_by_another(tmp_path: Path) -> None:
    """The judge's model is not there; the corrected recipe measures instead."""
    from curation_ground import make_recipe

    from curation.recipe import CurationRecipe
    from curation.runner.run import run_curation

    good = make_recipe(out=str(tmp_path / "out"))
    index = next(number for number, stage in enumerate(good["stages"]) if stage["use"] == "measure")
    stages = [*good["stages"]]
    stages[index] = {"use": "judge", "engine": "teacher", "prompts": "brief-v1"}
    engines = {"teacher": {"use": "hf", "model": str(tmp_path / "base")}}
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "model.safetensors").write_bytes(b"")
    with pytest.raises(EditJudgeError):
        run_curation(CurationRecipe.model_validate({**good, "stages": stages, "engines": engines}))
    left = [path for path in (tmp_path / "out" / "stages").iterdir() if path.name.endswith("-judge")]
    assert left
    assert [path for folder in left for path in folder.glob("*.done.json")] == []
    assert run_curation(CurationRecipe.model_validate(good)).parts
