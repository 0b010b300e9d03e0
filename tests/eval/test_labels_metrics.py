"""Figures of labels with ties, of groups and of ratings: by hand, against scipy, and against published numbers."""

import json
from pathlib import Path

import numpy as np
import pytest
from factories import make_card, make_judgment
from label_ground import candidate, card, comparison, group, group_cards, rating, scored
from places import DATA
from scipy.stats import kendalltau, spearmanr

from editjudge.statistics.correlation import kendall, spearman
from eval.benchmarks.genai_bench import GenAIBench
from eval.benchmarks.imagenhub import ImagenHub
from eval.labels.types import card_value
from eval.metrics.comparisons import measure_comparisons, same_label
from eval.metrics.correlation import Column, averages, correlate
from eval.metrics.labels import measure_labels, measure_ratings
from eval.metrics.multiway import measure_multiways
from eval.metrics.ties import best_threshold, right_with_ties, signs

VOTES = json.loads((DATA / "genai_bench" / "votes.json").read_text())


@pytest.fixture(scope="module")
def genai(tmp_path_factory):
    """The 919 published labels, as a public results file holds them."""
    path = tmp_path_factory.mktemp("genai") / "GenAI-Bench.json"
    path.write_text(json.dumps([{"idx": i, "human_vote": vote} for i, vote in enumerate(VOTES["human_vote"])]))
    return GenAIBench(path=str(path)).load(path.parent)


@pytest.mark.parametrize("judge", sorted(VOTES["published_accuracy"]))
def test_votes_give_the_published_accuracy_of_genai_bench(genai, judge):
    votes = {f"genai_bench-{i}": vote.strip("[]") for i, vote in enumerate(VOTES["model_vote"][judge])}
    found = measure_labels(genai, {}, votes, rounds=200, seed=0).as_json()["comparisons"]["overall"]
    assert (found["n"], found["n_untied"], found["coverage"]) == (919, 503, 1)
    assert round(100 * found["four_label"]["value"], 2) == VOTES["published_accuracy"][judge]
    assert found["four_label"]["low"] < found["four_label"]["value"] < found["four_label"]["high"]
    pairs = list(zip(VOTES["human_vote"], VOTES["model_vote"][judge], strict=True))
    sign = {"leftvote": "[[A>B]]", "rightvote": "[[B>A]]"}
    untied = [(human, vote) for human, vote in pairs if human in sign]
    assert found["without_ties"]["value"] == pytest.approx(np.mean([sign[h] == v for h, v in untied]), abs=1e-6)
    three = np.mean([sign[h] == v if h in sign else v.startswith("[[A=B") for h, v in pairs])
    assert found["three_class"]["value"] == found["with_ties"]["value"] == pytest.approx(three, abs=1e-6)
    assert sum(sum(row.values()) for row in found["answers"].values()) == 919


def test_an_unread_vote_is_wrong_and_counted(genai):
    votes = {f"genai_bench-{i}": vote.strip("[]") for i, vote in enumerate(VOTES["model_vote"]["gpt4o"])}
    right = next(
        i for i, vote in enumerate(VOTES["human_vote"]) if vote == "leftvote" and votes[f"genai_bench-{i}"] == "A>B"
    )
    del votes[f"genai_bench-{right}"]
    found = measure_labels(genai, {}, votes, rounds=200, seed=0).as_json()["comparisons"]["overall"]
    assert found["four_label"]["value"] == pytest.approx((round(0.5354 * 919) - 1) / 919, abs=1e-6)
    assert found["coverage"] == pytest.approx(918 / 919, abs=1e-6)
    assert found["answers"]["A>B"]["unanswered"] == 1


@pytest.mark.parametrize(
    ("human", "vote", "same"),
    [
        ("A=B=Bad", "A=B", True),
        ("A=B", "A=B=Good", True),
        ("A=B=Bad", "A=B=Good", False),
        ("A>B", "A>B", True),
        ("A>B", "A=B", False),
        ("A>B", None, False),
    ],
)
def test_a_tie_without_a_side_matches_either(human, vote, same):
    assert same_label(human, vote) is same


def test_figures_with_ties_by_hand():
    """Margins 2, -1, 0.2, 0.5, none; people: A, B, tie, A, tie. Best threshold 0.2: C + Thm = A, B, tie, A = 4 of 5."""
    items = [comparison(f"c{i}", label) for i, label in enumerate(["A>B", "B>A", "A=B=Good", "A>B", "A=B=Bad"])]
    cards = scored(items, [2, -1, 0.2, 0.5, None])
    found = measure_comparisons(items, cards, None, rounds=100, seed=0).as_json()
    assert found["tie_threshold"] == 0.2
    assert found["with_ties"]["value"] == 0.8
    assert found["three_class"]["value"] == 0.6
    assert found["without_ties"]["value"] == 1
    assert found["coverage"] == 0.8
    assert found["four_label"] is None
    assert found["answers"]["A=B=Bad"] == {"first": 0, "second": 0, "tie": 0, "unanswered": 1}


