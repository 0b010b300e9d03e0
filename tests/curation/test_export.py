from __future__ import annotations

import json

import pytest
from curation_ground import make_context, make_group
from factories import make_card, make_judgment, make_ref, make_task, make_triplet
from pydantic import ValidationError

from curation.export.stages import SFT, Tiers
from curation.stage import Drop, Fail
from editjudge.prompts.prompt_sets import PROMPT_SETS, get_prompts


def test_a_card_becomes_both_questions(tmp_path):
    card = make_card(triplet=make_triplet(edited=make_ref(path="images/after.png", width=800, height=500)))
    semantic, quality = SFT(prompts="brief-v1", bins=10).run([card], make_context(tmp_path))
    prompts = get_prompts("brief-v1")
    assert (semantic.aspect, quality.aspect) == ("semantic", "quality")
    assert semantic.prompt == prompts.semantic.ask("Make the sky pink.")
    assert quality.prompt == prompts.quality.ask()
    assert semantic.images == (*card.triplet.task.inputs, card.triplet.edited)
    assert quality.images == (card.triplet.edited,)
    assert json.loads(semantic.completion) == {
        "reasoning": "The sky is pink, but the sea changed too.",
        "score": [20, 15],
    }
    assert (semantic.score_bin, semantic.scale, semantic.prompt_version) == (6, 25, "brief-v1")
    assert semantic.id != quality.id
    for row in (semantic, quality):
        assert (row.group_id, row.task_type, row.source) == ("task0", "color_alter", "photo0")
        assert row.shown_size == (640, 480)  # the input's


@pytest.mark.parametrize(
    ("scores", "scale", "written"),
    [
        ((20.0, 15.0), 25.0, [20, 15]),
        ((20.5, 15.49), 25.0, [21, 15]),
        ((8.0, 0.0), 10.0, [20, 0]),
        ((10.0, 1.0), 10.0, [25, 3]),  # 2.5 is a half: upwards
    ],
)
def test_scores_are_whole_numbers_on_the_prompts_scale(scores, scale, written, tmp_path):
    judgments = tuple(make_judgment(aspect=aspect, scores=scores, scale=scale) for aspect in ("semantic", "quality"))
    rows = list(SFT(prompts="brief-v1").run([make_card(judgments=judgments)], make_context(tmp_path)))
    assert [json.loads(row.completion)["score"] for row in rows] == [written, written]


def test_an_edited_wording_makes_the_rows_stale(monkeypatch):
    stage, other = SFT(prompts="brief-v1"), get_prompts("brief-v1")
    before = stage.depends_on()
    strict = other.quality.model_copy(update={"text": other.quality.text + " Be strict."})
    monkeypatch.setitem(PROMPT_SETS, "brief-v1", other.model_copy(update={"quality": strict}))
    assert stage.depends_on() != before


def test_rationale_and_scores_come_from_the_same_readable_pass(tmp_path):
    judgments = (
        make_judgment(scores=None),
        make_judgment(pass_index=1, scores=(5.0, 6.0), rationale="second"),
        make_judgment(pass_index=2, scores=(7.0, 8.0), rationale="third"),
        make_judgment(aspect="quality", pass_index=1),
    )
    semantic, _ = SFT(prompts="brief-v1").run([make_card(judgments=judgments)], make_context(tmp_path))
    assert json.loads(semantic.completion) == {"reasoning": "second", "score": [5, 6]}


@pytest.mark.parametrize(
    "card",
    [
        make_card(judgments=(make_judgment(),)),
        make_card(overall=None),
        make_card(triplet=make_triplet(task=make_task(inputs=(make_ref(), make_ref())))),
    ],
    ids=["no quality judgment", "no overall", "two inputs, one mark"],
)
def test_a_card_that_cannot_be_taught_fails_as_a_whole(card, tmp_path):
    assert [type(row) for row in SFT(prompts="brief-v1").run([card], make_context(tmp_path))] == [Fail]


def test_unknown_prompts_are_refused():
    with pytest.raises(ValidationError, match="unknown prompt set"):
        SFT(prompts="nope")


def test_pairs_stand_across_tiers_only(tmp_path):
    stage = Tiers(min_gap=1, dimensions=("overall",))
    pairs = list(stage.run(make_group([6, 5.5, 9, 2, 1.5]), make_context(tmp_path)))
    found = {(int(pair.better.id[-1]) + 1, int(pair.worse.id[-1]) + 1): pair.tier_gap for pair in pairs}
    # The eight pairs of "3|12|45", as the annotation protocol counts them.
    assert found == {(3, 1): 1, (3, 2): 1, (3, 4): 2, (3, 5): 2, (1, 4): 1, (1, 5): 1, (2, 4): 1, (2, 5): 1}
    assert len({pair.id for pair in pairs}) == 8
    assert {(pair.n_annotators, pair.agreement) for pair in pairs} == {(1, 1.0)}


def test_each_dimension_has_its_own_tiers(tmp_path):
    better, worse = make_group([9, 3])
    better = better.model_copy(update={"prompt_following": 2.0, "consistency": 6.0})
    pairs = list(Tiers(min_gap=1).run([better, worse], make_context(tmp_path)))
    assert {(pair.dimension, pair.better.id) for pair in pairs} == {
        ("prompt_following", worse.triplet.id),
        ("overall", better.triplet.id),
    }


def test_groups_without_a_pair_are_dropped_and_unscored_cards_fail(tmp_path):
    stage = Tiers(min_gap=1, dimensions=("overall",))
    first, second, unscored = make_group([5, 5.5, None])
    outcomes = list(stage.run([first, second, unscored], make_context(tmp_path)))
    assert outcomes == [
        Fail("task0-2", "no score to rank by", unscored),
        Drop("task0-0", "one_tier", first),
        Drop("task0-1", "one_tier", second),
    ]


def test_a_card_about_an_empty_instruction_fails(tmp_path):
    card = make_card(triplet=make_triplet(task=make_task(instruction=" \u2060")))
    (outcome,) = SFT(prompts="brief-v1").run([card], make_context(tmp_path))
    assert isinstance(outcome, Fail)
    assert "no_instruction" in outcome.error
