"""The one rule for text that comes in: what is no Unicode is replaced in data, and refused on the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from factories import make_task
from pydantic import ValidationError

from editjudge.__main__ import main
from editjudge.errors import DataError, RecipeError, TextError
from editjudge.files.io import read_json, read_jsonl
from editjudge.files.text import is_blank, require_text, valid_text
from editjudge.recipes.recipe import Recipe, load_recipe
from editjudge.records.types import EditTask


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("Make the sky pink.\n\t\u4e2d\U0001f600 e\u0301", None),
        ("half \ud83d", "half \ufffd"),
        ("\ude00 the other half", "\ufffd the other half"),
        ("in two halves \ud83d\ude00", "in two halves \U0001f600"),
        ("caf\udce9", "caf\ufffd"),  # Latin-1 in a command-line argument
        ("a\x00b\x1b[31m\x7f", "a\ufffdb\ufffd[31m\ufffd"),
    ],
)
def test_valid_text(text: str, valid: str | None) -> None:
    assert valid_text(text) == (text if valid is None else valid)
    valid_text(text).encode()


@pytest.mark.parametrize(
    ("text", "blank"),
    [
        ("", True),
        (" \n\u3000\u00a0", True),
        ("\u200b\u200d\ufeff\u2060\u00ad\ufe0f", True),
        ("\u2800\u3164\u115f", True),
        ("\ufffd", True),
        ("\u0301", True),
        ("a", False),
        ("\u200b\u4e2d", False),
        ("?", False),
        ("\U0001f600", False),
    ],
)
def test_is_blank(text: str, blank: bool) -> None:
    assert is_blank(text) == blank


def test_records_hold_valid_text_whichever_way_they_come(tmp_path: Path) -> None:
    task = make_task(instruction="half \ud83d and \x00")
    assert task.instruction == "half \ufffd and \ufffd"
    line = task.model_dump_json().replace("half \ufffd", r"half \ud83d")
    (tmp_path / "tasks.jsonl").write_text(line + "\n", encoding="utf-8")
    (tmp_path / "task.json").write_text(line, encoding="utf-8")
    assert [*read_jsonl(tmp_path / "tasks.jsonl", EditTask)] == [task]
    assert read_json(tmp_path / "task.json")["instruction"] == "half \ufffd and \ufffd"


def test_an_argument_that_is_no_unicode_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(TextError, match="argument 1"):
        require_text(["half \ud83d"])
    require_text(["eval", "r\u00e9cipe.yaml", "\U0001f600"])
    with pytest.raises(TextError, match=r"argument 2 .* 4 .*'caf\u00e9'"):
        require_text(["score", "caf\udce9"])
    assert main(["score", "--instruction", "Write caf\udce9", "--input", "a", "--output", "b"]) == 2
    assert "argument 3 is not valid UTF-8" in capsys.readouterr().err


def test_latin_1_bytes_on_a_real_command_line() -> None:
    command = [sys.executable, "-m", "editjudge", "score", "--instruction", b"caf\xe9", "--input", "a", "--output", "b"]
    done = subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONUTF8": "1"}, check=False)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"argument 3 is not valid UTF-8")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("value", [r'"a\ud83d"', r'"a\0b"'])
def test_a_recipe_cannot_say_what_is_no_text(tmp_path: Path, value: str) -> None:
    (tmp_path / "good.yaml").write_text("out: here\n")
    (tmp_path / "bad.yaml").write_text(f"out: {value}\n")
    with pytest.raises(RecipeError, match=r"line 1, column 6: .*Unicode"):
        load_recipe(tmp_path / "bad.yaml", Recipe)
    with pytest.raises(RecipeError, match=r"override .*Unicode"):
        load_recipe(tmp_path / "good.yaml", Recipe, [f"out={value}"])


@pytest.mark.parametrize("character", ["\0", "\t", "\n", "\x1b", "\x7f", "\x85", "\udc80"])
def test_an_id_with_a_control_character_is_refused(character: str) -> None:
    with pytest.raises(ValidationError, match=r"id\n.* character 4 "):
        make_task(id=f"cat{character}1")
    assert make_task(id="Katze ü/图 1").id == "Katze ü/图 1"


def test_rows_with_such_an_id_are_named(tmp_path: Path) -> None:
    path = tmp_path / "tasks.jsonl"
    path.write_text(make_task().model_dump_json() + "\n" + make_task(id="x").model_dump_json().replace('"x"', '"\\n"'))
    with pytest.raises(DataError, match=r"tasks\.jsonl:2: .*id: "):
        list(read_jsonl(path, EditTask))
