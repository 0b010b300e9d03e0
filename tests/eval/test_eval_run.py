"""`editjudge eval`: each triplet once, killed and resumed, bad benchmarks, what the files hold."""

import json

import pytest
import yaml
from children import killed_at, run_until_killed
from eval_recipes import eval_recipe as make_recipe
from eval_recipes import recipe_by_batch
from eval_world import PixelEngine, comparable, write_benchmark
from pydantic import ValidationError

from editjudge.asking.recipe import JudgeRecipe
from editjudge.errors import DataError, StaleOutputError, StorageError
from editjudge.files.io import read_jsonl
from editjudge.records.tasks import DIMENSIONS
from editjudge.records.types import ScoreCard
from editjudge.system.processes import alone_in
from eval.evaluations.evaluation import ScoredPair
from eval.run import main, run_eval


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return write_benchmark(tmp_path_factory.mktemp("bench"))


def test_two_evaluations_do_not_share_a_folder(tmp_path, pairs):
    with alone_in(tmp_path, "held by the test"), pytest.raises(StorageError, match="another evaluation"):
        run_eval(make_recipe(tmp_path, pairs))
    assert not (tmp_path / "run.json").exists()


def test_each_triplet_is_scored_once_and_every_pair_is_decided(tmp_path, pairs):
    results = run_eval(make_recipe(tmp_path, pairs)).as_json()
    folder = tmp_path / "pairs"
    cards = list(read_jsonl(folder / "cards.jsonl", ScoreCard))
    rows = list(read_jsonl(folder / "pairs.jsonl", ScoredPair))
    assert len(cards) == len({card.triplet.id for card in cards}) == 36
    assert len(rows) == 12 * 3 * 3
    by_id = {card.triplet.id: card for card in cards}
    for row in rows:
        better, worse = by_id[row.better].value(row.dimension), by_id[row.worse].value(row.dimension)
        assert (row.better_score, row.worse_score) == (better, worse)
        assert row.outcome == ("right" if better > worse else "wrong" if better < worse else "tie")
    found = results["evaluations"][0]
    for dimension in DIMENSIONS:
        right = sum(row.dimension == dimension and row.outcome == "right" for row in rows)
        assert found["dimensions"][dimension]["right"] == right
        assert found["dimensions"][dimension]["pair_mean"]["value"] == pytest.approx(right / 36, abs=1e-6)
    assert json.loads((tmp_path / "results.json").read_text()) == results
    assert {path.name for path in tmp_path.iterdir()} == {
        ".lock",
        ".thumbnails",
        "pairs",
        "results.json",
        "report.html",
        "run.json",
    }
    assert {path.name for path in folder.iterdir()} == {
        *("cards.jsonl", "cards.done.json", "pairs.jsonl", "values.npz", "done.json")
    }


def test_a_second_run_asks_nothing_and_gives_the_same(tmp_path, pairs):
    first = run_eval(make_recipe(tmp_path, pairs)).as_json()
    cards = (tmp_path / "pairs" / "cards.jsonl").stat().st_mtime_ns
    assert run_eval(make_recipe(tmp_path, pairs)).as_json() == first
    assert (tmp_path / "pairs" / "cards.jsonl").stat().st_mtime_ns == cards


def test_unreadable_replies_are_wrong_and_lower_the_coverage(tmp_path, pairs):
    results = run_eval(make_recipe(tmp_path, pairs, PixelEngine(unreadable=0.3))).as_json()
    found = results["evaluations"][0]["dimensions"]["overall"]
    assert found["unscored"] > 0
    assert found["right"] + found["wrong"] + found["tie"] + found["unscored"] == found["n_pairs"] == 36
    assert found["coverage"] == pytest.approx(1 - found["unscored"] / 36)
    assert found["pair_mean"]["value"] == pytest.approx(found["right"] / 36, abs=1e-6)


