from __future__ import annotations

import glob
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from children import alive, environment, family_of, killed_at, run_until_killed, start, stopped_at, wait_until
from factories import make_image
from places import ROOT
from sft_ground import make_base, make_run

from editjudge.errors import CheckpointError, DataError, StaleOutputError, StorageError
from editjudge.files.io import write_jsonl
from editjudge.formats.checkpoint import scan
from editjudge.formats.judge_settings import JUDGE_FILE, JudgeSettings, read_trained
from editjudge.images.store import ImageStore
from editjudge.prompts.prompt_sets import get_prompts
from editjudge.system.provenance import cores
from editjudge.training import checkpoints
from editjudge.training.launch import World, process_count
from sft.callbacks import Observer
from sft.data import read_examples
from sft.train import main

STEPS = 24


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("base"))


def weights(checkpoint: Path) -> dict[str, Any]:
    from safetensors.numpy import load_file

    return load_file(checkpoint / "adapter_model.safetensors")


def assert_same_adapter(one: Path, other: Path, exact: bool) -> None:
    """Bit by bit, or with a difference of at most 1e-3 of each tensor (Euclidean norms)."""
    import numpy as np

    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    for name, value in first.items():
        difference = np.linalg.norm(value - second[name])
        assert difference <= (0 if exact else 1e-3 * np.linalg.norm(value)), name


