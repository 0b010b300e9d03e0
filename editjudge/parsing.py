"""A reply of a judge, read into two scores, or None with the reason.

Nothing is guessed: a score that is not literally in the reply, is out of range, or was cut off, is no score.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any, Literal, get_args

import json_repair

from editjudge.engines.base import Stop

ParsedBy = Literal["json", "repaired", "none"]

Failure = Literal[
    "engine_error",  # the engine wrote nothing for this pass
    "empty",  # nothing but white space
    "no_json",  # words without a JSON object: refusals end here
    "no_score",  # JSON without the key "score"
    "truncated",  # cut before the list of scores was closed, or at the token limit
    "ambiguous",  # more than one answer in one reply
    "not_numbers",  # "score" holds something other than two plain numbers, such as null or "18/25"
    "wrong_count",  # one score, or three
    "not_finite",  # NaN or infinity
    "out_of_range",  # below 0 or above the scale
    "unreadable",  # too broken to repair without guessing
]
FAILURES: tuple[Failure, ...] = get_args(Failure)

# A "score" key as JSON would write it, or as a careless model does (single quotes, or none before a list).
_SCORE_KEY = re.compile(r"""["']score["']\s*:|\bscore\s*:\s*(?=\[)""")
_CLOSED_LIST = re.compile(r"\s*\[([^\[\]{}]*)\]")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,15})?")
_BRACE = re.compile(r"[{}]")
_WORD_IN_LIST = re.compile(r"""[^\s,"']+""")


@dataclass(frozen=True)
class Parsed:
    """What was read from a reply."""

    scores: tuple[float, float] | None
    """On 0..scale, unclamped."""
    rationale: str
    """The value of "reasoning", or "" when there is none."""
    parsed_by: ParsedBy
    failure: Failure | None
    """Why `scores` is None."""


class _RefusedError(Exception):
    """Internal: carries the failure out of the readers."""

    def __init__(self, failure: Failure) -> None:
        self.failure: Failure = failure
        super().__init__(failure)


def parse_reply(text: str, scale: float, stop: Stop = "stop") -> Parsed:
    """Read `{"reasoning": ..., "score": [a, b]}` out of a reply, with scores on 0..`scale`.

    Strict JSON first, alone or inside other text; repair only for a broken reply whose list of scores is complete.
    A reply that was cut at the token limit (`stop == "length"`) is refused even if it can be read: a model that did
    not stop was not done. Never raises for any text.
    """
    if stop == "error":
        return Parsed(None, "", "none", "engine_error")
    rationale = ""
    try:
        answer, parsed_by = _find_answer(text)
        reasoning = answer.get("reasoning")
        # JSON can say half of a surrogate pair, which no file can hold.
        rationale = reasoning.encode("utf-8", "replace").decode() if isinstance(reasoning, str) else ""
        if stop == "length":
            raise _RefusedError("truncated")
        scores, from_strings = _read_scores(answer["score"], scale)
    except _RefusedError as refused:
        return Parsed(None, rationale, "none", "truncated" if stop == "length" else refused.failure)
    return Parsed(scores, rationale, "repaired" if from_strings else parsed_by, None)


def _find_answer(text: str) -> tuple[dict[str, Any], ParsedBy]:
    """The one object of the reply that has a "score"."""
    if not text.strip():
        raise _RefusedError("empty")
    answers, rest, saw_object = _scan(text)
    if _SCORE_KEY.search(rest) is None:
        if answers:
            # The same answer twice is one answer; NaN differs from itself, hence the comparison as text.
            if len({json.dumps(answer["score"]) for answer in answers}) > 1:
                raise _RefusedError("ambiguous")
            return answers[0], "json"
        if "{" in rest and rest.count("{") > rest.count("}"):
            raise _RefusedError("truncated")
        raise _RefusedError("no_score" if saw_object or "{" in text else "no_json")
    if answers:
        raise _RefusedError("ambiguous")
    return _repair(text), "repaired"


def _scan(text: str) -> tuple[list[dict[str, Any]], str, bool]:
    """Strict JSON objects that have a "score", the text outside all strict objects, and whether there was any.

    An object nested inside a broken one may be a quotation, not the answer: it stays part of the text outside.
    """
    decoder = json.JSONDecoder(object_pairs_hook=_unique_score)
    answers: list[dict[str, Any]] = []
    rest: list[str] = []
    saw_object = False
    depth = 0
    position = 0
    while (brace := _BRACE.search(text, position)) is not None:
        start = brace.start()
        rest.append(text[position:start])
        position = start + 1
        if brace.group() == "}":
            depth = max(0, depth - 1)
        else:
            try:
                value, end = decoder.raw_decode(text, start)
            except (ValueError, RecursionError):  # ValueError also for integers of thousands of digits
                depth += 1
            else:
                if depth == 0:
                    saw_object = True
                    position = end
                    if "score" in value:
                        answers.append(value)
                    continue
        rest.append(brace.group())
    rest.append(text[position:])
    return answers, "".join(rest), saw_object


def _unique_score(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Python keeps the last of equal keys; two different answers must not pass as one."""
    scores = [value for key, value in pairs if key == "score"]
    if len({json.dumps(score) for score in scores}) > 1:
        raise _RefusedError("ambiguous")
    return dict(pairs)


def _repair(text: str) -> dict[str, Any]:
    """Read a broken but complete object. Its scores must stand in the text, so that repair cannot invent one."""
    keys = list(_SCORE_KEY.finditer(text))
    if len(keys) > 1:
        raise _RefusedError("ambiguous")
    start = text.find("{", 0, keys[0].start())
    if start < 0:
        raise _RefusedError("no_json")
    after = text[keys[0].end() :]
    listed = _CLOSED_LIST.match(after)
    if listed is None:
        cut = "]" not in after and (after.lstrip().startswith("[") or "}" not in after)
        raise _RefusedError("truncated" if cut else "not_numbers")
    literals = _WORD_IN_LIST.findall(listed.group(1))
    if not all(_NUMBER.fullmatch(literal) for literal in literals):
        raise _RefusedError("not_numbers")
    end = text.rfind("}", keys[0].end() + listed.end()) + 1
    try:
        value = json_repair.loads(text[start : end or len(text)])
    except (ValueError, RecursionError):
        raise _RefusedError("unreadable") from None
    if not isinstance(value, dict) or not isinstance(value.get("score"), list):
        raise _RefusedError("unreadable")
    if [_read_number(item) for item in value["score"]] != [float(literal) for literal in literals]:
        raise _RefusedError("unreadable")
    return value


def _read_scores(value: Any, scale: float) -> tuple[tuple[float, float], bool]:
    """Two scores on 0..scale, and whether any was written as a string."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise _RefusedError("wrong_count")
    if not isinstance(value, list):
        raise _RefusedError("not_numbers")
    if len(value) != 2:
        raise _RefusedError("wrong_count")
    first, second = (_read_number(item) for item in value)
    for number in (first, second):
        # Integers are compared before they become floats: JSON integers have no upper bound.
        if isinstance(number, float) and not math.isfinite(number):
            raise _RefusedError("not_finite")
    if not (0 <= first <= scale and 0 <= second <= scale):
        raise _RefusedError("out_of_range")
    return (float(first), float(second)), any(isinstance(item, str) for item in value)


def _read_number(item: Any) -> int | float:
    if isinstance(item, bool):
        raise _RefusedError("not_numbers")
    if isinstance(item, int | float):
        return item
    if isinstance(item, str) and _NUMBER.fullmatch(item):
        return float(item)
    raise _RefusedError("not_numbers")
