"""The runner on the programmatic world: real photographs, real processes, really killed."""

from __future__ import annotations

import json
import logging
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from children import NEVER_S, alive, children_of, killed_at, run_until_killed, start, wait_until
from curation_ground import EDITORS, make_recipe

from curation.recipe import CurationRecipe
from curation.runner.run import run_curation
from editjudge.errors import DataError, EditJudgeError, StaleOutputError, StorageError
from editjudge.files.io import read_json, read_jsonl, read_marker, read_objects
from editjudge.recipes.recipe import load_recipe
from editjudge.records.types import PreferencePair, SFTExample


def write_recipe(folder: Path, **changes: Any) -> Path:
    """The small recipe as a file; `out` is folder/out."""
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(make_recipe(**{"out": str(folder / "out"), **changes}), sort_keys=False))
    return path


def run(folder: Path, **changes: Any) -> Path:
    """Run it here and give the output folder."""
    return run_curation(load_recipe(write_recipe(folder, **changes), CurationRecipe)).out


def command(path: Path) -> list[str]:
    """Run it as the command does, in a process of its own."""
    return ["-c", "import sys; from curation.runner.run import main; sys.exit(main(sys.argv[1:]))", str(path)]


def data_of(out: Path) -> dict[str, bytes]:
    """Every byte of curated data: final files, funnel, images and shards, not times and reports."""
    kept = {".jsonl", ".parquet", ".png"}
    files = [path for path in out.rglob("*") if path.suffix in kept] + [out / "funnel.json"]
    return {str(path.relative_to(out)): path.read_bytes() for path in files}


def markers(out: Path) -> dict[Path, int]:
    """When each marker was written, in nanoseconds."""
    return {path: path.stat().st_mtime_ns for path in (out / "stages").glob("*/*.done.json")}


def finals(out: Path) -> dict[str, bytes]:
    """What leaves curation, without the shards."""
    return {name: content for name, content in data_of(out).items() if not name.startswith("stages")}


@pytest.fixture(scope="module")
def clean(tmp_path_factory) -> Path:
    """The output of a run that nothing interrupted, in one process."""
    return run(tmp_path_factory.mktemp("clean"))


def test_what_a_run_leaves(clean):
    pairs = list(read_jsonl(clean / "benchmark.jsonl", PreferencePair))
    examples = list(read_jsonl(clean / "train.jsonl", SFTExample))
    assert {pair.task.origin.source for pair in pairs} == {"chelsea"}
    assert len(examples) > 4
    assert len(examples) % 2 == 0
    assert (clean / "benchmark" / "data.parquet").is_file()
    assert "<html" in (clean / "report.html").read_text()
    assert read_json(clean / "run.json")["recipe"]["stages"][0]["use"] == "photographs"
    trained_on = {image.sha256 for example in examples for image in example.images}
    assert not trained_on & {pair.better.edited.sha256 for pair in pairs}


def test_the_funnel_accounts_for_every_row(clean):
    funnel = read_json(clean / "funnel.json")
    by_name = {stage["name"]: stage for stage in funnel["stages"]}
    for name in ("04-group_std", "05-group_max", "train-split", "benchmark-split", "train-00-balance"):
        stage = by_name[name]
        assert stage["in"] == stage["kept"] + sum(stage["dropped"].values()) + stage["failed"]
    assert by_name["train-split"]["kept"] + by_name["benchmark-split"]["kept"] == by_name["05-group_max"]["kept"]
    assert by_name["train-01-sft"]["kept"] == 2 * by_name["train-00-balance"]["kept"]
    assert by_name["05-group_max"]["in"] == by_name["04-group_std"]["kept"]
    assert funnel["parts"]["train"]["rows"] == len((clean / "train.jsonl").read_text().splitlines())


def test_what_a_stage_left_out_lies_beside_what_it_kept(clean):
    step = clean / "stages" / "train-split"
    dropped = [row for _, row in read_objects(step / "dropped" / "all.jsonl")]
    counted = read_marker(step / "all.done.json")["info"]["dropped"]
    assert counted == Counter(row["reason"] for row in dropped)
    assert counted["in_part_benchmark"] > 0


def test_of_the_filters_of_one_pass_only_the_last_writes_rows(clean):
    written = {path.parent.name for path in (clean / "stages").glob("*/0*.jsonl")}
    assert "05-group_max" in written
    assert "04-group_std" not in written