def log(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def command(recipe: Path, *overrides: str) -> list[str]:
    return [str(ROOT / "sft" / "train.py"), str(recipe), *overrides]


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """One thread for sums in this process, as in those that `children` starts: their weights are compared exactly."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def whole(base: Path, one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run that nobody interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    assert main([str(make_run(folder, base, train={"max_steps": STEPS, "save_steps": 4}))]) == 0
    return folder


def test_a_run_leaves_log_record_and_complete_checkpoints(whole: Path) -> None:
    out = whole / "out"
    assert [row["step"] for row in log(out)] == list(range(1, STEPS + 1))
    assert log(out)[-1]["loss"] < log(out)[0]["loss"]
    found = scan(out).complete
    assert [checkpoint.step for checkpoint in found] == list(range(4, STEPS + 1, 4))
    assert all(checkpoint.world_size == 1 for checkpoint in found)
    record = json.loads((out / "run.json").read_text())
    assert record["recipe"]["seed"] == 3
    assert set(record["seconds"]) == {"data", "load", "train"}
    assert json.loads((out / "done.json").read_text())["info"] == {
        "step": STEPS,
        "checkpoint": f"checkpoint-{STEPS}",
        "rows": 16,
    }


OTHER_MACHINE = {
    "OMP_NUM_THREADS": "4",
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_CBWR": "COMPATIBLE",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
}
"""Sums as an older processor with more cores rounds them."""


@pytest.mark.slow
def test_other_threads_and_instructions_give_the_same_adapter_within_the_stated_tolerance(
    whole: Path, base: Path, tmp_path: Path
) -> None:
    """docs/architecture.md states it."""
    recipe = make_run(tmp_path, base, train={"max_steps": STEPS, "save_steps": 4})
    process = start(command(recipe), env=environment(**OTHER_MACHINE))
    text = process.communicate()[0]
    assert process.returncode == 0, text
    losses = [[row["loss"] for row in log(folder / "out")] for folder in (tmp_path, whole)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert_same_adapter(tmp_path / "out" / f"checkpoint-{STEPS}", whole / "out" / f"checkpoint-{STEPS}", exact=False)


def test_a_finished_run_says_so(whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (whole / "out" / "log.jsonl").read_bytes()
    assert main([str(whole / "recipe.yaml")]) == 0
    assert "this run is finished" in capsys.readouterr().out
    assert (whole / "out" / "log.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("override", "change"),
    [
        ("train.learning_rate=1e-3", "recipe.train.learning_rate: 0.005 -> 0.001"),
        ("lora.rank=8", "recipe.lora.rank: 4 -> 8"),
        ("seed=4", "recipe.seed: 3 -> 4"),
    ],
)
def test_a_changed_recipe_is_refused(whole: Path, override: str, change: str) -> None:
    with pytest.raises(StaleOutputError, match=change):
        main([str(whole / "recipe.yaml"), override])


def test_changed_data_are_refused(base: Path, tmp_path: Path) -> None:
    recipe = make_run(tmp_path, base, train={"max_steps": 1})
    assert main([str(recipe)]) == 0
    data = tmp_path / "data" / "train.jsonl"
    data.write_text("".join(data.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(StaleOutputError, match="data: "):
        main([str(recipe)])


def test_a_killed_run_goes_on_and_ends_with_the_same_adapter(whole: Path, base: Path, tmp_path: Path) -> None:
    """Killed when everything of checkpoint 12 is written but its marker. The folder's name is no pattern."""
    folder = tmp_path / "run[1]"
    recipe, out = make_run(folder, base, train={"max_steps": STEPS, "save_steps": 4}), folder / "out"
    run_until_killed(command(recipe), killed_at("*/checkpoint-12/done.json"))
    assert [checkpoint.step for checkpoint in scan(out).complete] == [4, 8]
    assert [row["step"] for row in log(out)] == list(range(1, 13))
    (out / "checkpoint-12" / "adapter_model.safetensors").write_bytes(b"half")
    with (out / "log.jsonl").open("a") as handle:
        handle.write('{"step": 99')
    assert main([str(recipe)]) == 0
    assert [row["step"] for row in log(out)] == list(range(1, STEPS + 1))
    assert [row["loss"] for row in log(out)] == [row["loss"] for row in log(whole / "out")]
    assert_same_adapter(out / f"checkpoint-{STEPS}", whole / "out" / f"checkpoint-{STEPS}", exact=True)
    assert len(json.loads((out / "run.json").read_text())["earlier"]) == 1


@pytest.mark.parametrize("name", ["run", "run[1]", "run*", "a?b"])
def test_files_of_a_checkpoint_are_found_by_glob_whatever_its_folder_is_called(tmp_path: Path, name: str) -> None:
    """As transformers and DeepSpeed look for them."""
    checkpoint = tmp_path / name / "checkpoint-4"
    (checkpoint / "global_step4").mkdir(parents=True)
    with checkpoints.under_plain_name(checkpoint) as path:
        found = glob.glob(f"{path}/global_step*")
        assert [Path(item).resolve() for item in found] == [(checkpoint / "global_step4").resolve()]
        assert path.name == "checkpoint-4"
    assert (checkpoint / "global_step4").is_dir()
    assert path == checkpoint or not path.exists()


def test_two_runs_cannot_write_to_one_folder(base: Path, tmp_path: Path) -> None:
    recipe = make_run(tmp_path, base)
    with (
        checkpoints.only_writer(tmp_path / "out"),
        pytest.raises(StorageError, match="another process"),
    ):
        main([str(recipe)])


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_an_image_that_is_lost_ends_a_run_that_can_be_resumed(base: Path, tmp_path: Path, workers: int) -> None:
    """The rows were checked by the run that is killed. Also in a process that loads batches."""
    recipe = make_run(tmp_path, base, train={"dataloader_num_workers": workers})
    run_until_killed(command(recipe), killed_at("*/checkpoint-4/done.json"))
    images = tmp_path / "data" / "images"
    lost = images / "0-after.png" if workers == 0 else images / "5-after.png"  # the first is read by the trainer itself
    content = lost.read_bytes()
    lost.unlink()
    process = start(command(recipe))
    text = process.communicate()[0]
    assert process.returncode == 1, text
    assert f"\n{lost}: " in text
    assert "Traceback" not in text
    lost.write_bytes(content)
    assert main([str(recipe)]) == 0
    assert [row["step"] for row in log(tmp_path / "out")] == [1, 2, 3, 4, 5, 6]


@pytest.mark.slow
def test_a_full_disk_is_told_and_leaves_nothing_that_looks_complete(base: Path, tmp_path: Path) -> None:
    """No file may grow beyond 20,000 bytes: the adapter does not fit, everything before it does."""
    recipe = make_run(tmp_path, base)
    done = subprocess.run(
        [sys.executable, str(ROOT / "sft" / "train.py"), str(recipe)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
    )
    assert done.returncode == 1, done.stderr
    assert "checkpoint-2: could not be written whole" in done.stderr
    assert "Traceback" not in done.stderr
    assert scan(tmp_path / "out").complete == ()


def test_dropped_rows_are_listed_and_too_many_refused(base: Path, tmp_path: Path) -> None:
    recipe = make_run(tmp_path, base, train={"max_steps": 1})
    (tmp_path / "data" / "images" / "0-before.png").write_bytes(b"broken")
    with pytest.raises(DataError, match="1 of 16 rows"):
        main([str(recipe), f"out={tmp_path / 'strict'}"])
    assert main([str(recipe), "max_dropped=0.1"]) == 0
    info = json.loads((tmp_path / "out" / "data.json").read_text())["info"]
    assert [(row["id"], row["reason"]) for row in info["dropped"]] == [("0s", "unreadable_image")]
    assert json.loads((tmp_path / "out" / "done.json").read_text())["info"]["rows"] == 15


def test_a_row_that_the_processor_refuses_does_not_end_training(base: Path, tmp_path: Path) -> None:
    recipe = make_run(tmp_path, base, train={"max_steps": 1}, max_dropped=0.1)
    data = tmp_path / "data" / "train.jsonl"
    first, *rest = read_examples(str(data))
    narrow = ImageStore(data.parent).add(make_image(9, 2048), "narrow.png")
    shown = {"images": (narrow, first.images[1]), "shown_width": narrow.width, "shown_height": narrow.height}
    write_jsonl(data, [first.model_copy(update=shown), *rest[1:]])
    assert main([str(recipe)]) == 0
    info = json.loads((tmp_path / "out" / "data.json").read_text())["info"]
    assert [(row["id"], row["reason"]) for row in info["dropped"]] == [("0s", "aspect_ratio")]


def test_every_checkpoint_says_how_its_judge_is_to_be_asked(whole: Path) -> None:
    wanted = JudgeSettings.of("qwen2_5_vl", get_prompts("brief-v1"), 56 * 56, "srgb")
    out = whole / "out"
    found = [read_trained(folder) for folder in (out, *(each.path for each in scan(out).complete))]
    assert len(found) > 2
    assert [trained and trained.settings for trained in found] == [wanted] * len(found)


def test_a_checkpoint_is_not_complete_before_it_says_so(tmp_path: Path) -> None:
    settings = JudgeSettings.of("qwen2_5_vl", get_prompts("brief-v1"), None, "srgb")
    observer = Observer(tmp_path, {}, settings, world_size=1, main=True, keep=None)
    (tmp_path / "checkpoint-2" / JUDGE_FILE).mkdir(parents=True)  # cannot be written
    with pytest.raises(StorageError, match=r"judge\.yaml"):
        observer.saved(2)
    assert scan(tmp_path).complete == ()
    (tmp_path / "checkpoint-2" / JUDGE_FILE).rmdir()
    observer.saved(2)
    assert [each.step for each in scan(tmp_path).complete] == [2]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"prompt_version": "editjudge-v1"}, "brief-v1, editjudge-v1"),
        ({"prompt": "<image><image>Another wording."}, "row 0s "),
        ({"scale": 10.0}, "row 0s "),
    ],
)
def test_rows_that_no_judge_could_be_asked_like_are_refused(
    base: Path, tmp_path: Path, change: dict[str, Any], problem: str
) -> None:
    recipe = make_run(tmp_path, base, train={"max_steps": 1})
    data = tmp_path / "data" / "train.jsonl"
    first, *rest = read_examples(str(data))
    write_jsonl(data, [first.model_copy(update=change), *rest])
    with pytest.raises(DataError) as error:
        main([str(recipe)])
    assert problem in str(error.value)
    assert not (tmp_path / "out" / JUDGE_FILE).exists()


