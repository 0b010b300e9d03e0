"""Bad benchmarks and mute judges: named, counted, and marked as partial wherever a figure is printed."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import pytest
import yaml
from eval_world import write_benchmark

from eval.compare.command import main as compare
from eval.run import main as evaluate

READABLE = ['{"reasoning": "a", "score": [20, 10]}', '{"reasoning": "b", "score": [5, 9]}']


def write_recipe(folder: Path, name: str, bench: Path, replies: list[str], **changes: object) -> str:
    recipe = {
        "out": str(folder / name),
        "bench": [{"use": "pairs", "path": str(bench)}],
        "judge": {"engine": {"use": "scripted", "replies": replies}, "prompts": "brief-v1", "retries": 0},
        "bootstrap_rounds": 200,
        "report": {"tables": ["markdown"], "examples": 6},
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(recipe | changes))
    return str(path)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A file with every fault: no task type, no dimension, a missing image, half a line, a label turned round."""
    folder = tmp_path_factory.mktemp("faults")
    path = write_benchmark(folder, groups=8)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows[0]["task"]["task_type"] = "Sky painting"
    turned = rows[3] | {"better": rows[3]["worse"], "worse": rows[3]["better"]}
    del rows[5]["dimension"]
    (folder / "edits" / "7-2.png").unlink()
    path.write_text("\n".join(json.dumps(row) for row in [*rows, turned, rows[7]]) + '\n{"half')
    return folder


def evaluated(recipe: str) -> str:
    """Evaluate, and give what was printed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert evaluate([recipe]) == 0
    return printed.getvalue()


@pytest.fixture(scope="module")
def speaks(world):
    """What is printed about a judge that answers; its results are in `world`/speaks."""
    return evaluated(write_recipe(world, "speaks", world / "pairs.jsonl", READABLE))


@pytest.fixture(scope="module")
def mute(world, speaks):
    """The same of one that does not, in `world`/mute, with the other on its leaderboard."""
    others = {"leaderboard": {"results": [str(world / "speaks" / "results.json")]}}
    return evaluated(write_recipe(world, "mute", world / "pairs.jsonl", ["no"], **others))


def test_every_fault_is_named_on_the_terminal(speaks):
    for expected in (
        "PARTIAL",
        "6 x missing_image (first: line",
        "1 x not_a_task_type (first: line 1: 'Sky painting')",
        "1 x not_a_pair (first: line 6: dimension: Field required)",
        '1 x not_json (first: line 75: {"half (Unterminated string',
        "suspicious rows, kept: 1 x contradictory_labels",
        "1 x duplicate_pair",
    ):
        assert expected in speaks


def test_a_mute_judge_is_counted_and_loses(world, mute):
    assert "replies without usable scores: 46 x no_json (of 46 replies)" in mute
    assert "NOT ONE SCORE for" in mute
    row = json.loads((world / "mute" / "results.json").read_text())["evaluations"][0]
    assert row["unreadable"] == {"no_json": 46}
    assert {found["coverage"] for found in row["dimensions"].values()} == {0.0}
    assert {found["pair_mean"]["value"] for found in row["dimensions"].values()} == {0.0}
    assert "other, PARTIAL" in mute
    page = (world / "mute" / "report.html").read_text()
    assert "replies without usable scores: 46 × no json" in page
    assert "Low coverage." in page
    assert "Low coverage." not in (world / "speaks" / "report.html").read_text()
    assert page.count("<strong>partial</strong>") >= 4
    assert 'class="partial"' in page
    assert "PARTIAL" in (world / "mute" / "tables.md").read_text()


def test_a_comparison_of_partial_figures_says_so(world, mute, capsys, tmp_path):
    assert compare([str(world / "speaks"), str(world / "mute"), "--rounds", "200", "--json", str(tmp_path / "c")]) == 0
    printed = capsys.readouterr().out
    assert "PARTIAL: rows of the benchmark could not be used (9 for A, 9 for B)" in printed
    assert "counts as wrong: A 0, B 66" in printed
    assert "None of its 3 tasks alone has enough groups" in printed
    assert json.loads((tmp_path / "c").read_text())["benchmarks"][0]["partial"]


def test_a_script_in_a_reply_or_an_instruction_stays_text(tmp_path):
    attack = "<script>alert('x')</script>"
    bench = write_benchmark(tmp_path, groups=6, instruction=f"{attack} add a hat, number")
    replies = [json.dumps({"reasoning": attack, "score": [score, score]}) for score in (3, 9, 20)] + [attack]
    evaluate([write_recipe(tmp_path, "out", bench, replies)])
    page = (tmp_path / "out" / "report.html").read_text()
    assert "&lt;script&gt;alert" in page
    assert attack not in page
