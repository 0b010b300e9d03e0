from __future__ import annotations

import pytest

from editjudge.statistics.tiers import tiers_of_scores


@pytest.mark.parametrize(
    ("values", "tiers"),
    [
        # "3|12|45": the third is best, the first two tie, the last two tie.
        ([6, 5.5, 9, 2, 1.5], [[3], [1, 2], [4, 5]]),
        ([5, 5, 5], [[1, 2, 3]]),
        # A chain of small steps is one tier, however far its ends lie apart.
        ([5, 5.9, 6.8], [[3, 2, 1]]),
        ([3.35, 4.35], [[2], [1]]),  # in floating point the step is a little less than 1
        ([], []),
    ],
)
def test_a_tier_starts_where_the_step_down_is_large(values, tiers):
    assert tiers_of_scores(dict(enumerate(values, start=1)), min_gap=1) == tiers


def test_equal_scores_stand_by_name_whatever_their_order():
    assert tiers_of_scores({"b": 5.0, "c": 9.0, "a": 5.0}, min_gap=1) == [["c"], ["a", "b"]]
