from __future__ import annotations

from collections import Counter

import pytest
from curation_ground import make_context, make_group
from factories import make_card, make_task, make_triplet
from places import ROOT
from pydantic import ValidationError

from curation.filters.balance import Balance, PickGroups, score_bin
from curation.recipe import CurationRecipe
from curation.stage import Drop, Fail
from editjudge.recipes.recipe import load_recipe
from editjudge.records.types import ScoreCard


def make_cards(counts: dict[tuple[str, float], int]) -> list:
    """So many cards for each (task type, overall)."""
    return [
        make_card(
            triplet=make_triplet(id=f"{task_type}-{overall}-{n}", task=make_task(id=f"{n}", task_type=task_type)),
            overall=overall,
        )
        for (task_type, overall), count in counts.items()
        for n in range(count)
    ]


SKEWED = {("color_alter", 1.0): 10, ("color_alter", 9.0): 2, ("subject-add", 9.0): 3}


@pytest.mark.parametrize(
    ("overall", "bins", "index"),
    [(0, 5, 0), (1.999, 5, 0), (2, 5, 1), (10, 5, 4), (10, 1, 0), (3, (3, 7), 1), (2.9, (3, 7), 0), (10, (3, 7), 2)],
)
def test_score_bin(overall, bins, index):
    assert score_bin(overall, bins) == index


@pytest.mark.parametrize(
    ("stage", "kept"),
    [
        # The cells hold 10, 2 and 3 rows: the median is 3.
        (Balance(max_ratio=1), [3, 2, 3]),
        (Balance(max_ratio=1.5), [5, 2, 3]),
        (Balance(per_cell=2), [2, 2, 2]),
        (Balance(max_ratio=1.5, per_cell=4), [4, 2, 3]),
        (Balance(max_ratio=9), [10, 2, 3]),
    ],
)
def test_a_cell_keeps_at_most_its_share(stage, kept, tmp_path):
    outcomes = list(stage.run(make_cards(SKEWED), make_context(tmp_path)))
    rows = [row for row in outcomes if not isinstance(row, Drop)]
    assert len(outcomes) == 15
    counts = Counter((row.triplet.task.task_type, row.overall) for row in rows)
    assert [counts[cell] for cell in SKEWED] == kept


def test_half_a_row_is_rounded_up(tmp_path):
    # With one bin the cells hold 12 and 3 rows: the median is 7.5.
    outcomes = list(Balance(max_ratio=1, bins=1).run(make_cards(SKEWED), make_context(tmp_path)))
    assert sum(isinstance(outcome, Drop) for outcome in outcomes) == 12 - 8


QUICKSTART = """
224 126 133 100 67
122 62 152 87 62
188 129 120 110 73
212 85 146 93 64
186 131 128 81 64
204 100 128 109 59
200 118 127 113 57
201 95 173 88 123
"""
"""Cards of the quickstart's training part before balancing: eight tasks x five bins of `overall`."""


def test_the_quickstart_shows_what_balance_does():
    recipe = load_recipe(ROOT / "recipes" / "quickstart" / "curate.yaml", CurationRecipe)
    (stage,) = (stage for stage in recipe.parts["train"].stages if isinstance(stage, Balance))
    assert stage.bins == 5
    sizes = [int(size) for size in QUICKSTART.split()]
    limit = stage.limit(sizes)
    surplus = [max(0, size - limit) for size in sizes]
    assert 0.05 < sum(surplus) / sum(sizes) < 0.15
    # Nearly everything that goes is from the lowest bin, which is the largest of nearly every task.
    assert sum(surplus[::5]) > 0.9 * sum(surplus)


def test_surplus_is_named_by_its_cell(tmp_path):
    outcomes = list(Balance(per_cell=2).run(make_cards(SKEWED), make_context(tmp_path)))
    reasons = Counter(row.reason for row in outcomes if isinstance(row, Drop))
    assert reasons == {"surplus_color_alter_bin0": 8, "surplus_subject_add_bin4": 1}


def test_neither_order_nor_neighbours_decide_who_stays(tmp_path):
    ctx, stage = make_context(tmp_path), Balance(per_cell=2)
    cards = make_cards(SKEWED)
    first = {row.triplet.id for row in stage.run(cards, ctx) if not isinstance(row, Drop)}
    again = {row.triplet.id for row in stage.run(reversed(cards), ctx) if not isinstance(row, Drop)}
    other = {row.triplet.id for row in stage.run(cards, make_context(tmp_path, seed=1)) if not isinstance(row, Drop)}
    assert first == again
    assert first != other


def test_an_unscored_card_fails(tmp_path):
    outcomes = list(Balance(per_cell=2).run(make_group([5, None]), make_context(tmp_path)))
    assert sum(isinstance(outcome, Fail) for outcome in outcomes) == 1


def test_nothing_in_nothing_out(tmp_path):
    assert list(Balance(per_cell=2).run([], make_context(tmp_path))) == []


@pytest.mark.parametrize(
    "values", [{}, {"per_cell": 1, "bins": 0}, {"per_cell": 1, "bins": [5, 5]}, {"max_ratio": 0.5}]
)
def test_senseless_parameters_are_refused(values):
    with pytest.raises(ValidationError):
        Balance(**values)


def test_pick_groups_keeps_whole_groups_and_as_many_of_each_task(tmp_path):
    ctx = make_context(tmp_path)
    tasks = [make_task(id=f"{kind}{n}", task_type=kind) for kind in ("color_alter", "extract") for n in range(5)]
    cards = [
        make_card(triplet=make_triplet(id=f"{task.id}-{index}", task=task)) for task in tasks for index in range(3)
    ]
    outcomes = list(PickGroups(per_task=2).run(cards, ctx))
    kept = [row for row in outcomes if isinstance(row, ScoreCard)]
    assert Counter(card.triplet.task.task_type for card in kept) == {"color_alter": 6, "extract": 6}
    assert set(Counter(card.triplet.task.id for card in kept).values()) == {3}
    assert {row.reason for row in outcomes if isinstance(row, Drop)} == {"not_picked"}
    again = PickGroups(per_task=2).run(cards[::-1], ctx)
    assert {row.triplet.id for row in again if isinstance(row, ScoreCard)} == {card.triplet.id for card in kept}
