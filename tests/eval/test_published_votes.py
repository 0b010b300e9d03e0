"""Votes as their publishers' code counts them, worked out by hand, beside ours: GenAI-Bench and EditReward."""

from __future__ import annotations

import json

import pytest
from eval_recipes import scores_recipe
from published_ground import GENAI_FILE, published, write

from eval.benchmarks.genai_bench import GenAIBench
from eval.benchmarks.tiger_editreward_bench import TigerEditRewardBench
from eval.compare.verdict import compare_folders
from eval.external import read_scores
from eval.external.reading import ScoresFile
from eval.external.votes import GENAI_VOTES, read_vote
from eval.labels.types import as_index
from eval.metrics.multiway import measure_multiways
from eval.run import run_eval


@pytest.mark.parametrize(
    ("vote", "ours", "theirs"),
    [
        ("[[A>B]]", "A>B", "A>B"),
        ("[[A>>B]]", "A>B", "A>B"),
        ("[[B>A]]", "B>A", "B>A"),
        ("[[B>>A]]", "B>A", "B>A"),
        ("[[A=B=Good]]", "A=B=Good", "A=B=Good"),
        ("[[A=B]]", "A=B", "A=B"),
        ("[[A=B=Bad]]", "A=B=Bad", "A=B=Bad"),
        ("[[A > B]]", "A>B", None),
        ("[[ A=B = Good ]]", "A=B=Good", None),
        ("[[B=A]]", "A=B", None),
        ("[[A<B]]", "B>A", None),
        ("A>B", "A>B", None),
        ("[[a>b]]", "A>B", None),
        ("[[A>B]] or [[B>A]]", None, None),
        ("[[C>D]]", None, None),
        ("[[A>B=Good]]", None, None),
        ("I cannot say", None, None),
        (None, None, None),
        (1, None, None),
    ],
)
def test_a_vote_in_our_reading_and_in_genai_benchs(vote, ours, theirs):
    """Theirs: exactly these strings are compared with the label (`parse_response`, TIGER-AI-Lab/GenAI-Bench)."""
    assert read_vote(vote) == ours
    assert (GENAI_VOTES.get(vote) if isinstance(vote, str) else None) == theirs


VOTED = [
    ("leftvote", "[[A>B]]"),  # right in both
    ("leftvote", "[[A > B]]"),  # right in ours
    ("rightvote", "[[A<B]]"),  # right in ours
    ("tievote", "[[A=B]]"),  # right in both: a tie of either kind
    ("bothbad_vote", "[[A=B=Good]]"),  # wrong in both
    ("bothbad_vote", "[[B=A]]"),  # right in ours
    ("leftvote", "no idea"),  # wrong in both
    ("rightvote", None),  # wrong in both
]


def test_genai_votes_give_the_published_figure_and_ours(tmp_path):
    rows = [{"idx": n, "human_vote": human, "model_vote": vote} for n, (human, vote) in enumerate(VOTED)]
    path = write(tmp_path / "rival.json", rows)
    recipe = scores_recipe(tmp_path / "out", tmp_path, path, bench=[{"use": "genai_bench", "path": str(path)}])
    results = run_eval(recipe).as_json()
    theirs, ours = results["evaluations"]
    assert (theirs["label"], ours["label"]) == ("rival, as published", "rival, ours")
    assert theirs["labels"]["comparisons"]["overall"]["four_label"]["value"] == 2 / 8
    assert ours["labels"]["comparisons"]["overall"]["four_label"]["value"] == 5 / 8
    (row,) = theirs["published"]
    assert (row["by"], row["column"], row["n"], row["value"]) == ("GenAI-Bench", "four_label", 8, 2 / 8)
    assert ours["published"] == []
    assert theirs["judge"]["otherwise"]["vote"]["count"] == 3
    assert {kind: found["count"] for kind, found in theirs["judge"]["unused"].items()} == {"unreadable_vote": 2}
    # The leaderboard and `compare` say which reading a row uses.
    assert [row["reading"] for row in results["leaderboard"][0]["rows"]] == ["ours", "as published"]
    verdict = compare_folders(tmp_path / "out" / "rival", tmp_path / "out" / "rival" / "ours", 100)[0]
    assert (verdict.reading_a, verdict.reading_b) == ("as published", "ours")


def test_a_row_that_the_file_lacks_is_wrong_in_ours_and_not_counted_in_theirs(tmp_path):
    labels = [{"idx": n, "human_vote": human} for n, (human, _) in enumerate(VOTED)]
    votes = [{"idx": n, "model_vote": vote} for n, (_, vote) in enumerate(VOTED[:5])]
    bench = GenAIBench(path=str(write(tmp_path / "labels.json", labels))).load(tmp_path)
    found = read_scores(ScoresFile(path=write(tmp_path / "votes.json", votes)), bench)
    assert found.findings.counts == {"no_vote": 3}
    theirs = published(bench, said=found.as_published(), votes=found.votes.published)
    assert theirs["GenAI-Bench", "comparisons", "four_label"]["value"] == 2 / 5


