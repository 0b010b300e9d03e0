"""The judge by the honesty rules, with scripted engines and numbers worked by hand."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from factories import make_image, make_judgment, make_ref, make_task, make_triplet
from icc_ground import WIDE, saved
from PIL import Image

from editjudge import Judge
from editjudge.asking.cards import card_from_passes, make_card
from editjudge.asking.certainty import score_logprob
from editjudge.cli.score import _table as score_table
from editjudge.cli.score import main
from editjudge.engines.base import Completion, Reply, Request, Sampling
from editjudge.engines.cache import CachedEngine
from editjudge.engines.scripted import ScriptedEngine
from editjudge.errors import EngineError, ImageError, RecipeError
from editjudge.images.store import ImageStore
from editjudge.prompts.prompt_sets import format_completion, get_prompts
from editjudge.records.types import EditTriplet, ScoreCard

PROMPTS = get_prompts("editjudge-v1")
BOTH_20 = format_completion("Fine.", (20, 20))


def is_quality(request: Request) -> bool:
    return request.text == PROMPTS.quality.ask()


def scripted(script: Callable[[Request, int], str | Completion]) -> ScriptedEngine:
    return ScriptedEngine(replies=script)


def by_aspect(semantic: str, quality: str) -> ScriptedEngine:
    return scripted(lambda request, seed: quality if is_quality(request) else semantic)


def make_stored(root: Path, count: int, **changes: Any) -> list[EditTriplet]:
    """Triplets of one task whose images lie in `root`."""
    store = ImageStore(root)
    task = make_task(inputs=(store.add(make_image(60, 40, seed=99), "before.png"),))
    return [
        make_triplet(
            id=f"triplet{number}",
            task=task,
            edited=store.add(make_image(60, 40, seed=number), f"after{number}.png"),
            **changes,
        )
        for number in range(count)
    ]


def judgments(*passes: tuple[tuple[float, float] | None, tuple[float, float] | None]) -> list[Any]:
    return [
        make_judgment(aspect=aspect, scores=scores, pass_index=index)
        for index, pair in enumerate(passes)
        for aspect, scores in zip(("semantic", "quality"), pair, strict=True)
    ]


# Cards


def test_a_card_worked_by_hand() -> None:
    card = make_card(make_triplet(), judgments(((20, 15), (22.5, 20)), ((10, 25), (10, 12.5))))
    assert card.prompt_following == 6  # (8 + 4) / 2
    assert card.consistency == 8  # (6 + 10) / 2
    assert card.perceptual_quality == 6  # (8 + 4) / 2
    first, second = (6 * 8) ** 0.5, (4 * 4) ** 0.5  # 6.928, 4
    assert card.overall == pytest.approx((first + second) / 2)
    assert card.overall != pytest.approx((((6 + 4) / 2) * 6) ** 0.5)  # not the root of means
    assert card.spread == pytest.approx((first - second) / 2)
    assert (card.n_ok, card.n_failed) == (2, 0)


def test_unreadable_passes_are_left_out_and_counted() -> None:
    card = make_card(make_triplet(), judgments(((20, 15), None), (None, (5, 5)), ((10, 10), (10, 10)), (None, None)))
    assert (card.prompt_following, card.consistency) == (6, 5)
    assert card.perceptual_quality == 3  # (2 + 4) / 2
    assert card.overall == 4  # the only pass with both
    assert (card.n_ok, card.n_failed, card.spread) == (1, 3, None)


def test_nothing_readable_is_no_value_at_all() -> None:
    card = make_card(make_triplet(), judgments((None, None)))
    assert [card.prompt_following, card.consistency, card.perceptual_quality, card.overall] == [None] * 4
    assert (card.n_ok, card.n_failed, card.rationale) == (0, 1, "")


def test_zero_is_a_score() -> None:
    card = make_card(make_triplet(), judgments(((0, 25), (25, 25))))
    assert (card.prompt_following, card.consistency, card.overall, card.n_ok) == (0, 10, 0, 1)


def test_equal_evidence_ties_exactly_in_any_order() -> None:
    one = make_card(make_triplet(), judgments(((18, 7), (3, 4)), ((20, 9), (7, 8)), ((1, 2), (9, 9))))
    same = make_card(make_triplet(), judgments(((1, 2), (9, 9)), ((18, 9), (7, 8)), ((20, 7), (3, 4))))
    assert (one.prompt_following, one.consistency) == (same.prompt_following, same.consistency)
    assert make_card(make_triplet(), reversed(one.judgments)) == one


def test_fewer_passes_of_a_card() -> None:
    rows = judgments(((20, 15), (22.5, 20)), ((10, 25), (10, 12.5)), (None, (1, 1)))
    card = make_card(make_triplet(), rows)
    assert card_from_passes(card, range(2)) == make_card(make_triplet(), rows[:4])
    assert card_from_passes(card, [2]).overall is None
    with pytest.raises(ValueError, match="no pass 3"):
        card_from_passes(card, range(4))


def test_a_card_refuses_judgments_that_are_not_its_own() -> None:
    with pytest.raises(ValueError, match=r"two semantic .*pass 0"):
        make_card(make_triplet(), [make_judgment(), make_judgment(scores=(1, 1))])
    with pytest.raises(ValueError, match=r"triplet other .*triplet0"):
        make_card(make_triplet(), [make_judgment(triplet_id="other")])


# Asking


def test_one_call_and_a_batch_give_the_same_scores(tmp_path: Path) -> None:
    def by_pixels(request: Request, seed: int) -> str:
        level = float(np.asarray(request.images[-1]).mean()) / 255 * 25
        return format_completion("Seen.", (round(level, 1), 20))

    judge = Judge(scripted(by_pixels), chunk=2)
    triplets = make_stored(tmp_path, 5)
    cards = judge.score_many(triplets, tmp_path)
    assert [card.triplet for card in cards] == triplets
    assert len({card.overall for card in cards}) == 5
    for triplet, card in zip(triplets, cards, strict=True):
        before, after = tmp_path / triplet.task.inputs[0].path, tmp_path / triplet.edited.path
        for images in ((before, after), (str(before), str(after)), (Image.open(before), Image.open(after))):
            assert judge.score(triplet.task.instruction, *images).overall == card.overall


def test_what_the_engine_sees(tmp_path: Path) -> None:
    seen: list[Request] = []

    def watch(request: Request, seed: int) -> str:
        seen.append(request)
        return BOTH_20

    before, after = make_image(60, 40), make_image(90, 90, seed=1)
    Judge(scripted(watch), max_pixels=600).score("Add <image> of a cat.", before, after)
    semantic, quality = seen
    assert semantic.text == PROMPTS.semantic.ask("Add < image > of a cat.")
    assert [image.size for image in semantic.images] == [(30, 20), (30, 20)]
    assert is_quality(quality)
    assert "cat" not in quality.text
    assert [image.tobytes() for image in quality.images] == [semantic.images[1].tobytes()]


def test_all_requests_of_a_chunk_go_out_at_once(tmp_path: Path) -> None:
    sizes: list[int] = []

    class Counting(ScriptedEngine):
        def generate(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[tuple[int, Reply]]:
            sizes.append(len(requests))
            return super().generate(requests, sampling)

    Judge(Counting(replies=(BOTH_20,)), chunk=3, passes=4).score_many(make_stored(tmp_path, 4), tmp_path)
    assert sizes == [6, 2]


def test_passes_have_seeds_of_their_own_that_depend_on_nothing_else(tmp_path: Path) -> None:
    judge = Judge(ScriptedEngine(replies=(BOTH_20,)), passes=3, seed=7)
    triplets = make_stored(tmp_path, 3)
    seeds = [[row.seed for row in card.judgments] for card in judge.score_many(triplets, tmp_path)]
    assert len({seed for row in seeds for seed in row}) == 3 * 3 * 2
    assert [[row.seed for row in card.judgments] for card in judge.score_many(triplets[::-1], tmp_path)] == seeds[::-1]
    more = Judge(ScriptedEngine(replies=(BOTH_20,)), passes=4, seed=7).score_many(triplets[:1], tmp_path)[0]
    assert [row.seed for row in more.judgments if row.pass_index < 3] == seeds[0]
    other = Judge(ScriptedEngine(replies=(BOTH_20,)), passes=3, seed=8).score_many(triplets[:1], tmp_path)[0]
    assert not {row.seed for row in other.judgments} & set(seeds[0])


# Honesty


@pytest.mark.parametrize(
    ("reply", "failure"),
    [
        ("The edit looks fine to me.", "no_json"),
        ("I'm sorry, I can't help with that.", "no_json"),
        ('{"reasoning": "r", "score": [18]}', "wrong_count"),
        ('{"reasoning": "r", "score": [18, 20, 22]}', "wrong_count"),
        ('{"reasoning": "r", "score": [90, 80]}', "out_of_range"),
        ('{"reasoning": "r", "score": [NaN, 20]}', "not_finite"),
        ('{"reasoning": "r", "score": ["18/30", "20"]}', "not_numbers"),
        ('{"reasoning": "r", "score": [12, 1', "truncated"),
        (Completion(BOTH_20, "length"), "truncated"),
        ("", "empty"),
    ],
)
def test_an_unreadable_reply_is_asked_again_twice_and_then_stays_none(reply: str | Completion, failure: str) -> None:
    asked: list[int] = []

    def script(request: Request, seed: int) -> str | Completion:
        if is_quality(request):
            return BOTH_20
        asked.append(seed)
        return reply

    card = Judge(scripted(script)).score("Make it pink.", make_image(), make_image(seed=1))
    assert len(asked) == len(set(asked)) == 3
    assert (card.prompt_following, card.consistency, card.overall) == (None, None, None)
    assert card.perceptual_quality == 8
    assert (card.n_ok, card.n_failed) == (0, 1)
    semantic = next(row for row in card.judgments if row.aspect == "semantic")
    assert (semantic.scores, semantic.failure, semantic.seed) == (None, failure, asked[-1])
    assert semantic.raw == (reply if isinstance(reply, str) else reply.text)


@pytest.mark.parametrize(
    ("reply", "scores", "parsed_by"),
    [
        (f"Sure!\n```json\n{BOTH_20}\n```\nBye.", (20, 20), "json"),
        ('{"reasoning": "r", "score": ["18", "20"]}', (18, 20), "repaired"),
    ],
)
def test_text_around_the_json_and_plain_strings_are_read(
    reply: str, scores: tuple[float, float], parsed_by: str
) -> None:
    card = Judge(by_aspect(reply, BOTH_20)).score("Make it pink.", make_image(), make_image(seed=1))
    assert (card.judgments[0].scores, card.judgments[0].parsed_by, card.judgments[0].raw) == (scores, parsed_by, reply)


def test_only_the_unread_passes_are_asked_again() -> None:
    asked: list[tuple[str, int]] = []

    def script(request: Request, seed: int) -> str:
        asked.append(("quality" if is_quality(request) else "semantic", seed))
        n_semantic = sum(aspect == "semantic" for aspect, _ in asked)
        return "..." if asked[-1][0] == "semantic" and n_semantic == 2 else BOTH_20

    card = Judge(scripted(script), passes=3).score("Make it pink.", make_image(), make_image(seed=1))
    assert [aspect for aspect, _ in asked] == ["semantic"] * 3 + ["quality"] * 3 + ["semantic"]
    assert (card.n_ok, card.n_failed, card.overall) == (3, 0, 8)
    final = {row.pass_index: row.seed for row in card.judgments if row.aspect == "semantic"}
    assert [final[0], final[1], final[2]] == [asked[0][1], asked[6][1], asked[2][1]]


def test_retries_can_be_switched_off_and_are_pointless_when_greedy() -> None:
    for changes in ({"retries": 0}, {"sampling": Sampling(temperature=0)}):
        asked: list[int] = []
        engine = scripted(lambda request, seed, asked=asked: asked.append(seed) or "...")  # type: ignore[misc]
        Judge(engine, **changes).score("Make it pink.", make_image(), make_image(seed=1))  # type: ignore[arg-type]
        assert len(asked) == 2


def test_a_request_the_engine_cannot_take_is_not_repeated_and_not_scored(caplog: pytest.LogCaptureFixture) -> None:
    engine = ScriptedEngine(replies=(BOTH_20,), fail=("pink",))
    with caplog.at_level(logging.WARNING):
        card = Judge(engine).score("Make it pink.", make_image(), make_image(seed=1))
    assert [row.failure for row in card.judgments] == ["engine_error", None]
    assert (card.overall, card.n_failed) == (None, 1)
    assert caplog.text.count("scripted failure: the text matches 'pink'") == 1


def test_bad_images_fail_their_own_cards_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    triplets = make_stored(tmp_path, 5)
    (tmp_path / triplets[1].edited.path).write_bytes(b"\x89PNG\r\n\x1a\n not a picture")
    (tmp_path / triplets[2].edited.path).unlink()
    make_image(60, 40, seed=77).save(tmp_path / triplets[3].edited.path)  # readable, but not the one recorded
    asked: list[Request] = []
    engine = scripted(lambda request, seed: asked.append(request) or BOTH_20)  # type: ignore[func-returns-value]
    with caplog.at_level(logging.WARNING):
        cards = Judge(engine, passes=2).score_many(triplets, tmp_path)
    assert [card.overall for card in cards] == [8, None, None, None, 8]
    assert len(asked) == 2 * 2 * 2
    for number, reason in ((1, "unreadable_image"), (2, "missing_image"), (3, "changed_image")):
        assert [row.failure for row in cards[number].judgments] == [reason] * 4
        assert (cards[number].n_ok, cards[number].n_failed) == (0, 2)
        assert f"after{number}.png" in caplog.text


def test_an_image_too_long_and_narrow_is_unscored_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The processors of the Qwen-VL models refuse a ratio above 200."""
    store, asked = ImageStore(tmp_path), []
    triplets = []
    for number, size in enumerate([(60, 40), (9, 2048), (9, 1800)]):
        task = make_task(id=f"task{number}", inputs=(store.add(make_image(*size, seed=9), f"before{number}.png"),))
        edited = store.add(make_image(2048, 9, seed=number), f"after{number}.png")  # brought to the input's size
        triplets.append(make_triplet(id=f"triplet{number}", task=task, edited=edited))
    judge = Judge(scripted(lambda request, seed: asked.append(request) or BOTH_20))  # type: ignore[func-returns-value]
    with caplog.at_level(logging.WARNING):
        cards = judge.score_many(triplets, tmp_path)
    assert [card.overall for card in cards] == [8, None, 8]
    assert {row.failure for row in cards[1].judgments} == {"aspect_ratio"}
    assert "9 x 2048 pixels" in caplog.text
    assert len(asked) == 4
    alone = judge.score("Make it pink.", make_image(9, 2048), make_image(9, 2048))
    assert {row.failure for row in alone.judgments} == {"aspect_ratio"}
    # Shrinking can make a picture narrower than it was: 1000 x 6 at 50,000 / 49 pixels is 412 x 2, a ratio of 206.
    tight = Judge(judge.engine, max_pixels=1020).score("Make it pink.", make_image(1000, 6), make_image(1000, 6))
    assert {row.failure for row in tight.judgments} == {"aspect_ratio"}


