"""Pairwise accuracy against numbers worked by hand."""

import numpy as np
import pytest
from factories import make_card, make_task, make_triplet

from editjudge.records.tasks import CATEGORIES, DIMENSIONS, TASK_TYPES
from editjudge.records.types import PreferencePair
from eval.metrics.intervals import groups_behind
from eval.metrics.pairs import Measures, PairTable, build_table, count, coverage, measure, outcome_counts, pair_values

OVERALL = 2


def make_pair(task_id: str, task_type: str, dimension: str, name: str) -> PreferencePair:
    task = make_task(id=task_id, task_type=task_type)
    better, worse = (make_triplet(id=f"{name}{side}", task=task) for side in "ab")
    return PreferencePair(
        id=name, task=task, better=better, worse=worse, dimension=dimension, tier_gap=1, n_annotators=1, agreement=1
    )


def cards_for(pair, better, worse):
    """Cards whose value in the pair's dimension is `better` and `worse`, and the opposite in the other dimensions."""
    cards = {}
    for triplet, value, other in ((pair.better, better, worse), (pair.worse, worse, better)):
        values = {name: value if name == pair.dimension else other for name in DIMENSIONS}
        cards[triplet.id] = make_card(triplet=triplet, judgments=(), **values)
    return cards


def table_of(pairs, cards) -> PairTable:
    return build_table(pairs, [pair_values(pair, cards) for pair in pairs])


@pytest.mark.parametrize("dimension", DIMENSIONS)
@pytest.mark.parametrize(
    ("better", "worse", "right", "outcome"),
    [(8, 6, True, 0), (6, 8, False, 1), (7, 7, False, 2), (None, 3, False, 3), (3, None, False, 3), (0, 0, False, 2)],
)
def test_a_tie_and_an_unscored_pair_are_wrong(dimension, better, worse, right, outcome):
    pair = make_pair("g", "compose", dimension, "p")
    table = table_of([pair], cards_for(pair, better, worse))
    assert table.right.tolist() == [right]
    assert table.outcomes().tolist() == [outcome]


def test_values_that_differ_only_by_the_order_of_summation_tie():
    pair = make_pair("g", "compose", "overall", "p")
    table = table_of([pair], cards_for(pair, 0.1 + 0.2 + 0.3, 0.3 + 0.2 + 0.1))
    assert 0.1 + 0.2 + 0.3 != 0.3 + 0.2 + 0.1
    assert table.outcomes().tolist() == [2]


def test_a_triplet_without_a_card_is_unscored():
    pair = make_pair("g", "compose", "overall", "p")
    table = table_of([pair], {})
    assert np.isnan(table.margin).all()
    assert coverage(outcome_counts(table)) == 0


def test_task_mean_and_pair_mean_by_hand():
    """compose: 1 of 4 right; extract: 1 of 1. Pair mean 2/5, task mean (1/4 + 1)/2."""
    pairs, cards = [], {}
    for number, (task_type, better) in enumerate(
        [("compose", 9), ("compose", 1), ("compose", 5), ("compose", None), ("extract", 9)]
    ):
        pair = make_pair(f"group{number % 2}", task_type, "overall", f"p{number}")
        pairs.append(pair)
        cards |= cards_for(pair, better, 5)
    table = table_of(pairs, cards)
    found = count(table).measures()
    assert found.pair_mean[OVERALL] == pytest.approx(2 / 5)
    assert found.task_mean[OVERALL] == pytest.approx((1 / 4 + 1) / 2)
    assert found.task[TASK_TYPES.index("compose"), OVERALL] == pytest.approx(1 / 4)
    assert np.isnan(found.pair_mean[[0, 1]]).all()
    names = list(CATEGORIES)
    assert found.category[names.index("scene"), OVERALL] == 1
    assert np.isnan(found.category[names.index("subject"), OVERALL])
    counts = outcome_counts(table)
    assert counts[TASK_TYPES.index("compose"), OVERALL].tolist() == [1, 1, 1, 1]
    assert coverage(counts) == pytest.approx(4 / 5)


def test_a_task_outside_the_13_has_figures_and_counts_in_the_pair_mean_alone():
    """compose: 1 of 1 right; teleport: 1 of 3."""
    pairs, cards = [], {}
    for number, (task_type, better) in enumerate(
        [("compose", 9), ("teleport", 9), ("teleport", 1), ("teleport", 1)],
    ):
        pairs.append(make_pair(f"group{number}", task_type, "overall", f"p{number}"))
        cards |= cards_for(pairs[-1], better, 5)
    table = table_of(pairs, cards)
    assert table.task_types == (*TASK_TYPES, "teleport")
    counts = count(table)
    found = counts.measures()
    assert found.task[13, OVERALL] == pytest.approx(1 / 3)
    assert found.pair_mean[OVERALL] == pytest.approx(2 / 4)
    assert found.task_mean[OVERALL] == 1
    assert np.nanmax(found.category[:, OVERALL]) == 1
    back = Measures.unflat(found.flat())
    assert np.array_equal(back.task, found.task, equal_nan=True)
    behind = Measures.unflat(groups_behind(counts.pairs).astype(float))
    assert (behind.task[13, OVERALL], behind.task_mean[OVERALL], behind.pair_mean[OVERALL]) == (3, 1, 4)


def test_headline_is_the_published_mix_of_the_categories():
    """With all 13 tasks: overall = (3 subject + 4 appearance + 2 scene + 4 advanced) / 13, whatever the pair counts."""
    generator = np.random.default_rng(3)
    pairs = generator.integers(1, 90, (13, 3)).astype(float)
    found = measure(np.floor(pairs * generator.random((13, 3))), pairs)
    subject, appearance, scene, advanced = found.category
    assert found.task_mean == pytest.approx((3 * subject + 4 * appearance + 2 * scene + 4 * advanced) / 13)


def test_flat_and_back():
    generator = np.random.default_rng(3)
    pairs = generator.integers(1, 90, (5, 13, 3)).astype(float)
    found = measure(pairs / 2, pairs)
    back = Measures.unflat(found.flat())
    assert found.flat().shape == (5, 57)
    for name in ("task", "category", "task_mean", "pair_mean"):
        assert np.array_equal(getattr(found, name), getattr(back, name))
