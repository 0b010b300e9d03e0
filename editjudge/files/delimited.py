"""Tables of delimited text (CSV, TSV) as spreadsheets and scripts write them.

UTF-8 with or without a byte order mark, or UTF-16 as in Excel's "Unicode text"; commas, semicolons or tabs, detected
from the header or a first line `sep=;`; any line ends; cells of any length. A row with more or fewer cells than the
header is rejected, because its cells cannot be assigned to columns.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from editjudge.errors import DataError
from editjudge.files.json_text import decode_text, open_file
from editjudge.files.text import valid_text

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_SEPARATOR_LINE = re.compile(r'"?sep=([,;\t])"?', re.IGNORECASE)
"""Excel's line that names the separator."""
_QUOTED = re.compile(r'"[^"]*"')
_DECIMAL_COMMA = re.compile(r"\s*([+-]?\d+),(\d+)\s*", re.ASCII)
_DECIMAL_POINT = re.compile(r"\s*[+-]?\d*\.\d+\s*", re.ASCII)
_LONGEST_CELL = 2**31 - 1


@dataclass(frozen=True)
class TableRow:
    """One row."""

    line: int
    """First line of the row in the file, from 1."""
    cells: tuple[str, ...] | None
    """One cell for each column of the header, as in the file; None for a row that cannot be read."""
    problem: str | None
    """Why `cells` is None."""


@dataclass(frozen=True)
class Table:
    """A table in memory."""

    path: Path
    header: tuple[str, ...]
    """Names of the columns, without surrounding spaces. A column with an empty name cannot be accessed."""
    header_line: int
    separator: str
    rows: tuple[TableRow, ...]
    """Rows, without blank lines and lines of empty cells only."""

    def columns(self, numbers: Collection[str] = ()) -> Iterator[tuple[TableRow, dict[str, str | None]]]:
        """Yield each readable row with its cells by name; an empty cell is None.

        In the columns called `numbers`, a decimal comma becomes a point where it is unambiguous: not in a table
        separated by commas, and not in a column that also has decimal points.
        """
        continental = [
            name
            for place, name in enumerate(self.header)
            if name in numbers
            and self.separator != ","
            and not any(row.cells is not None and _DECIMAL_POINT.fullmatch(row.cells[place]) for row in self.rows)
        ]
        for row in self.rows:
            if row.cells is None:
                continue
            found = {name: cell if cell.strip() else None for name, cell in zip(self.header, row.cells, strict=True)}
            for name in continental:
                cell = found[name]
                if cell is not None and (match := _DECIMAL_COMMA.fullmatch(cell)):
                    found[name] = f"{match[1]}.{match[2]}"
            yield row, found


def read_table(path: Path) -> Table:
    """Read a table with a header. Rows that cannot be read are included with their problem.

    Raises `DataError` for a file that is missing, empty or not text, and for a header with a duplicate column or an
    ambiguous separator.
    """
    text = _read_text(path)
    skipped = text[: len(text) - len(text.lstrip("\r\n"))]
    lines, text = skipped.count("\n"), text.removeprefix(skipped)
    first, end, rest = text.partition("\n")
    if match := _SEPARATOR_LINE.fullmatch(first.rstrip("\r")):
        separator, text, lines = match[1], rest, lines + len(end)
    else:
        separator = _separator(first, f"{path}:{lines + 1}")
    rows = _records(text, separator, lines + 1)
    header = next(rows, None)
    if header is None:
        raise DataError(f"{path}: empty; a header and rows are needed")
    if header.cells is None:
        raise DataError(f"{path}:{header.line}: the header cannot be read ({header.problem}); write the file again")
    names = tuple(name.strip() for name in header.cells)
    twice = [name for name in names if name and names.count(name) > 1]
    if twice:
        raise DataError(f"{path}:{header.line}: two columns are called {twice[0]!r}; rename or remove one of them")
    return Table(path, names, header.line, separator, tuple(_fitting(row, len(names)) for row in rows))


def _read_text(path: Path) -> str:
    with open_file(path) as handle:
        try:
            text = decode_text(handle.read())
        except ValueError as error:
            raise DataError(f"{path}: {error} (in Excel: CSV UTF-8)") from None
    if "\0" in text:
        raise DataError(f"{path}: holds NUL characters, so it is no table of text; save it as CSV in UTF-8")
    text = valid_text(text)  # Names in messages must not contain terminal control characters.
    # Old Macintosh files end lines with a carriage return only.
    return text if "\n" in text else text.replace("\r", "\n")


def _separator(header: str, where: str) -> str:
    """Return the separator of a header: the one of the three that occurs outside quotes."""
    outside = _QUOTED.sub("", header)
    found = [separator for separator in _SEPARATORS if separator in outside]
    if len(found) > 1:
        names = " and ".join(_SEPARATORS[separator] for separator in found)
        raise DataError(
            f"{where}: the header has {names}, so nobody can say which of them separates the cells; put a line such "
            "as sep=; before it, or quote the names"
        )
    return found[0] if found else ","


def _records(text: str, separator: str, first_line: int) -> Iterator[TableRow]:
    """Yield header and rows, each with its own number of cells."""
    # A setting of the whole process; Python's default limit of 128 KB is too low for rationales.
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    while True:
        line = first_line + reader.line_num
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield TableRow(
                line, None, "a quote that is opened is never closed" if "end of data" in str(error) else f"{error}"
            )
            continue
        if any(cell.strip() for cell in cells):
            yield TableRow(line, tuple(cells), None)


def _fitting(row: TableRow, n_columns: int) -> TableRow:
    if row.cells is None or len(row.cells) == n_columns:
        return row
    return TableRow(row.line, None, f"{len(row.cells)} cells, the header has {n_columns}")