def test_an_engine_says_what_is_odd_about_a_request_and_is_not_asked_again() -> None:
    asked = []

    def script(request: Request, seed: int) -> Completion:
        asked.append(seed)
        return Completion("", "error", error="9000 tokens are too many", reason="too_long")

    card = Judge(scripted(script), retries=2).score("Make it pink.", make_image(), make_image())
    assert {row.failure for row in card.judgments} == {"too_long"}
    assert len(asked) == 2


def test_colours_are_the_judge_s_choice(tmp_path: Path) -> None:
    content = saved(make_image(60, 40), "PNG", icc_profile=WIDE["adobe"])
    (tmp_path / "photo.png").write_bytes(content)
    store = ImageStore(tmp_path)
    task = make_task(inputs=(store.add_file(content, "before.png"),))
    triplet = make_triplet(task=task, edited=store.add(make_image(60, 40, seed=1), "after.png"))
    for colors, stored in (("srgb", False), ("stored", True)):
        asked: list[Request] = []
        engine = scripted(lambda request, seed, asked=asked: asked.append(request) or BOTH_20)  # type: ignore[misc]
        judge = Judge(engine, colors=colors)  # type: ignore[arg-type]
        judge.score_many([triplet], tmp_path)
        judge.score("Make it pink.", tmp_path / "photo.png", make_image(60, 40))
        judge.score("Make it pink.", Image.open(tmp_path / "photo.png"), make_image(60, 40))
        shown = [request.images[0].tobytes() for request in asked if len(request.images) == 2]
        assert len(shown) == 3
        assert [pixels == make_image(60, 40).tobytes() for pixels in shown] == [stored] * 3
        assert len(set(shown)) == 1


