"""Replies that are slow to parse for a parser that retries at every character, for tests and scripts/bench."""

from __future__ import annotations

GOOD = '{"reasoning": "The sky is pink.", "score": [18, 20]}'

HOSTILE: dict[str, tuple[str, str, str]] = {
    "open braces": ("", "{", ""),
    "open brackets": ('{"a":', "[", ""),
    "open parentheses": ('{"a":', "(", ""),
    "nested objects": ("", '{"a":', ""),
    "nested, with a brace in a string": ("", '{"":["}",', ""),
    "escaped quotes, never closed": ('{"score": "', '\\"', ""),
    "escaped single quotes, never closed": ("{'", "\\'", ""),
    "quotes": ('{"reasoning": ', '"', ""),
    "quotes and commas": ('{"reasoning": "', '", ', ""),
    "quotes and words": ('{"reasoning": "', '" a', ""),
    "quotes and spaces": ('{"reasoning": "', '"' + " " * 50, ""),
    "single quotes and braces": ("", "{'}", ""),
    "CJK quotes": ("", "“", ""),
    "CJK quotes and braces": ("", "{“}", ""),
    "CJK text without an end": ('{"reasoning":"', '中"，', ""),
    "backslashes": ('{"reasoning": "', "\\", ""),
    "wrong escapes": ('{"reasoning": "\\q', 'a"b', ""),
    "spaces before a value": ('{"score":', " ", ""),
    "spaces inside a list": ('{"score": [1', " ", ""),
    "spaces after a string": ('{"a": "b"', " ", ""),
    "spaces after a bare word": ('{"a": b', " ", "c"),
    "spaces after a key": ('"score"', " ", ""),
    "spaces inside a fraction": ('{"score": [1', " ", "/"),
    "fractions": ('{"score": [', "1/", ""),
    "digits": ('{"score": [', "9", ", 1]}"),
    "numbers": ('{"a": [', "0,", ""),
    "bare words": ('{"a": ', "w ", ""),
    "bare words and colons": ('{"a": b ', "c d:", ""),
    "one word": ("{", "x", ""),
    "answers": ("", '{"score": [1, 2]} ', ""),
    "answers that are cut": ("", '{"score":[1,2', ""),
    "keys": ("", '"score":', ""),
    "the word score": ("", "score ", ""),
    "opening tags": ("", "<think>", ""),
    "closing tags": ("", "</think>", ""),
    "empty blocks": ("", "<think></think>", ""),
    "angle brackets": ("", "<", ""),
    "readable: prose before it": ("", "word ", GOOD),
    "readable: prose after it": (GOOD, " word", ""),
    "readable: a block before it": ("<think>", '{"score": [1, 2]} <b> [c] ', f"</think>{GOOD}"),
    "readable: a long string": ('{"reasoning": "', "中 \\n", '", "score": [18, 20]}'),
}
"""Beginning, repeated part, end."""


def hostile(name: str, length: int) -> str:
    """Return the reply of that name, of about `length` characters."""
    begin, repeated, end = HOSTILE[name]
    return begin + repeated * ((length - len(begin) - len(end)) // len(repeated) + 1) + end
