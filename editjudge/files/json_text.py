"""JSON from other programs: read strictly, and every problem is one line of `ValueError`.

`parse_json` reads one value; `json_rows` finds the rows of a file in any of the usual layouts.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

from editjudge.errors import DataError, StorageError

MAX_DEPTH = 200
"""Maximum nesting; pydantic's reader has the same limit."""
_MAX_DIGITS = 300
"""Maximum digits of an integer; more exceed a float, and Python refuses to convert thousands of digits."""
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_BLANK = re.compile(r"[ \t\r\n]*")
_BLANK_OR_COMMA = re.compile(r"[ \t\r\n]*,?[ \t\r\n]*")


@dataclass(frozen=True)
class JsonRow:
    """One row of a file, not parsed yet."""

    text: str
    number: int
    """First line of the row, from 1; in an array the index of the row, from 0."""
    in_array: bool = False

    @property
    def place(self) -> str:
        """Place for lists of findings: `line 3`, or `row 2` of an array."""
        return f"{'row' if self.in_array else 'line'} {self.number}"

    def at(self, path: Path) -> str:
        """Return the place for messages: `file:3`, or `file: row 2`."""
        return f"{path}: {self.place}" if self.in_array else f"{path}:{self.number}"


def parse_json(text: str | bytes, *, keep_surrogates: bool = False, finite: bool = False) -> Any:
    """Parse one JSON value.

    A byte order mark is skipped. Integers too large for a float become infinity, as 1e999 does; NaN and Infinity are
    read as floats, so check with `math.isfinite`, unless `finite` rejects them. Half a surrogate pair, which files
    cannot contain, becomes U+FFFD unless it is kept. Raises `ValueError` with one line for invalid JSON, duplicate keys
    in an object, nesting deeper than `MAX_DEPTH`, and text that is not UTF-8.
    """
    if isinstance(text, bytes):
        text = decode_text(text)
    elif not is_unicode(text):
        raise ValueError("not UTF-8 text; save the file as UTF-8")
    constant = _refuse if finite else float
    try:
        value = json.loads(
            text.removeprefix("\ufeff"), object_pairs_hook=_unique, parse_int=_integer, parse_constant=constant
        )
    except json.JSONDecodeError as error:
        line = f"line {error.lineno}, " if "\n" in text.rstrip() else ""
        raise ValueError(f"{error.msg}: {line}column {error.colno}") from None
    except RecursionError:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels") from None
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _check_depth(value)
    if not keep_surrogates and _ESCAPED_SURROGATE.search(text):
        value = replace_surrogates(value)
    return value


def is_unicode(value: object) -> bool:
    """Return whether a JSON value can be written: none of its strings contains half a surrogate pair."""
    if isinstance(value, str):
        return value.isascii() or _SURROGATE.search(value) is None
    if isinstance(value, dict):
        return all(is_unicode(key) and is_unicode(item) for key, item in value.items())
    return not isinstance(value, list) or all(is_unicode(item) for item in value)


def replace_surrogates(value: Any) -> Any:
    """Return a JSON value with U+FFFD for half surrogate pairs. Raises `ValueError` when two keys become equal."""
    if isinstance(value, str):
        return value if value.isascii() else _SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict):
        return _unique([(replace_surrogates(key), replace_surrogates(item)) for key, item in value.items()])
    return [replace_surrogates(item) for item in value] if isinstance(value, list) else value


def decode_text(data: bytes) -> str:
    """Decode a text file: UTF-8, or UTF-16 with a byte order mark, which is removed. Raises `ValueError` for others."""
    encoding = "utf-16" if data.startswith(_UTF_16) else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        name = encoding.removesuffix("-sig").upper()
        raise ValueError(f"not {name} text (byte {error.start}); save the file as UTF-8") from None