def test_best_threshold_against_trying_every_one():
    generator = np.random.default_rng(0)
    for _ in range(50):
        human = generator.integers(-1, 2, 30)
        margin = np.round(human * generator.random(30) * 3 + generator.normal(0, 1, 30), 1)
        margin[generator.random(30) < 0.1] = np.nan
        known = ~np.isnan(margin)
        tried = {
            threshold: right_with_ties(human[known], signs(margin[known], threshold)).sum() / 30
            for threshold in [0.0, *np.unique(np.abs(margin[known]))]
        }
        found = best_threshold(human, margin)
        assert found.accuracy == pytest.approx(max(tried.values()))
        assert found.value == min(value for value, share in tried.items() if share == max(tried.values()))


def test_a_group_is_right_only_when_all_of_it_is():
    """Published protocol: K columns by group, overall pooled over groups (here 1 of 2, 1 of 2, 0 of 1: 2 of 5)."""
    triple = {"AB": "A>B", "AC": "A>B", "BC": "A>B"}
    groups = [
        group("p1", {"AB": "A>B"}),
        group("p2", {"AB": "A=B"}),
        group("t1", triple),
        group("t2", triple),
        group("q1", {**triple, "AD": "A>B", "BD": "A>B", "CD": "B>A"}),
    ]
    cards = {}
    for item, values in zip(groups, ([3, 2], [5, 5.1], [9, 5, 1], [9, 1, 5], [9, 5, None, 7]), strict=True):
        cards |= group_cards(item, values)
    found = measure_multiways(groups, cards, None, rounds=100, seed=0).as_json()
    assert {k: (block["n"], block["group"]["value"]) for k, block in found["k"].items()} == {
        "2": (2, 0.5),
        "3": (2, 0.5),
        "4": (1, 0.0),
    }
    assert found["overall"]["group"]["value"] == 0.4
    assert found["k"]["2"]["tie_threshold"] == pytest.approx(0.1)
    assert found["k"]["3"]["tie_threshold"] is None
    assert found["k"]["2"]["group_with_ties"]["value"] == 1
    assert found["overall"]["group_with_ties"]["value"] == 0.6
    assert found["k"]["3"]["pairwise"]["value"] == pytest.approx(5 / 6, abs=1e-6)
    assert found["n_comparisons"] == 14
    assert found["coverage"] == pytest.approx(11 / 14, abs=1e-6)
    assert found["overall"]["pairwise"]["value"] == pytest.approx((1 + 5 + 2) / 14, abs=1e-6)


def test_votes_on_groups():
    groups = [group("p1", {"AB": "A>B"}), group("t1", {"AB": "A>B", "AC": "A>B", "BC": "B>A"})]
    votes = {"p1_AvsB": "A>B", "t1_AvsB": "A>B", "t1_AvsC": "A>B"}
    found = measure_multiways(groups, {}, votes, rounds=100, seed=0).as_json()
    assert found["overall"]["group"]["value"] == 0.5
    assert found["coverage"] == 0.75
    found = measure_multiways(groups, {}, votes | {"t1_BvsC": "B>A"}, rounds=100, seed=0).as_json()
    assert found["overall"]["group"]["value"] == 1


def test_groups_of_one_task_are_one_draw():
    """Forty groups of one answer each in ten tasks: as wide as ten draws, twice the width of forty."""
    alone = [group(f"g{i}", {"AB": "A>B"}) for i in range(40)]
    shared = [group(f"g{i}", {"AB": "A>B"}, task_id=f"task{i % 10}") for i in range(40)]
    widths = []
    for groups in (alone, shared):
        cards = {}
        for place, item in enumerate(groups):
            cards |= group_cards(item, [9, 5] if place % 10 < 5 else [5, 9])
        figure = measure_multiways(groups, cards, None, rounds=4000, seed=1).as_json()["overall"]["group"]
        widths.append(figure["high"] - figure["low"])
    assert widths[1] / widths[0] == pytest.approx(2, rel=0.15)


@pytest.mark.parametrize(("ours", "theirs"), [(spearman, spearmanr), (kendall, kendalltau)])
def test_weighted_correlation_is_that_of_the_repeated_rows(ours, theirs):
    generator = np.random.default_rng(0)
    one, other = generator.integers(0, 4, 25) / 3, generator.integers(0, 6, 25).astype(float)
    weights = generator.integers(0, 4, (20, 25)).astype(float)
    expected = []
    for row in weights:
        repeated = np.repeat(np.arange(25), row.astype(int))
        expected.append(theirs(one[repeated], other[repeated]).statistic)
    assert ours(one, other, weights) == pytest.approx(np.array(expected))


def test_a_constant_column_is_undefined_not_zero():
    ones = np.ones((1, 4))
    for measure in (spearman, kendall):
        assert np.isnan(measure(np.zeros(4), np.arange(4.0), ones)).all()
        assert np.isnan(measure(np.empty(0), np.empty(0), np.empty((1, 0)))).all()


