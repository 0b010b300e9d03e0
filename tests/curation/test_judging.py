from __future__ import annotations

import pytest
from curation_ground import make_context, run_stage, stored_task
from factories import make_image, make_triplet
from pydantic import ValidationError

from curation.judging import JudgeStage
from curation.stage import Fail
from editjudge.engines.base import Engine, Request
from editjudge.engines.scripted import ScriptedEngine
from editjudge.errors import EngineError
from editjudge.images.store import ImageStore


class Hopeless(Engine):
    """An engine without a server."""

    identity = "hopeless"

    def generate(self, requests, sampling):
        raise EngineError("no server")


def make_rows(root) -> list:
    """Three triplets whose images exist."""
    task = stored_task(root)
    store = ImageStore(root)
    return [
        make_triplet(id=f"t{number}", task=task, edited=store.add(make_image(seed=number), f"images/{number}.png"))
        for number in range(3)
    ]


def say(request: Request, seed: int) -> str:
    """Scores for all but the picture of seed 1, about which only the semantic question is answered."""
    blocked = request.images[-1].tobytes() == make_image(seed=1).tobytes() and len(request.images) == 1
    return "I would rather not." if blocked else '{"reasoning": "Fine.", "score": [20, 15]}'


def test_cards_come_in_order_and_unscored_ones_fail_with_the_reason(tmp_path):
    rows = make_rows(tmp_path)
    context = make_context(tmp_path, engines={"teacher": ScriptedEngine(replies=say)})
    outcomes = run_stage(JudgeStage(engine="teacher", passes=2), rows, context)
    assert [card.triplet.id for card in (outcomes[0], outcomes[2])] == ["t0", "t2"]
    assert (outcomes[0].prompt_following, outcomes[0].consistency, outcomes[0].n_ok) == (8, 6, 2)
    assert isinstance(outcomes[1], Fail)
    assert outcomes[1].row_id == "t1"
    assert outcomes[1].error.startswith("unscored: ")
    assert outcomes[1].error != "unscored: no judgment"


def test_a_corrupt_image_fails_its_triplet(tmp_path):
    rows = make_rows(tmp_path)
    (tmp_path / rows[0].edited.path).write_bytes(b"")
    context = make_context(tmp_path, engines={"teacher": ScriptedEngine(replies=say)})
    outcomes = run_stage(JudgeStage(engine="teacher"), rows, context)
    assert (outcomes[0].error, outcomes[0].row.triplet) == ("unscored: unreadable_image", rows[0])


def test_an_empty_instruction_fails_its_triplet(tmp_path):
    (row, *_) = make_rows(tmp_path)
    row = row.model_copy(update={"task": row.task.model_copy(update={"instruction": "\u200b "})})
    context = make_context(tmp_path, engines={"teacher": ScriptedEngine(replies=say)})
    (outcome,) = run_stage(JudgeStage(engine="teacher"), [row], context)
    assert (outcome.error, outcome.row.triplet) == ("unscored: no_instruction", row)


def test_the_engine_is_closed_when_the_stage_is_torn_down(tmp_path, monkeypatch):
    closed = []
    monkeypatch.setattr(ScriptedEngine, "close", lambda engine: closed.append(engine.name))
    stage, context = (
        JudgeStage(engine="teacher"),
        make_context(tmp_path, engines={"teacher": ScriptedEngine(replies=say)}),
    )
    stage.setup(context)
    list(stage.run(make_rows(tmp_path), context))
    assert closed == []
    stage.teardown()
    assert closed == ["scripted"]
    stage.teardown()  # also after a setup that did not finish


def test_an_engine_that_cannot_work_ends_the_run(tmp_path):
    context = make_context(tmp_path, engines={"teacher": Hopeless()})
    with pytest.raises(EngineError):
        run_stage(JudgeStage(engine="teacher"), make_rows(tmp_path), context)


def test_what_the_marker_must_know():
    stage = JudgeStage(engine="teacher")
    assert stage.samplings() == {"teacher": stage.sampling}
    assert stage.depends_on() != JudgeStage(engine="teacher", prompts="brief-v1").depends_on()


def test_unknown_prompts_are_refused():
    with pytest.raises(ValidationError, match="unknown prompt set"):
        JudgeStage(engine="teacher", prompts="nope")
