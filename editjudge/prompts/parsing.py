"""Parsing a judge's reply into scores, or None with the reason.

Scores are never guessed: each must be literally in the reply, in range, and not cut off. docs/reference/replies.md
lists the accepted forms.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from editjudge.files.text import valid_text
from editjudge.prompts.loose_json import (
    FULL_WIDTH,
    JSON_WORD,
    BrokenError,
    ExhaustedError,
    Members,
    Reader,
    Scalar,
    Value,
)
from editjudge.prompts.scores import NUMBERS, YES_NO, Failure, Items

Stop = Literal["stop", "length", "error"]
"""How a reply ended: by itself, at the token limit, or because the engine failed."""
ParsedBy = Literal["json", "repaired", "none"]

READING = 2
"""Version of parsing and `prompt_sets.harmless`, part of a judge's identity: increase it when parsing changes."""

REASONING_TAGS = {
    "<think>": "</think>",  # DeepSeek-R1, Qwen3, GLM, MiMo-VL
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",  # EXAONE Deep
    "<reasoning>": "</reasoning>",
    "<REASONING>": "</REASONING>",  # LLaVA-CoT
    "<seed:think>": "</seed:think>",  # Seed-OSS
    "<|begin_of_thought|>": "<|end_of_thought|>",  # OpenThinker, Sky-T1
    "<|START_THINKING|>": "<|END_THINKING|>",  # Command A Reasoning
    "[THINK]": "[/THINK]",  # Magistral
    "◁think▷": "◁/think▷",  # Kimi-VL-Thinking
}
"""Opening and closing tags of the reasoning that some models write before their answer."""

_TAG = re.compile("|".join(map(re.escape, (*REASONING_TAGS, *REASONING_TAGS.values()))))
_STRUCTURE = re.compile(r"[{}｛｝<\[◁]")
"""Where an object or a tag may begin; a character class, because it scans long prose fast."""
_QUOTE = "[\"'＂“”‘’]"
# Starts with the letter: a class of one character is found faster than alternatives.
_SCORE_KEY = re.compile(
    rf"[sS](?:(?<={_QUOTE}[sS])[cC][oO][rR][eE]{_QUOTE}\s*[:：]|(?<!\w[sS])[cC][oO][rR][eE]\s*[:：]\s*(?=[\[(（［]))"
)
_MAX_STRAY = 8
_LONGEST_LIST = 10_000
"""Maximum length of a list of scores, in characters."""
_CLOSED_LIST = re.compile(r"[\[(（［]([^\[\](){}［］（）｛｝]*)[\])］）]")


@dataclass(frozen=True)
class Parsed:
    """The result of parsing a reply."""

    scores: tuple[float, ...] | None
    """On 0..scale, unclamped."""
    rationale: str
    """The value of "reasoning", or "" when there is none."""
    parsed_by: ParsedBy
    failure: Failure | None
    """Why `scores` is None."""


class _RefusedError(Exception):
    """Internal: passes the failure out of the readers."""

    def __init__(self, failure: Failure) -> None:
        self.failure: Failure = failure
        super().__init__(failure)


@dataclass
class _Found:
    """Objects and text outside of reasoning blocks."""

    answers: list[Members] = field(default_factory=list)
    """Objects that have a "score"."""
    rest: list[str] = field(default_factory=list)
    """The text outside of all objects."""
    saw_object: bool = False
    saw_cut: bool = False
    """An object without a "score" ends with the text."""


def parse_reply(text: str, scale: float, stop: Stop = "stop", count: int = 2, items: Items = NUMBERS) -> Parsed:
    """Parse `{"reasoning": ..., "score": [a, b]}` in a reply, with `count` scores on 0..`scale`.

    A reasoning block before the answer is skipped, whatever it quotes. A reply cut at the token limit
    (`stop == "length"`) is refused even if it is readable, because the model had not finished. Never raises, takes
    linear time, and gives up ("unreadable") on text of brackets only.
    """
    if stop == "error":
        return Parsed(None, "", "none", "engine_error")
    rationale = ""
    try:
        found = _scan(text)
        rationale = next((said for answer in found.answers if (said := _rationale(answer))), "")
        if stop == "length":
            raise _RefusedError("truncated")
        scores, strict = _decide(found, scale, count, items)
    except (_RefusedError, ExhaustedError) as refused:
        failure: Failure = refused.failure if isinstance(refused, _RefusedError) else "unreadable"
        return Parsed(None, rationale, "none", "truncated" if stop == "length" else failure)
    return Parsed(scores, rationale, "json" if strict else "repaired", None)


def _scan(text: str) -> _Found:
    """Return objects with a "score" and the text around them, without reasoning blocks.

    An object nested inside a broken one may be a quotation, not the answer: it stays part of the text outside. A
    closing tag without an opening one ends reasoning that the chat template had opened: the text before it is dropped.
    """
    reader = Reader(text)
    found = _Found()
    depth = position = 0
    while (mark := _STRUCTURE.search(text, position)) is not None:
        start, character = mark.start(), mark.group()
        reader.spend(1)
        found.rest.append(text[position:start])
        position = start + 1
        if character in "<[◁":
            tag = _TAG.match(text, start)
            if tag is None:
                found.rest.append(character)
            elif tag.group() in REASONING_TAGS:
                position = _after_block(text, tag)
                found.rest.append(" ")
            else:
                found, depth, position = _Found(), 0, tag.end()
            continue
        if character in "}｝":
            depth = max(0, depth - 1)
        elif depth > 0:
            depth += 1
        else:
            try:
                value, position = _read(reader, start)
            except BrokenError:
                depth += 1
            else:
                _keep(found, value)
                continue
        found.rest.append(character)
    found.rest.append(text[position:])
    return found


