from __future__ import annotations

import pytest
from curation_ground import make_context, make_group
from factories import make_ref, make_task, make_triplet

from curation.filters import GroupMax, GroupStd, MinSide
from curation.stage import Fail


@pytest.mark.parametrize(
    ("stage", "row", "reason"),
    [
        (MinSide(px=480), make_triplet(), None),
        (MinSide(px=512), make_triplet(), "side_below_512"),
        (MinSide(px=480), make_triplet(edited=make_ref(width=479)), "side_below_480"),
        (MinSide(px=480), make_triplet(task=make_task(inputs=(make_ref(), make_ref(height=9)))), "side_below_480"),
    ],
)
def test_min_side(stage, row, reason, tmp_path):
    assert stage.check(row, make_context(tmp_path)) == reason


@pytest.mark.parametrize(
    ("stage", "overalls", "reason"),
    [
        (GroupMax(min_overall=4), [1, 4, 2], None),
        (GroupMax(min_overall=4), [1, 3.9, 2], "group_max_below_4"),
        (GroupMax(min_overall=0), [0], None),
        # Population standard deviation of 2, 4, 4, 4, 5, 5, 7, 9 is exactly 2.
        (GroupStd(min_std=2), [2, 4, 4, 4, 5, 5, 7, 9], None),
        (GroupStd(min_std=2.01), [2, 4, 4, 4, 5, 5, 7, 9], "group_std_below_2.01"),
        (GroupStd(min_std=0.5), [7], "group_std_below_0.5"),
    ],
)
def test_group_filters(stage, overalls, reason, tmp_path):
    assert stage.check_group(make_group(overalls), make_context(tmp_path)) == reason


@pytest.mark.parametrize("stage", [GroupMax(min_overall=4), GroupStd(min_std=1)])
def test_an_unscored_card_is_never_decided_about(stage, tmp_path):
    outcomes = list(stage.run(make_group([9, None]), make_context(tmp_path)))
    assert [type(outcome) for outcome in outcomes] == [Fail, Fail]
