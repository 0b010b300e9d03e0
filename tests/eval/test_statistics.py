"""Intervals and comparisons: coverage of a known truth, clustering, determinism, speed."""

import numpy as np
import pytest
from bench_ground import make_table

from editjudge.errors import DataError
from editjudge.statistics.bootstrap import gaps_of
from editjudge.statistics.estimate import Difference, Estimate, estimate, sampled
from editjudge.statistics.shares import Share, share_figures
from eval.metrics.intervals import compare, groups_behind, intervals, resample
from eval.metrics.pairs import Counts, count


def test_interval_of_independent_pairs_is_the_normal_one():
    """400 groups of one pair, 60 % right: 1.96 * sqrt(0.6 * 0.4 / 400) = 0.048 on either side."""
    table = make_table(np.arange(400) % 5 < 3, np.arange(400))
    found = intervals([count(table)], seed=1)[0]
    assert found.value.pair_mean[0] == pytest.approx(0.6)
    assert found.low.pair_mean[0] == pytest.approx(0.6 - 0.048, abs=0.004)
    assert found.high.pair_mean[0] == pytest.approx(0.6 + 0.048, abs=0.004)
    assert np.isnan(found.low.pair_mean[1])


def test_pairs_of_one_group_count_as_one_draw():
    """The same 400 outcomes in 40 groups that agree within: as wide as for 40 pairs, sqrt(10) times wider."""
    one = intervals([count(make_table(np.arange(400) % 5 < 3, np.arange(400)))], seed=1)[0]
    group = np.repeat(np.arange(40), 10)
    ten = intervals([count(make_table(group % 5 < 3, group))], seed=1)[0]
    width = (ten.high.pair_mean - ten.low.pair_mean)[0] / (one.high.pair_mean - one.low.pair_mean)[0]
    assert width == pytest.approx(np.sqrt(10), rel=0.1)


def test_resampled_figures_equal_a_plain_loop():
    """Draw by draw: a resample's figures are those of the pairs of the drawn groups; an absent task is left out."""
    generator = np.random.default_rng(0)
    group = np.repeat(np.arange(6), 4)
    table = make_table(generator.random(24) < 0.5, group, task=group % 3, dimension=np.arange(24) % 2)
    counts = count(table)
    # One round at a time, recovering the drawn weights from a judge that is right on one group only.
    single = [Counts(np.where(np.arange(6)[:, None, None] == g, counts.pairs, 0), counts.pairs) for g in range(6)]
    found, *probes = resample([counts, *single], rounds=200, seed=5)
    absent = 0
    for row in range(200):
        right_share = np.array([probe.pair_mean[row, 0] for probe in probes])
        weights = np.rint(right_share * 6)  # every group has two pairs of dimension 0
        assert weights.sum() == 6
        accuracies = []
        for task in range(3):
            keep = (table.task == task) & (table.dimension == 0)
            weight = weights[table.group[keep]]
            if weight.sum():
                accuracies.append((weight * table.right[keep]).sum() / weight.sum())
        absent += len(accuracies) < 3
        assert found.task_mean[row, 0] == pytest.approx(np.mean(accuracies))
    assert absent > 0


@pytest.mark.parametrize("right", [True, False])
def test_a_perfect_score_does_not_claim_certainty(right):
    found = intervals([count(make_table([right] * 30, np.arange(30)))])[0]
    bound = 0.025 ** (1 / 30)
    ends = (found.low.pair_mean[0], found.high.pair_mean[0])
    assert ends == pytest.approx((bound, 1) if right else (0, 1 - bound))


def test_too_few_groups_have_no_interval():
    found = intervals([count(make_table([True, False, True, True] * 4, np.repeat(np.arange(4), 4)))])[0]
    assert found.value.pair_mean[0] == pytest.approx(0.75)
    assert np.isnan(found.low.pair_mean[0])
    assert np.isnan(found.high.pair_mean[0])