def test_rows_of_an_unknown_prompt_set_are_refused(base: Path, tmp_path: Path) -> None:
    recipe = make_run(tmp_path, base, train={"max_steps": 1})
    data = tmp_path / "data" / "train.jsonl"
    write_jsonl(data, [row.model_copy(update={"prompt_version": "mine"}) for row in read_examples(str(data))])
    with pytest.raises(DataError, match="'mine'"):
        main([str(recipe)])


def test_the_colours_are_part_of_a_run(base: Path, tmp_path: Path) -> None:
    recipe = make_run(tmp_path, base, train={"max_steps": 1})
    assert main([str(recipe)]) == 0
    with pytest.raises(StaleOutputError, match="colors"):
        main([str(recipe), "colors=stored"])


def test_old_checkpoints_go_when_a_limit_is_set(base: Path, tmp_path: Path) -> None:
    assert main([str(make_run(tmp_path, base, train={"save_total_limit": 2}))]) == 0
    assert [checkpoint.step for checkpoint in scan(tmp_path / "out").complete] == [4, 6]


def test_full_fine_tuning_saves_whole_weights(base: Path, tmp_path: Path) -> None:
    assert main([str(make_run(tmp_path, base, lora=None, train={"max_steps": 2}))]) == 0
    assert (tmp_path / "out" / "checkpoint-2" / "model.safetensors").is_file()