def test_a_judge_that_says_nothing_readable_gets_zero_not_a_crash(tmp_path, pairs):
    results = run_eval(make_recipe(tmp_path, pairs, PixelEngine(unreadable=1.0))).as_json()
    found = results["evaluations"][0]["dimensions"]["overall"]
    assert (found["pair_mean"]["value"], found["coverage"], found["unscored"]) == (0, 0, 36)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"judge": JudgeRecipe(engine=PixelEngine(), prompts="brief-v1", retries=0, passes=2)}, "passes: 1 -> 2"),
        ({"shard_triplets": 5}, "shard_triplets: 4 -> 5"),
    ],
)
def test_another_judge_in_the_same_folder_is_refused(tmp_path, pairs, changes, said):
    run_eval(make_recipe(tmp_path, pairs))
    with pytest.raises(StaleOutputError, match=said):
        run_eval(make_recipe(tmp_path, pairs, **changes))


def test_more_bootstrap_rounds_need_no_new_scores(tmp_path, pairs):
    first = run_eval(make_recipe(tmp_path, pairs)).as_json()
    again = run_eval(make_recipe(tmp_path, pairs, bootstrap_rounds=400)).as_json()
    assert again["bootstrap"]["rounds"] == 400
    assert again["evaluations"][0]["judge"] == first["evaluations"][0]["judge"]


KILLED = """
import sys
from pathlib import Path
from eval_recipes import eval_recipe as make_recipe
from eval.run import run_eval
run_eval(make_recipe(Path(sys.argv[1]), Path(sys.argv[2])))
"""


def test_killed_and_resumed_gives_the_same_bytes(tmp_path, pairs):
    whole = run_eval(
        make_recipe(tmp_path / "whole" / "out", pairs)
    ).as_json()  # the folder's name stands in the leaderboard
    out = tmp_path / "killed" / "out"
    run_until_killed(["-c", KILLED, str(out), str(pairs)], killed_at(f"{out}/pairs/shards/*.done.json", 4))
    assert len(list(out.glob("pairs/shards/*.done.json"))) == 3
    resumed = run_eval(make_recipe(out, pairs)).as_json()
    for name in ("cards.jsonl", "pairs.jsonl", "values.npz"):
        assert (out / "pairs" / name).read_bytes() == (tmp_path / "whole" / "out" / "pairs" / name).read_bytes()
    assert comparable(resumed) == comparable(whole)


KILLED_IN_A_SHARD = """
import sys
from pathlib import Path
from eval_recipes import recipe_by_batch
from eval.run import run_eval
run_eval(recipe_by_batch(Path(sys.argv[1]), Path(sys.argv[2])))
"""


def test_killed_within_a_shard_the_same_batches_are_asked_again(tmp_path, pairs):
    """Images of the next batch are read ahead by then; what was begun counts as not asked."""
    run_eval(recipe_by_batch(tmp_path / "whole", pairs))
    out, log = tmp_path / "killed", tmp_path / "killed.log"
    # Two shards of two batches are done, and both batches of the third are answered.
    run_until_killed(["-c", KILLED_IN_A_SHARD, str(out), str(pairs)], killed_at(f"{out}/pairs/shards/*.done.json", 3))
    assert log.read_text().split() == ["8", "4"] * 3
    assert len(list(out.glob("pairs/shards/*.done.json"))) == 2
    run_eval(recipe_by_batch(out, pairs))
    assert log.read_text().split() == ["8", "4"] * (3 + 4)
    for name in ("cards.jsonl", "pairs.jsonl", "values.npz"):
        assert (out / "pairs" / name).read_bytes() == (tmp_path / "whole" / "pairs" / name).read_bytes()


def test_done_shards_are_not_scored_again(tmp_path, pairs):
    """An engine that fails after three shards; the run that goes on asks for the rest only."""
    asked = []

    class Dying(PixelEngine):
        def generate(self, requests, sampling):
            asked.append(len(requests))
            if len(asked) == 4:
                raise RuntimeError("the machine is gone")
            return super().generate(requests, sampling)

    with pytest.raises(RuntimeError):
        run_eval(make_recipe(tmp_path, pairs, Dying()))
    run_eval(make_recipe(tmp_path, pairs, Dying()))
    assert sum(asked) == 36 * 2 + 8  # both aspects of every triplet, and one shard of four twice


