"""Task types are open: the 13 of the benchmark, their aliases, and any other name, all the way through."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from curation_ground import make_context
from eval_world import PixelEngine, write_benchmark
from factories import make_card, make_task, make_triplet
from pydantic import ValidationError
from sft_ground import make_examples

from annotation.campaign.task_types import with_task_types
from curation.filters.balance import Balance
from curation.runner.report import write_report
from curation.stage import Drop
from editjudge.asking.recipe import JudgeRecipe
from editjudge.files.io import write_json, write_jsonl
from editjudge.records.tasks import ALIASES, TASK_TYPES, canonical_task_type, counts_by_task, in_task_order
from eval.recipe import EvalRecipe
from eval.run import run_eval
from sft.data import task_counts


@pytest.mark.parametrize(
    ("name", "task_type"),
    [
        *((name, name) for name in (*TASK_TYPES, "unknown")),
        ("subject_add", "subject-add"),
        ("background", "background_change"),
        ("style", "style_change"),
        ("relight", "relight"),
        ("camera_move_3d", "camera_move_3d"),
    ],
)
def test_a_name_is_one_of_the_13_or_a_task_of_its_own(name, task_type):
    assert canonical_task_type(name) == task_type
    assert make_task(task_type=name).task_type == task_type


@pytest.mark.parametrize("name", ["", "Relight", "re light", "re-light", "_relight", "relight_", "3d", "reli\u011fht"])
def test_what_is_not_in_snake_case_is_no_task_type(name):
    with pytest.raises(ValidationError, match="no task type"):
        make_task(task_type=name)


def test_aliases_are_of_the_13_and_hide_none_of_them():
    assert {*ALIASES.values()} <= {*TASK_TYPES}
    assert not {*ALIASES} & {*TASK_TYPES}


def test_the_13_come_first_and_the_others_by_name():
    assert in_task_order(["zoom", "compose", "relight", "subject-add", "zoom"]) == (
        *("subject-add", "compose"),
        *("relight", "zoom"),
    )


def test_counts_are_in_that_order():
    assert [*counts_by_task(["zoom", "compose", "zoom"]).items()] == [("compose", 1), ("zoom", 2)]


def cards_of(counts: dict[str, int]) -> list:
    return [
        make_card(
            triplet=make_triplet(id=f"{task_type}-{n}", task=make_task(id=f"{task_type}{n}", task_type=task_type)),
            overall=5.0,
        )
        for task_type, count in counts.items()
        for n in range(count)
    ]


def test_balance_counts_a_task_of_its_own(tmp_path):
    outcomes = list(Balance(per_cell=2).run(cards_of({"color_alter": 3, "relight": 4}), make_context(tmp_path)))
    reasons = [row.reason for row in outcomes if isinstance(row, Drop)]
    assert sorted(reasons) == ["surplus_color_alter_bin2", *["surplus_relight_bin2"] * 2]


def test_the_report_of_a_curation_lists_it_after_the_13(tmp_path):
    stage = {"stage": "measure", "part": None, "gives": "ScoreCard", "errors": {}, "dropped": {}, "failed": 0}
    stage |= {"name": "00-measure", "in": 5, "kept": 5}
    write_json(tmp_path / "funnel.json", {"format": 1, "stages": [stage], "parts": {}})
    write_jsonl(tmp_path / "stages/00-measure/00000.jsonl", cards_of({"relight": 2, "text_change": 3}))
    page = write_report(tmp_path).read_text()
    assert 0 < page.index("text_change") < page.index("relight")


def test_training_counts_it_after_the_13(tmp_path):
    rows = [row.model_copy(update={"task_type": "relight"}) for row in make_examples(tmp_path, 1)]
    assert task_counts([*rows, *make_examples(tmp_path, 2)]) == "color_alter 4, relight 2"


def test_annotation_takes_a_name_for_all_groups(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    triplet = make_triplet(task=make_task(task_type="unknown"))
    for given, task_type in (("relight", "relight"), ("subject_add", "subject-add")):
        assert [found.task.task_type for found in with_task_types([triplet], given)] == [task_type]
    Path("relight").write_text("task_id,task_type\ntask0,zoom\n")
    assert [found.task.task_type for found in with_task_types([triplet], "relight")] == ["zoom"]


def test_an_evaluation_shows_it_after_the_13(tmp_path):
    path = write_benchmark(tmp_path / "bench", groups=12)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        for task in (row["task"], row["better"]["task"], row["worse"]["task"]):
            task["task_type"] = {"compose": "relight", "subject-add": "subject_add"}.get(
                task["task_type"], task["task_type"]
            )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = EvalRecipe(
        out=tmp_path / "out",
        bench=[{"use": "pairs", "path": path}],
        judge=JudgeRecipe(engine=PixelEngine(), prompts="brief-v1", retries=0),
        bootstrap_rounds=100,
        report={"examples": 2, "tables": ["markdown"]},
    )
    results = run_eval(recipe).as_json()
    assert results["benchmarks"]["pairs"]["left_out"] == {}
    found = results["evaluations"][0]["dimensions"]["overall"]
    assert [*found["tasks"]] == ["subject-add", "color_alter", "relight"]
    of_the_13 = [found["tasks"][name]["value"] for name in ("subject-add", "color_alter")]
    assert found["task_mean"]["value"] == pytest.approx(sum(of_the_13) / 2, abs=1e-6)
    assert found["pair_mean"]["value"] == pytest.approx(
        sum(task["right"] for task in found["tasks"].values()) / found["n_pairs"], abs=1e-6
    )
    assert {*found["categories"]} == {"subject", "appearance"}
    page = (tmp_path / "out/report.html").read_text()
    assert page.index("<code>subject-add</code>") < page.index('<th colspan="4">other</th>')
    assert page.index('<th colspan="4">other</th>') < page.index("<code>relight</code>")
    assert any("| relight |" in table.read_text() for table in (tmp_path / "out").rglob("*.md"))


def test_a_benchmark_of_other_tasks_alone_has_no_task_mean(tmp_path):
    path = write_benchmark(tmp_path / "bench", groups=6)
    text = path.read_text()
    for task in ("color_alter", "subject-add", "compose"):
        text = text.replace(f'"{task}"', '"relight"')
    path.write_text(text)
    recipe = EvalRecipe(
        out=tmp_path / "out",
        bench=[{"use": "pairs", "path": path}],
        judge=JudgeRecipe(engine=PixelEngine(), prompts="brief-v1", retries=0),
        bootstrap_rounds=100,
        report={"examples": 2, "tables": ["markdown", "latex"]},
    )
    found = run_eval(recipe).as_json()["evaluations"][0]["dimensions"]["overall"]
    assert found["task_mean"] == {"value": None, "low": None, "high": None}
    assert found["pair_mean"]["value"] is not None
    assert found["categories"] == {}