def test_an_empty_or_partial_adapter_is_no_checkpoint(tmp_path: Path) -> None:
    import numpy as np
    from safetensors.numpy import save_file

    save_file({"a": np.zeros((4, 2), np.float32)}, tmp_path / "adapter_model.safetensors")
    checkpoints.verify_weights(tmp_path, 8)
    with pytest.raises(CheckpointError, match="8 numbers in 1 files, 9 "):
        checkpoints.verify_weights(tmp_path, 9)
    save_file({"a": np.zeros((0,), np.float32)}, tmp_path / "adapter_model.safetensors")
    with pytest.raises(CheckpointError, match="tensor a "):
        checkpoints.verify_weights(tmp_path, 0)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_diverged_weights_are_no_checkpoint(tmp_path: Path, value: float) -> None:
    import torch
    from safetensors.torch import save_file

    weights = {name: torch.zeros(4, 2, dtype=torch.bfloat16) for name in "abcde"}
    weights["d"][3, 1] = value
    save_file(weights, tmp_path / "adapter_model.safetensors")
    with pytest.raises(CheckpointError, match=r"adapter_model\.safetensors: 1 weights .*NaN.*: d\b"):
        checkpoints.verify_weights(tmp_path, 0)


def test_a_run_does_not_go_on_from_diverged_weights(base: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    recipe = make_run(tmp_path, base, train={"max_steps": 2})
    assert main([str(recipe), "train.max_steps=2"]) == 0
    (tmp_path / "out" / "done.json").unlink()
    file = tmp_path / "out" / "checkpoint-2" / "adapter_model.safetensors"
    save_file({name: weight * float("nan") for name, weight in load_file(file).items()}, file)
    with pytest.raises(CheckpointError, match="checkpoint-2/adapter_model"):
        main([str(recipe), "train.max_steps=2"])


def test_processes_started_here(base: Path, tmp_path: Path) -> None:
    import torch

    from editjudge.recipes.recipe import load_recipe
    from sft.recipe import SFTRecipe

    def count(**changes: Any) -> int:
        recipe = load_recipe(make_run(tmp_path, base, **changes), SFTRecipe)
        return process_count(recipe.processes, deepspeed=recipe.deepspeed is not None)

    assert count(processes=3) == 3
    if not torch.cuda.is_available():
        zero2 = "zero2"
        assert count(processes="auto") == 1
        assert count(processes="auto", deepspeed=zero2) == min(2, cores())
    assert World.from_environment() == World(0, 1, False)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("stage", ["zero2", "zero3"])
def test_deepspeed_on_two_processes_killed_goes_on(base: Path, tmp_path: Path, stage: str) -> None:
    """One rank is killed, then the command itself, while rank 0 is about to complete a checkpoint; each time the same
    command goes on. DeepSpeed's files are found in a folder whose name would be a pattern."""
    changes = {
        "deepspeed": stage,
        "processes": 2,
        "train": {"max_steps": 8, "save_steps": 2, "per_device_train_batch_size": 1},
    }
    folder = tmp_path / "run[1]"
    recipe, out = make_run(folder, base, **changes), folder / "out"
    straight = start(command(recipe, f"out={tmp_path / 'straight'}"))
    text = straight.communicate()[0]
    assert straight.returncode == 0, text

    def run_to(step: int) -> subprocess.Popen[str]:
        """The command, of which rank 0 stands still before it completes the checkpoint of that step."""
        reached = tmp_path / f"reached-{step}"
        process = start(command(recipe), env=stopped_at(f"*/checkpoint-{step}/done.json", reached))
        wait_until(reached.exists, process)
        assert [checkpoint.step for checkpoint in scan(out).complete] == list(range(2, step, 2))
        return process

    process = run_to(4)
    ranks = [pid for pid in family_of(process.pid) if b"--local_rank=1" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(ranks[-1], signal.SIGKILL)
    process.communicate()
    assert process.returncode != 0

    process = run_to(6)
    family = list(family_of(process.pid))
    assert len(family) >= 4  # this command, DeepSpeed's launcher, two ranks
    process.kill()
    process.communicate()
    wait_until(lambda: not [pid for pid in family if alive(pid)])

    process = start(command(recipe))
    text = process.communicate()[0]
    assert process.returncode == 0, text
    assert "resuming from" in text
    assert [row["step"] for row in log(out)] == list(range(1, 9))
    assert_same_adapter(out / "checkpoint-8", tmp_path / "straight" / "checkpoint-8", exact=False)