def test_groups_behind_counts_a_group_once_per_figure():
    table = make_table([True] * 4, [0, 0, 1, 1], task=[0, 1, 0, 3], dimension=[0, 0, 0, 0])
    behind = groups_behind(count(table).pairs)
    assert behind[[0, 3, 9]].tolist() == [2, 1, 1]  # tasks 0, 1 and 3, prompt following
    assert behind[[39, 42]].tolist() == [2, 1]  # subject, appearance
    assert behind[51] == behind[54] == 2


def test_same_seed_same_figures():
    table = count(make_table(np.arange(90) % 4 > 0, np.arange(90) // 3))
    first, again, other = (resample([table], rounds=50, seed=seed)[0].pair_mean[:, 0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_compare_finds_a_consistent_difference_and_only_that():
    generator = np.random.default_rng(1)
    group = np.arange(300)
    a = generator.random(300) < 0.5
    better = a | (generator.random(300) < 0.2)
    found = compare(count(make_table(better, group)), count(make_table(a, group)), rounds=2000)
    assert found.p.pair_mean[0] == 0
    assert 0 < found.low.pair_mean[0] < found.difference.pair_mean[0] < found.high.pair_mean[0]
    same = compare(count(make_table(a, group)), count(make_table(a, group)), rounds=2000)
    assert same.p.pair_mean[0] == 1
    shuffled = compare(count(make_table(generator.permutation(a), group)), count(make_table(a, group)), rounds=2000)
    assert 0.2 < shuffled.p.pair_mean[0] < 0.8


def test_a_comparison_on_too_few_groups_has_a_value_and_no_interval():
    four, five = (
        compare(count(make_table([True] * n, range(n))), count(make_table([False] * n, range(n))), rounds=100)
        for n in (4, 5)
    )
    assert four.by_dimension()["prompt_following"] == Difference(value=1.0, low=None, high=None, p=None)
    assert five.by_dimension()["prompt_following"] == Difference(value=1.0, low=1.0, high=1.0, p=0.0)


def test_sums_in_another_order_are_no_difference():
    """0.1 + 0.2 is not 0.3 in binary; a judge compared with itself must have p = 1, and two-sided 1."""
    gaps = gaps_of(np.full((50, 1), 0.1 + 0.2 - 0.3))
    assert (gaps.p[0], gaps.p_two_sided[0], gaps.low[0], gaps.high[0]) == (1, 1, 0, 0)
    nothing = gaps_of(np.full((50, 1), np.nan))
    assert np.isnan([nothing.p[0], nothing.p_two_sided[0], nothing.low[0]]).all()


def test_an_interval_without_width_is_none():
    """One of two pairs right in each of eight groups: every resample is 0.5, which says nothing about other groups."""
    half = intervals([count(make_table([True, False] * 8, np.repeat(np.arange(8), 2)))], rounds=100)[0]
    assert half.value.pair_mean[0] == 0.5
    assert np.isnan([half.low.pair_mean[0], half.high.pair_mean[0]]).all()
    share = share_figures({"x": Share(np.ones(8), np.full(8, 2.0)), "all": Share(np.ones(8), np.ones(8))}, 100, 0)
    assert share["x"] == Estimate(value=0.5, low=None, high=None)
    assert share["all"] == estimate(1.0, 0.025 ** (1 / 8), 1.0)
    assert sampled(1.0, np.ones(100), 8) == estimate(1.0)  # a perfect correlation


def test_half_of_the_resamples_must_define_a_figure():
    samples = np.arange(10.0)
    samples[:4] = np.nan
    assert sampled(5.0, samples, 5).low == pytest.approx(4.125)
    samples[4] = np.nan
    assert sampled(5.0, samples, 5) == estimate(5.0)


def test_other_pairs_are_refused():
    a, b = count(make_table([True] * 6, np.arange(6))), count(make_table([True] * 6, [0, 0, 1, 2, 3, 5]))
    with pytest.raises(DataError, match="same pairs"):
        compare(a, b)
