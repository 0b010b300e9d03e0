"""Valid text: the one rule for all text from people and models, applied on input."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from editjudge.errors import TextError

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

# Files, tokenizers and databases cannot store halves of surrogate pairs; control characters such as NUL and ESC break
# some programs, terminals and pages. Tab, line feed and other white space are text.
_NO_TEXT = re.compile("[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff]")
_NO_ID = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_BYTE = re.compile("[\udc80-\udcff]")
"""How Python represents a byte of an argument or file name that is not UTF-8."""
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_BLANK_LETTERS = "\u115f\u1160\u2800\u3164\uffa0" + REPLACEMENT
"""Invisible characters that Unicode classifies as letters or symbols."""


def valid_text(text: str) -> str:
    """Return the text with U+FFFD for control characters and halves of surrogate pairs; whole pairs are joined.

    Valid text stays unchanged.
    """
    if _NO_TEXT.search(text) is None:
        return text
    joined = _PAIR.sub(lambda pair: pair.group().encode("utf-16", "surrogatepass").decode("utf-16"), text)
    return _NO_TEXT.sub(REPLACEMENT, joined)


def printable_id(text: str) -> str:
    """Return an id unchanged. Raises `ValueError` for control characters, line ends too, or half a surrogate pair."""
    if (found := _NO_ID.search(text)) is not None:
        raise ValueError(f"an id without control characters is needed; character {found.start() + 1} is {found[0]!r}")
    return text


def is_blank(text: str) -> bool:
    """Return whether nothing is visible: white space, invisible and control characters, marks without a letter."""
    return all(character in _BLANK_LETTERS or unicodedata.category(character)[0] in "CZM" for character in text)


def first_line(error: Exception) -> str:
    """Return a library's error in one line: the first of its message, or its type without a message."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def require_text(arguments: Iterable[str]) -> None:
    """Raise `TextError` for a command-line argument that is not valid UTF-8."""
    for number, argument in enumerate(arguments, start=1):
        try:
            argument.encode()
        except UnicodeEncodeError as error:
            shown = valid_text(_BYTE.sub(lambda byte: chr(ord(byte.group()) - 0xDC00), argument))
            raise TextError(
                f"argument {number} is not valid UTF-8 at character {error.start + 1} (read as Latin-1 it says "
                f"{shown!r}); set the terminal to UTF-8, and rename a file that has such a name"
            ) from None
