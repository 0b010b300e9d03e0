"""Every honesty rule of reading a reply: a score stands in the reply, whole and in range, or there is none."""

from __future__ import annotations

import json
import random

import pytest

from editjudge.parsing import FAILURES, Parsed, parse_reply
from editjudge.prompts import format_completion

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
        ('{"reasoning": "r", "Score": [18, 20]}', "no_score"),
        ('{"result": {"reasoning": "r", "score": [18, 20]}}', "no_score"),
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
        ('{"reasoning": "r", "score": ["18/25", "20/25"]}', "not_numbers"),
        ('{"reasoning": "r", "score": ["high", "low"]}', "not_numbers"),
        ('{"reasoning": "r", "score": [" 18", "20"]}', "not_numbers"),
        ('{"reasoning": "r", "score": ["1e1", "20"]}', "not_numbers"),
        ('{"reasoning": "r", "score": ["١٨", "20"]}', "not_numbers"),
        ('{"reasoning": "r", "score": "18, 20"}', "not_numbers"),
        ('{"reasoning": "r", "score": [[18, 20], [1, 2]]}', "not_numbers"),
        ('{"reasoning": "r", "score": {"success": 18, "restraint": 20}}', "not_numbers"),
        ('{"reasoning": "r", "score": [18/25, 20/25]}', "not_numbers"),
        ("{'reasoning': 'r', 'score': [None, 20]}", "not_numbers"),
        ("{'reasoning': 'r', 'score': 18}", "not_numbers"),
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
    assert parse_reply('{"reasoning": "\\ud83d", "score": [9, 8]}', 25).rationale == "?"


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


@pytest.mark.parametrize("text", ["{" * 3000, '{"a":' * 5000, "[" * 100_000, '{"score": [%s, 1]}' % ("9" * 5000)])
def test_hostile_depth_and_length(text: str) -> None:
    assert parse_reply(text, 25).scores is None
