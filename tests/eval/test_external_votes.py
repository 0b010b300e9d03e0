"""Files of votes against the comparisons of a benchmark: what is read, and what is counted as unusable."""

import json

import pytest
from bench_ground import compared
from eval_recipes import eval_recipe as make_recipe
from eval_recipes import read_external as read
from eval_recipes import scores_recipe
from eval_world import write_benchmark

from editjudge.errors import DataError
from eval.benchmarks.pairs import Pairs
from eval.run import run_eval


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    path = write_benchmark(tmp_path_factory.mktemp("bench"))
    return Pairs(path=path).load(path.parent)


def test_genai_votes(tmp_path, bench):
    genai = compared(bench)
    rows = [
        {"idx": 0, "model_vote": "[[A>B]]", "instruct_prompt": genai.comparisons[0].task.instruction + " "},
        {"idx": 1, "model_vote": "[[A=B=Good]]"},
        {"idx": 2, "model_vote": "I cannot say"},
        {"idx": 3, "model_vote": "[[A=B=Bad]]", "instruct_prompt": "something else"},
        {"idx": 9, "model_vote": "[[A>B]]"},
    ]
    (tmp_path / "votes.json").write_text(json.dumps(rows))
    found = read(tmp_path / "votes.json", genai)
    assert found.votes.ours == {"genai_bench-0": "A>B", "genai_bench-1": "A=B=Good"}
    assert found.findings.counts == {
        "unreadable_vote": 1,
        "other_instruction": 1,
        "not_in_benchmark": 1,
        "no_vote": 1,  # row 3; the unreadable vote is counted as such
    }


def test_a_public_results_file_gives_its_own_accuracy(tmp_path):
    """A GenAI-Bench results file holds the human votes and the model's: labels and scores of one evaluation."""
    votes = [("leftvote", "[[A>B]]"), ("rightvote", "[[A>B]]"), ("tievote", "[[A=B=Good]]"), ("bothbad_vote", "?")]
    rows = [{"idx": n, "human_vote": human, "model_vote": model} for n, (human, model) in enumerate(votes * 3)]
    (tmp_path / "gpt4o.json").write_text(json.dumps(rows))
    bench = [{"use": "genai_bench", "path": str(tmp_path / "gpt4o.json")}]
    recipe = scores_recipe(tmp_path / "out", tmp_path, tmp_path / "gpt4o.json", bench=bench)
    results = run_eval(recipe).as_json()
    assert results["evaluations"][0]["label"] == "gpt4o"
    assert results["evaluations"][0]["judge"]["unused"]["unreadable_vote"]["count"] == 3
    kinds = [json.loads(line)["kind"] for line in (tmp_path / "out/gpt4o/answers.jsonl").read_text().splitlines()]
    assert (kinds.count("with_ties"), kinds.count("without_ties")) == (12, 6)
    with pytest.raises(DataError, match="labels without images"):
        run_eval(make_recipe(tmp_path / "judge", tmp_path, bench=bench))
