"""Tables of scores as spreadsheets and scripts write them: separators, encodings, shifted rows, layouts of JSON."""

import json
from pathlib import Path

import pytest
from eval_recipes import read_external as read
from eval_recipes import rows_for
from eval_world import write_benchmark

from editjudge.errors import DataError
from eval.benchmarks.pairs import Pairs


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    path = write_benchmark(tmp_path_factory.mktemp("bench"))
    return Pairs(path=path).load(path.parent)


def write_table(path: Path, header: str, lines: list[str], encoding: str = "utf-8", ends: str = "\n") -> Path:
    path.write_bytes(ends.join([header, *lines]).encode(encoding))
    return path


def test_a_row_shifted_by_a_comma_is_never_read_as_another_column(tmp_path, bench):
    """An unquoted note with a comma in it: 1 is prompt following, not consistency, and 8 is not the overall score."""
    ids = [triplet.id for triplet in bench.triplets]
    lines = [f"{name},fine,2,3,4" for name in ids]
    lines[0] = f"{ids[0]},Turn it, please,1,8,7"
    lines[1] = f"{ids[1]},fine,2,3"
    path = write_table(tmp_path / "s.csv", "key,note,prompt_following,consistency,overall", lines)
    found = read(path, bench)
    for name in ids[:2]:
        card = found.cards[name]
        assert (card.prompt_following, card.consistency, card.overall, card.n_failed) == (None, None, None, 0)
    assert found.cards[ids[2]].overall == 4
    assert found.findings.as_json() == {
        "unreadable_row": {
            "count": 2,
            "names": [f"{path}:2: 6 cells, the header has 5", f"{path}:3: 4 cells, the header has 5"],
        },
        "no_score": {"count": 2, "names": ids[:2]},
    }


def test_a_table_of_nothing_but_shifted_rows_is_an_error_that_says_so(tmp_path, bench):
    lines = [f"{triplet.id},5," for triplet in bench.triplets]
    with pytest.raises(DataError, match=r"unreadable_row: .*s\.csv:2: 3 cells.* 2"):
        read(write_table(tmp_path / "s.csv", "key,overall", lines), bench)


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("name", "separator", "encoding", "before"),
    [
        ("s.csv", ";", "utf-8", ""),
        ("s.csv", ";", "utf-8-sig", ""),
        ("s.csv", ";", "utf-8-sig", "sep=;"),
        ("s.txt", "\t", "utf-16", ""),
        ("s.tsv", "\t", "utf-8", ""),
    ],
)
def test_tables_as_excel_writes_them(tmp_path, bench, name, separator, encoding, before, ends):
    header = separator.join(["key", "Anmerkung", "overall", "consistency"])
    lines = [separator.join([triplet.id, "schön, ja", "7,5", "3"]) for triplet in bench.triplets]
    lines = [*lines, separator * 3]  # Excel keeps rows whose cells were emptied
    head, *rest = [before, header, *lines] if before else [header, *lines]
    found = read(write_table(tmp_path / name, head, rest, encoding, ends), bench)
    assert {(card.overall, card.consistency) for card in found.cards.values()} == {(7.5, 3.0)}
    assert found.findings.as_json() == {}


@pytest.mark.parametrize(
    ("separator", "cells"),
    [(",", ['"7,5"']), (";", ["7,5", "7.5"]), (";", ["1_0"]), (";", ["1.234,5"]), (",", ["\uff17"])],
)
def test_a_number_that_can_be_read_in_two_ways_is_not_read(tmp_path, bench, separator, cells):
    """A decimal comma among commas; commas beside points in one column, where they may separate thousands."""
    shown = [cells[place % len(cells)] for place in range(len(bench.triplets))]
    lines = [separator.join([triplet.id, cell]) for triplet, cell in zip(bench.triplets, shown, strict=True)]
    found = read(write_table(tmp_path / "s.csv", separator.join(["key", "overall"]), lines), bench)
    for triplet, cell in zip(bench.triplets, shown, strict=True):
        assert found.cards[triplet.id].overall == (7.5 if cell == "7.5" else None)
    assert found.findings.counts == {"unreadable_score": sum(cell != "7.5" for cell in shown)}


