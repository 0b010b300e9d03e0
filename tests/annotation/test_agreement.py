"""Agreement: published examples, numbers worked by hand, and slow versions written from the definitions."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from ranking_ground import rank
from scipy.stats import kendalltau

from annotation.agreement.figures import POOLED, measure_agreement
from annotation.agreement.measures import (
    Measure,
    Sheet,
    agreements,
    coincidences,
    fleiss_kappa,
    ordinal_alpha,
)
from editjudge.errors import DataError
from editjudge.formats.rankings import levels_of
from editjudge.statistics.bootstrap import draw_weights
from editjudge.statistics.correlation import tau_b_of_relations


def counts_of(ratings, values):
    return np.array([[sum(rating == value for rating in item) for value in values] for item in ratings], float)


def test_alpha_of_krippendorffs_own_example():
    # Krippendorff (2011), "Computing Krippendorff's alpha-reliability": 12 units, 4 observers, 0 is missing.
    observers = ["123321412000", "123322412503", "033323422510", "123324412510"]
    counts = counts_of(list(zip(*observers, strict=True)), "12345")
    assert ordinal_alpha(coincidences(counts).sum(axis=0)) == pytest.approx(0.815, abs=5e-4)


def test_kappa_of_a_textbook_example():
    # Ten subjects, fourteen raters, five categories.
    rows = "0,0,0,0,14 0,2,6,4,2 0,0,3,5,6 0,3,9,2,0 2,2,8,1,1 7,7,0,0,0 3,2,6,3,0 2,5,3,2,2 6,5,2,1,0 0,2,2,3,7"
    counts = np.array([[*map(float, row.split(","))] for row in rows.split()])
    assert fleiss_kappa(agreements(counts).sum(axis=0)) == pytest.approx(0.2099, abs=5e-5)


@pytest.mark.parametrize("seed", range(20))
def test_tau_b_with_ties_is_scipys(seed):
    one, other = np.random.default_rng(seed).integers(0, 3, (2, 6))
    first, second = np.triu_indices(6, 1)
    relations = [np.sign(levels[second] - levels[first]).astype(np.int8) for levels in (one, other)]
    assert tau_b_of_relations(*relations) == pytest.approx(kendalltau(one, other).statistic, nan_ok=True)


def test_one_value_only_is_undefined_not_a_crash():
    counts = np.array([[3.0, 0.0], [3.0, 0.0]])
    assert math.isnan(ordinal_alpha(coincidences(counts).sum(axis=0)))
    assert math.isnan(fleiss_kappa(agreements(counts).sum(axis=0)))
    assert math.isnan(tau_b_of_relations(np.zeros(3, np.int8), np.ones(3, np.int8)))


def test_items_with_one_rating_add_nothing():
    some = np.array([[2.0, 1.0], [0.0, 3.0]])
    more = np.concatenate([some, [[1.0, 0.0], [0.0, 0.0]]])
    for columns, compute in ((coincidences, ordinal_alpha), (agreements, fleiss_kappa)):
        assert compute(columns(some).sum(axis=0)) == compute(columns(more).sum(axis=0))


FOUR = [
    *(rank("3|12|45", "t0", unit) for unit in "abc"),
    rank("3|1|2|45", "t0", "d"),
    *(rank("1|2345", "t1", unit) for unit in "abcd"),
    *(rank("12|345", "t2", unit) for unit in "ab"),
    *(rank("21|54|3", "t2", unit) for unit in "cd"),
]


def test_convergence_by_hand():
    found = measure_agreement(FOUR, thresholds=(0.5, 0.75, 1.0), rounds=0)["overall"]
    values = {key: figure.value for key, figure in found.figures.items()}
    assert (found.n_tasks, found.n_shared) == (3, 3)
    assert values["convergence@0.5"] == 1
    assert values["convergence@0.75"] == pytest.approx(2 / 3)
    assert values["convergence@1"] == pytest.approx(1 / 3)
    # Pairs of units that are identical: 3 of 6, 6 of 6, 2 of 6.
    assert values["identical"] == pytest.approx((3 / 6 + 1 + 2 / 6) / 3)


def test_agreement_with_the_majority_by_hand():
    units = measure_agreement(FOUR, rounds=0)["overall"].units
    # t0 has a majority for 3|12|45, t1 for 1|2345, t2 is split and counts for nobody.
    assert [units[unit]["majority_ranking"].value for unit in "abcd"] == [1, 1, 1, 0.5]
    # t0: 10 of 10 pairs have a majority, d differs in (1, 2). t2: the pairs (3, 4), (3, 5) are split.
    assert units["a"]["majority_relation"].value == 1
    assert units["d"]["majority_relation"].value == pytest.approx(27 / 28)
    # Without a's own vote, t2 has a two-to-one majority of the others against a in those two pairs.
    assert units["a"]["others_relation"].value == pytest.approx(28 / 30)
    assert units["d"]["others_relation"].value == pytest.approx(27 / 30)


def random_rankings(seed, tasks=12, units="abcd", missing=0.15):
    generator = np.random.default_rng(seed)
    rows = []
    for task in range(tasks):
        n = int(generator.integers(2, 6))
        for unit in units:
            for dimension in ("overall", "consistency"):
                if generator.random() < missing:
                    continue
                levels = generator.integers(0, 3, n)
                tiers = ["".join(str(c + 1) for c in range(n) if levels[c] == v) for v in np.unique(levels)]
                rows.append(rank("|".join(tiers), f"t{task}", unit, dimension))
    return rows


def slow_figures(rankings):
    """Every figure by loops over the definitions of the module."""
    by_task = {}
    for row in rankings:
        by_task.setdefault((row.task_id, row.dimension), {})[row.annotator] = levels_of(row)
    same, tau, matrix, shares, relations = [], [], {}, [], {-1: 0, 0: 0, 1: 0}
    for units in by_task.values():
        if len(units) < 2:
            continue
        same.append(np.mean([one == other for one, other in combinations(units.values(), 2)]))
        ids = sorted(next(iter(units.values())))
        for one, other in combinations(units.values(), 2):
            value = kendalltau([one[i] for i in ids], [other[i] for i in ids]).statistic
            tau += [] if math.isnan(value) else [value]
        for i in ids:
            given = [levels[i] for levels in units.values()]
            for at, x in enumerate(given):
                for y in given[:at] + given[at + 1 :]:
                    matrix[x, y] = matrix.get((x, y), 0) + 1 / (len(given) - 1)
        for i, j in combinations(ids, 2):
            given = [int(np.sign(levels[j] - levels[i])) for levels in units.values()]
            shares.append(np.mean([x == y for x, y in combinations(given, 2)]))
            for value in given:
                relations[value] += 1
                relations[-value] += 1
    values = sorted({x for x, _ in matrix})
    n = {x: sum(matrix.get((x, y), 0) for y in values) for x in values}

    def distance(x, y):
        low, high = min(x, y), max(x, y)
        return (sum(n[z] for z in values if low <= z <= high) - (n[x] + n[y]) / 2) ** 2 if x != y else 0

    seen = sum(matrix.get((x, y), 0) * distance(x, y) for x in values for y in values)
    expected = sum(n[x] * n[y] * distance(x, y) for x in values for y in values) / (sum(n.values()) - 1)
    chance = sum((count / sum(relations.values())) ** 2 for count in relations.values())
    return {
        "identical": np.mean(same),
        "kendall_tau_b": np.mean(tau),
        "krippendorff_alpha": 1 - seen / expected,
        "fleiss_kappa": (np.mean(shares) - chance) / (1 - chance),
    }


@pytest.mark.parametrize("seed", range(6))
def test_the_arrays_say_what_the_definitions_say(seed):
    rankings = random_rankings(seed)
    found = measure_agreement(rankings, rounds=0)
    for scope in ("overall", "consistency", POOLED):
        rows = [row for row in rankings if scope in (row.dimension, POOLED)]
        for name, value in slow_figures(rows).items():
            assert found[scope].figures[name].value == pytest.approx(value), (scope, name)


def test_neither_order_nor_names_of_candidates_matter():
    rankings = random_rankings(1)
    renamed = [
        rank(row.notation.translate(str.maketrans("12345", "54321")), row.task_id, row.annotator, row.dimension)
        if len(row.shown) == 5
        else row
        for row in rankings[::-1]
    ]
    first, second = (measure_agreement(rows, rounds=50) for rows in (rankings, renamed))
    assert first == second


def test_intervals_are_those_of_resampled_tasks():
    rankings = random_rankings(3, tasks=30)
    figure = measure_agreement(rankings, rounds=40, seed=5)["overall"].figures["krippendorff_alpha"]
    tasks = sorted({row.task_id for row in rankings})
    samples = []
    for weights in np.concatenate([*draw_weights(len(tasks), 40, 5)]):
        rows = [
            row.model_copy(update={"task_id": f"{row.task_id}/{copy}"})
            for row in rankings
            if row.dimension == "overall"
            for copy in range(int(weights[tasks.index(row.task_id)]))
        ]
        samples.append(slow_figures(rows)["krippendorff_alpha"])
    assert (figure.low, figure.high) == pytest.approx(tuple(np.quantile(samples, (0.025, 0.975))))
    assert figure.low < figure.value < figure.high


def test_the_same_seed_gives_the_same_intervals():
    rankings = random_rankings(2, tasks=20)
    same, again, other = (measure_agreement(rankings, rounds=100, seed=seed) for seed in (1, 1, 2))
    assert same == again
    assert same != other


@pytest.mark.parametrize(
    ("rankings", "key", "text"),
    [
        ([], None, None),
        ([rank("1|2")], "identical", "undefined (no task was ranked by two units)"),
        ([rank("1|2")], "krippendorff_alpha", "undefined (no task was ranked by two units)"),
        ([rank("1|2")], "kendall_tau_b", "undefined (no task was ranked by two units)"),
        ([rank("12"), rank("12", unit="b")], "kendall_tau_b", "undefined (all candidates are in one tier)"),
        ([rank("12"), rank("12", unit="b")], "krippendorff_alpha", "undefined (all candidates are in one tier)"),
        ([rank("12"), rank("12", unit="b")], "fleiss_kappa", "undefined (all candidates are in one tier)"),
        ([rank("1|2"), rank("1|2", unit="b")], "identical", "1.000 [interval undefined: fewer than 5 tasks]"),
        ([rank("1|2"), rank("1|2", unit="b")], "ann/majority_ranking", "undefined (a majority needs three units"),
        ([rank("1|2"), rank("1|2", unit="b")], "ann/majority_relation", "undefined (a majority needs three units"),
        ([rank("1|2"), rank("1|2", unit="b")], "ann/others_relation", "undefined (a majority needs three units"),
        ([rank(n, unit=n) for n in ("1|2", "2|1", "12")], "12/majority_ranking", "undefined (no majority on any task"),
    ],
)
def test_what_is_undefined_says_why(rankings, key, text):
    found = measure_agreement(rankings, rounds=20)
    if key is None:
        assert found == {}
        return
    unit, _, name = key.rpartition("/")
    figure = found["overall"].units[unit][name] if unit else found["overall"].figures[name]
    assert figure.text().startswith(text)
    assert (figure.value is None) == text.startswith("undefined")


def test_perfect_agreement_claims_no_certainty():
    rankings = [rank("1|2|3", f"t{number}", unit) for number in range(20) for unit in "ab"]
    figures = measure_agreement(rankings, rounds=50)["overall"].figures
    bound = 0.025 ** (1 / 20)
    assert (figures["identical"].low, figures["identical"].high) == (pytest.approx(bound), 1)
    assert figures["krippendorff_alpha"].text() == "1.000 [interval undefined: the same in every resample]"


@pytest.mark.parametrize(
    ("rankings", "problem"),
    [
        ([rank("1|2"), rank("2|1")], "t0: .*ann.* overall"),
        ([rank("1|2"), rank("1|2|3", unit="b")], "t0: b .*t0-3"),
    ],
)
def test_contradictory_input_is_refused(rankings, problem):
    with pytest.raises(DataError, match=problem):
        measure_agreement(rankings)


@pytest.mark.parametrize("threshold", [0, 1.5, -1])
def test_a_threshold_is_a_share(threshold):
    with pytest.raises(DataError, match="share"):
        measure_agreement(FOUR, thresholds=(threshold,))


def test_a_figure_undefined_in_most_resamples_has_no_interval():
    # Only resamples that hold the first of ten items exactly once define it: 39 in a hundred.
    columns = np.eye(10)[:, :1]
    sheet = Sheet(10, "items")
    once = Measure(columns, lambda sums: np.where(sums[..., 0] == 1, 0.5, np.nan), np.ones(10, bool), "", "")
    sheet.add("once", once)
    figure = sheet.figures(rounds=200, seed=0)["once"]
    assert (figure.value, figure.low, figure.why) == (0.5, None, "undefined in most resamples")
