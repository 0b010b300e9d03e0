"""The whole loop in small: the quickstart's own recipes and base, with fewer photographs and steps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from places import ROOT

from editjudge.__main__ import main
from editjudge.cli.quickstart import steps, summarise
from editjudge.files.io import read_json, read_jsonl
from editjudge.records.tasks import DIMENSIONS
from editjudge.records.types import PreferencePair, SFTExample

SMALLER = {
    "curate": (
        "shards=2",
        "stages.0.crops=3",
        "stages.0.photographs=[chelsea, coffee, china, astronaut]",
        "parts.benchmark.sources=[chelsea]",
        "runtime.workers=1",
    ),
    "sft": (
        "deepspeed=null",
        "global_batch_size=4",
        "train.per_device_train_batch_size=4",
        "train.max_steps=4",
        "train.save_steps=2",
        "train.warmup_steps=1",
    ),
    "sweep": ("last.passes=2", "bootstrap_rounds=200"),
}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("flow")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        for step in steps(out):
            arguments = [step.command, str(step.recipe), *step.overrides, *SMALLER[step.command]]
            assert main(arguments) == 0, step.phase
    return out


def test_every_step_leaves_what_the_next_one_reads(out):
    assert list(read_jsonl(out / "curate" / "train.jsonl", SFTExample))
    assert (out / "curate" / "benchmark" / "data.parquet").is_file()
    assert (out / "sft" / "checkpoint-4" / "done.json").is_file()
    for step in ("curate", "sft", "sweep"):
        assert read_json(out / step / "run.json")["seconds"]


def test_base_and_checkpoints_are_asked_as_they_were_trained(out):
    """The sweep's recipe says neither prompts nor image size."""
    judges = [row["judge"] for row in read_json(out / "sweep" / "results.json")["evaluations"]]
    assert {(judge["prompts"], judge["max_pixels"], judge["colors"]) for judge in judges} == {
        ("brief-v1", 3136, "srgb")
    }
    resolved = read_json(out / "sweep" / "run.json")["recipe"]["judge"]
    assert (resolved["prompts"], resolved["max_pixels"]) == ("brief-v1", 3136)


def test_no_source_of_a_training_row_is_in_the_benchmark(out):
    sources = {row.source for row in read_jsonl(out / "curate" / "train.jsonl", SFTExample)}
    assert sources
    assert sources.isdisjoint(
        pair.task.origin.source for pair in read_jsonl(out / "curate" / "benchmark.jsonl", PreferencePair)
    )


def test_no_photograph_is_in_both_training_and_benchmark(out):
    pairs = list(read_jsonl(out / "curate" / "benchmark.jsonl", PreferencePair))
    assert {pair.task.origin.source for pair in pairs} == {"chelsea"}
    triplets = {row.triplet_id for row in read_jsonl(out / "curate" / "train.jsonl", SFTExample)}
    assert triplets.isdisjoint({pair.better.id for pair in pairs} | {pair.worse.id for pair in pairs})


def test_the_summary_has_the_untrained_base_first_and_every_checkpoint(out):
    summary = summarise(out, {"curate": 1.25, "train": 2.0, "evaluate": 3.0})
    assert [entry["step"] for entry in summary["checkpoints"]] == [0, 2, 4]
    for entry in summary["checkpoints"]:
        assert all(0 <= entry[dimension] <= 1 for dimension in DIMENSIONS)
    assert summary["ensemble"]["passes"] == 2
    assert summary["seconds"] == {"curate": 1.2, "train": 2.0, "evaluate": 3.0, "total": 6.2}
    json.dumps(summary)


def test_the_report_shows_funnel_and_examples(out):
    page = (out / "sweep" / "report.html").read_text()
    assert "group_std" in page
    assert "data:image/" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