def test_a_cell_may_be_longer_than_pythons_limit(tmp_path, bench):
    lines = [f'{triplet.id},5,"{"long, " * 50_000}"' for triplet in bench.triplets[:2]]
    found = read(write_table(tmp_path / "s.csv", "key,overall,rationale", lines), bench)
    assert [found.cards[triplet.id].overall for triplet in bench.triplets[:2]] == [5, 5]


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("key,overall,overall", r"s\.csv:1: two columns .*'overall'"),
        ("key,overall; of ten", r"s\.csv:1: .*commas and semicolons"),
        ('key,"overall', r"s\.csv:1: the header cannot be read"),
    ],
)
def test_a_header_that_nobody_can_read_is_refused(tmp_path, bench, header, said):
    with pytest.raises(DataError, match=said):
        read(write_table(tmp_path / "s.csv", header, [f"{bench.triplets[0].id},1"]), bench)


def test_a_table_with_the_index_of_pandas_and_a_quoted_separator_in_the_header(tmp_path, bench):
    lines = [f"{place},{triplet.id},5,x" for place, triplet in enumerate(bench.triplets)]
    found = read(write_table(tmp_path / "s.csv", ',key,overall,"note; free"', lines), bench)
    assert {card.overall for card in found.cards.values()} == {5}


def test_a_table_that_is_no_text_or_no_utf8_is_refused(tmp_path, bench):
    for content, said in [(b"key;overall\ngr\xfcn;5\n", "UTF-8"), (b"k\0e\0", "NUL")]:
        (tmp_path / "s.csv").write_bytes(content)
        with pytest.raises(DataError, match=said):
            read(tmp_path / "s.csv", bench)


def test_a_row_with_a_stray_quote_is_counted_and_the_rest_is_read(tmp_path, bench):
    lines = [f'{triplet.id},"fine",5' for triplet in bench.triplets]
    lines[1] = lines[1].replace('"fine"', '"fi"ne"')
    found = read(write_table(tmp_path / "s.csv", "key,note,overall", lines), bench)
    assert found.findings.counts == {"unreadable_row": 1, "no_score": 1}
    assert "s.csv:3: " in found.findings.names["unreadable_row"][0]
    lines[-1] = f'{bench.triplets[-1].id},"fine,5'
    found = read(write_table(tmp_path / "s.csv", "key,note,overall", lines), bench)
    assert found.findings.counts == {"unreadable_row": 2, "no_score": 2}


@pytest.mark.parametrize("name", ["s.jsonl", "s.json"])
@pytest.mark.parametrize("layout", ["lines", "array", "printed array", "printed"])
def test_json_rows_are_read_in_any_layout(tmp_path, bench, name, layout):
    rows = rows_for(bench, overall=5.0)
    content = {
        "lines": "\n".join(map(json.dumps, rows)),
        "array": json.dumps(rows),
        "printed array": json.dumps(rows, indent=2),
        "printed": "\n".join(json.dumps(row, indent=2) for row in rows),
    }[layout]
    (tmp_path / name).write_text("\ufeff" + content, encoding="utf-8")
    assert {card.overall for card in read(tmp_path / name, bench).cards.values()} == {5.0}


def test_numbers_of_thousands_of_digits_and_broken_unicode_are_counted(tmp_path, bench):
    rows = rows_for(bench, overall=5.0)
    lines = [json.dumps(row) for row in rows]
    lines[0] = lines[0].replace("5.0", "1" * 5000)
    lines[1] = lines[1].replace("5.0", "1" * 400)
    lines[2] = json.dumps(rows[2] | {"rationale": "sk\ud83d"})
    (tmp_path / "s.jsonl").write_text("\n".join(lines))
    found = read(tmp_path / "s.jsonl", bench)
    assert [found.cards[triplet.id].overall for triplet in bench.triplets[:3]] == [None, None, 5.0]
    assert found.findings.counts == {"unreadable_score": 2, "invalid_unicode": 1}
    (tmp_path / "s.jsonl").write_text("\n".join([*lines, '{"key": "x", "overall": 9, "overall": 1}']))
    with pytest.raises(DataError, match=rf"s\.jsonl:{len(lines) + 1}: .*'overall' .*twice"):
        read(tmp_path / "s.jsonl", bench)