def test_neither_workers_nor_shards_change_a_byte(clean, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert data_of(run(tmp_path / "a", runtime={"workers": 2})) == data_of(clean)
    assert finals(run(tmp_path / "b", shards=2)) == finals(clean)


def test_one_log_line_per_shard_with_its_reasons(tmp_path, caplog):
    with caplog.at_level(logging.INFO, "curation.runner"):
        run(tmp_path)
    lines = caplog.messages
    assert sum(line.startswith("03-measure shard") for line in lines) == 3
    assert any("dropped" in line and "in_part_benchmark: " in line for line in lines)


def test_pictures_reach_the_disk_once_for_each_shard_before_its_marker(tmp_path, monkeypatch):
    marked, synced = [], []
    monkeypatch.setattr("editjudge.images.store.sync_files", lambda folder: synced.append(len(markers(folder))))
    monkeypatch.setattr("os.fsync", lambda handle: marked.append(os.readlink(f"/proc/self/fd/{handle}")))
    out = run(tmp_path)
    assert synced == [*range(9)], "three passes that store pictures, three shards each"
    assert marked
    assert not [path for path in marked if path.startswith(str(out / "images"))]


def test_a_second_run_does_nothing_again(tmp_path):
    out = run(tmp_path)
    before, first = markers(out), data_of(out)
    run(tmp_path)
    assert markers(out) == before
    assert data_of(out) == first


@pytest.mark.parametrize(("workers", "times"), [(1, 3), (2, 1)])
def test_kill_9_costs_the_shards_in_flight_and_no_byte(workers, times, clean, tmp_path):
    """Killed, again and again, when the rows of a fifth shard are written and its marker is not."""
    path, out = write_recipe(tmp_path, runtime={"workers": workers}), tmp_path / "out"
    for _ in range(times):
        known = markers(out)
        run_until_killed(command(path), killed_at(f"{out}/stages/*/*.done.json", 5))
        assert {marker: markers(out)[marker] for marker in known} == known, "work that was complete was done again"
        assert len(markers(out)) >= len(known) + 4
    known = markers(out)
    run(tmp_path, runtime={"workers": workers})
    assert {marker: markers(out)[marker] for marker in known} == known
    assert data_of(out) == data_of(clean)
    assert not list(out.rglob(".tmp-*"))


def test_killed_between_the_markers_of_one_pass(clean, tmp_path):
    path, out = write_recipe(tmp_path), tmp_path / "out"
    run_until_killed(command(path), killed_at(f"{out}/stages/05-group_max/00001.done.json"))
    known = markers(out)
    assert out / "stages/04-group_std/00001.done.json" in known
    run(tmp_path)
    assert {marker: markers(out)[marker] for marker in known} == known
    assert data_of(out) == data_of(clean)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"seed": 9}, "seed: 0 -> 9"),
        ({"shards": 4}, "shards: 3 -> 4"),
        (
            {"stages": [*make_recipe()["stages"][:4], {"use": "group_std", "min_std": 0.2}]},
            "params.min_std: 0.1 -> 0.2",
        ),
        ({"stages": make_recipe()["stages"][:4]}, "04-group_std"),
        (
            {"parts": {**make_recipe()["parts"], "benchmark": {"sources": ["coffee"]}}},
            "params.sources.benchmark.0",
        ),
    ],
)
def test_another_recipe_on_the_same_folder_is_refused(changes, named, clean, tmp_path):
    before = data_of(clean)
    with pytest.raises(StaleOutputError) as caught:
        run(tmp_path, **{"out": str(clean), **changes})
    assert named in str(caught.value)
    assert data_of(clean) == before


def test_a_recipe_that_ends_inside_an_earlier_pass_makes_its_rows(clean, tmp_path):
    out, shorter = tmp_path / "out", {"stages": make_recipe()["stages"][:5]}
    shutil.copytree(clean, out)
    for path in (out / "stages").iterdir():
        if path.name > "05":
            shutil.rmtree(path)
    kept = markers(out)
    run(tmp_path, **shorter)
    assert {marker: markers(out)[marker] for marker in kept} == kept
    (tmp_path / "fresh").mkdir()
    assert data_of(out) == data_of(run(tmp_path / "fresh", **shorter))


def test_runtime_may_change(clean, tmp_path):
    before = data_of(clean)
    run(tmp_path, out=str(clean), runtime={"workers": 2})
    assert data_of(clean) == before
    assert read_json(clean / "run.json")["recipe"]["runtime"]["workers"] == 2


def test_a_corrupt_image_and_an_editor_without_images_are_counted(tmp_path):
    pool = {**EDITORS, "elsewhere": {"use": "folder", "folder": str(tmp_path / "nothing"), "label": "model-x"}}
    stages = make_recipe()["stages"]
    stages[2] = {"use": "edit", "editors": pool, "per_task": 3}
    parts = {"train": {"stages": [{"use": "sft", "prompts": "brief-v1"}]}}
    out = run(tmp_path, stages=stages, parts=parts)
    edit = read_json(out / "funnel.json")["stages"][2]
    assert edit["failed"] == edit["in"] == edit["kept"] / 2
    assert all("does not exist" in error for error in edit["errors"])

    for step in ("02-edit", "03-measure", "04-group_std", "05-group_max", "train-split", "train-00-sft"):
        for marker in (out / "stages" / step).glob("*.done.json"):
            marker.unlink()
    photo = next((out / "images" / "photos").glob("*.png"))
    photo.write_bytes(photo.read_bytes()[:100])
    run(tmp_path, stages=stages, parts=parts)
    again = read_json(out / "funnel.json")["stages"][2]
    assert again["failed"] > edit["failed"]
    assert again["kept"] + again["failed"] == 3 * again["in"]


