"""The measured teacher: scores worked by hand, and the order of the faults."""

from __future__ import annotations

import numpy as np
import pytest
from factories import make_triplet
from world import make_context, make_photo, make_planned_task

from curation.judging import SCALE
from curation.stage import Fail
from curation.synthetic.drawing import blend
from curation.synthetic.edits import EDITS
from curation.synthetic.measure import (
    Measure,
    cleanness,
    quality_rationale,
    quality_scores,
    restraint,
    semantic_rationale,
    semantic_scores,
    success,
)
from curation.synthetic.programmatic import Outcome, Programmatic
from curation.synthetic.scenes import Scene
from editjudge.prompts.parsing import parse_reply
from editjudge.records.types import EditTriplet, ScoreCard


def flat(value: float) -> np.ndarray:
    return np.full((112, 112, 3), value, dtype=np.float32)


def left_half() -> np.ndarray:
    mask = np.zeros((112, 112), dtype=np.float32)
    mask[:, :56] = 1
    return mask


def left_half_edit(output, *, clean=None) -> Outcome:
    """The left half of a grey picture (0.4) is asked to become lighter (0.8)."""
    mask = left_half()
    after = blend(flat(0.4), flat(0.8), mask)
    return Outcome(Scene(flat(0.4), after, (mask,)), after, output if clean is None else clean, output, "lighter")


@pytest.mark.parametrize(
    ("left", "expected"), [(0.8, 1.0), (0.4, 0.0), (0.6, 0.5), (0.5, 0.25), (0.2, 0.0), (1.0, 0.5)]
)
def test_success_is_the_share_of_the_way_to_the_perfect_edit(left, expected):
    output = blend(flat(0.4), flat(left), left_half())
    assert success(left_half_edit(output)) == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize(("right", "expected"), [(0.4, 1.0), (0.44, 0.5), (0.49, 0.25), (0.56, 0.0), (0.9, 0.0)])
def test_restraint_falls_with_the_root_of_the_change_outside(right, expected):
    """1 - sqrt(d / 0.16): d = 0.04 gives 0.5, d = 0.09 gives 0.25, d = 0.16 gives 0."""
    output = blend(flat(right), flat(0.8), left_half())
    assert restraint(left_half_edit(output)) == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize(("shift", "expected"), [(0.0, 1.0), (0.05, 0.5), (0.2, 0.0)])
def test_cleanness_falls_with_the_root_of_what_the_artefact_changes(shift, expected):
    clean = left_half_edit(flat(0.4)).scene.after
    assert cleanness(left_half_edit(clean - shift, clean=clean)) == pytest.approx(expected, abs=0.01)


def test_naturalness_suffers_less_from_what_lies_over_the_picture():
    clean = left_half_edit(flat(0.4)).scene.after
    outcome = left_half_edit(clean - 0.05, clean=clean)
    assert quality_scores(outcome, "noise") == (19, 12)
    assert quality_scores(outcome, "seams") == (12, 12)


def test_compose_counts_its_two_parts_alike():
    """Only the object was added, the tone was not changed: half of what was asked."""
    photo, plan = make_photo(), {"task": "compose", "shape": "disc", "color": "red", "place": "top left"}
    plan |= {"extent": 0.4, "tone": "darker"}
    scene = EDITS["compose"].scene(photo, plan)
    only_object = EDITS["subject-add"].scene(photo, plan).after
    assert success(Outcome(scene, only_object, only_object, only_object, "add red disc")) == pytest.approx(
        0.5, abs=0.08
    )


@pytest.mark.parametrize("task_type", EDITS)
def test_faults_are_ranked_as_a_person_would(task_type, tmp_path):
    ctx = make_context(tmp_path)
    task = make_planned_task(ctx, task_type)

    def semantic(fault, artefact="none"):
        return semantic_scores(Programmatic(fault=fault, artefact=artefact).outcome(task, ctx.images, 3))

    right, half = semantic("right"), semantic("half_done")
    assert right[0] >= 24
    assert right[1] >= 24
    assert 3 <= half[0] < right[0] - 5
    assert semantic("untouched") == (0, SCALE)
    assert semantic("wrong_target")[0] < half[0] + 4
    assert semantic("over_edited")[1] < right[1] - 3


def run(ctx, triplets):
    return list(Measure().run(triplets, ctx))


def edited_triplet(ctx, task, editor, seed=3) -> EditTriplet:
    image = ctx.images.add(editor.edit(task, ctx.images, seed), "out.png")
    return EditTriplet(id="t", task=task, edited=image, editor=editor.identity, seed=seed)


def test_a_card_holds_what_the_formulas_give_and_a_readable_reply(tmp_path):
    ctx = make_context(tmp_path)
    triplet = edited_triplet(ctx, make_planned_task(ctx, "subject-add"), Programmatic(artefact="noise"))
    (card,) = run(ctx, [triplet])
    assert isinstance(card, ScoreCard)
    semantic, quality = card.judgments
    assert card.prompt_following == semantic.scores[0] / 2.5
    assert card.consistency == semantic.scores[1] / 2.5
    assert card.overall == pytest.approx((min(semantic.scores) * min(quality.scores)) ** 0.5 / 2.5)
    for judgment in card.judgments:
        parsed = parse_reply(judgment.raw, SCALE)
        assert (parsed.scores, parsed.rationale) == (judgment.scores, judgment.rationale)


def test_outputs_of_other_editors_fail(tmp_path):
    (outcome,) = run(make_context(tmp_path), [make_triplet(editor="flux-kontext")])
    assert isinstance(outcome, Fail)
    assert "use the stage `judge`" in outcome.error


def test_a_damaged_output_fails_instead_of_being_drawn_again(tmp_path):
    ctx = make_context(tmp_path)
    triplet = edited_triplet(ctx, make_planned_task(ctx, "subject-add"), Programmatic())
    (tmp_path / "out.png").write_bytes(b"not a picture")
    (outcome,) = run(ctx, [triplet])
    assert isinstance(outcome, Fail)
    assert "out.png" in outcome.error


def test_rationales_say_what_the_scores_say():
    assert semantic_rationale("red tint", (25, 25)) == "Seen: red tint. Fully done, the rest kept."
    assert semantic_rationale("red tint", (0, 10)) == "Seen: red tint. Not done, the rest changed."
    assert semantic_rationale("red tint", (4, 3)) == "Seen: red tint. Barely done, the rest lost."
    assert semantic_rationale("red tint", (12, 20)) == "Seen: red tint. Half done, the rest nearly kept."
    assert semantic_rationale("red tint", (22, 14)) == "Seen: red tint. Nearly done, the rest changed a little."
    assert quality_rationale((25, 25), "none") == "Clean."
    assert quality_rationale((10, 2), "noise") == "Ruined by noise."
    assert quality_rationale((20, 17), "blocks") == "Touched by blocks."
