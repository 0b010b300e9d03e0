"""JSON as other people write it: read as what it says, or refused in one line."""

from __future__ import annotations

import json
import math

import pytest
from factories import make_task

from editjudge.errors import DataError, EditJudgeError
from editjudge.files.io import read_json, read_jsonl
from editjudge.files.json_text import json_rows, parse_json
from editjudge.records.types import EditTask

TASKS = [make_task(id=str(number), instruction=f"grün {number}\u2028") for number in range(3)]
ROWS = [task.model_dump(mode="json") for task in TASKS]
LINES = "\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS)


@pytest.mark.parametrize(
    "content",
    [
        LINES,
        LINES.replace("\n", "\r\n\r\n") + "\r\n",
        json.dumps(ROWS),
        json.dumps(ROWS, indent=2),
        "\n" + json.dumps(ROWS, indent="\t", ensure_ascii=False) + "\n",
        "\n".join(json.dumps(row, indent=4) for row in ROWS),
        "".join(json.dumps(row, indent=4) for row in ROWS),
        "[\n" + ",\n".join(json.dumps(row) for row in ROWS) + "\n]",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_rows_are_read_however_the_file_was_written(tmp_path, content, encoding):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content.encode(encoding))
    assert list(read_jsonl(path, EditTask)) == TASKS


def test_json_may_begin_with_a_byte_order_mark(tmp_path):
    for encoding in ("utf-8-sig", "utf-16"):
        (tmp_path / "a.json").write_bytes('{"a": "ü"}'.encode(encoding))
        assert read_json(tmp_path / "a.json") == {"a": "ü"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (LINES.replace('"id"', '"id": "7", "id"', 1), r"rows\.jsonl:1: .*'id' .*twice"),
        (LINES.replace("grün 1", "gr\udcfcn"), r"rows\.jsonl:2: .*UTF-8"),
        ("[\n" + LINES.replace("\n", ",\n"), r"rows\.jsonl:1: .*','.*line 4"),
        (LINES + "\n" + "[" * 100_000, r"rows\.jsonl:4: .*200 levels"),
        (LINES + "\n" + "[" * 201 + "]" * 201, r"rows\.jsonl:4: .*200 levels"),
        (json.dumps(ROWS[0], indent=2) + "\n" + '{\n"id": 1,\n', "rows.jsonl:20: .*not valid JSON"),
        (json.dumps([ROWS[0], 5]), r"rows.jsonl: row 1: not a valid EditTask"),
        (LINES + "\n" + json.dumps(ROWS), r"rows.jsonl:4: not a valid EditTask"),
    ],
)
def test_what_cannot_be_read_is_one_line_with_its_place(tmp_path, content, said):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match=said) as caught:
        list(read_jsonl(path, EditTask))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1, "b": {"c": 1, "c": 1}}', "'c' .*twice"),
        ('{"\\ud800": 1, "\\udfff": 2}', "twice"),
        (b'{"a": "gr\xfcn"}', "UTF-8"),
        ('{"a": "gr\udcfcn"}', "UTF-8"),
        ("[" * 100_000 + "]" * 100_000, "200 levels"),
        ('{"a":' * 201 + "1" + "}" * 201, "200 levels"),
        (b"\xff\xfe[\x00", "Expecting value"),
        (b"\xff\xfe[", "UTF-16"),
    ],
)
def test_values_that_are_refused(tmp_path, text, said):
    with pytest.raises(ValueError, match=said):
        parse_json(text)
    if isinstance(text, bytes):
        (tmp_path / "a.json").write_bytes(text)
        with pytest.raises(EditJudgeError, match=said):
            read_json(tmp_path / "a.json")


def test_numbers_beyond_all_floats_are_infinite():
    assert parse_json("1" * 5000) == parse_json("1" * 310) == parse_json("1e999") == math.inf
    assert parse_json("-" + "1" * 5000) == -math.inf
    assert parse_json("1" * 300) == int("1" * 300)
    assert math.isnan(parse_json("NaN"))
    with pytest.raises(ValueError, match="-Infinity"):
        parse_json('{"a": -Infinity}', finite=True)


def test_half_a_surrogate_pair_is_replaced_or_kept():
    text = '{"a": ["x\\uD83D", "\\ud83d\\ude00"]}'
    assert parse_json(text) == {"a": ["x\ufffd", "\U0001f600"]}
    assert parse_json(text, keep_surrogates=True) == {"a": ["x\ud83d", "\U0001f600"]}
    assert parse_json("[" * 200 + "]" * 200)


def test_a_row_knows_its_line_or_its_number(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('\n{"a": 1}\n\n{"a": 2}\n')
    assert [(row.place, row.at(path)) for row in json_rows(path)] == [("line 2", f"{path}:2"), ("line 4", f"{path}:4")]
    path.write_text('[{"a": 1},\n{"a": 2}]')
    assert [(row.place, row.at(path)) for row in json_rows(path)] == [
        ("row 0", f"{path}: row 0"),
        ("row 1", f"{path}: row 1"),
    ]
    path.write_text('{\n"a": 1}\n\n{"a":\n2}')
    assert [row.place for row in json_rows(path)] == ["line 1", "line 4"]


@pytest.mark.parametrize("content", ["", "\n \n", "[]", "\ufeff", "[ ]\n"])
def test_a_file_without_rows(tmp_path, content):
    (tmp_path / "a.jsonl").write_text(content, encoding="utf-8")
    assert list(json_rows(tmp_path / "a.jsonl")) == []
