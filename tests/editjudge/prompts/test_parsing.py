"""Every honesty rule of reading a reply: a score stands in the reply, whole and in range, or there is none."""

from __future__ import annotations

import json
import random
import re
import sys

import pytest
from hostile_replies import HOSTILE, hostile

from editjudge.prompts.parsing import Parsed, parse_reply
from editjudge.prompts.prompt_sets import format_completion
from editjudge.prompts.scores import FAILURES

GOOD = '{"reasoning": "The sky is pink.", "score": [18, 20]}'


@pytest.mark.parametrize(
    ("text", "scores", "parsed_by"),
    [
        (GOOD, (18, 20), "json"),
        (f"\n  {GOOD}\n", (18, 20), "json"),
        (f"Here is my judgment:\n{GOOD}\nI hope it helps.", (18, 20), "json"),
        (f"```json\n{GOOD}\n```", (18, 20), "json"),
        (f"Scores out of {{0..25}}, my view: 18/25. {GOOD}", (18, 20), "json"),
        (f"{GOOD}\n{GOOD}", (18, 20), "json"),
        (f'{{"note": "first"}} {GOOD}', (18, 20), "json"),
        ('{"reasoning": "a {curly} \\"score\\": [1, 2] quote", "score": [18, 20]}', (18, 20), "json"),
        ('{"score": [18.5, 0], "reasoning": "r"}', (18.5, 0), "json"),
        ('{"reasoning": "r", "score": [0, 25]}', (0, 25), "json"),
        ('{"reasoning": "r", "score": ["18", "20.5"]}', (18, 20.5), "repaired"),
        ('{"reasoning": "r", "score": [18, "20"]}', (18, 20), "repaired"),
        ('{"reasoning": "the "pink" sky", "score": [18, 20]}', (18, 20), "repaired"),
        ('{"reasoning": "r", "score": [18, 20,],}', (18, 20), "repaired"),
        ("{'reasoning': 'r', 'score': [18, 20]}", (18, 20), "repaired"),
        ("{'reasoning': 'r', 'score': ['18', '20']}", (18, 20), "repaired"),
        ('{reasoning: "r", score: [18, 20]}', (18, 20), "repaired"),
        ('{"reasoning": "line\nbreak", "score": [18, 20]}', (18, 20), "repaired"),
        ('{"reasoning": "r", "score": [18, 20]', (18, 20), "repaired"),  # only the last brace is missing
    ],
)
def test_readable(text: str, scores: tuple[float, float], parsed_by: str) -> None:
    parsed = parse_reply(text, 25)
    assert (parsed.scores, parsed.parsed_by, parsed.failure) == (scores, parsed_by, None)


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        ("", "empty"),
        (" \n\t", "empty"),
        ("I'm sorry, but I can't judge images of people.", "no_json"),
        ("The edit deserves 18 and 20.", "no_json"),
        ("[18, 20]", "no_json"),
        ('"score": [18, 20]', "no_json"),
        ('{"reasoning": "I cannot judge this."}', "no_score"),
        ('{"reasoning": "r", "scores": [18, 20]}', "no_score"),
        ('{"reasoning": "r", "score": 18}', "wrong_count"),
        ('{"reasoning": "r", "score": [18]}', "wrong_count"),
        ('{"reasoning": "r", "score": [18, 20, 22]}', "wrong_count"),
        ('{"reasoning": "r", "score": []}', "wrong_count"),
        ('{"reasoning": "r", "score": [18, 20, 22,]}', "wrong_count"),
        ('{"reasoning": "r", "score": [90, 80]}', "out_of_range"),
        ('{"reasoning": "r", "score": [25.01, 20]}', "out_of_range"),
        ('{"reasoning": "r", "score": [-1, 20]}', "out_of_range"),
        ('{"reasoning": "r", "score": ["-1", "20"]}', "out_of_range"),
        ('{"reasoning": "r", "score": [%s, 20]}' % ("9" * 400), "out_of_range"),
        ('{"reasoning": "r", "score": [NaN, 20]}', "not_finite"),
        ('{"reasoning": "r", "score": [18, Infinity]}', "not_finite"),
        ('{"reasoning": "r", "score": [1e999, 20]}', "not_finite"),
        ('{"reasoning": "r", "score": null}', "not_numbers"),
        ('{"reasoning": "r", "score": [null, 20]}', "not_numbers"),
        ('{"reasoning": "r", "score": [true, false]}', "not_numbers"),
        ('{"reasoning": "r", "score": ["18/30", "20/30"]}', "not_numbers"),
        ('{"reasoning": "r", "score": ["18/25", "20/10"]}', "not_numbers"),
        ('{"reasoning": "r", "score": [18/30, 20/30]}', "not_numbers"),
        ('{"reasoning": "r", "score": ["30/25", "20/25"]}', "out_of_range"),
        ('{"reasoning": "r", "score": (18, 20, 22)}', "wrong_count"),
        ('{"reasoning": "r", "score": (18, 20]}', "unreadable"),
        ('{"reasoning": "r", "score": "(18, 20)"}', "not_numbers"),
        ('{"reasoning": "r", "Scores": [18, 20]}', "no_score"),
        ('{"reasoning": "r", "评分": [18, 20]}', "no_score"),
        ('{"a": {"b": {"reasoning": "r", "score": [18, 20]}}}', "no_score"),
        ('{"answer": {"score": [18, 20]}, "example": {"score": [1, 2]}}', "no_score"),
        ('{"Score": [18, 20], "score": [1, 2]}', "ambiguous"),
        ("{“reasoning”：“r”，“score”：［18，20，22］}", "wrong_count"),
        ("{“reasoning”：“r”，“score”：18}", "wrong_count"),
        ('{"reasoning": "r", "score": [18。5, 20]}', "not_numbers"),
        ('{"reasoning": "r", "score": [18,, 20]}', "unreadable"),
        ('{"reasoning": "r", "score": ["high", "low"]}', "not_numbers"),
        ('{"reasoning": "r", "score": [" 18", "20"]}', "not_numbers"),
        ('{"reasoning": "r", "score": ["1e1", "20"]}', "not_numbers"),
        ('{"reasoning": "r", "score": ["١٨", "20"]}', "not_numbers"),
        ('{"reasoning": "r", "score": "18, 20"}', "not_numbers"),
        ('{"reasoning": "r", "score": [[18, 20], [1, 2]]}', "not_numbers"),
        ('{"reasoning": "r", "score": {"success": 18, "restraint": 20}}', "not_numbers"),
        ("{'reasoning': 'r', 'score': [None, 20]}", "not_numbers"),
        ("{'reasoning': 'r', 'score': 18}", "wrong_count"),
        ("{'reasoning': 'r', 'score': eighteen}", "not_numbers"),
        ("{'reasoning': 'r', 'score': [18, 20}", "truncated"),
        ('{"reasoning": "The sk', "truncated"),
        ('{"reasoning": "r", "score":', "truncated"),
        ('{"reasoning": "r", "score": [', "truncated"),
        ('{"reasoning": "r", "score": [12', "truncated"),
        ('{"reasoning": "r", "score": [12, 1', "truncated"),
        ('{"reasoning": "r", "score": 12', "truncated"),
        (f'{GOOD} {{"reasoning": "r", "score": [1, 2]}}', "ambiguous"),
        ('{"reasoning": "r", "score": [1, 2], "score": [18, 20]}', "ambiguous"),
        (f'{GOOD} {{"reasoning": "r", "score": null}}', "ambiguous"),
        ('{"reasoning": "as in {"score": [1, 2]} here", "score": [18, 20]}', "ambiguous"),
        (f'{GOOD} {{"reasoning": "r", "score": [1, 2', "ambiguous"),
        ('{"reasoning": "r", "score": [1 8, 20]}', "wrong_count"),
        ('{"reasoning": "as in {"score": [1, 2]} here', "unreadable"),
        ('{"reasoning": "x "score": [1, 2] y', "unreadable"),
        ('{"reasoning": "x, "score": [18, ][0]}', "unreadable"),
        ("{'reasoning': 'r', 'score': [18,020]}", "not_numbers"),
    ],
)
def test_unreadable(text: str, failure: str) -> None:
    parsed = parse_reply(text, 25)
    assert (parsed.scores, parsed.parsed_by, parsed.failure) == (None, "none", failure)
    assert failure in FAILURES


