"""A prompt set is one file: protocols with another scale, parser, system turn or other images are rows, not code."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from factories import make_card, make_image, make_task, make_triplet
from places import ROOT
from pydantic import ValidationError

from curation.export.stages import SFT, sft_example
from editjudge import Judge
from editjudge.engines.base import Request
from editjudge.engines.cache import CachedEngine
from editjudge.engines.scripted import ScriptedEngine
from editjudge.families import FAMILIES, render_chat
from editjudge.images.store import ImageStore
from editjudge.prompts.prompt_sets import PROMPT_SETS, PromptSet, get_prompts, read_prompts
from editjudge.records.tasks import ASPECTS
from editjudge.records.types import ScoreCard
from sft.data import RowReader, prompts_of

VIESCORE = """
system: You are a careful professional digital artist who rates edits of photographs.
semantic:
  shows: [before, after]
  scores: [success, restraint]
  scale: 10
  text: |-
    <image> was edited to <image>, as asked: {instruction}
    Rate from 0 to 10 how well the edit was carried out, and how little else was changed.
    Answer with {"reasoning": "...", "score": [first, second]}.
quality:
  shows: [after]
  scores: [naturalness, cleanness]
  scale: 10
  text: |-
    <image> was made by a model. Rate from 0 to 10 how natural it looks and how free of artefacts it is.
    Answer with {"reasoning": "...", "score": [first, second]}.
"""
"""The two-part 0-10 protocol of GEdit-Bench (VIEScore), in our words."""

CHECKLIST = """
semantic:
  shows: [inputs, after]
  parser: yes_no
  scores: [success, success, success, restraint, restraint]
  scale: 1
  text: |-
    Before: <image> After: <image> Asked for: {instruction}
    Answer yes or no. 1. Is the right thing changed? 2. In the right way? 3. Completely? 4. Is the rest of the picture
    unchanged? 5. Are people the same?
quality:
  shows: [after]
  parser: yes_no
  scores: [naturalness, cleanness]
  scale: 1
  text: <image> Answer yes or no. 1. Could this be a photograph? 2. Is it free of artefacts?
"""


def write_set(folder: Path, content: str, name: str = "trial-v1") -> PromptSet:
    path = folder / f"{name}.yaml"
    path.write_text(content)
    return read_prompts(path)


def score(prompts: PromptSet, semantic: str, quality: str) -> ScoreCard:
    def say(request: Request, seed: int) -> str:
        return quality if request.text == prompts.quality.ask() else semantic

    return Judge(ScriptedEngine(replies=say), prompts).score("Make it pink.", make_image(), make_image(seed=1))


@pytest.mark.parametrize(("name", "content"), [("brief-v1", "a4cd889fca40ea5e"), ("editjudge-v1", "cb38dac9569465a2")])
def test_the_wording_of_shipped_sets_stays(name: str, content: str) -> None:
    """The quickstart's base was trained on brief-v1, and published judges on what they were asked with."""
    prompts = get_prompts(name)
    said = hashlib.sha256((prompts.semantic.text + prompts.quality.text).encode()).hexdigest()
    assert (said[:16], prompts.semantic.scale, prompts.quality.scale, prompts.system) == (content, 25, 25, None)


def test_the_0_to_10_protocol_of_gedit_is_a_row(tmp_path: Path) -> None:
    prompts = write_set(tmp_path, VIESCORE)
    card = score(prompts, '{"reasoning": "a", "score": [8, 4]}', '{"reasoning": "b", "score": [9, 10]}')
    assert (card.prompt_following, card.consistency, card.perceptual_quality) == (8, 4, 9)
    assert card.overall == pytest.approx((4 * 9) ** 0.5)
    assert [row.scale for row in card.judgments] == [10, 10]
    beyond = score(prompts, '{"score": [18, 4]}', '{"score": [9, 10]}')
    assert {row.failure for row in beyond.judgments} == {"out_of_range", None}


def test_a_checklist_is_a_row_and_its_share_of_yes_is_the_score(tmp_path: Path) -> None:
    prompts = write_set(tmp_path, CHECKLIST)
    card = score(prompts, '{"reasoning": "", "score": ["yes", "no", "Yes", "no", "yes"]}', '{"score": [true, true]}')
    assert card.prompt_following == pytest.approx(10 * 2 / 3)
    assert (card.consistency, card.perceptual_quality) == (5, 10)
    assert [row.parsed_by for row in card.judgments] == ["json", "json"]


@pytest.mark.parametrize(
    ("reply", "failure"),
    [
        ('{"score": ["yes", "no", "yes", "no", "perhaps"]}', "not_yes_no"),
        ('{"score": [1, 0, 1, 0, 1]}', "not_yes_no"),
        ('{"score": "yes"}', "not_yes_no"),
        ('{"score": true}', "wrong_count"),
        ('{"score": ["yes", "no"]}', "wrong_count"),
        ('{"score": ["yes", "no", "yes", "no", "ye', "truncated"),
        ("Yes.", "no_json"),
    ],
)
def test_an_item_that_is_neither_yes_nor_no_is_not_guessed(tmp_path: Path, reply: str, failure: str) -> None:
    parsed = write_set(tmp_path, CHECKLIST).semantic.read(reply)
    assert (parsed.scores, parsed.failure) == (None, failure)


