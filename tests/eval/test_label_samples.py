"""One figure of several judges with shared resamples, for every kind of label; and the best checkpoint by it."""

from __future__ import annotations

import numpy as np
import pytest
from eval_world import write_benchmark
from label_ground import benchmark, card, comparison, evaluation, group, group_cards, rating, scored

from editjudge.errors import RecipeError
from editjudge.statistics.estimate import Difference
from eval.benchmarks.pairs import Pairs
from eval.checkpoints.options import Selection
from eval.checkpoints.selection import advise, choose, curve_of, key_of
from eval.evaluations.samples import draw_samples
from eval.metrics.figures import FIGURES, FigureKey, keys_in, main_keys, read_figure
from eval.results import Measured, build_results

ROUNDS = 400
COMPARISONS = [comparison(f"c{i}", label) for i, label in enumerate(["A>B", "B>A", "A=B", "A>B", "B>A"] * 4)]
GROUPS = [group(f"g{i}", {"AB": "A>B", "AC": "A>B", "BC": "A=B" if i % 2 else "A>B"}) for i in range(10)]
RATINGS = [rating(f"i{image}", model, float(image)) for model in ("x", "y") for image in range(8)]


def rated_cards(**given):
    """Cards of `RATINGS` from what a judge gave the eight outputs of each model."""
    return {
        item.triplet.id: card(item.triplet, overall=given[item.triplet.editor][int(item.value)]) for item in RATINGS
    }


def judged(folder, kind, which):
    """An evaluation by judge 0, who is always right, or judge 1, who is wrong about a fixed part."""
    if kind == "comparisons":
        margins = [{"A>B": 2, "B>A": -2, "A=B": 0}[item.label] for item in COMPARISONS]
        wrong = {0: (), 1: (0, 1, 2, 3)}[which]
        margins = [-1 if place in wrong else margin for place, margin in enumerate(margins)]
        return evaluation(folder, benchmark(comparisons=tuple(COMPARISONS)), scored(COMPARISONS, margins))
    if kind == "multiway":
        cards = {}
        for place, item in enumerate(GROUPS):
            tied = place % 2
            cards |= group_cards(item, [9, 5, 5 if tied else 3] if which == 0 or place > 2 else [5, 9, 3])
        return evaluation(folder, benchmark(multiways=tuple(GROUPS)), cards)
    up, down = list(range(8)), [1, 0, 3, 2, 5, 4, 7, 6]
    cards = rated_cards(x=up, y=up) if which == 0 else rated_cards(x=up, y=down)
    return evaluation(folder, benchmark(ratings=tuple(RATINGS)), cards)


# 16 comparisons are untied; judge 1 has -1 for c0 (A>B), c1 (B>A, so right), c2 (a tie) and c3 (A>B): 14 of 16.
# Groups g0, g1 and g2 are wrong, by one comparison each and g1 by two. rho of y is 1 - 6 * 8 / (8 * 63), of x 1.
EXPECTED = {
    "comparisons": {"without_ties": 14 / 16, "three_class": 17 / 20, "with_ties": 17 / 20},
    "multiway": {"group": 0.7, "group_with_ties": 0.7, "pairwise": (30 - 3 - 1) / 30},
    "ratings": {"mean": (1 + 1 - 48 / 504) / 2, "viescore": np.tanh((1 + 1 - 48 / 504) / 2)},
}


def test_what_is_known_of_a_judge_is_not_computed_anew(tmp_path):
    """A watched sweep writes its report after every checkpoint."""
    item = judged(tmp_path, "ratings", 1)
    [key] = main_keys(item.bench)
    results, samples = build_results([Measured("judge", 1, item)], ROUNDS, 0), draw_samples(key, [item], ROUNDS, 0)
    cards = (tmp_path / "cards.jsonl").read_text()
    (tmp_path / "cards.jsonl").write_text("damaged")
    assert build_results([Measured("judge", 1, item)], ROUNDS, 0).evaluations[0].labels == (
        results.evaluations[0].labels
    )
    assert (draw_samples(key, [item], ROUNDS, 0).drawn == samples.drawn).all()
    (tmp_path / "cards.jsonl").write_text(cards)
    assert (draw_samples(key, [item], ROUNDS, 1).drawn != samples.drawn).any()


@pytest.mark.parametrize("kind", list(EXPECTED))
def test_samples_are_those_of_the_reports_own_intervals(tmp_path, kind):
    both = [judged(tmp_path / str(which), kind, which) for which in (0, 1)]
    rows = build_results([Measured(str(w), None, e) for w, e in enumerate(both)], ROUNDS, 3).evaluations
    [main] = main_keys(both[0].bench)
    assert main == FigureKey(kind, "overall", FIGURES[kind][0]) == keys_in(rows[1])[0]
    for name, expected in EXPECTED[kind].items():
        key = FigureKey(kind, "overall", name)
        samples = draw_samples(key, both, ROUNDS, 3)
        assert samples.value[1] == pytest.approx(expected)
        assert samples.drawn.shape == (ROUNDS, 2)
        figure = read_figure(rows[1], key)
        assert figure.value == pytest.approx(samples.value[1], abs=1e-6)
        ends = np.nanquantile(samples.drawn[:, 1], (0.025, 0.975))
        assert (figure.low, figure.high) == pytest.approx(tuple(ends), abs=1e-6)
        assert samples.n_groups == {"comparisons": 16 if name == "without_ties" else 20, "multiway": 10}.get(kind, 8)
        gap = samples.difference(0, 1)
        assert gap.value == pytest.approx(samples.value[0] - samples.value[1], abs=1e-6)
        assert gap.p == pytest.approx((samples.drawn[:, 0] - samples.drawn[:, 1] <= 1e-12).mean(), abs=1e-6)