@pytest.mark.parametrize(
    ("text", "parsed_by"),
    [
        # Keys in another case.
        ('{"Reasoning": "r", "Score": [18, 20]}', "json"),
        ('{"REASONING": "r", "SCORE ": [18, 20]}', "json"),
        # A tuple, as Python prints it.
        ('{"reasoning": "r", "score": (18, 20)}', "repaired"),
        ("{'reasoning': 'r', 'score': (18.0, 20.0)}", "repaired"),
        # One outer object.
        ('{"output": {"reasoning": "r", "score": [18, 20]}}', "json"),
        ("{'result': {'reasoning': 'r', 'score': [18, 20]}}", "repaired"),
        ('[{"reasoning": "r", "score": [18, 20]}]', "json"),
        # Fractions of the scale.
        ('{"reasoning": "r", "score": ["18/25", "20/25"]}', "repaired"),
        ('{"reasoning": "r", "score": ["18 / 25", "20/25.0"]}', "repaired"),
        ('{"reasoning": "r", "score": [18/25, 20 / 25]}', "repaired"),
        ('{"reasoning": "r", "score": ["１８／２５", 20]}', "repaired"),
        # Full-width digits, CJK punctuation and quotes outside of strings.
        ('{"reasoning": "r", "score": [１８, ２０]}', "repaired"),
        ('{"reasoning": "r"，"score"：[18，20]}', "repaired"),
        ('{"reasoning": "r", "score": [18、20]}', "repaired"),
        ("{“reasoning”：“r”，“score”：［18，20］}", "repaired"),
        ("｛”reasoning”：”r”，”score”：【１８．０，２０】｝", "repaired"),
        ("{「reasoning」：「r」，「score」：（18，20）}", "repaired"),
        # The same numbers twice.
        ('{"reasoning": "r", "score": [18, 20]} {"score": [18.0, 20.0]}', "json"),
        ('{"reasoning": "r", "score": [18, 20], "Score": ["18/25", "20"]}', "json"),
        ('Score: [18, 20]. As asked: {"reasoning": "r", "score": [18, 20]}', "json"),
        # Commas, quotes and braces that are missing or too many.
        ('{"reasoning": "r"\n"score": [18 20]}', "repaired"),
        ('{"output": {"reasoning": "r", "score": [18, 20]', "repaired"),
        ("{reasoning: r, score: [18, 20], note: cut her", "repaired"),
        ('{"score": [18, 20], "reasoning": "r', "repaired"),
        # Reasoning blocks.
        ('<think>A</think>{"reasoning": "r", "score": [18, 20]}', "json"),
        ('<think>As {"score": [1, 2]}?</think>\n\n{"reasoning": "r", "score": [18, 20]}', "json"),
        ('<think>{"reasoning": "..., "score": [1, 2</think>{"reasoning": "r", "score": [18, 20]}', "json"),
        ('<think>A {"score": [1, 2]}</think>B<think>C</think>{"reasoning": "r", "score": [18, 20]}', "json"),
        ('The format is {"score": [1, 2]}.\n</think>\n{"reasoning": "r", "score": [18, 20]}', "json"),
        ('I write {"reasoning": "..., "score": [a, b]}.</think>{"reasoning": "r", "score": [18, 20]}', "json"),
        ('<think>\n\n</think>\n\n{"reasoning": "r", "score": [18, 20]}', "json"),
        ('<think>A</think><answer>{"reasoning": "r", "score": [18, 20]}</answer>', "json"),
        ('◁think▷{"score": [1, 2]}◁/think▷{"reasoning": "r", "score": [18, 20]}', "json"),
        ('[THINK]{"score": [1, 2]}[/THINK]{"reasoning": "r", "score": [18, 20]}', "json"),
        (
            '<|begin_of_thought|>{"score": [1, 2]}<|end_of_thought|>{"reasoning": "r", "score": [18, 20]}',
            "json",
        ),
    ],
)
def test_forms_that_leave_no_doubt(text: str, parsed_by: str) -> None:
    assert parse_reply(text, 25) == Parsed((18, 20), "r", parsed_by, None)


