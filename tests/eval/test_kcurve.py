"""K-curve, cost, score histograms and calibration: against cards made one by one, and numbers worked by hand."""

import itertools

import numpy as np
import pytest
from eval_world import PixelEngine, write_benchmark
from factories import make_card, make_judgment
from pydantic import ValidationError

from editjudge.asking.cards import card_from_passes
from editjudge.asking.judge import Judge
from editjudge.asking.score_set import usage_of
from editjudge.engines.base import Completion, Request, Sampling
from editjudge.engines.scripted import ScriptedEngine
from eval.benchmarks.pairs import Pairs
from eval.evaluations.cost import Prices, describe_cost
from eval.evaluations.scoring import evaluate
from eval.metrics.calibration import calibrations
from eval.metrics.distributions import distributions
from eval.metrics.kcurve import MAX_SUBSETS, k_curve, sizes, subsets
from eval.metrics.pairs import PairTable, build_table, pair_values
from eval.metrics.values import Values, values_of


def curve_of(evaluation, rounds):
    found = k_curve(evaluation.bench.pairs, evaluation.table, evaluation.values(), rounds, seed=0)
    return None if found is None else found.as_json()


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory):
    folder = tmp_path_factory.mktemp("curve")
    bench = Pairs(path=write_benchmark(folder / "bench")).load(folder)
    judge = Judge(PixelEngine(unreadable=0.1), "brief-v1", passes=4, sampling=Sampling(temperature=1), retries=0)
    return evaluate(judge, bench, folder / "out", 64, "test")


def test_arrays_give_what_cards_of_fewer_passes_give(evaluation):
    cards, values = evaluation.cards(), evaluation.values()
    assert values.passes.shape == (36, 4, 4)
    for chosen in [(0,), (1, 3), (0, 1, 2, 3)]:
        found = values.of_passes(chosen)
        for row, card in zip(found, cards.values(), strict=True):
            fewer = card_from_passes(card, chosen)
            wanted = [fewer.prompt_following, fewer.consistency, fewer.perceptual_quality, fewer.overall]
            assert [None if np.isnan(value) else value for value in row] == pytest.approx(wanted, abs=2e-9)


def test_the_curve_is_the_mean_over_real_evaluations_of_fewer_passes(evaluation):
    found = curve_of(evaluation, rounds=200)
    assert found is not None
    assert [point["k"] for point in found["points"]] == [1, 2, 4]
    assert [point["subsets"] for point in found["points"]] == [4, 6, 1]
    cards, pairs = evaluation.cards(), evaluation.bench.pairs
    for point in found["points"]:
        shares = []
        for chosen in itertools.combinations(range(4), point["k"]):
            fewer = {name: card_from_passes(card, chosen) for name, card in cards.items()}
            table = build_table(pairs, [pair_values(pair, fewer) for pair in pairs])
            shares.append(table.right[table.dimension == 2].mean())
        overall = point["dimensions"]["overall"]
        assert overall["pair_mean"]["value"] == pytest.approx(np.mean(shares), abs=1e-6)
        assert overall["pair_mean"]["low"] < overall["pair_mean"]["value"] < overall["pair_mean"]["high"]
        assert overall["sd"] == (pytest.approx(np.std(shares, ddof=1), abs=1e-6) if len(shares) > 1 else None)
    first, last = (found["points"][place]["dimensions"]["overall"]["pair_mean"]["value"] for place in (0, -1))
    assert found["gain"]["dimensions"]["overall"]["value"] == pytest.approx(last - first, abs=2e-6)
    assert found["points"][-1]["dimensions"]["overall"]["coverage"] == 1


def test_sizes_and_subsets():
    assert [sizes(n) for n in (1, 4, 6)] == [[1], [1, 2, 4], [1, 2, 4, 6]]
    assert subsets(3, 2) == [(0, 1), (0, 2), (1, 2)]
    drawn = subsets(16, 8)
    assert len(set(drawn)) == MAX_SUBSETS
    assert drawn == subsets(16, 8)


def test_one_pass_has_no_curve(tmp_path, evaluation):
    judge = Judge(PixelEngine(), "brief-v1", sampling=Sampling(temperature=0))
    assert curve_of(evaluate(judge, evaluation.bench, tmp_path, 64, "test"), rounds=100) is None


def test_arrays_come_back_from_the_file_and_the_file_is_the_same_each_time(tmp_path, evaluation):
    values = evaluation.values()
    values.save(tmp_path / "one.npz")
    Values.load(tmp_path / "one.npz").save(tmp_path / "two.npz")
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    fresh = values_of([*evaluation.cards().values()])
    assert fresh.ids == values.ids
    np.testing.assert_array_equal(fresh.passes, values.passes)


# Cost