def test_which_of_several_inputs_to_show_is_not_guessed(tmp_path: Path) -> None:
    (triplet,) = make_stored(tmp_path, 1)
    two = triplet.task.model_copy(update={"inputs": triplet.task.inputs * 2})
    (card,) = Judge(ScriptedEngine(replies=(BOTH_20,))).score_many([make_triplet(task=two)], tmp_path)
    assert {row.failure for row in card.judgments} == {"several_inputs"}


def test_a_single_unreadable_image_and_a_dead_engine_are_errors(tmp_path: Path) -> None:
    class Dead(ScriptedEngine):
        def generate(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[tuple[int, Reply]]:
            raise EngineError("no server")

    with pytest.raises(ImageError, match=r"nowhere\.png"):
        Judge(ScriptedEngine(replies=(BOTH_20,))).score("x", tmp_path / "nowhere.png", make_image())
    with pytest.raises(EngineError, match="no server"):
        Judge(Dead(replies=(BOTH_20,))).score_many(make_stored(tmp_path, 1), tmp_path)


def test_a_reply_that_no_file_can_hold_is_stored_without_the_broken_character() -> None:
    card = Judge(by_aspect("half \ud83d", BOTH_20)).score("x", make_image(), make_image(seed=1))
    assert card.judgments[0].raw == "half \ufffd"
    assert ScoreCard.model_validate_json(card.model_dump_json()) == card


@pytest.mark.parametrize("instruction", ["", " \n\t", "\u200b\u2060\ufeff", "\u3164", "\x00", "\ud83d"])
def test_an_empty_instruction_is_unscored_with_its_reason(instruction: str) -> None:
    asked: list[Request] = []
    engine = scripted(lambda request, seed: asked.append(request) or BOTH_20)
    card = Judge(engine).score(instruction, make_image(), make_image(seed=1))
    assert (card.overall, {judgment.failure for judgment in card.judgments}) == (None, {"no_instruction"})
    assert not asked


def test_text_that_is_no_unicode_is_asked_about_with_the_replacement_character() -> None:
    asked: list[str] = []
    engine = scripted(lambda request, seed: asked.append(request.text) or BOTH_20)
    card = Judge(engine).score("Write caf\udce9 \ud83d\ude00 \x1b[1m", make_image(), make_image(seed=1))
    assert card.overall == 8.0
    assert card.triplet.task.instruction == "Write caf\ufffd \U0001f600 \ufffd[1m"
    assert PROMPTS.semantic.ask(card.triplet.task.instruction) in asked
    assert ScoreCard.model_validate_json(card.model_dump_json()) == card


# Log-probabilities


def spelled(text: str, likely: float) -> Completion:
    """One token per character, each with the same probability."""
    return Completion(text, "stop", len(text), tokens=tuple((letter, math.log(likely)) for letter in text))


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ((("{", -9.0), ('"score": [', -8.0), ("18", -1.0), (",", -0.25), (" 20", -2.0), ("]}", -7.0)), -3.25),
        ((('"score"', -9.0), (": ", -1.0), ("[1", -2.0), ("8, 20]", -4.0)), -6.0),
        ((('"score": [1, 2]', -1.0), (" no, ", -1.0), ('"score": [', -1.0), ("3, 4", -0.5), ("]", -1.0)), -0.5),
        ((("I cannot say.", -1.0),), None),
        ((), None),
    ],
)
def test_the_score_s_own_tokens_are_counted(tokens: tuple[tuple[str, float], ...], expected: float | None) -> None:
    assert score_logprob(tokens) == expected


