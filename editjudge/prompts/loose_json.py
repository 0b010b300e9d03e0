"""Reader of JSON and near-JSON objects: one pass from left to right, with bounded work.

Beyond JSON it accepts common mistakes of models: other quotes, bare keys, full-width punctuation, tuples, trailing and
missing commas, unescaped quotes inside strings, and missing closing braces at the end of an object. Values keep their
spelling; the caller decides whether they are numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from json.decoder import JSONDecodeError, scanstring  # type: ignore[attr-defined]
from typing import Any, NoReturn

STEPS = 12_000
"""Maximum number of tokens read in one text. A reply has about twenty; longer texts are garbage."""
_CHARACTERS_PER_STEP = 500
"""Characters of plain text that cost one step, because compiled code scans them."""
_TRIED_PER_STEP = 20
"""Characters per step where every quote may end the string."""
_DEPTH = 32

FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
"""For `str.translate`: full-width forms to ASCII."""

_MARKS = {**{mark: mark for mark in "{}[](),:"}, **dict(zip("｛｝［］（），、：【】", "{}[](),,:[]", strict=True))}
_CLOSING_QUOTE = {'"': '"', "'": "'", "＂": "＂", "“": "”", "”": "”", "‘": "’", "’": "’", "「": "」", "『": "』"}
_CLOSES = {"[": "]", "(": ")"}
_QUOTES = "".join({*_CLOSING_QUOTE, *_CLOSING_QUOTE.values()})
_MARK_SET, _QUOTE_SET = re.escape("".join(_MARKS)), re.escape(_QUOTES)
_WORD = rf"[^\s{_MARK_SET}{_QUOTE_SET}]"
_DIGITS = "[0-9０-９.．]+"
_FRACTION = rf"{_DIGITS}\s{{0,3}}[/／]\s{{0,3}}{_DIGITS}(?!{_WORD})"
_TOKEN = re.compile(rf"([{_MARK_SET}])|([{_QUOTE_SET}])|({_FRACTION}|{_WORD}+)")
_SPACE = re.compile(r"\s*")
JSON_WORD = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null|NaN|-?Infinity")
"""Values that JSON allows without quotes."""
_QUOTED_KEY = rf"[{_QUOTE_SET}][\w ]+[{_QUOTE_SET}]\s*[:：]"
_KEY = rf"(?:{_QUOTED_KEY}|\w+\s*[:：])"
_AFTER_VALUE = rf"(?=\s*(?:[,，、]\s*{_KEY}|{_QUOTED_KEY}|[,，、]?\s*(?:[}}｝]|\Z)))"
_END_OF_STRING = {quote: re.compile(re.escape(quote) + _AFTER_VALUE) for quote in {*_CLOSING_QUOTE.values()}}
_END_OF_BARE = re.compile(_AFTER_VALUE)
_AFTER_STRING = re.compile(rf"[,，、:：}}｝\]］)）】{_QUOTE_SET}]|\Z")
_SINGLE_QUOTED = re.compile(r"'([^'\\]*(?:\\.[^'\\]*)*)'", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r"}


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


class BrokenError(Exception):
    """No object can be read at this place."""


class ExhaustedError(Exception):
    """The text needs more than `STEPS` steps."""


@dataclass(frozen=True)
class Scalar:
    """A value other than a container, as written."""

    text: str
    """The content of a string; otherwise the word."""
    quoted: bool
    cut: bool = False
    """The text ends inside it, or may do so."""
    patched: bool = False
    """A string with unescaped quotes, whose end had to be searched."""


@dataclass(frozen=True)
class Members:
    """An object: its keys and values in order, duplicate keys included."""

    items: tuple[tuple[str, Value], ...]
    strict: bool
    """Whether it is valid JSON."""


Value = Scalar | list[Any] | Members


class Reader:
    """Reads objects out of one text; all calls together take at most `STEPS` steps."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.steps_left = STEPS
        self._strict = True

    def spend(self, steps: int) -> None:
        """Count work. Raises `ExhaustedError` above the limit."""
        self.steps_left -= steps
        if self.steps_left < 0:
            raise ExhaustedError

    def read_object(self, start: int) -> tuple[Members, int]:
        """Return the object whose brace is at `start`, and its end. Raises `BrokenError` when there is none."""
        self._strict = True
        members, end = self._object(start + 1, 0)
        return Members(members.items, self._strict), end

    def read_value(self, start: int) -> tuple[Value, int]:
        """Read the value at `start`, after white space."""
        return self._value(*self._next(start), depth=0)

    def _next(self, at: int) -> tuple[str, str, int]:
        """Return type ("mark", "quote", "word" or "end"), text and end of the next token."""
        # Not one pattern: it would retry after each of many spaces.
        token = _TOKEN.match(self.text, _after_space(self.text, at))
        if token is None:
            self.spend(1 + (len(self.text) - at) // _CHARACTERS_PER_STEP)
            return "end", "", len(self.text)
        self.spend(1 + (token.end() - at) // _CHARACTERS_PER_STEP)
        mark, quote, word = token.groups()
        if mark is not None:
            self._loose_unless(mark in "{}[],:")
            return "mark", _MARKS[mark], token.end()
        return ("quote", quote, token.end()) if quote is not None else ("word", word, token.end())

    def _loose_unless(self, strict: bool) -> None:
        self._strict = self._strict and strict

    def _object(self, at: int, depth: int) -> tuple[Members, int]:
        if depth >= _DEPTH:
            raise BrokenError
        items: list[tuple[str, Value]] = []
        comma = False
        while True:
            kind, text, end = self._next(at)
            if kind == "mark" and text == "}":
                self._loose_unless(not comma)
                return Members(tuple(items), self._strict), end
            if kind == "end" and items:
                self._loose_unless(False)
                return Members(tuple(items), False), end
            key, at = self._key(kind, text, end)
            value, at = self._value(*self._next(at), depth=depth + 1, member=True)
            items.append((key, value))
            kind, text, end = self._next(at)
            comma = kind == "mark" and text == ","
            if comma:
                at = end
            elif kind == "end":
                if isinstance(value, Scalar) and not value.quoted:
                    items[-1] = key, Scalar(value.text, False, cut=True)
            elif kind == "quote":
                self._loose_unless(False)  # a comma is missing
            elif (kind, text) != ("mark", "}"):
                raise BrokenError

    def _key(self, kind: str, text: str, end: int) -> tuple[str, int]:
        if kind == "quote":
            key, at = self._plain_string(end - 1)
        elif kind == "word":
            self._loose_unless(False)
            key, at = text, end
        else:
            raise BrokenError
        kind, text, end = self._next(at)
        if (kind, text) != ("mark", ":"):
            raise BrokenError
        return key, end

    def _value(self, kind: str, text: str, end: int, depth: int, member: bool = False) -> tuple[Value, int]:
        if kind == "quote":
            return self._string(end - 1, member)
        if kind == "word":
            return self._word(text, end, member)
        if kind == "mark" and text == "{":
            return self._object(end, depth)
        if kind == "mark" and text in _CLOSES:
            return self._list(_CLOSES[text], end, depth)
        raise BrokenError

    def _list(self, close: str, at: int, depth: int) -> tuple[Value, int]:
        if depth >= _DEPTH:
            raise BrokenError
        items: list[Value] = []
        comma = True
        while True:
            kind, text, end = self._next(at)
            if kind == "mark" and text == close:
                self._loose_unless(not comma or not items)
                return items, end
            if kind == "mark" and text == ",":
                if comma:
                    raise BrokenError
                comma, at = True, end
                continue
            self._loose_unless(comma)
            value, at = self._value(kind, text, end, depth + 1)
            items.append(value)
            comma = False

    def _word(self, text: str, end: int, member: bool) -> tuple[Scalar, int]:
        self._loose_unless(JSON_WORD.fullmatch(text) is not None)
        if member and not _AFTER_STRING.match(self.text, _after_space(self.text, end)):
            start = end - len(text)
            end = self._bounded(_END_OF_BARE.search, end).start()
            text = self.text[start:end]
        return Scalar(text, False), end

    def _string(self, start: int, member: bool) -> tuple[Scalar, int]:
        """Read the string whose opening quote is at `start`, up to a quote after which the object can continue."""
        first = start + 1
        try:
            value, end = self._plain_string(start)
        except BrokenError:
            value, end = None, first
        if value is not None and _AFTER_STRING.match(self.text, _after_space(self.text, end)):
            return Scalar(value, True), end
        if not member:
            raise BrokenError
        self._loose_unless(False)
        try:
            ending = _END_OF_STRING[_CLOSING_QUOTE[self.text[start]]]
            found = self._bounded(ending.search, first if value is None else end)
        except BrokenError:
            return Scalar(self.text[first:], True, cut=True, patched=True), len(self.text)
        return Scalar(self.text[first : found.start()].replace('\\"', '"'), True, patched=True), found.end()

    def _bounded(self, find: Callable[[str, int, int], re.Match[str] | None], start: int) -> re.Match[str]:
        """Run a slow search over as much text as there are steps for."""
        bound = start + self.steps_left * _TRIED_PER_STEP
        found = find(self.text, start, bound)
        if bound < len(self.text) and (found is None or _after_space(self.text, found.end()) >= bound):
            raise ExhaustedError  # a match at the bound may be incomplete
        self.spend(1 + ((len(self.text) if found is None else found.end()) - start) // _TRIED_PER_STEP)
        if found is None:
            raise BrokenError
        return found

    def _plain_string(self, start: int) -> tuple[str, int]:
        """Read the string up to the first unescaped quote."""
        quote = self.text[start]
        if quote not in _CLOSING_QUOTE:
            raise BrokenError
        if quote != '"':
            self._loose_unless(False)
            return self._other_string(start)
        for strict in (True, False):
            try:
                value, end = scanstring(self.text, start + 1, strict)
            except JSONDecodeError as error:
                self._loose_unless(False)
                if error.msg.startswith("Unterminated"):
                    self._unterminated(start)
                self.spend((error.pos - start) // _CHARACTERS_PER_STEP)
                continue
            self.spend((end - start) // _CHARACTERS_PER_STEP)
            return value, end
        raise BrokenError

    def _other_string(self, start: int) -> tuple[str, int]:
        quote = self.text[start]
        if quote == "'":
            found = self._bounded(_SINGLE_QUOTED.match, start)
            value = _ESCAPE.sub(lambda escape: _ESCAPED.get(escape[1], escape[1]), found[1])
            end = found.end()
        else:
            close = self.text.find(_CLOSING_QUOTE[quote], start + 1)
            if close < 0:
                self._unterminated(start)
            value, end = self.text[start + 1 : close], close + 1
        self.spend((end - start) // _CHARACTERS_PER_STEP)
        return value, end

    def _unterminated(self, start: int) -> NoReturn:
        self.spend((len(self.text) - start) // _CHARACTERS_PER_STEP)
        raise BrokenError