def _after_block(text: str, opening: re.Match[str]) -> int:
    close = REASONING_TAGS[opening.group()]
    at = text.find(close, opening.end())
    if at < 0:
        raise _RefusedError("truncated")
    return at + len(close)


def _read(reader: Reader, start: int) -> tuple[Members, int]:
    """Read an object. Raises `BrokenError` also when a `patched` string may contain another answer."""
    value, end = reader.read_object(start)
    for _, item in value.items:
        if isinstance(item, Scalar) and item.patched and (_SCORE_KEY.search(item.text) or _TAG.search(item.text)):
            raise BrokenError
    return value, end


def _keep(found: _Found, value: Members) -> None:
    answer = value
    if not _values(value, "score") and len(value.items) == 1 and isinstance(value.items[0][1], Members):
        answer = Members(value.items[0][1].items, value.strict)  # an outer object around the answer
    found.rest.append(" ")
    found.saw_object = True
    if _values(answer, "score"):
        found.answers.append(answer)
    elif any(isinstance(item, Scalar) and item.cut for _, item in answer.items):
        found.saw_cut = True


def _values(value: Members, key: str) -> list[Value]:
    """Return the values of a key, in any case; keys of more than a few words never match."""
    return [item for name, item in value.items if len(name) < 40 and name.strip().translate(FULL_WIDTH).lower() == key]


def _rationale(answer: Members) -> str:
    said = next(iter(_values(answer, "reasoning")), None)
    if not isinstance(said, Scalar) or (not said.quoted and JSON_WORD.fullmatch(said.text)):
        return ""
    return valid_text(said.text)


def _decide(found: _Found, scale: float, count: int, items: Items) -> tuple[tuple[float, ...], bool]:
    """Return the scores, and whether they were strict JSON. Repeated equal scores are one answer."""
    rest = "".join(found.rest)
    stray = _SCORE_KEY.search(rest)
    if not found.answers:
        raise _RefusedError(_why_no_answer(found, rest, stray, items))
    said = [value for answer in found.answers for value in _values(answer, "score")]
    if stray is not None:
        said += _stray_values(rest)
    readings = [items.scores(value, scale, count) for value in said]
    first = readings[0]
    if any(reading != first for reading in readings):
        raise _RefusedError("ambiguous")
    if isinstance(first, str):
        raise _RefusedError(first)
    answer = found.answers[0]
    quoted = isinstance(said[0], list) and any(isinstance(item, Scalar) and item.quoted for item in said[0])
    plain = isinstance(said[0], list) and (items.quoted or not quoted)
    return first, answer.strict and plain


def _why_no_answer(found: _Found, rest: str, stray: re.Match[str] | None, items: Items) -> Failure:
    if stray is not None:
        return _why_broken(rest, stray, items)
    if not rest.strip() and not found.saw_object:
        return "empty"
    opened = rest.count("{") + rest.count("｛")
    if found.saw_cut or opened > rest.count("}") + rest.count("｝"):
        return "truncated"
    return "no_score" if found.saw_object or opened else "no_json"


def _why_broken(rest: str, key: re.Match[str], items: Items) -> Failure:
    """Return why an object with a "score" key in `rest` could not be read."""
    if _SCORE_KEY.search(rest, key.end()):
        return "ambiguous"
    if not re.search("[{｛]", rest[: key.start()]):
        return "no_json"
    after = rest[key.end() :].lstrip()
    listed = _CLOSED_LIST.match(after, 0, _LONGEST_LIST)
    if listed is None:
        opened = after.startswith(("[", "(", "（", "［"))
        return "truncated" if not re.search(r"[\])）］]" if opened else "[}｝]", after) else items.other
    words = re.findall(r"""[^\s,，、"']+""", listed.group(1))
    return "unreadable" if all(items.word.fullmatch(word) for word in words) else items.other


def _stray_values(rest: str) -> list[Value]:
    """Return the text after "score" keys outside of readable objects."""
    reader = Reader(rest)
    values = []
    for number, key in enumerate(_SCORE_KEY.finditer(rest)):
        if number == _MAX_STRAY:
            raise _RefusedError("ambiguous")
        try:
            values.append(reader.read_value(key.end())[0])
        except BrokenError:
            raise _RefusedError("ambiguous") from None
    return values


Parser = Callable[[str, float, Stop, int], Parsed]
"""Parses a number of scores on 0..scale from a reply that ended in this way."""

PLAIN = "numbers"
PARSERS: dict[str, Parser] = {
    PLAIN: parse_reply,  # {"reasoning": ..., "score": [18, 20]}
    "yes_no": partial(parse_reply, items=YES_NO),  # {"reasoning": ..., "score": ["yes", "no", "yes"]}
}
"""Values of `parser` in a prompt set."""
