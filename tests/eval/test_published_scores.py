"""Scores as their publishers' code counts them, worked out by hand, beside ours: EditScore and EditReward."""

from __future__ import annotations

import numpy as np
import pytest
from eval_recipes import scores_recipe
from eval_world import write_benchmark
from label_ground import benchmark, comparison, group, group_cards, scored
from published_ground import editscore_folder, published, write

from editjudge.files.io import read_jsonl, write_jsonl
from editjudge.formats.results.results import Results
from editjudge.records.types import PreferencePair
from eval.benchmarks.pairs import Pairs
from eval.external import read_scores
from eval.external.reading import ScoresFile
from eval.metrics.published import with_ties
from eval.run import run_eval
from eval.terminal import remarks


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return write_benchmark(tmp_path_factory.mktemp("bench"), groups=2)


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
    results = run_eval(scores_recipe(tmp_path / "out", pairs, folder)).as_json()
    theirs, ours = results["evaluations"]
    assert (theirs["reading"], ours["reading"]) == ("as published", "ours")
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


def test_rows_of_task_unknown_are_read_too(tmp_path):
    """Of labels of task "unknown" evaluation.py writes a folder of this name: its pairs are comparisons."""
    path = write_benchmark(tmp_path / "b", groups=6)
    pairs = [*read_jsonl(path, PreferencePair)]
    unknown = [pair for pair in pairs if pair.task.id in ("task000", "task001")]
    for place, pair in enumerate(pairs):
        if pair in unknown:
            task = pair.task.model_copy(update={"task_type": "unknown"})
            better, worse = (
                side.model_copy(update={"task": task, "editor": f"{task.id}-{side.editor}"})
                for side in (pair.better, pair.worse)
            )
            pairs[place] = pair.model_copy(update={"task": task, "better": better, "worse": worse})
    write_jsonl(path, pairs)
    rows = [(pair, 7, 4) for pair in pairs if pair.dimension == "overall"]
    bench = Pairs(path=path).load(path.parent)
    found = read_scores(ScoresFile(path=editscore_folder(tmp_path / "r", rows)), bench)
    asked = [item for item in bench.comparisons if item.dimension == "overall"]
    assert len(asked) == 6
    assert {found.cards[item.first.id].overall is not None for item in asked} == {True}
    assert len(found.rows) == len(rows) - 6  # EditScore's figure is a mean over its tasks
    assert found.findings.counts == {}


def test_an_editscore_folder_with_one_score_per_image_has_one_row(tmp_path, pairs):
    bench = Pairs(path=pairs).load(pairs.parent)
    level = {"editor0": 9, "editor1": 5, "editor2": 1}
    rows = [(pair, level[pair.better.editor], level[pair.worse.editor]) for pair in bench.pairs]
    results = run_eval(scores_recipe(tmp_path / "out", pairs, editscore_folder(tmp_path / "r", rows))).as_json()
    (row,) = results["evaluations"]
    assert row["reading"] == "as published, same as ours"
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
    assert {*found.by_row().values()} == {(5, 4)}  # pairs.jsonl has the first row about a pair


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
    once = np.ones((1, len(human)))
    assert with_ties(np.array(human), np.array(margins, dtype=float), once).tolist() == [theirs], why


def printed_with_ties(human: list[int], margins: list[float]) -> float:
    """`calc_accuracy_with_ties` again, in plain loops."""
    right = sum(h * m > 0 for h, m in zip(human, margins, strict=True))
    best = -1
    for h, m in sorted(zip(human, margins, strict=True), key=lambda pair: abs(pair[1])):
        right += (h == 0) - (h * m > 0)
        best = max(best, right)
    return best / len(human)


def test_resamples_of_editrewards_accuracy_are_those_of_lists_with_repetitions():
    generator = np.random.default_rng(5)
    human = generator.integers(-1, 2, 12)
    margins = generator.permutation(12) * generator.choice([-0.5, 0.5], 12)  # no two are equally far apart
    weights = generator.integers(0, 4, (200, 12)).astype(float)
    expected = []
    for row in weights:
        places = np.repeat(np.arange(12), row.astype(int))
        expected.append(printed_with_ties(human[places].tolist(), margins[places].tolist()))
    assert with_ties(human, margins, weights) == pytest.approx(np.array(expected))


def test_editrewards_accuracy_with_ties_has_an_interval():
    labels = ["A>B", "B>A", "A=B", "A>B", "A=B", "B>A", "A>B", "A>B", "A=B", "B>A"]
    margins = [2.0, 3.0, 0.5, 1.0, 1.5, -2.5, 4.0, -1.0, 0.25, -3.5]
    items = [comparison(f"c{n}", label) for n, label in enumerate(labels)]
    found = published(benchmark(comparisons=tuple(items)), scored(items, margins))
    row = found["EditReward", "comparisons", "with_ties"]
    assert row["low"] < row["value"] <= row["high"] <= 1
    few = published(benchmark(comparisons=tuple(items[1:4])), scored(items[1:4], margins[1:4]))
    assert few["EditReward", "comparisons", "with_ties"]["low"] is None  # three groups


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
        ("p7", {"AB": "B>A"}, [3, 3], True),
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
    assert theirs["EditReward", "multiway", "k2"]["value"] == pytest.approx(sum(right[:8]) / 8, abs=1e-6)
    assert theirs["EditReward", "multiway", "k3"]["value"] == pytest.approx(sum(right[8:]) / 5, abs=1e-6)
    assert theirs["EditReward", "multiway", "overall"]["value"] == pytest.approx(sum(right) / 13, abs=1e-6)
    assert theirs["EditReward", "multiway", "overall"]["n"] == 13


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
    results = run_eval(scores_recipe(tmp_path / "out", pairs, write(tmp_path / "s.json", rows), bench=bench)).as_json()
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
    assert any("as EditReward's code counts" in line and "0.833" in line for line in remarks(Results(**results)))