@pytest.mark.parametrize("name", ["gpt4o", "idefics2", "random"])
def test_the_published_accuracy_of_real_files(tmp_path, name):
    """The files of GenAI-Bench's repository: both readings give the printed percentage."""
    told = json.loads(GENAI_FILE.read_text())
    rows = [
        {"idx": n, "human_vote": human, "model_vote": vote}
        for n, (human, vote) in enumerate(zip(told["human_vote"], told["model_vote"][name], strict=True))
    ]
    path = write(tmp_path / f"{name}.json", rows)
    bench = GenAIBench(path=str(path)).load(tmp_path)
    found = read_scores(ScoresFile(path=path), bench)
    theirs = published(bench, said=found.as_published(), votes=found.votes.published)
    value = theirs["GenAI-Bench", "comparisons", "four_label"]["value"]
    assert round(100 * value, 2) == told["published_accuracy"][name]
    assert found.otherwise() == {}


def test_a_judge_without_a_readable_vote_is_last_and_no_file_of_scores(tmp_path):
    """Its published figure is 0; it must not stand above a judge with some right votes."""
    bench = [
        {
            "use": "genai_bench",
            "path": str(
                write(
                    tmp_path / "labels.json",
                    labels := [{"idx": n, "human_vote": human} for n, (human, _) in enumerate(VOTED)],
                ),
            ),
            "name": "g",
        }
    ]
    files = {
        "silent": [{"idx": row["idx"], "model_vote": "no idea"} for row in labels],
        "some": [{"idx": row["idx"], "model_vote": "[[A>B]]"} for row in labels],
    }
    results = {}
    for name, rows in files.items():
        others = [str(tmp_path / "out-silent" / "results.json")] if name == "some" else []
        recipe = scores_recipe(
            tmp_path / f"out-{name}",
            tmp_path,
            write(tmp_path / f"{name}.json", rows),
            bench=bench,
            leaderboard={"results": others},
        )
        results[name] = run_eval(recipe).as_json()
    silent = results["silent"]["evaluations"][0]
    assert silent["labels"]["comparisons"]["overall"]["answered_by"] == "votes"
    assert silent["labels"]["comparisons"]["overall"]["four_label"]["value"] == 0
    assert silent["published"][0]["value"] == 0
    assert silent["judge"]["unused"]["unreadable_vote"]["count"] == 8
    assert "no_score" not in silent["judge"]["unused"]
    board = results["some"]["leaderboard"][0]
    assert [row["values"]["four_label"]["value"] for row in board["rows"]] == [3 / 8, 0]


@pytest.mark.parametrize(
    ("value", "index"),
    [
        (0, 0),
        ("0", 0),
        (0.0, 0),
        ("7", 7),
        ("3.0", 3),
        (True, None),
        (-1, None),
        (0.5, None),
        ("x", None),
        (None, None),
    ],
)
def test_an_index_is_a_number_however_it_is_written(value, index):
    assert as_index(value) == index


@pytest.mark.parametrize("write_index", [int, str, float, lambda n: f"{n}.0"])
def test_idx_is_as_good_as_text_or_float_in_labels_as_in_votes(tmp_path, write_index):
    labels = [{"idx": write_index(n), "human_vote": human} for n, (human, _) in enumerate(VOTED)]
    votes = [{"idx": write_index(n), "model_vote": "[[A>B]]"} for n in range(len(VOTED))]
    bench = GenAIBench(path=str(write(tmp_path / "labels.json", labels))).load(tmp_path)
    assert [item.id for item in bench.comparisons] == [f"genai_bench-{n}" for n in range(len(VOTED))]
    assert not bench.partial
    found = read_scores(ScoresFile(path=write(tmp_path / "votes.json", votes)), bench)
    assert len(found.votes.ours) == len(VOTED)
    assert found.findings.as_json() == {}


