from __future__ import annotations

import pytest
from curation_ground import make_context, make_group
from factories import make_ref, make_task, make_triplet
from pydantic import ValidationError

from curation.filters.scores import GroupMax, GroupStd
from curation.filters.sizes import AspectRatio, MinSide
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
    ("stage", "row", "reason"),
    [
        (AspectRatio(), make_triplet(edited=make_ref(width=9, height=1800)), None),
        (AspectRatio(), make_triplet(edited=make_ref(width=9, height=2048)), "aspect_ratio_above_200"),
        (AspectRatio(max_ratio=2.5), make_triplet(edited=make_ref(width=500, height=200)), None),
        (AspectRatio(max_ratio=2.5), make_triplet(edited=make_ref(width=501, height=200)), "aspect_ratio_above_2.5"),
        (
            AspectRatio(max_ratio=2.5),
            make_triplet(task=make_task(inputs=(make_ref(), make_ref(height=9)))),
            "aspect_ratio_above_2.5",
        ),
    ],
)
def test_aspect_ratio(stage, row, reason, tmp_path):
    assert stage.check(row, make_context(tmp_path)) == reason


@pytest.mark.parametrize("ratio", [0.5, 201])
def test_a_ratio_that_no_judge_can_take_is_refused(ratio):
    with pytest.raises(ValidationError):
        AspectRatio(max_ratio=ratio)


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