def test_our_two_averages_by_hand():
    found = averages(np.array([[0.2, 0.6, np.nan]]))
    assert found["mean"] == pytest.approx(0.4)
    assert found["fisher"] == pytest.approx(np.tanh((np.arctanh(0.2) + np.arctanh(0.6)) / 2))


def test_values_equal_up_to_the_last_bit_tie():
    weights = np.ones((1, 3))
    exact = spearman(np.array([0.6, 0.6, 1]), np.array([1.0, 2, 3]), weights)
    assert spearman(np.array([0.1 + 0.2 + 0.3, 0.3 + 0.2 + 0.1, 1]), np.array([1.0, 2, 3]), weights) == exact


def test_ratings_per_model_and_coverage():
    """Model x in the same order, y reversed in two neighbours (rho 0.8), z constant; one output unscored."""
    ratings, cards = [], {}
    for model, judged in {"x": [1, 2, 3, 4], "y": [1, 3, 2, 4], "z": [5, 5, 5, 5], "w": [4, 3, 2, None]}.items():
        for image, value in enumerate(judged):
            item = rating(f"i{image}", model, image / 4)
            ratings.append(item)
            cards[item.triplet.id] = card(item.triplet, overall=value)
    found = measure_ratings(ratings, cards, rounds=100, seed=0).as_json()
    models = found["models"]
    assert [models[name]["spearman"]["value"] for name in "xyzw"] == [1, pytest.approx(0.8), None, -1]
    assert models["y"]["kendall"]["value"] == pytest.approx(2 / 3, abs=1e-6)
    assert models["w"]["n"] == 3
    assert found["undefined"] == ["z"]
    assert found["coverage"] == 15 / 16
    assert found["spearman"]["mean"]["value"] == pytest.approx((1 + 0.8 - 1) / 3, abs=1e-6)
    assert found["spearman"]["mean"]["low"] is None
    assert found["human"] is None


def test_intervals_of_a_correlation_hold_the_truth_about_as_often_as_they_say():
    generator = np.random.default_rng(4)
    truth, held = 6 / np.pi * np.arcsin(0.5 / 2), 0
    for _ in range(60):
        one = generator.normal(size=120)
        other = 0.5 * one + np.sqrt(0.75) * generator.normal(size=120)
        found = correlate([Column("m", one, other, np.arange(120))], 120, rounds=300, seed=0)
        figure = found.models["m"].spearman
        held += figure.low < truth < figure.high
    assert held >= 52


def test_raters_of_imagenhub_agree_as_far_as_scipy_says():
    """Human against human on the real tables: per model and pair of raters, Imagic constant and so undefined."""
    bench = ImagenHub(ratings=DATA / "imagenhub" / "Text-Guided_IE").load(Path("unused"))
    assert len(bench.ratings) == 179 * 9 * 3
    assert not bench.has_images
    found = measure_labels(bench, {}, None, rounds=2000, seed=0).as_json()["ratings"]
    assert found["semantic"]["coverage"] == 0
    assert found["semantic"]["spearman"]["mean"]["value"] is None
    by_pair = []
    of_model = {}
    for item in bench.ratings:
        if item.scale == "semantic":
            of_model.setdefault(item.triplet.editor, []).append(item.raters)
    for given in of_model.values():
        columns = np.array(given).T
        for one, other in ((0, 1), (0, 2), (1, 2)):
            if np.ptp(columns[one]) and np.ptp(columns[other]):
                by_pair.append(spearmanr(columns[one], columns[other]).statistic)
    human = found["semantic"]["human"]
    assert human["n_raters"] == 3
    assert human["spearman"]["mean"]["value"] == pytest.approx(np.mean(by_pair), abs=1e-6)
    assert set(human["spearman"]) == {"mean", "fisher"}
    assert human["viescore"] is None  # of the editing models that the judge scored, and there is no judge
    assert human["spearman"]["mean"]["low"] < human["spearman"]["mean"]["value"] < human["spearman"]["mean"]["high"]


def test_semantic_is_the_lower_score_of_each_pass():
    triplet = candidate("t", "a")
    passes = [
        make_judgment(triplet_id=triplet.id, scores=scores, pass_index=i) for i, scores in enumerate([(20, 5), (5, 20)])
    ]
    judged = make_card(triplet=triplet, judgments=tuple(passes), prompt_following=5, consistency=5)
    assert card_value(judged, "semantic") == pytest.approx(2)
    assert card_value(card(triplet, prompt_following=5, consistency=4), "semantic") == 4
    assert card_value(card(triplet, prompt_following=5), "semantic") is None
    assert card_value(card(triplet, perceptual_quality=3), "quality") == 3
    assert card_value(None, "overall") is None


def test_same_seed_same_figures(genai):
    votes = {f"genai_bench-{i}": vote.strip("[]") for i, vote in enumerate(VOTES["model_vote"]["gpt4o"])}
    first, again, other = (measure_labels(genai, {}, votes, rounds=200, seed=seed).as_json() for seed in (1, 1, 2))
    assert first == again != other