def test_two_benchmarks_stand_side_by_side(tmp_path, pairs):
    bench = [{"use": "pairs", "path": pairs, "name": name} for name in ("one", "two")]
    results = run_eval(make_recipe(tmp_path, pairs, bench=bench)).as_json()
    assert [row["benchmark"] for row in results["evaluations"]] == ["one", "two"] == list(results["benchmarks"])
    assert (tmp_path / "two" / "cards.jsonl").is_file()


def test_two_benchmarks_of_one_name_are_refused(tmp_path, pairs):
    bench = [{"use": "pairs", "path": pairs, "name": name} for name in ("a b", "a-b")]
    with pytest.raises(ValidationError, match=r"bench\.1\.name\n  'a-b' .*'a b'"):
        make_recipe(tmp_path, pairs, bench=bench)


def test_missing_images_make_the_figures_partial(tmp_path):
    pairs = write_benchmark(tmp_path / "bench", groups=6)
    (tmp_path / "bench" / "edits" / "0-0.png").unlink()
    results = run_eval(make_recipe(tmp_path / "out", pairs)).as_json()
    assert results["benchmarks"]["pairs"]["partial"]
    assert results["benchmarks"]["pairs"]["left_out"]["missing_image"]["count"] == 6
    assert results["evaluations"][0]["partial"]
    assert "Partial figures" in (tmp_path / "out" / "report.html").read_text()


def test_a_corrupt_image_is_a_fault_of_the_benchmark(tmp_path):
    pairs = write_benchmark(tmp_path / "bench", groups=6)
    (tmp_path / "bench" / "edits" / "0-0.png").write_bytes(b"no image")
    results = run_eval(make_recipe(tmp_path / "out", pairs)).as_json()
    assert results["benchmarks"]["pairs"]["left_out"]["unreadable_image"]["count"] == 6
    assert results["evaluations"][0]["partial"]
    assert results["evaluations"][0]["dimensions"]["overall"]["unscored"] == 0


@pytest.mark.parametrize(
    "block",
    [
        {"human": {"rankings": "nowhere.jsonl"}},
        {"leaderboard": {"results": ["nowhere.json"]}},
        {"report": {"funnel": "nowhere.json"}},
    ],
)
def test_a_missing_file_is_told_before_anything_is_judged(tmp_path, pairs, block):
    with pytest.raises(DataError, match="nowhere"):
        run_eval(make_recipe(tmp_path, pairs, **block))
    assert not (tmp_path / "pairs").exists()


def test_labels_without_images_are_refused_before_anything_is_judged(tmp_path, pairs):
    (tmp_path / "votes.json").write_text('[{"idx": 0, "human_vote": "leftvote"}]')
    benches = [{"use": "pairs", "path": pairs}, {"use": "genai_bench", "path": str(tmp_path / "votes.json")}]
    with pytest.raises(DataError, match="labels without images"):
        run_eval(make_recipe(tmp_path / "out", pairs, bench=benches))
    assert not (tmp_path / "out" / "pairs").exists()


def test_an_empty_benchmark_is_an_error(tmp_path):
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(DataError, match="no usable row"):
        run_eval(make_recipe(tmp_path / "out", tmp_path / "empty.jsonl"))


def test_the_command_prints_the_table(tmp_path, pairs, capsys):
    reply = '{"reasoning": "x", "score": [%d, 20]}'
    recipe = {
        "out": str(tmp_path / "out"),
        "bench": [{"use": "pairs", "path": str(pairs), "name": "Demo"}],
        "judge": {"engine": {"use": "scripted", "replies": [reply % 3, reply % 20]}, "prompts": "brief-v1"},
        "bootstrap_rounds": 100,
    }
    (tmp_path / "eval.yaml").write_text(yaml.safe_dump(recipe))
    assert main([str(tmp_path / "eval.yaml"), "report.examples=2"]) == 0
    printed = capsys.readouterr().out
    for expected in ("Demo: 108 pairs, 12 groups", "prompt following", "100.0%", "report.html"):
        assert expected in printed