def test_a_card_says_how_likely_its_scores_were(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unread = spelled("[20, 20]", 0.5)

    def say(request: Request, seed: int) -> Completion:
        return unread if is_quality(request) else spelled(BOTH_20, 0.9)

    judge = Judge(scripted(say), sampling=Sampling(logprobs=True), retries=0)
    semantic, quality = judge.score("x", make_image(), make_image(seed=1)).judgments
    assert semantic.score_logprob == pytest.approx(len("20, 20") * math.log(0.9))
    assert (quality.scores, quality.score_logprob) == (None, None)
    assert judge.identity != Judge(scripted(say), retries=0).identity
    sure = scripted(lambda request, seed: spelled(BOTH_20, 0.9))
    card = Judge(sure, sampling=Sampling(logprobs=True)).score("x", make_image(), make_image(seed=1))
    assert "score probability   semantic 0.53, quality 0.53" in score_table(card)


def test_log_probabilities_are_refused_where_there_are_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"sampling\.logprobs"):
        Judge(ScriptedEngine(replies=(BOTH_20,)), sampling=Sampling(logprobs=True))
    recipe = write_recipe(tmp_path, sampling={"logprobs": True})
    with pytest.raises(RecipeError, match=r"sampling\.logprobs"):
        Judge.from_recipe(recipe)


