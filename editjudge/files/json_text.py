"""JSON made by others: read strictly, and whatever cannot be read is one line of `ValueError`.

`parse_json` reads one value; `json_rows` finds the rows of a file, whichever of the usual ways they were written in.
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
"""Deeper nesting is refused; pydantic's own reader has the same limit."""
_MAX_DIGITS = 300
"""Of an integer; a longer one is more than a float can hold, and Python refuses to convert thousands of digits."""
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_BLANK = re.compile(r"[ \t\r\n]*")
_BLANK_OR_COMMA = re.compile(r"[ \t\r\n]*,?[ \t\r\n]*")


@dataclass(frozen=True)
class JsonRow:
    """One row of a file, not yet parsed."""

    text: str
    number: int
    """Line it starts on, from 1; in an array the number of the row, from 0."""
    in_array: bool = False

    @property
    def place(self) -> str:
        """For lists of findings: `line 3`, or `row 2` of an array."""
        return f"{'row' if self.in_array else 'line'} {self.number}"

    def at(self, path: Path) -> str:
        """For messages: `file:3`, or `file: row 2`."""
        return f"{path}: {self.place}" if self.in_array else f"{path}:{self.number}"


def parse_json(text: str | bytes, *, keep_surrogates: bool = False, finite: bool = False) -> Any:
    """One JSON value.

    A byte order mark is skipped. Integers that no float can hold become infinity, as 1e999 does; NaN and Infinity are
    read as floats, so check with `math.isfinite`, unless `finite` refuses them. Half a surrogate pair, which no file
    can hold, becomes U+FFFD unless it is kept. `ValueError` with one line: no JSON, equal keys in one object, deeper
    than `MAX_DEPTH`, not UTF-8.
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
    """Whether a value of JSON can be written: none of its strings holds half a surrogate pair."""
    if isinstance(value, str):
        return value.isascii() or _SURROGATE.search(value) is None
    if isinstance(value, dict):
        return all(is_unicode(key) and is_unicode(item) for key, item in value.items())
    return not isinstance(value, list) or all(is_unicode(item) for item in value)


def replace_surrogates(value: Any) -> Any:
    """A value of JSON with U+FFFD for every half of a surrogate pair. `ValueError` when that makes two keys equal."""
    if isinstance(value, str):
        return value if value.isascii() else _SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict):
        return _unique([(replace_surrogates(key), replace_surrogates(item)) for key, item in value.items()])
    return [replace_surrogates(item) for item in value] if isinstance(value, list) else value


def decode_text(data: bytes) -> str:
    """A text file's content: UTF-8, or UTF-16 with a byte order mark, which is removed. `ValueError` for others."""
    encoding = "utf-16" if data.startswith(_UTF_16) else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        name = encoding.removesuffix("-sig").upper()
        raise ValueError(f"not {name} text (byte {error.start}); save the file as UTF-8") from None


def json_rows(path: Path) -> Iterator[JsonRow]:
    """The rows of a file of JSON objects: one object per line, one array of objects, or objects printed over lines.

    Rows are not checked: where a file cannot be cut into rows any more, the broken rest comes as the last one, and
    `parse_json` says what is wrong with it. One object per line is read line by line, the others as a whole.
    `DataError` for a missing file, `StorageError` for one that cannot be opened.
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
                # Not one object per line; or a broken line, which the reader below gives back as a line.
                handle.seek(0)
                yield from _rows_of_text(_line(handle.read()).removeprefix("\ufeff"))
                return
            yield JsonRow(text, number)
            break
        yield from (JsonRow(line, number) for number, line in lines if line.strip())


def open_file(path: Path) -> IO[bytes]:
    """The file, to be read; `DataError` when there is none and `StorageError` when it cannot be opened."""
    try:
        return path.open("rb")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(f"{path}: no such file; check the path, or run the step that makes it") from error
    except IsADirectoryError as error:
        raise DataError(f"{path}: is a folder, a file is needed here; name the file in it") from error
    except OSError as error:
        raise StorageError(f"{path}: cannot be read ({error.strerror or error}); check its permissions") from error


def _line(data: bytes) -> str:
    # A byte that is not UTF-8 makes one row unusable, which `parse_json` notices.
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
        # Not splitlines: a line separator of Unicode inside a string is no end of a line.
        for number, line in enumerate(text.split("\n"), start=1):
            if line.strip():
                yield JsonRow(line.removesuffix("\r"), number)


def _array(text: str, start: int) -> Iterator[JsonRow]:
    """The elements of the array that a file is."""
    end = _end(text, start)
    if end is None or text[end:].strip():
        # Broken, or something follows: as a whole it is no JSON, and a part of it alone could be anything.
        yield JsonRow(text, 1 + text.count("\n", 0, start))
        return
    position, number = _skip(_BLANK, text, start + 1), 0
    while position < end - 1:
        stop = _end(text, position)
        assert stop is not None  # the array was read as a whole
        yield JsonRow(text[position:stop], number, in_array=True)
        position, number = _skip(_BLANK_OR_COMMA, text, stop), number + 1


def _printed(text: str, position: int) -> Iterator[JsonRow]:
    """Objects that follow each other, each over as many lines as it likes."""
    line, counted = 1, 0
    while position < len(text):
        line, counted = line + text.count("\n", counted, position), position
        end = _end(text, position)
        yield JsonRow(text[position:end], line)
        if end is None:
            return
        position = _skip(_BLANK, text, end)


def _end(text: str, start: int) -> int | None:
    """Where the JSON value that starts there ends; None when it is broken."""
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