def test_an_unknown_source_is_told_before_the_expensive_stages(tmp_path):
    parts = {"benchmark": {"sources": ["chelsae"]}, "train": {}}
    with pytest.raises(DataError, match=r"'chelsae'.*chelsea, coffee, rocket"):
        run(tmp_path, parts=parts)
    assert not (tmp_path / "out" / "stages" / "01-templates").exists()


def test_an_empty_part_is_an_error_with_a_report(tmp_path):
    stages = make_recipe()["stages"]
    stages.insert(3, {"use": "min_side", "px": 57})
    with pytest.raises(DataError, match="benchmark, train"):
        run(tmp_path, stages=stages)
    assert "side_below_57" in (tmp_path / "out" / "report.html").read_text()


def test_a_teacher_model_scores_in_the_first_process_and_is_not_asked_twice(tmp_path):
    reply = '{"reasoning": "Fine.", "score": [20, %d]}'
    changes: dict[str, Any] = {
        "engines": {"teacher": {"use": "scripted", "replies": [reply % score for score in range(0, 25, 3)]}},
        "stages": [*make_recipe()["stages"][:3], {"use": "judge", "engine": "teacher", "prompts": "brief-v1"}],
        "parts": {"train": {"stages": [{"use": "sft", "prompts": "brief-v1"}]}},
        "runtime": {"workers": 2},
    }
    out = run(tmp_path, **changes)
    judged = read_json(out / "funnel.json")["stages"][3]
    assert judged["kept"] == judged["in"] > 6
    assert read_json(out / "stages/03-judge/00000.done.json")["identity"]["engines"]["teacher"].startswith("scripted")

    # With its shards gone but its cache there, an engine too slow to be asked again gives the same rows.
    before = data_of(out)
    shutil.rmtree(out / "stages" / "03-judge")
    changes["engines"]["teacher"]["latency_s"] = NEVER_S
    assert data_of(run(tmp_path, **changes)) == before
    changes["engines"]["teacher"]["name"] = "another"
    with pytest.raises(StaleOutputError, match=r"engines\.teacher"):
        run(tmp_path, **changes)


def test_two_runs_do_not_share_a_folder(tmp_path):
    import fcntl

    (tmp_path / "out").mkdir()
    with (tmp_path / "out" / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(EditJudgeError, match="another run"):
            run(tmp_path)


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file"):
        run(tmp_path, out=str(tmp_path / "file" / "out"))


def test_no_space_ends_the_run_and_nothing_half_written_looks_complete(clean, tmp_path):
    path, out = write_recipe(tmp_path), run(tmp_path)
    for folder in (out / "stages").iterdir():
        if folder.name not in ("00-photographs", "01-templates"):
            shutil.rmtree(folder)
    for name in ("train.jsonl", "benchmark.jsonl", "benchmark/data.parquet"):
        (out / name).unlink()

    def small_files_only() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (6_000, 6_000))

    # Some of the edited images are larger than that.
    process = start(command(path), preexec_fn=small_files_only)
    stderr, _ = process.communicate()
    assert process.returncode != 0
    assert "StorageError" in stderr
    assert not list(out.rglob(".tmp-*"))
    assert not (out / "train.jsonl").exists()
    assert 6 <= len(markers(out)) < 9
    for marker in markers(out):
        rows = marker.with_name(marker.name.replace(".done.json", ".jsonl"))
        assert len(rows.read_text().splitlines()) == json.loads(marker.read_text())["info"]["kept"]
    assert data_of(run(tmp_path)) == data_of(clean)


def test_workers_do_not_outlive_a_killed_run(tmp_path):
    """Killed while both workers are at work that never ends."""
    begun = tmp_path / "begun"
    begun.mkdir()
    code = f"import os, pathlib, time; (pathlib.Path({str(begun)!r}) / str(os.getpid())).touch(); time.sleep({NEVER_S})"
    editor = {"use": "command", "argv": [sys.executable, "-c", code, "{output}"], "label": "x"}
    stages = make_recipe()["stages"]
    stages[2] = {"use": "edit", "editors": {"slow": editor}, "per_task": 1}
    path = write_recipe(tmp_path, stages=stages, runtime={"workers": 2})
    process = start(command(path), stdout=subprocess.DEVNULL)  # a pipe would be held open by those in question
    try:
        wait_until(lambda: len(list(begun.iterdir())) == 2, process)
        workers = children_of(process.pid)
        assert len(workers) >= 2
        process.kill()
        process.wait()
        wait_until(lambda: not any(alive(pid) for pid in workers))
    finally:
        for program in begun.iterdir():
            os.kill(int(program.name), signal.SIGKILL)