def test_labels_without_prompts_are_the_same_labels(tmp_path):
    """The leaderboard takes another evaluation of the same labels, whether or not its file told the instructions."""
    votes = [{"idx": n, "model_vote": vote, "instruct_prompt": f"Make it {n}."} for n, (_, vote) in enumerate(VOTED)]
    labels = [{"idx": n, "human_vote": human} for n, (human, _) in enumerate(VOTED)]
    told = [row | {"instruct_prompt": f"Make it {n}."} for n, row in enumerate(labels)]
    file = write(tmp_path / "votes.json", votes)
    for name, rows, others in (("plain", labels, []), ("told", told, ["plain"])):
        bench = [{"use": "genai_bench", "path": str(write(tmp_path / f"{name}-labels.json", rows)), "name": "g"}]
        paths = [str(tmp_path / other / "results.json") for other in others]
        results = run_eval(
            scores_recipe(tmp_path / name, tmp_path, file, bench=bench, leaderboard={"results": paths})
        ).as_json()
        # A vote says what it was about and the labels do not: nothing contradicts it.
        assert "other_instruction" not in results["evaluations"][0]["judge"]["unused"]
    board = results["leaderboard"][0]
    assert not [note for note in board["notes"] if "no evaluation of exactly these labels" in note]
    assert {row["kind"] for row in board["rows"]} == {"measured", "other", "published"} - (
        set() if any(row["kind"] == "published" for row in board["rows"]) else {"published"}
    )


TIGER = [
    # id, comparison, ranking, what the judge voted
    ("p1", "2pair", "AvsB", "A>B", "A>B"),  # right
    ("p2", "2pair", "AvsB", "A=B", "A=B"),  # right
    ("p4", "2pair", "AvsB", "A=B=Good", "A=B=Good"),  # right: the same string
    ("p5", "2pair", "AvsB", "A=B=Good", "A=B"),  # another string: right in ours alone
    ("p3", "2pair", "AvsB", "B>A", "Unknown"),  # wrong
    ("g1_ab", "3pair", "AvsB", "A>B", "A>B"),  # g1: all three right
    ("g1_ac", "3pair", "AvsC", "A>C", "A>C"),
    ("g1_bc", "3pair", "BvsC", "C>B", "C>B"),
    ("g2_ab", "3pair", "AvsB", "A>B", "A>B"),  # g2: the third is right in ours alone
    ("g2_ac", "3pair", "AvsC", "A>C", "A>C"),
    ("g2_bc", "3pair", "BvsC", "B>C", "[[b > c]]"),
    ("g3_ab", "3pair", "AvsB", "A>B", None),  # g3: every request failed
    ("g3_ac", "3pair", "AvsC", "A>C", None),
    ("g3_bc", "3pair", "BvsC", "B>C", None),
]


def test_editrewards_results_files_of_votes_on_groups(write_tiger, tmp_path):
    """inference_*pair_hf.py: {"results": [...]} with the model's vote in the letters of the comparison; a failed
    request is null, and a group of which nothing is there is not counted."""
    path = write_tiger([row[:4] for row in TIGER])
    results = [
        {"id": name, "comparison_type": kind, "model_vote": vote, "human_vote": ranking} if vote is not None else None
        for name, _, kind, ranking, vote in TIGER
    ]
    file = write(tmp_path / "votes.json", {"model_name": "x", "accuracy": 0.5, "results": results})
    bench = TigerEditRewardBench(path=str(path), labels_only=True).load(tmp_path / "cache")
    found = read_scores(ScoresFile(path=file), bench)
    assert found.format == "genai_votes"
    assert found.findings.counts == {"no_vote": 3, "unreadable_vote": 1}
    theirs = published(bench, said=found.as_published(), votes=found.votes.published)
    wanted = {"k2": (5, 3 / 5), "k3": (2, 1 / 2), "overall": (7, 4 / 7)}
    for column, (n, value) in wanted.items():
        row = theirs["EditReward", "multiway", column]
        assert (row["n"], row["value"]) == (n, pytest.approx(value, abs=1e-6))
    ours = measure_multiways(bench.multiways, {}, found.votes.ours, 100, 0).as_json()
    assert ours["k"]["3"]["group"]["value"] == pytest.approx(2 / 3, abs=1e-6)
    assert ours["overall"]["group"]["value"] == pytest.approx(6 / 8, abs=1e-6)


@pytest.fixture
def write_tiger(tmp_path, monkeypatch):
    """TIGER's schema without images."""
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "hf"))
    import datasets

    def write_rows(rows):
        cells = [
            {
                "id": name,
                "instruction": f"Edit {name[:2]}.",
                "ranking": ranking,
                "comparison_type": kind,
                "dataset": size,
                "model_1": "m1",
                "model_2": "m2",
            }
            for name, size, kind, ranking in rows
        ]
        (tmp_path / "tiger").mkdir()
        datasets.Dataset.from_list(cells).to_parquet(tmp_path / "tiger" / "data.parquet")
        return tmp_path / "tiger"

    return write_rows


def test_a_label_whose_idx_came_before_is_left_out(tmp_path):
    rows = [{"idx": 0, "human_vote": "leftvote"}, {"idx": "0.0", "human_vote": "rightvote"}]
    bench = GenAIBench(path=str(write(tmp_path / "labels.json", rows))).load(tmp_path)
    assert [item.label for item in bench.comparisons] == ["A>B"]
    assert bench.left_out.counts == {"repeated_index": 1}
