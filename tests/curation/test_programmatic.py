"""The programmatic editors: what each fault does to the target and to the rest."""

from __future__ import annotations

import numpy as np
import pytest
from factories import make_task
from world import PLANS, make_context, make_photo, make_planned_task

from curation.synthetic.artefacts import ARTEFACTS
from curation.synthetic.drawing import PLACES, SHAPES, shape_mask, to_array, to_image
from curation.synthetic.edits import EDITS, OBJECT_TASKS, redraw
from curation.synthetic.programmatic import FAULTS, Programmatic
from editjudge.errors import DataError
from editjudge.records.tasks import TASK_TYPES

WHOLE_PICTURE = ("color_alter", "style_change", "tone_transfer", "compose")


def mean_change(a, b, mask):
    return float((np.abs(a - b).mean(axis=2) * mask).sum() / mask.sum())


def outcome_of(ctx, task_type, fault, artefact="none", seed=3):
    return Programmatic(fault=fault, artefact=artefact).outcome(make_planned_task(ctx, task_type), ctx.images, seed)


def test_at_least_eight_of_the_thirteen_task_types():
    assert set(EDITS) <= set(TASK_TYPES)
    assert len(EDITS) >= 8
    assert all(len(edit.phrasings) >= 2 for edit in EDITS.values())


@pytest.mark.parametrize("task_type", EDITS)
def test_a_perfect_edit_changes_its_target_and_nothing_else(task_type, tmp_path):
    outcome = outcome_of(make_context(tmp_path), task_type, "right")
    target = outcome.scene.target
    assert mean_change(outcome.output, outcome.scene.before, target) > 0.03
    outside = (target <= 0).astype(np.float32)
    if outside.any():
        assert mean_change(outcome.output, outcome.scene.before, outside) < 1e-6


@pytest.mark.parametrize("task_type", EDITS)
def test_untouched_is_the_input(task_type, tmp_path):
    ctx = make_context(tmp_path)
    task = make_planned_task(ctx, task_type)
    edited = Programmatic(fault="untouched").edit(task, ctx.images, 3)
    assert np.array_equal(np.asarray(edited), np.asarray(ctx.images.read(task.inputs[0])))


@pytest.mark.parametrize("task_type", EDITS)
def test_half_done_lies_between_input_and_perfect_edit(task_type, tmp_path):
    outcome = outcome_of(make_context(tmp_path), task_type, "half_done")
    whole = mean_change(outcome.scene.after, outcome.scene.before, outcome.scene.target)
    share = mean_change(outcome.output, outcome.scene.before, outcome.scene.target) / whole
    assert 0.29 < share < 0.66


@pytest.mark.parametrize("task_type", EDITS)
@pytest.mark.parametrize("seed", range(3))
def test_a_wrong_result_differs_from_the_perfect_edit_and_from_the_input(task_type, seed, tmp_path):
    outcome = outcome_of(make_context(tmp_path), task_type, "wrong_result", seed=seed)
    everywhere = np.ones_like(outcome.scene.target)
    assert mean_change(outcome.output, outcome.scene.after, everywhere) > 0.005
    assert mean_change(outcome.output, outcome.scene.before, everywhere) > 0.005


@pytest.mark.parametrize("task_type", [name for name in EDITS if name not in WHOLE_PICTURE])
def test_a_wrong_target_changes_what_was_not_asked(task_type, tmp_path):
    outcome = outcome_of(make_context(tmp_path), task_type, "wrong_target")
    outside = (outcome.scene.target <= 0).astype(np.float32)
    assert mean_change(outcome.output, outcome.scene.before, outside) > 0.005


@pytest.mark.parametrize("task_type", EDITS)
@pytest.mark.parametrize("seed", range(4))
def test_over_editing_changes_the_rest_and_keeps_the_edit(task_type, seed, tmp_path):
    outcome = outcome_of(make_context(tmp_path), task_type, "over_edited", seed=seed)
    assert np.array_equal(outcome.intended, outcome.scene.after)
    assert mean_change(outcome.output, outcome.intended, np.ones_like(outcome.scene.target)) > 0.002


@pytest.mark.parametrize("artefact", [name for name in ARTEFACTS if name != "none"])
def test_artefacts_are_visible_and_come_last(artefact, tmp_path):
    outcome = outcome_of(make_context(tmp_path), "subject-add", "right", artefact)
    assert np.array_equal(outcome.clean, outcome.scene.after)
    assert mean_change(outcome.output, outcome.clean, np.ones_like(outcome.scene.target)) > 0.005


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("artefact", ARTEFACTS)
def test_same_seed_same_pixels_and_identity_round_trip(fault, artefact, tmp_path):
    ctx = make_context(tmp_path)
    task = make_planned_task(ctx, "color_alter")
    editor = Programmatic(fault=fault, artefact=artefact)
    assert Programmatic.from_identity(editor.identity) == editor
    assert editor.edit(task, ctx.images, 9).tobytes() == editor.edit(task, ctx.images, 9).tobytes()


def test_another_seed_gives_another_noise(tmp_path):
    ctx = make_context(tmp_path)
    task, editor = make_planned_task(ctx, "color_alter"), Programmatic(artefact="noise")
    assert editor.edit(task, ctx.images, 1).tobytes() != editor.edit(task, ctx.images, 2).tobytes()


@pytest.mark.parametrize("identity", ["folder", "programmatic-v0:right+none", "programmatic-v1:perfect+none", ""])
def test_identities_of_other_editors_are_not_recognised(identity):
    assert Programmatic.from_identity(identity) is None


def test_a_task_without_a_plan_is_refused(tmp_path):
    with pytest.raises(DataError, match="no plan"):
        Programmatic().edit(make_task(), make_context(tmp_path).images, 1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("place", PLACES)
def test_shapes_lie_at_their_place(shape, place):
    mask = shape_mask((112, 112), shape, place, 0.4)
    y, x = np.mgrid[:112, :112]
    assert abs((mask * x).sum() / mask.sum() / 112 - PLACES[place][0]) < 0.03
    assert abs((mask * y).sum() / mask.sum() / 112 - PLACES[place][1]) < 0.06


def test_arrays_survive_the_way_through_images():
    array = make_photo()
    assert np.abs(to_array(to_image(array)) - array).max() <= 0.5 / 255 + 1e-6


@pytest.mark.parametrize("task_type", OBJECT_TASKS)
def test_redraw_keeps_the_object_of_the_input(task_type):
    draw = np.random.default_rng(0)
    first = redraw({}, task_type, draw)
    for other in OBJECT_TASKS:
        again = redraw(first, other, draw)
        assert {key: again[key] for key in ("shape", "color", "place", "extent")} == {
            key: first[key] for key in ("shape", "color", "place", "extent")
        }
        assert again.get("new_color") != again["color"]
        assert again.get("to") != again["place"]


def test_plans_of_every_task_fill_every_phrasing():
    for task_type, plan in PLANS.items():
        for phrasing in EDITS[task_type].phrasings:
            assert "{" not in phrasing.format(**plan)