def test_tags_inside_the_answers_own_strings_are_words() -> None:
    for said in ("The sign says </think> now.", "<think>", "a <think> b </think> c"):
        assert parse_reply(format_completion(said, (18, 20)), 25) == Parsed((18, 20), said, "json", None)


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        ('<think>Perhaps {"score": [18, 20]}', "truncated"),
        ('{"score": [18, 20]}<think>or', "truncated"),
        ("<think>", "truncated"),
        ("<think>A</think>", "empty"),
        ('{"score": [18, 20]}</think>', "empty"),
        ("<think>A</think>I cannot judge this.", "no_json"),
        ('{"score": [1, 2]}<think>No.</think>{"score": [18, 20]}', "ambiguous"),
        ('<think>A</think>{"score": [1, 2]}{"score": [18, 20]}', "ambiguous"),
    ],
)
def test_reasoning_without_one_answer_after_it(text: str, failure: str) -> None:
    assert parse_reply(text, 25) == Parsed(None, "", "none", failure)
    assert parse_reply(text, 25, stop="length").failure == "truncated"


def test_a_reply_cut_at_the_token_limit_has_no_scores_even_if_they_can_be_read() -> None:
    assert parse_reply(GOOD, 25, stop="length") == Parsed(None, "The sky is pink.", "none", "truncated")


def test_an_engine_error_is_no_reply() -> None:
    assert parse_reply("", 25, stop="error").failure == "engine_error"