# Identity and recipes


def test_identity_changes_with_everything_that_can_change_a_card() -> None:
    engine = ScriptedEngine(replies=(BOTH_20,))
    judges = [
        Judge(engine),
        Judge(ScriptedEngine(replies=("...",))),
        Judge(engine, prompts="brief-v1"),
        Judge(engine, passes=2),
        Judge(engine, sampling=Sampling(top_k=5)),
        Judge(engine, seed=1),
        Judge(engine, max_pixels=100),
        Judge(engine, retries=1),
        Judge(engine, colors="stored"),
    ]
    assert len({judge.identity for judge in judges}) == len(judges)
    assert Judge(engine, chunk=1).identity == judges[0].identity


def write_recipe(folder: Path, **changes: Any) -> Path:
    recipe = folder / "judge.yaml"
    recipe.write_text(json.dumps({"engine": {"use": "scripted", "replies": [BOTH_20]}} | changes))
    return recipe


def test_a_judge_from_a_recipe(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, prompts="brief-v1", passes=2, cache=str(tmp_path / "cache"))
    judge = Judge.from_recipe(recipe, ["passes=3", "sampling.temperature=0.5"])
    assert (judge.prompts.name, judge.passes, judge.sampling.temperature, judge.seed) == ("brief-v1", 3, 0.5, 0)
    assert isinstance(judge.engine, CachedEngine)
    assert judge.score("Make it pink.", make_image(), make_image(seed=1)).n_ok == 3
    assert (tmp_path / "cache" / "replies.sqlite").exists()


