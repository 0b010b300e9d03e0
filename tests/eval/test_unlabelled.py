"""Edits without labels: cards, the spread of the scores, and no figure that would need a label."""

from __future__ import annotations

import json

import pytest
from eval_world import PixelEngine, write_benchmark, write_checkpoint

from editjudge.asking.recipe import JudgeRecipe
from editjudge.errors import RecipeError
from editjudge.files.io import read_jsonl, write_jsonl
from editjudge.records.types import PreferencePair, ScoreCard
from eval.benchmarks.edits import Edits
from eval.checkpoints.recipe import SweepRecipe
from eval.recipe import EvalRecipe
from eval.run import run_eval
from eval.sweep import run_sweep
from eval.terminal import print_leaderboards, print_results


@pytest.fixture(scope="module")
def edits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("edits")
    pairs = read_jsonl(write_benchmark(folder, groups=4), PreferencePair)
    triplets = {triplet.id: triplet for pair in pairs for triplet in (pair.better, pair.worse)}
    write_jsonl(folder / "edits.jsonl", triplets.values())
    with (folder / "edits.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"id": "no edit"}\n')
    (folder / "edits" / "3-2.png").unlink()
    return {"use": "edits", "path": folder / "edits.jsonl"}


def recipe(kind, out, bench, **changes):
    judge = JudgeRecipe(engine=PixelEngine(adapter=None), prompts="brief-v1", retries=0)
    return kind(out=out, bench=bench, judge=judge, bootstrap_rounds=100, **changes)


def test_edits_are_scored_and_their_scores_shown(tmp_path, edits, capsys):
    results = run_eval(recipe(EvalRecipe, tmp_path, [edits]))
    about, [found] = results.benchmarks["edits"], results.evaluations
    assert (about.n_triplets, about.n_pairs, about.partial) == (11, 0, True)
    assert {kind: finding.count for kind, finding in about.left_out.items()} == {"missing_image": 1, "not_an_edit": 1}
    assert len(list(read_jsonl(tmp_path / "edits" / "cards.jsonl", ScoreCard))) == 11
    assert (found.dimensions, found.scores.dimensions["overall"].n, results.leaderboard) == ({}, 11, [])
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "The scores themselves" in page
    assert "Leaderboard" not in page
    print_results(results)
    print_leaderboards(results)
    printed = capsys.readouterr().out
    assert f"edits: judge, K = 1: 11 edits scored, overall {found.scores.dimensions['overall'].mean:.2f}" in printed


def test_no_checkpoint_is_chosen_by_edits_alone(tmp_path, edits):
    write_checkpoint(tmp_path / "run", 10, noise=1.0)
    with pytest.raises(RecipeError, match="edits has no labels"):
        run_sweep(recipe(SweepRecipe, tmp_path / "out", [edits], run=tmp_path / "run", last=None))


def test_an_edit_whose_task_type_is_no_name_is_left_out_as_such(tmp_path, edits):
    first, second, *_ = edits["path"].read_text().splitlines()
    row = json.loads(second)
    row["task"]["task_type"] = "No name!"
    path = tmp_path / "edits.jsonl"
    path.write_text(f"{first}\n{json.dumps(row)}\n")
    bench = Edits(path=path, root=edits["path"].parent).load(tmp_path)
    assert (len(bench.unlabelled), bench.left_out.counts) == (1, {"not_a_task_type": 1})
