"""One score of a reply: a number on the scale, yes or no, or the reason why it is invalid."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from editjudge.prompts.loose_json import FULL_WIDTH, Members, Scalar, Value

Failure = Literal[
    "engine_error",  # the engine wrote nothing for this pass
    "empty",  # nothing but white space, or nothing after the reasoning block
    "no_json",  # words without a JSON object: refusals end here
    "no_score",  # JSON without the key "score"
    "truncated",  # cut before the list of scores was closed, inside a reasoning block, or at the token limit
    "ambiguous",  # more than one answer in one reply
    "not_numbers",  # "score" holds something other than plain numbers, such as null or "18/30" on a scale of 25
    "not_yes_no",  # "score" holds something other than yes and no, where these are asked for
    "wrong_count",  # one score, or three, where two are asked for
    "not_finite",  # NaN or infinity
    "out_of_range",  # below 0 or above the scale
    "unreadable",  # too broken to read without guessing
]
FAILURES: tuple[Failure, ...] = get_args(Failure)

NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,15})?")
_FRACTION = re.compile(rf"({NUMBER.pattern})\s*/\s*({NUMBER.pattern})")
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?([eE][+-]?[0-9]+)?")
_YES_NO = re.compile(r"(yes|true)|no|false", re.IGNORECASE)
_LONGEST = 10_000
"""Maximum length of a score, in characters."""


@dataclass(frozen=True)
class Items:
    """Type of the items in a reply's list of scores."""

    read: Callable[[Scalar, float], float | Failure]
    """Return one item as a score on 0..scale, or why it is invalid."""
    other: Failure
    """Failure of values that are not such items."""
    word: re.Pattern[str]
    """Spelling of an item."""
    quoted: bool
    """Whether JSON writes it as a string."""

    def scores(self, value: Value, scale: float, count: int) -> tuple[float, ...] | Failure:
        """Return `count` scores on 0..scale, or why there are none."""
        if isinstance(value, Scalar):
            if value.cut:
                return "truncated"
            return self.other if value.quoted or self.read(value, scale) == self.other else "wrong_count"
        if isinstance(value, Members):
            return self.other
        if len(value) != count:
            return "wrong_count"
        found = [self.read(item, scale) if isinstance(item, Scalar) else self.other for item in value]
        scores = tuple(item for item in found if isinstance(item, float))
        if len(scores) == count:
            return scores
        failures: tuple[Failure, ...] = (self.other, "not_finite", "out_of_range")
        return next(failure for failure in failures if failure in found)


def _number(item: Scalar, scale: float) -> float | Failure:
    """Read a number on 0..scale, also written as a fraction of the scale."""
    text = _text(item)
    if (fraction := _FRACTION.fullmatch(text)) is not None:
        number = float(fraction[1])
        if float(fraction[2]) != scale:
            return "not_numbers"
    elif item.quoted:
        if NUMBER.fullmatch(text) is None:
            return "not_numbers"
        number = float(text)
    elif text in ("NaN", "Infinity", "-Infinity"):
        return "not_finite"
    elif (plain := _JSON_NUMBER.fullmatch(text)) is not None:
        number = float(text)
        if math.isinf(number) and plain[1]:
            return "not_finite"
    else:
        return "not_numbers"
    return number if 0 <= number <= scale else "out_of_range"


def _yes_or_no(item: Scalar, scale: float) -> float | Failure:
    """Read yes as the best score, no as the worst."""
    found = _YES_NO.fullmatch(_text(item).strip())
    if found is None:
        return "not_yes_no"
    return scale if found[1] else 0.0


def _text(item: Scalar) -> str:
    return item.text.translate(FULL_WIDTH) if len(item.text) < _LONGEST else ""


NUMBERS = Items(_number, "not_numbers", NUMBER, quoted=False)
YES_NO = Items(_yes_or_no, "not_yes_no", _YES_NO, quoted=True)