def test_the_example_of_the_docs_can_be_asked(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "judges.md").read_text(encoding="utf-8")
    prompts = write_set(tmp_path, page.split("```yaml\n")[1].split("```")[0])
    assert (prompts.system, prompts.quality.scale) == ("You are a careful art critic.", 10)


def test_the_order_of_scores_is_the_set_s_own(tmp_path: Path) -> None:
    turned = VIESCORE.replace("[success, restraint]", "[restraint, success]")
    assert write_set(tmp_path, turned).semantic.read('{"score": [8, 4]}').scores == (4, 8)


def test_a_set_with_a_system_turn_is_asked_with_it(tmp_path: Path) -> None:
    prompts, asked = write_set(tmp_path, VIESCORE), []
    engine = ScriptedEngine(replies=lambda request, seed: asked.append(request) or "...")  # type: ignore[func-returns-value]
    Judge(engine, prompts, retries=0).score("Make it pink.", make_image(), make_image(seed=1))
    assert {request.system for request in asked} == {prompts.system}
    for family in FAMILIES:
        chat = render_chat(family, asked[0].text, asked[0].system)
        assert chat.startswith(f"<|im_start|>system\n{prompts.system}<|im_end|>\n")
        assert "system" not in render_chat(family, "Hello.", "")
    plain, other = (Request("Hello.", (), (1,), system) for system in (None, "Be kind."))
    cache = CachedEngine(ScriptedEngine(replies=("a",)), tmp_path / "cache")
    assert len({key for request in (plain, other) for key in cache._keys(request, Judge(engine).sampling)}) == 2


def test_several_inputs_are_shown_when_the_set_says_so(tmp_path: Path) -> None:
    store, asked = ImageStore(tmp_path), []
    inputs = tuple(store.add(make_image(40 + n, 40, seed=n), f"{n}.png") for n in range(3))
    edited = store.add(make_image(90, 90, seed=7), "after.png")
    triplet = make_triplet(task=make_task(inputs=inputs), edited=edited)
    engine = ScriptedEngine(replies=lambda request, seed: asked.append(request) or "...")  # type: ignore[func-returns-value]
    prompts = write_set(tmp_path, CHECKLIST)
    Judge(engine, prompts, retries=0).score_many([triplet], tmp_path)
    semantic, quality = asked
    assert semantic.text.startswith("Before: <image><image><image> After: <image> Asked for: Make the sky pink.")
    assert [image.size for image in semantic.images] == [(40, 40), (41, 40), (42, 40), (40, 40)]
    assert [image.size for image in quality.images] == [(40, 40)]
    assert prompts.semantic.asks(semantic.text, 4)
    assert not prompts.semantic.asks(semantic.text, 3)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("[before, after]", "[after, before]", "output"),
        ("[before, after]", "[after]", "2 <image> marks for the 1 images"),
        ("shows: [after]", "shows: [before, after]", "1 <image> marks for the 2 images"),
        ("[success, restraint]", "[success, success]", "semantic.scores"),
        ("[success, restraint]", "[success, cleanness]", "semantic.scores"),
        ("{instruction}", "nothing", "semantic.text"),
        ("scale: 10", "scale: 10\n  parser: regex", "unknown parser 'regex'"),
        ("was made by a model", "was made for {instruction}", "quality"),
    ],
)
def test_a_set_that_cannot_be_asked_is_refused(tmp_path: Path, old: str, new: str, problem: str) -> None:
    with pytest.raises(ValidationError) as found:
        write_set(tmp_path, VIESCORE.replace(old, new))
    assert problem in str(found.value)


def test_everything_in_a_set_is_in_its_identity(tmp_path: Path) -> None:
    changes = [
        ("10\n", "9\n"),
        ("professional", "good"),
        ("made by", "from"),
        ("[naturalness, cleanness]", "[cleanness, naturalness]"),
    ]
    sets = [VIESCORE, CHECKLIST, *(VIESCORE.replace(*change) for change in changes)]
    assert len({write_set(tmp_path, content).identity for content in sets}) == len(sets)


def test_rows_are_not_made_for_prompts_that_ask_for_other_than_two_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for content, refused in ((VIESCORE, False), (CHECKLIST, True)):
        monkeypatch.setitem(PROMPT_SETS, "trial-v1", write_set(tmp_path, content))
        if refused:
            with pytest.raises(ValidationError, match="trial-v1"):
                SFT(prompts="trial-v1")
        else:
            SFT(prompts="trial-v1")


def test_a_judge_is_trained_with_the_system_turn_it_is_asked_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = write_set(tmp_path, VIESCORE)
    monkeypatch.setitem(PROMPT_SETS, "trial-v1", prompts)
    rows = [sft_example(make_card(), aspect, prompts, 0) for aspect in ASPECTS]
    assert prompts_of(rows, "train.jsonl") == prompts
    for row in rows:
        chat = RowReader(rows, tmp_path, "qwen2_5_vl", None).chat(row)
        assert chat == render_chat("qwen2_5_vl", row.prompt, prompts.system)
        assert chat != render_chat("qwen2_5_vl", row.prompt)
