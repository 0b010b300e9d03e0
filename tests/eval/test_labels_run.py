"""`editjudge eval` on benchmarks without a single preference pair, with a judge and with votes made elsewhere."""

import json

import numpy as np
import pytest
from eval_recipes import labels_recipe as make_recipe
from eval_world import marked
from places import DATA

from editjudge.errors import DataError
from eval.benchmarks.genai_bench import GenAIBench
from eval.external import read_scores
from eval.external.reading import ScoresFile
from eval.labels.preferences import preferences
from eval.metrics.ties import outcome_of
from eval.run import run_eval


@pytest.fixture
def folder(tmp_path):
    """A judge without noise, and images whose quality, 0 to 25, is in their first pixel."""
    (tmp_path / "out" / "adapter").mkdir(parents=True)
    (tmp_path / "out" / "adapter" / "noise.json").write_text("0.0")
    (tmp_path / "images").mkdir()
    for level in range(26):
        marked(level, 7).save(tmp_path / "images" / f"{level}.png")
    return tmp_path


def test_pairs_with_ties(folder):
    rows = [
        {"prompt": f"Edit {number}.", "path_src": "0.png", "path1": f"{one}.png", "path2": f"{two}.png"}
        | {"model1_dim1_score": first, "model2_dim1_score": second}
        for number, (one, two, first, second) in enumerate(
            [(20, 10, 3, 1), (5, 15, 1, 3), (10, 10, 2, 2), (12, 11, 2, 2), (3, 20, 4, 1), (25, 1, 4, 1)]
        )
    ]
    (folder / "images" / "rows.json").write_text(json.dumps(rows))
    results = run_eval(
        make_recipe(folder / "out", {"use": "aurora", "path": folder / "images" / "rows.json"})
    ).as_json()
    about = results["benchmarks"]["AURORA-Bench"]
    assert (about["n_pairs"], about["n_comparisons"], about["n_groups"]) == (0, 6, 6)
    row = results["evaluations"][0]
    assert row["dimensions"] == {}
    found = row["labels"]["comparisons"]["overall"]
    assert found["three_class"]["value"] == pytest.approx(4 / 6, abs=1e-6)
    assert found["with_ties"]["value"] == pytest.approx(5 / 6, abs=1e-6)
    assert found["tie_threshold"] == pytest.approx(0.4)
    assert found["without_ties"]["value"] == 0.75
    assert json.loads((folder / "out" / "results.json").read_text()) == results
    assert (folder / "out" / "report.html").is_file()


def test_ratings(folder):
    generator = np.random.default_rng(0)
    rows = []
    for model in ("Alpha", "Beta"):
        for number, level in enumerate(generator.permutation(25)[:12].tolist()):
            score = level if model == "Alpha" else 25 - level
            rows.append(
                {"prompt": f"Edit {number}.", "input": "0.png", "gen": f"{level}.png"}
                | {"score": score, "model": model}
            )
    (folder / "images" / "rows.json").write_text(json.dumps(rows))
    results = run_eval(
        make_recipe(folder / "out", {"use": "aurora", "path": folder / "images" / "rows.json"})
    ).as_json()
    found = results["evaluations"][0]["labels"]["ratings"]["overall"]
    assert {name: model["spearman"]["value"] for name, model in found["models"].items()} == {"Alpha": 1, "Beta": -1}
    assert found["spearman"]["mean"]["value"] == 0


def test_a_judge_cannot_be_asked_about_labels_without_images(folder):
    (folder / "votes.json").write_text(json.dumps([{"idx": 0, "human_vote": "leftvote"}]))
    with pytest.raises(DataError, match="labels without images"):
        run_eval(make_recipe(folder / "out", {"use": "genai_bench", "path": str(folder / "votes.json")}))


def test_votes_made_elsewhere_reach_the_report(folder):
    votes = json.loads((DATA / "genai_bench" / "votes.json").read_text())
    rows = [
        {"idx": number, "human_vote": human, "model_vote": vote, "response": vote}
        for number, (human, vote) in enumerate(zip(votes["human_vote"], votes["model_vote"]["gpt4o"], strict=True))
    ]
    (folder / "gpt4o.json").write_text(json.dumps(rows))
    path = folder / "gpt4o.json"
    recipe = make_recipe(folder / "out", {"use": "genai_bench", "path": str(path)}, judge=None, scores={"path": path})
    found = run_eval(recipe).as_json()["evaluations"][0]["labels"]["comparisons"]["overall"]
    assert round(100 * found["four_label"]["value"], 2) == votes["published_accuracy"]["gpt4o"]
    page = (folder / "out" / "report.html").read_text()
    assert "919 comparisons from 919 groups" in page
    assert "did not get" not in page  # labels without images: nothing to look at
    bench = GenAIBench(path=str(path)).load(folder)
    scores = read_scores(ScoresFile(path=path), bench)
    outcomes = [outcome_of(pair, scores.cards, scores.votes.ours) for pair in preferences(bench)]
    n_right = sum(
        (human, vote) in {("leftvote", "[[A>B]]"), ("rightvote", "[[B>A]]")}
        for human, vote in zip(votes["human_vote"], votes["model_vote"]["gpt4o"], strict=True)
    )
    # An inspector goes by the votes, not by scores that are not there.
    assert (len(outcomes), outcomes.count("right")) == (503, n_right)