def test_the_scale_is_the_callers() -> None:
    assert parse_reply('{"score": [9, 8]}', 10).scores == (9, 8)
    assert parse_reply('{"score": [18, 8]}', 10).failure == "out_of_range"


def test_the_rationale_survives_unusable_scores() -> None:
    assert parse_reply('{"reasoning": "Sehr rosa.", "score": [90, 80]}', 25).rationale == "Sehr rosa."
    assert parse_reply('{"reasoning": 7, "score": [9, 8]}', 25).rationale == ""
    assert parse_reply('{"reasoning": "\\ud83d", "score": [9, 8]}', 25).rationale == "\ufffd"


def test_every_cut_of_a_reply_before_its_scores_are_closed_is_refused() -> None:
    text = format_completion('It says "pink" {and} [more].', (18, 20))
    closed = text.rindex("]") + 1
    for end in range(len(text)):
        parsed = parse_reply(text[:end], 25)
        assert (parsed.scores is None) == (end < closed), text[:end]


def test_what_is_trained_on_is_what_is_read() -> None:
    rng = random.Random(0)
    for _ in range(200):
        rationale = "".join(rng.choice("ab \"'{}[]:,\\\n\u00e9\u4e2d0123score") for _ in range(30))
        scores = (rng.randint(0, 25), rng.randint(0, 250) / 10)
        assert parse_reply(format_completion(rationale, scores), 25) == Parsed(scores, rationale, "json", None)


def test_no_text_makes_it_raise_or_invent() -> None:
    rng = random.Random(1)
    pieces = [
        "{",
        "}",
        "[",
        "]",
        '"',
        "'",
        ",",
        ":",
        "score",
        '"score":',
        "18",
        "20",
        "-",
        ".",
        "NaN",
        "null",
        " ",
        "\\",
    ]
    for _ in range(3000):
        text = "".join(rng.choice(pieces) for _ in range(rng.randint(1, 14)))
        parsed = parse_reply(text, 25)
        assert (parsed.scores is None) == (parsed.failure is not None)
        if parsed.scores is not None:
            assert all(json.dumps(int(score)) in text for score in parsed.scores), text


def test_mutated_replies_never_give_a_score_that_nobody_wrote() -> None:
    """Pieces of replies are deleted, doubled, exchanged and inserted. Whatever is read is the answer that was there."""
    rng = random.Random(2)
    seeds = [
        GOOD.replace("18, 20", "17, 23"),
        "<think>{'score': [17, 23]}</think>{“reasoning”：“r”，“score”：（17，23）}",
        '{"output": {"Reasoning": "a \\"b\\"", "Score": ["17/25", 23.0]}}',
    ]
    inserted = [*"{}[](),:\"'\\|<>“”：，｛ 0１", "null", "NaN", "score", "</think>", "<think>", "\ud83d", "/25", "\n"]
    for _ in range(6000):
        text = rng.choice(seeds)
        for _ in range(rng.randint(1, 4)):
            at, length = rng.randrange(len(text) + 1), rng.randint(0, 6)
            piece = rng.choice([rng.choice(inserted), text[at : at + length] * 2, ""])
            text = text[:at] + piece + text[at + rng.choice([0, length]) :]
        parsed = parse_reply(text, 25)
        assert (parsed.scores is None) == (parsed.failure is not None)
        written = re.findall(r"[0-9]+(?:\.[0-9]+)?", text.translate({ord("１"): "1"}))
        assert parsed.scores is None or {*parsed.scores} <= {*map(float, written)}, text


@pytest.mark.parametrize("text", ["{" * 3000, '{"a":' * 5000, "[" * 100_000, '{"score": [%s, 1]}' % ("9" * 5000)])
def test_hostile_depth_and_length(text: str) -> None:
    assert parse_reply(text, 25).scores is None


@pytest.mark.parametrize("name", HOSTILE)
def test_work_is_bounded_however_long_and_hostile_the_reply(name: str) -> None:
    """A step more for each character would be a million; scanning anew for each would run into the time limit."""
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    text = hostile(name, 1_000_000)
    assert len(text) >= 900_000
    sys.setprofile(count)
    try:
        parsed = parse_reply(text, 25)
    finally:
        sys.setprofile(None)
    assert calls < 500_000
    assert (parsed.scores == (18, 20)) == name.startswith("readable")


def test_a_long_reply_is_read() -> None:
    reasoning = 'It says {"score": [1, 2]}, [x] or <b>. ' * 20_000
    for text in (f"<think>{reasoning}</think>{GOOD}", "word " * 200_000 + GOOD, format_completion(reasoning, (18, 20))):
        assert parse_reply(text, 25).scores == (18, 20)