def rated_curve(folder, by_step):
    """The curve of checkpoints that gave these scores to the outputs of model x; y is always in order."""
    measured = []
    for step, given in by_step.items():
        cards = rated_cards(x=given, y=list(range(8)))
        found = evaluation(folder / str(step), benchmark(ratings=tuple(RATINGS)), cards)
        measured.append(Measured(f"step {step}", step, found))
    return curve_of(measured, 1, FigureKey("ratings", "overall", "mean"), ROUNDS, 0)


def test_the_earliest_checkpoint_whose_correlation_cannot_be_told_from_the_highest(tmp_path):
    rising, nearly, reversed_ = list(range(8)), [1, 0, 2, 3, 4, 5, 6, 7], list(range(8))[::-1]
    best = choose(rated_curve(tmp_path, {0: reversed_, 10: reversed_, 20: nearly, 30: rising}), "run", "bench")
    assert (best.step, best.top_step, best.kind, best.figure) == (20, 30, "ratings", "mean")
    assert best.top_value == 1
    assert best.value == pytest.approx((1 + 1 - 6 * 2 / 504) / 2, abs=1e-6)
    assert best.differences["10"].value == pytest.approx(1)  # (1 + 1) / 2 - (1 - 1) / 2
    assert best.differences["10"].low > 0
    assert best.tied == [20, 30]
    assert best.against_base.p == 0
    assert "overall, Spearman's correlation" in best.words
    assert advise(best, (0, 10, 20, 30), 1, False).advice == "stop"


def test_a_judge_that_scores_all_alike_is_never_chosen_and_hides_nobody(tmp_path):
    """Step 20 is undefined for model x and perfect for y, so only its mean over models is defined: 1."""
    constant = [5] * 8
    curve = rated_curve(tmp_path, {10: list(range(8)), 20: constant})
    assert curve.samples.value.tolist() == [1, 1]
    measured = []
    for step, given in ((10, [2, 1, 3, 4, 5, 6, 7, 8]), (20, constant)):
        found = evaluation(tmp_path / f"b{step}", benchmark(ratings=tuple(RATINGS)), rated_cards(x=given, y=given))
        measured.append(Measured(f"step {step}", step, found))
    best = choose(curve_of(measured, 1, FigureKey("ratings", "overall", "mean"), ROUNDS, 0), "run", "bench")
    assert best.step == best.top_step == 10
    assert best.differences["20"] == Difference(value=None, low=None, high=None, p=None)
    assert best.tied == [10]
    assert best.chance_top == {"10": 1, "20": 0}
    nobody = choose(curve_of(measured[1:], 1, FigureKey("ratings", "overall", "mean"), ROUNDS, 0), "run", "bench")
    assert nobody.step is None
    assert "above 0" in nobody.words


@pytest.fixture(scope="module")
def benches(tmp_path_factory):
    """One of ratings on two scales, one of comparisons, one of pairs."""
    folder = tmp_path_factory.mktemp("benches")
    scales = tuple(rating(f"i{i}", "x", i, scale=scale) for i in range(3) for scale in ("semantic", "quality"))
    pairs = Pairs(path=write_benchmark(folder, groups=2), name="pairs").load(folder)
    return [benchmark("rated", ratings=scales), benchmark("ties", comparisons=tuple(COMPARISONS)), pairs]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ("pairs", "pairs", "overall", "pair_mean")),
        ({"figure": "task_mean", "dimension": "consistency"}, ("pairs", "pairs", "consistency", "task_mean")),
        ({"benchmark": "ties"}, ("ties", "comparisons", "overall", "without_ties")),
        ({"figure": "with_ties"}, ("ties", "comparisons", "overall", "with_ties")),
        ({"benchmark": "rated"}, ("rated", "ratings", "semantic", "mean")),
        ({"figure": "viescore", "dimension": "quality"}, ("rated", "ratings", "quality", "viescore")),
    ],
)
def test_what_a_recipe_selects(benches, options, expected):
    bench, key = key_of(Selection(**options), benches)
    assert (bench.name, key.kind, key.dimension, key.figure) == expected


def test_without_pairs_the_first_benchmark_decides(benches):
    assert key_of(Selection(), benches[:2])[0].name == "rated"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"benchmark": "other"}, r"select\.benchmark: .*'other'.*: rated, ties, pairs"),
        (
            {"benchmark": "ties", "figure": "pair_mean"},
            r"select\.figure: 'pair_mean'.* pairs.* ties .*: without_ties, with_ties",
        ),
        ({"figure": "group"}, r"select\.figure: 'group'.* multiway"),
        (
            {"benchmark": "rated", "dimension": "overall"},
            r"select\.dimension: .* rated .*'overall'.*: semantic, quality",
        ),
        ({"dimension": "quality"}, r"pairs of pairs .*'quality'"),
    ],
)
def test_what_does_not_exist_is_told(benches, options, told):
    with pytest.raises(RecipeError, match=told):
        key_of(Selection(**options), benches)