def json_rows(path: Path) -> Iterator[JsonRow]:
    """Yield the rows of a file of JSON objects: one per line, one array of objects, or objects over several lines.

    Rows are not checked: when the rest of a file cannot be split into rows, it is the last row, and `parse_json`
    reports its problem. One object per line is read line by line, other layouts as a whole. Raises `DataError` for a
    missing file, `StorageError` for one that cannot be opened.
    """
    with open_file(path) as handle:
        start = handle.read(2)
        handle.seek(0)
        if start in _UTF_16:
            yield from _rows_of_text(_decoded(path, handle.read()))
            return
        lines = enumerate((_line(line) for line in handle), start=1)
        for number, line in lines:
            text = line.removeprefix("\ufeff") if number == 1 else line
            if not text.strip():
                continue
            if not _is_whole_object(text):
                # Another layout; or a broken line, which the reader below yields as a line.
                handle.seek(0)
                yield from _rows_of_text(_line(handle.read()).removeprefix("\ufeff"))
                return
            yield JsonRow(text, number)
            break
        yield from (JsonRow(line, number) for number, line in lines if line.strip())


def open_file(path: Path) -> IO[bytes]:
    """Open a file for reading. Raises `DataError` when there is none and `StorageError` when it cannot be opened."""
    try:
        return path.open("rb")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(f"{path}: no such file; check the path, or run the step that makes it") from error
    except IsADirectoryError as error:
        raise DataError(f"{path}: is a folder, a file is needed here; name the file in it") from error
    except OSError as error:
        raise StorageError(f"{path}: cannot be read ({error.strerror or error}); check its permissions") from error


def _line(data: bytes) -> str:
    # A byte that is not UTF-8 makes one row unusable; `parse_json` reports it.
    return data.rstrip(b"\r\n").decode("utf-8", "surrogateescape")


def _decoded(path: Path, data: bytes) -> str:
    try:
        return decode_text(data)
    except ValueError as error:
        raise DataError(f"{path}: {error}") from None


def _rows_of_text(text: str) -> Iterator[JsonRow]:
    start = _skip(_BLANK, text, 0)
    first_line = text[start:].partition("\n")[0]
    if text.startswith("[", start):
        yield from _array(text, start)
    elif not _is_whole_object(first_line) and _end(text, start) is not None:
        yield from _printed(text, start)
    else:
        # Not splitlines: it also splits at Unicode line separators inside strings.
        for number, line in enumerate(text.split("\n"), start=1):
            if line.strip():
                yield JsonRow(line.removesuffix("\r"), number)


def _array(text: str, start: int) -> Iterator[JsonRow]:
    """Yield the elements of a file that is one array."""
    end = _end(text, start)
    if end is None or text[end:].strip():
        # Broken, or followed by something: as a whole it is not JSON, and a part of it could be anything.
        yield JsonRow(text, 1 + text.count("\n", 0, start))
        return
    position, number = _skip(_BLANK, text, start + 1), 0
    while position < end - 1:
        stop = _end(text, position)
        assert stop is not None  # the array was parsed as a whole
        yield JsonRow(text[position:stop], number, in_array=True)
        position, number = _skip(_BLANK_OR_COMMA, text, stop), number + 1


def _printed(text: str, position: int) -> Iterator[JsonRow]:
    """Yield consecutive objects, each over any number of lines."""
    line, counted = 1, 0
    while position < len(text):
        line, counted = line + text.count("\n", counted, position), position
        end = _end(text, position)
        yield JsonRow(text[position:end], line)
        if end is None:
            return
        position = _skip(_BLANK, text, end)


def _end(text: str, start: int) -> int | None:
    """Return the end of the JSON value at `start`; None when it is broken."""
    try:
        return _DECODER.raw_decode(text, start)[1]
    except (ValueError, RecursionError):
        return None


def _is_whole_object(text: str) -> bool:
    start = _skip(_BLANK, text, 0)
    end = _end(text, start) if text.startswith("{", start) else None
    return end is not None and not text[end:].strip()


def _skip(pattern: re.Pattern[str], text: str, start: int) -> int:
    match = pattern.match(text, start)
    return start if match is None else match.end()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:60]!r} is written twice in one object; keep one of them")
    return found


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON")


def _integer(text: str) -> int | float:
    return int(text) if len(text) <= _MAX_DIGITS else float(text)


def _check_depth(value: object) -> None:
    level = _containers([value])
    for _ in range(MAX_DEPTH):
        level = _containers(item for outer in level for item in (outer.values() if isinstance(outer, dict) else outer))
        if not level:
            return
    raise ValueError(f"nested deeper than {MAX_DEPTH} levels")


def _containers(values: Iterable[object]) -> list[dict[str, Any] | list[Any]]:
    return [value for value in values if isinstance(value, dict | list)]


_DECODER = json.JSONDecoder(parse_int=_integer)
