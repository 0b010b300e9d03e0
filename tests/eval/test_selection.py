"""Best checkpoint and early-stop advice: on curves whose truth is known, with noise."""

import numpy as np
import pytest

from eval.checkpoints.selection import Curve, advise, choose
from eval.evaluations.samples import pair_samples
from eval.metrics.figures import FigureKey
from eval.metrics.pairs import Counts

N_TASKS, N_DIMENSIONS, OVERALL = 13, 3, 2


def make_curve(shares: dict[int, float], groups: int = 400, pairs: int = 4, shared: float = 0.0) -> Curve:
    """Checkpoints that judge that share of the pairs right. `shared`: how much of the luck is the pairs' own."""
    luck = np.random.default_rng(0).random((groups, pairs))
    counts = []
    for step, share in shares.items():
        own = np.random.default_rng(step + 1).random((groups, pairs))
        right = np.where(np.random.default_rng(7).random((groups, pairs)) < shared, luck, own) < share
        table = np.zeros((2, groups, N_TASKS, N_DIMENSIONS))
        table[0, :, 0, OVERALL] = right.sum(axis=1)
        table[1, :, 0, OVERALL] = pairs
        counts.append(Counts(*table))
    return curve_from(tuple(shares), counts)


def curve_from(steps, counts, figure="pair_mean", rounds=2000) -> Curve:
    samples = pair_samples(counts, OVERALL, figure, rounds, 0) if counts else None
    return Curve(FigureKey("pairs", "overall", figure), steps, tuple(f"step {step}" for step in steps), samples)


def chosen(shares, **changes):
    return choose(make_curve(shares, **changes), "run", "bench")


def test_a_later_checkpoint_must_be_measurably_better_to_be_chosen():
    best = chosen({0: 0.5, 100: 0.6, 200: 0.75, 300: 0.755, 400: 0.75})
    assert best.step == 200
    assert best.top_step in (200, 300, 400)
    assert best.tied == [200, 300, 400]
    assert best.differences["100"].low > 0.05
    assert best.against_base.low > 0.15
    assert best.against_base.p == 0
    assert sum(best.chance_top.values()) == pytest.approx(1, abs=1e-3)
    assert best.chance_top["100"] == 0
    assert "Take step 200" in best.words


def test_a_small_gain_counts_when_the_pairs_are_the_same():
    """Judges that err on the same pairs: pairing sees a gain that two separate intervals would not show."""
    best = chosen({100: 0.70, 200: 0.72}, shared=1.0, groups=200)
    assert best.step == 200
    assert chosen({100: 0.70, 200: 0.72}, shared=0.0, groups=200).step == 100


def test_the_base_is_no_candidate_and_a_gain_that_is_none_is_said():
    best = chosen({0: 0.70, 100: 0.69, 200: 0.70}, groups=100)
    assert best.step == 100
    assert "not measurably better than the untrained base" in best.words


def test_too_few_groups_say_so_and_decide_nothing():
    best = chosen({0: 0.5, 100: 0.6, 200: 0.9}, groups=4)
    assert best.step == best.top_step == 200
    assert best.differences["100"].low is None
    assert "too few" in best.words
    assert advise(best, (0, 100, 200), 3, False).advice == "too_early"


@pytest.mark.parametrize(
    ("shares", "why"),
    [({0: 0.5}, "no trained checkpoint"), ({}, "no trained checkpoint")],
)
def test_nothing_to_choose_from(shares, why):
    best = choose(make_curve(shares), "run", "bench")
    assert best.step is None
    assert why in best.words
    assert advise(best, tuple(shares), 3, True).advice == "too_early"


def test_task_mean_weighs_every_task_alike():
    """Step 100 is better on the large task, step 200 much better on the small one."""
    table = np.zeros((2, 2, 40, N_TASKS, N_DIMENSIONS))
    table[:, 1, :36, 0, OVERALL] = table[:, 1, 36:, 1, OVERALL] = 10
    table[0, 0, :36, 0, OVERALL], table[0, 0, 36:, 1, OVERALL] = 8, 2
    table[1, 0, :36, 0, OVERALL], table[1, 0, 36:, 1, OVERALL] = 7, 10
    counts = [Counts(*judge) for judge in table]
    pair_mean, task_mean = (
        choose(curve_from((100, 200), counts, figure), "run", "bench") for figure in ("pair_mean", "task_mean")
    )
    assert (pair_mean.step, task_mean.step) == (100, 200)
    assert pair_mean.value == pytest.approx((36 * 8 + 4 * 2) / 400)
    assert task_mean.value == pytest.approx((0.7 + 1.0) / 2)


@pytest.mark.parametrize(
    ("shares", "advice"),
    [
        ({100: 0.7}, "too_early"),
        ({100: 0.5, 200: 0.6, 300: 0.7}, "go_on"),
        ({100: 0.6, 200: 0.7, 300: 0.7, 400: 0.7}, "go_on"),
        ({100: 0.6, 200: 0.7, 300: 0.7, 400: 0.7, 500: 0.7}, "stop"),
        ({100: 0.6, 200: 0.8, 300: 0.8, 400: 0.6}, "falling"),
    ],
)
def test_advice(shares, advice):
    best = chosen({0: 0.4} | shares)
    found = advise(best, (0, *shares), 3, False)
    assert found.advice == advice
    assert found.n_after == sum(step > best.step for step in shares)
    assert ("Stop" in found.words) == (advice in ("stop", "falling"))
    over = advise(best, (0, *shares), 3, True).words
    assert "Stop" not in over
    assert "Go on" not in over


def test_same_seed_same_bytes():
    assert chosen({0: 0.5, 100: 0.6, 200: 0.65}) == chosen({0: 0.5, 100: 0.6, 200: 0.65})


def test_where_no_pair_was_judged_right_none_is_chosen():
    best = chosen({0: 0.0, 100: 0.0, 200: 0.0})
    assert best.step is None
    assert "none judged a single pair about overall right" in best.words
