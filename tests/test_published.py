"""Figures as their publishers' code counts them, worked out by hand, beside ours; and where both stand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from eval_world import write_benchmark
from label_ground import benchmark, comparison, group, group_cards, scored
from pydantic import ValidationError
from test_external import scores_recipe

from editjudge.errors import DataError
from eval.benchmarks.genai_bench import GenAIBench
from eval.benchmarks.labels import as_index
from eval.benchmarks.pairs import Pairs
from eval.benchmarks.tiger_editreward_bench import TigerEditRewardBench
from eval.compare import compare_folders
from eval.external import read_scores
from eval.external.reading import ScoresFile
from eval.external.votes import GENAI_VOTES, read_vote
from eval.metrics.multiway import measure_multiways
from eval.metrics.published import AsPublished, published_figures, with_ties
from eval.run import run_eval
from eval.terminal import remarks

DATA = Path(__file__).parent / "data" / "genai_bench" / "votes.json"


def published(bench, cards=None, votes=None, said=None) -> dict:
    found = published_figures(bench, cards or {}, votes is not None, said or AsPublished(votes or {}), 200, 0)
    return {(row["by"], row["kind"], row["column"]): row for row in found}


def write(path: Path, rows) -> Path:
    path.write_text(json.dumps(rows))
    return path


# --- GenAI-Bench's votes


@pytest.mark.parametrize(
    ("vote", "ours", "theirs"),
    [
        ("[[A>B]]", "A>B", "A>B"),
        ("[[B>>A]]", "B>A", "B>A"),
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
    results = run_eval(recipe)
    theirs, ours = results["evaluations"]
    assert (theirs["label"], ours["label"]) == ("rival, as published", "rival, ours")
    assert theirs["labels"]["comparisons"]["overall"]["four_label"]["value"] == 2 / 8
    assert ours["labels"]["comparisons"]["overall"]["four_label"]["value"] == 5 / 8
    (row,) = theirs["published"]
    assert (row["by"], row["column"], row["n"], row["value"]) == ("GenAI-Bench", "four_label", 8, 2 / 8)
    assert "published" not in ours
    assert theirs["judge"]["otherwise"]["vote"]["count"] == 3
    assert {kind: found["count"] for kind, found in theirs["judge"]["unused"].items()} == {"unreadable_vote": 2}
    # The leaderboard and `compare` say which reading a row uses.
    assert [row["reading"] for row in results["leaderboard"][0]["rows"]] == ["ours", "as published"]
    verdict = compare_folders(tmp_path / "out" / "rival", tmp_path / "out" / "rival" / "strict", 100)[0]
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
    told = json.loads(DATA.read_text())
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
        results[name] = run_eval(recipe)
    silent = results["silent"]["evaluations"][0]
    assert silent["labels"]["comparisons"]["overall"]["answered_by"] == "votes"
    assert silent["labels"]["comparisons"]["overall"]["four_label"]["value"] == 0
    assert silent["published"][0]["value"] == 0
    assert silent["judge"]["unused"]["unreadable_vote"]["count"] == 8
    assert "no_score" not in silent["judge"]["unused"]
    board = results["some"]["leaderboard"][0]
    assert [row["values"]["four_label"]["value"] for row in board["rows"]] == [3 / 8, 0]


# --- idx, and labels that do not say what the rows were about


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
        results = run_eval(scores_recipe(tmp_path / name, tmp_path, file, bench=bench, leaderboard={"results": paths}))
        # A vote says what it was about and the labels do not: nothing contradicts it.
        assert "other_instruction" not in results["evaluations"][0]["judge"]["unused"]
    board = results["leaderboard"][0]
    assert not [note for note in board["notes"] if "no evaluation of exactly these labels" in note]
    assert {row["kind"] for row in board["rows"]} == {"measured", "other", "published"} - (
        set() if any(row["kind"] == "published" for row in board["rows"]) else {"published"}
    )


# --- EditScore's result folders


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return write_benchmark(tmp_path_factory.mktemp("bench"), groups=2)


def editscore_folder(folder: Path, rows) -> Path:
    """Rows (pair, score of the preferred, score of the other) as evaluation.py of EditScore writes them."""
    for pair, one, other in rows:
        file = folder / pair.task.task_type / f"{pair.dimension}.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a") as handle:
            handle.write(json.dumps({"key": [pair.better.editor, pair.worse.editor], "score": [one, other]}) + "\n")
    return folder


def test_an_editscore_folder_gives_the_published_figure_per_row_and_ours_per_image(tmp_path, pairs):
    """calculate_statistics.py: score[0] > score[1] per row, share per task, mean over tasks.

    Two tasks with three pairs each; the candidates' scores are sampled anew for every pair.
    color_alter:  0>1 6:5 right, 0>2 4:5 wrong, 1>2 7:7 a tie, wrong: 1/3
    subject-add:  0>1 8:3 right, 0>2 9:2 right, 1>2 6:1 right:         3/3
    Ours, mean score per image: color_alter 0: 5, 1: 6, 2: 6, all three wrong or tied; subject-add all right.
    """
    bench = Pairs(path=pairs).load(pairs.parent)
    scores = {
        "color_alter": {(0, 1): (6, 5), (0, 2): (4, 5), (1, 2): (7, 7)},
        "subject-add": {(0, 1): (8, 3), (0, 2): (9, 2), (1, 2): (6, 1)},
    }
    rows = []
    for pair in bench.pairs:
        if pair.dimension == "overall":
            ranks = (int(pair.better.editor[-1]), int(pair.worse.editor[-1]))
            rows.append((pair, *scores[pair.task.task_type][ranks]))
    folder = editscore_folder(tmp_path / "results" / "qwen25vl", rows)
    results = run_eval(scores_recipe(tmp_path / "out", pairs, folder))
    theirs, ours = results["evaluations"]
    assert (theirs["reading"], ours["reading"]) == ("as published", "ours (one score per image)")
    assert theirs["judge"]["unused"] == ours["judge"]["unused"] == {}
    published = theirs["dimensions"]["overall"]
    assert published["task_mean"]["value"] == pytest.approx((1 / 3 + 1) / 2, abs=1e-6)
    assert (published["right"], published["wrong"], published["tie"], published["unscored"]) == (4, 1, 1, 0)
    assert ours["dimensions"]["overall"]["task_mean"]["value"] == (0 + 1) / 2
    assert ours["dimensions"]["overall"]["coverage"] == 1
    (row,) = theirs["published"]
    assert (row["by"], row["column"], row["n"]) == ("EditScore", "overall", 6)
    assert row["value"] == published["task_mean"]["value"]
    assert ours["judge"]["otherwise"] == {"scores_per_row": {"count": 6, "names": []}}


def test_an_editscore_folder_with_one_score_per_image_has_one_row(tmp_path, pairs):
    bench = Pairs(path=pairs).load(pairs.parent)
    level = {"editor0": 9, "editor1": 5, "editor2": 1}
    rows = [(pair, level[pair.better.editor], level[pair.worse.editor]) for pair in bench.pairs]
    results = run_eval(scores_recipe(tmp_path / "out", pairs, editscore_folder(tmp_path / "r", rows)))
    (row,) = results["evaluations"]
    assert row["reading"] == "as published; ours (one score per image) is the same"
    assert row["judge"]["otherwise"] == {}


def test_keys_that_come_again_are_told_apart_by_the_order_of_rows(tmp_path):
    """Two groups of one task use the same keys: the first row is about the first group, the second about the second."""
    path = write_benchmark(tmp_path / "b", groups=4)  # task000 and task003 are both of color_alter
    bench = Pairs(path=path).load(path.parent)
    wanted = [
        pair
        for pair in bench.pairs
        if pair.dimension == "overall" and (pair.better.editor, pair.worse.editor) == ("editor0", "editor1")
    ]
    rows = [(pair, 5 + place, 5) for place, pair in enumerate(wanted)]
    found = read_scores(ScoresFile(path=editscore_folder(tmp_path / "r", rows)), bench)
    assert {pair.task.id: one for pair, one, _ in found.rows} == {
        "task000": 5,
        "task003": 8,
        "task001": 6,
        "task002": 7,
    }


def test_rows_of_an_editscore_folder_that_is_appended_to_count_twice_there(tmp_path, pairs):
    """Upstream appends to its files: a second run doubles the rows, and its figure counts them all."""
    bench = Pairs(path=pairs).load(pairs.parent)
    rows = [(pair, 5, 4) for pair in bench.pairs if pair.dimension == "overall"]
    folder = editscore_folder(tmp_path / "r", [*rows, *((pair, 4, 5) for pair, _, _ in rows)])
    found = read_scores(ScoresFile(path=folder), bench)
    theirs = published(bench, said=found.as_published())["EditScore", "pairs", "overall"]
    assert (theirs["n"], theirs["value"]) == (12, 0.5)


# --- EditReward: scores of two candidates, and groups


@pytest.mark.parametrize(
    ("human", "margins", "theirs", "why"),
    [
        ([1, 1, 0, -1], [3, 2, 1, -4], 1, "the tie is the closest pair"),
        ([1, 1], [3, 2], 0.5, "nobody tied, yet one pair must become a tie"),
        ([0, 1], [2, 2], 1, "of two equal differences the first alone becomes a tie"),
        ([1, 0], [2, 2], 0.5, "the other way round the pair in order is lost first"),
        ([1, 0], [float("nan"), 1], 0.5, "an unscored pair is wrong"),
        ([0, 0], [0, 5], 1, "all are ties"),
    ],
)
def test_editrewards_accuracy_with_ties(human, margins, theirs, why):
    """`calc_accuracy_with_ties` of eval_bench.py, TIGER-AI-Lab/EditReward, step by step."""
    assert with_ties(np.array(human), np.array(margins, dtype=float)) == theirs, why


def test_scores_on_comparisons_give_editrewards_figure_beside_ours():
    labels, margins = ["A=B", "A>B", "B>A"], [2.0, 2.0, -3.0]
    items = [comparison(f"c{n}", label) for n, label in enumerate(labels)]
    theirs = published(benchmark(comparisons=tuple(items)), scored(items, margins))
    assert theirs["EditReward", "comparisons", "with_ties"]["value"] == 1  # ours is 2/3: no threshold parts 2 from 2


def test_comparisons_without_any_tie_have_no_such_figure():
    items = [comparison("c0", "A>B"), comparison("c1", "B>A")]
    assert published(benchmark(comparisons=tuple(items)), scored(items, [1.0, 1.0])) == {}


def as_label(pair: str, said: str) -> str:
    """A label of two candidates, the first of which is A."""
    return "A=B" if "=" in said else "A>B" if said[0] == pair[0] else "B>A"


def test_editrewards_strict_ranking_of_groups():
    """`evaluate_edit_reward_bench` of eval_bench.py: np.argsort(scores)[::-1] must be the people's order.

    The best threshold of the pairs is 0.5: both closest ties, and the two pairs in between that are in order are lost
    to it in ours, not in theirs.
    """
    cases = [
        ("p0", {"AB": "A>B"}, [5, 4], True),
        ("p1", {"AB": "B>A"}, [5, 5], True),  # equal scores: the later candidate is first
        ("p2", {"AB": "A>B"}, [5, 5], False),
        ("p3", {"AB": "A=B"}, [5, 4.5], True),
        ("p4", {"AB": "A=B"}, [5, 4.6], True),
        ("p5", {"AB": "A>B"}, [5, 4.75], True),  # closer than the threshold, and right all the same
        ("p6", {"AB": "A=B"}, [9, 1], False),
        ("t0", {"AB": "A>B", "AC": "A>C", "BC": "B>C"}, [5, 4, 3], True),
        ("t1", {"AB": "A>B", "AC": "A>C", "BC": "B>C"}, [5, 3, 4], False),
        ("t2", {"AB": "A=B", "AC": "A>C", "BC": "B>C"}, [5, 5, 3], False),  # a tie of three is never right
        ("t3", {"AB": "A>B", "AC": "A>C", "BC": "C>B"}, [5, None, 4], False),
        ("t4", {"AB": "A>B", "AC": "C>A", "BC": "B>C"}, [5, 4, 3], False),  # a circle is no order
    ]
    groups, cards = [], {}
    for name, labels, scores, _ in cases:
        made = group(name, {pair: as_label(pair, said) for pair, said in labels.items()})
        groups.append(made)
        cards |= group_cards(made, scores)
    theirs = published(benchmark(multiways=tuple(groups)), cards)
    right = [flag for *_, flag in cases]
    assert theirs["EditReward", "multiway", "k2"]["value"] == pytest.approx(sum(right[:7]) / 7, abs=1e-6)
    assert theirs["EditReward", "multiway", "k3"]["value"] == pytest.approx(sum(right[7:]) / 5, abs=1e-6)
    assert theirs["EditReward", "multiway", "overall"]["value"] == pytest.approx(sum(right) / 12, abs=1e-6)
    assert theirs["EditReward", "multiway", "overall"]["n"] == 12


# --- folders: one task, or a line that says what was found


def viescore_folder(folder: Path, score=(8, 9)) -> Path:
    for editor in ("editor0", "editor1", "editor2"):
        (folder / editor).mkdir(parents=True)
        for name in ("SC.json", "PQ.json"):
            (folder / editor / name).write_text(json.dumps({"before.png": {"score": list(score), "reasoning": ""}}))
    return folder


def test_a_folder_with_several_tasks_is_refused_and_they_are_named(tmp_path, pairs):
    bench = Pairs(path=pairs).load(pairs.parent)
    for task in ("Text-Guided_IE", "Mask-Guided_IE"):
        viescore_folder(tmp_path / "gpt4o" / task)
    with pytest.raises(DataError, match=r"results of 2 tasks or judges.*\n.*Mask-Guided_IE \(viescore\)\n.*Text-"):
        read_scores(ScoresFile(path=tmp_path / "gpt4o"), bench)
    with pytest.raises(DataError, match="results of 2 tasks"):
        read_scores(ScoresFile(path=tmp_path / "gpt4o", format="viescore"), bench)


def test_editscore_folders_of_two_judges_are_refused(tmp_path, pairs):
    bench = Pairs(path=pairs).load(pairs.parent)
    rows = [(pair, 5, 4) for pair in bench.pairs]
    for judge in ("7B/qwen25vl", "72B/qwen25vl_vllm"):
        editscore_folder(tmp_path / judge, rows)
    with pytest.raises(DataError, match="results of 2 tasks or judges") as error:
        read_scores(ScoresFile(path=tmp_path), bench)
    assert f"  {tmp_path / '7B/qwen25vl'} (editscore)" in str(error.value)
    assert len(read_scores(ScoresFile(path=tmp_path / "7B"), bench).rows) == len(rows)


def test_a_folder_with_two_formats_is_refused_and_a_stray_csv_is_no_format(tmp_path, pairs):
    bench = Pairs(path=pairs).load(pairs.parent)
    editscore_folder(tmp_path / "both" / "editscore", [(pair, 5, 4) for pair in bench.pairs])
    (tmp_path / "both" / "summary.csv").write_text("model,mean\nx,1\n")
    assert read_scores(ScoresFile(path=tmp_path / "both"), bench).format == "editscore"
    viescore_folder(tmp_path / "both" / "viescore")
    with pytest.raises(DataError, match=r"editscore \(editscore\)\n.*viescore \(viescore\)"):
        read_scores(ScoresFile(path=tmp_path / "both"), bench)


def test_an_evaluation_of_ours_is_its_own_cards_whatever_lies_below_it(tmp_path, pairs):
    """`strict/` and `probes/` below an evaluation hold other cards."""
    bench = Pairs(path=pairs).load(pairs.parent)
    rows = [(pair, 5 + place % 2, 5) for place, pair in enumerate(bench.pairs)]
    run_eval(scores_recipe(tmp_path / "out", pairs, editscore_folder(tmp_path / "r", rows)))
    assert (tmp_path / "out" / "pairs" / "strict" / "cards.jsonl").is_file()
    found = read_scores(ScoresFile(path=tmp_path / "out" / "pairs"), bench)
    assert (found.format, len(found.cards)) == ("cards", len(bench.triplets))
    assert read_scores(ScoresFile(path=tmp_path / "out"), bench).format == "cards"


# --- several judges in one recipe


def test_several_judges_in_one_recipe(tmp_path):
    """Results, leaderboard, report and `compare` have each of them."""
    told = json.loads(DATA.read_text())
    labels = [{"idx": n, "human_vote": human} for n, human in enumerate(told["human_vote"])]
    bench = [{"use": "genai_bench", "path": str(write(tmp_path / "labels.json", labels)), "name": "GenAI-Bench"}]
    scores = []
    for name in ("gpt4o", "idefics2"):
        rows = [{"idx": n, "model_vote": vote} for n, vote in enumerate(told["model_vote"][name])]
        (tmp_path / name).mkdir()
        scores.append({"path": str(write(tmp_path / name / "pairwise.json", rows)), "name": name})
    out = tmp_path / "out"
    results = run_eval(scores_recipe(out, tmp_path, scores, bench=bench, report={"tables": ["markdown"]}))
    assert [row["label"] for row in results["evaluations"]] == ["gpt4o", "idefics2"]
    board = results["leaderboard"][0]
    assert [row["name"] for row in board["rows"] if row["kind"] == "measured"] == ["out: gpt4o", "out: idefics2"]
    values = {row["name"]: row["values"]["four_label"]["value"] for row in board["rows"] if row["kind"] == "measured"}
    assert {name: round(100 * value, 2) for name, value in values.items()} == {
        "out: gpt4o": 53.54,
        "out: idefics2": 27.31,
    }
    for file in ("report.html", "tables.md"):
        assert "idefics2" in (out / file).read_text()
    (verdict,) = compare_folders(out / "gpt4o", out / "idefics2", 100)
    assert (verdict.benchmark, verdict.n_common) == ("GenAI-Bench", 919)
    with pytest.raises(DataError, match="evaluations of several judges"):
        compare_folders(out, out / "idefics2", 100)


def test_two_judges_of_one_name_are_refused(tmp_path):
    with pytest.raises(ValidationError, match="two judges are called 'pairwise'; give each a `name`"):
        scores_recipe(tmp_path, tmp_path, ["a/pairwise.json", "b/pairwise.json"])


# --- where the figures stand


def test_figures_counted_by_others_stand_in_the_leaderboard_and_on_the_terminal(tmp_path, pairs):
    """Scores on comparisons with ties: our accuracy with ties, and below it EditReward's, which is another one.

    All differences are 2. Ours ties all pairs or none, so the nine preferences or the three ties are right. Theirs ties
    one pair at a time and is best after the first, which is a tie: it is right, and so are the nine preferences.
    """
    labels = ["tievote", "leftvote", "leftvote", "rightvote"] * 3
    told = [{"idx": n, "human_vote": human} for n, human in enumerate(labels)]
    bench = [{"use": "genai_bench", "path": str(write(tmp_path / "labels.json", told)), "name": "g"}]
    level = {"leftvote": 7, "tievote": 7, "rightvote": 3}
    rows = [{"id": f"{n}-left", "overall": level[human]} for n, human in enumerate(labels)]
    rows += [{"id": f"{n}-right", "overall": 5} for n in range(len(labels))]
    results = run_eval(scores_recipe(tmp_path / "out", pairs, write(tmp_path / "s.json", rows), bench=bench))
    row = results["evaluations"][0]
    ours = row["labels"]["comparisons"]["overall"]["with_ties"]["value"]
    (theirs,) = row["published"]
    assert ours == 9 / 12
    assert theirs["value"] == pytest.approx(10 / 12, abs=1e-6)
    board = results["leaderboard"][0]
    measured = {each["counted_by"]: each for each in board["rows"] if each["kind"] == "measured"}
    assert measured.keys() == {None, "EditReward"}
    assert measured["EditReward"]["values"]["with_ties"]["value"] == theirs["value"]
    assert measured["EditReward"]["values"]["without_ties"] is None
    assert "counted as EditReward" in (tmp_path / "out" / "report.html").read_text()
    assert any("as EditReward's code counts" in line and "0.833" in line for line in remarks(results))


# --- EditReward's votes on groups


TIGER = [
    # id, comparison, ranking, what the judge voted
    ("p1", "2pair", "AvsB", "A>B", "A>B"),  # right
    ("p2", "2pair", "AvsB", "A=B", "A=B"),  # right
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
    wanted = {"k2": (3, 2 / 3), "k3": (2, 1 / 2), "overall": (5, 3 / 5)}
    for column, (n, value) in wanted.items():
        row = theirs["EditReward", "multiway", column]
        assert (row["n"], row["value"]) == (n, pytest.approx(value, abs=1e-6))
    ours = measure_multiways(bench.multiways, {}, found.votes.ours, 100, 0)
    assert ours["k"]["3"]["group"]["value"] == pytest.approx(2 / 3, abs=1e-6)
    assert ours["overall"]["group"]["value"] == pytest.approx(4 / 6, abs=1e-6)


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