def test_tokens_are_counted_once_per_reading_and_for_every_attempt():
    """Two passes of one reading; the second pass of the semantic reply is asked again, prompt and all."""
    asked = []

    def say(request: Request, seed: int) -> Completion:
        asked.append(seed)
        bad = len(request.images) == 2 and len(asked) == 2
        return Completion("no" if bad else '{"reasoning": "", "score": [5, 5]}', "stop", 3 if bad else 10)

    judge = Judge(ScriptedEngine(replies=say), "brief-v1", passes=2, sampling=Sampling(temperature=1))
    from factories import make_image

    card = judge.score("Make it pink", make_image(), make_image(seed=1))
    semantic = [row for row in card.judgments if row.aspect == "semantic"]
    assert [row.completion_tokens for row in semantic] == [10, 3 + 10]
    read = semantic[0].prompt_tokens
    assert read > 0
    assert semantic[1].prompt_tokens == read  # of the second attempt only
    quality = [row.prompt_tokens for row in card.judgments if row.aspect == "quality"]
    assert usage_of([card]) == {"judgments": 4, "prompt_tokens": 2 * read + sum(quality), "completion_tokens": 43}
    assert quality[1] == 0


def test_price_by_hand():
    used = {"judgments": 4, "prompt_tokens": 2_000_000, "completion_tokens": 500_000}
    prices = Prices(per_million_prompt_tokens=3, per_million_completion_tokens=10, per_hour=2)
    found = describe_cost(used, 1800, 100, prices).as_json()
    assert found["price"]["total"] == 6 + 5 + 1
    assert found["price"]["per_1000_triplets"] == 120
    assert found["prompt_tokens_per_triplet"] == 20_000
    untold = describe_cost({"judgments": 4, "prompt_tokens": 0, "completion_tokens": 0}, 1800, 100, prices).as_json()
    assert (untold["prompt_tokens"], untold["price"]["total"]) == (None, None)
    assert describe_cost({}, 0, 100, prices) is None
    with pytest.raises(ValidationError, match="every rate is 0"):
        Prices()


# Histograms


def test_distribution_by_hand():
    cards = [
        make_card(judgments=(make_judgment(scores=(25, 0)), make_judgment(aspect="quality", scores=None))),
        make_card(judgments=(make_judgment(scores=(5, 10)), make_judgment(aspect="quality", scores=(12.5, 25)))),
        make_card(judgments=(), prompt_following=10.0, overall=None),
    ]
    found = distributions(values_of(cards)).as_json()
    success = found["aspects"]["semantic"]["success"]
    assert (success["n"], success["unscored"], success["mean"], success["std"]) == (2, 1, 6, 4)
    assert (success["counts"][4], success["counts"][19], sum(success["counts"])) == (1, 1, 2)
    assert found["aspects"]["quality"]["naturalness"]["unscored"] == 2
    assert (found["dimensions"]["overall"]["n"], found["dimensions"]["prompt_following"]["distinct"]) == (2, 2)
    assert found["spread"] is None


# Calibration


def make_table(margin) -> PairTable:
    margin = np.asarray(margin, dtype=float)
    zeros = np.zeros(len(margin), dtype=np.int64)
    return PairTable(margin, zeros, zeros, np.arange(len(margin)), tuple(str(name) for name in range(len(margin))))


def test_a_known_slope_is_found_and_margins_of_noise_mean_nothing():
    generator = np.random.default_rng(0)
    width = generator.uniform(0.1, 4, 4000)
    right = generator.random(4000) < 1 / (1 + np.exp(-0.8 * width))
    noise = generator.random(4000) < 0.7
    tables = [make_table(np.where(sign, width, -width)) for sign in (right, noise)]
    known, flat = (found["prompt_following"].as_json() for found in calibrations(tables, rounds=200, seed=0))
    assert known["slope"] == pytest.approx(0.8, abs=0.06)
    assert known["error"] < 0.02 < flat["error"]
    assert known["auc"] > 0.65
    assert flat["auc"] == pytest.approx(0.5, abs=0.03)
    assert len(known["bins"]) == 8
    for row in known["bins"]:
        predicted = 1 / (1 + np.exp(-0.8 * row["mean"]))
        assert row["right"]["low"] - 0.02 < predicted < row["right"]["high"] + 0.02


def test_ties_and_unscored_pairs_are_left_out_and_separated_ones_have_no_slope():
    found = calibrations([make_table([1, 2, 3, 0, np.nan])], rounds=100, seed=0)[0]["prompt_following"].as_json()
    assert (found["n_pairs"], found["slope"], found["auc"]) == (3, None, None)
    assert found["bins"][0]["right"] == {"value": 1.0, "low": None, "high": None}
    assert calibrations([make_table([0, np.nan])], rounds=100, seed=0) == [{}]