def test_every_mistake_of_a_recipe_is_told(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, prompts="editjudge-v0", passes=0, retires=1)
    with pytest.raises(RecipeError) as caught:
        Judge.from_recipe(recipe, ["engine.latency=1"])
    paths = {problem.split(":")[0] for problem in caught.value.problems}
    assert paths == {"prompts", "passes", "retires", "engine.latency"}


def test_the_command_prints_a_table_or_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, after = tmp_path / "a.png", tmp_path / "b.png"
    make_image().save(before)
    make_image(seed=1).save(after)
    arguments = ["--instruction", "Make it pink.", "--input", str(before), "--output", str(after)]
    arguments += ["--judge", str(write_recipe(tmp_path))]
    assert main([*arguments, "passes=2"]) == 0
    table = capsys.readouterr().out
    assert "overall              8.00 / 10" in table
    assert "2 readable, 0 not, spread 0.00" in table
    assert "semantic            Fine." in table
    assert main([*arguments, "--json", "-"]) == 0
    assert ScoreCard.model_validate_json(capsys.readouterr().out).overall == 8
    assert main([*arguments, 'engine.replies=["..."]']) == 1
    table = capsys.readouterr().out
    assert "overall             unscored" in table
    assert "semantic: no_json (1 of 1 passes)" in table


def test_stored_references_of_single_calls_describe_what_was_judged(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    make_image(60, 40).save(path)
    card = Judge(ScriptedEngine(replies=(BOTH_20,))).score("x", path, make_image(60, 40, seed=1))
    shown, edited = card.triplet.task.inputs[0], card.triplet.edited
    assert shown == make_ref(path=str(path), sha256=shown.sha256, width=60, height=40)
    assert ImageStore(tmp_path).read(shown.model_copy(update={"path": "a.png"})).size == (60, 40)
    assert edited.path.startswith("memory/")


@pytest.mark.parametrize(
    ("options", "message"),
    [({"max_pixels": 0}, "max_pixels .* 1"), ({"colors": "p3"}, "colors .*srgb, stored")],
)
def test_arguments_that_no_judge_can_have_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Judge(ScriptedEngine(replies=(BOTH_20,)), **options)


def test_an_image_without_pixels_is_refused() -> None:
    with pytest.raises(ImageError, match="0 x 5 pixels"):
        Judge(ScriptedEngine(replies=(BOTH_20,))).score("x", Image.new("RGB", (0, 5)), make_image())
