"""Values of recipes are read as YAML 1.2 reads them, in files and in overrides, and are written so that they stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from editjudge.errors import RecipeError
from editjudge.recipes.recipe_yaml import dump_yaml, resolve

VALUES = [
    ("1:30", "1:30"),
    ("190:20:30", "190:20:30"),
    ("010", 10),
    ("-010", -10),
    ("0", 0),
    ("+1", 1),
    ("0o10", 8),
    ("0x1F", 31),
    ("0b11", "0b11"),
    ("1_000", "1_000"),
    ("1_0.5", "1_0.5"),
    ("1e3", 1000.0),
    ("1E-4", 0.0001),
    (".5", 0.5),
    ("-1.", -1.0),
    ("685.230_15", "685.230_15"),
    (".inf", float("inf")),
    ("-.INF", float("-inf")),
    ("+.inf", float("inf")),
    ("0o8", "0o8"),
    ("-0x1F", "-0x1F"),
    ("e3", "e3"),
    (".", "."),
    ("1.2.3", "1.2.3"),
    ("12e03", 12000.0),
    ("true", True),
    ("yes", "yes"),
    ("off", "off"),
    ("~", None),
    ("2001-12-14", "2001-12-14"),
    ("=", "="),
    ("'010'", "010"),
    ("!!str 010", "010"),
    ("!!float 3", 3.0),
]


@pytest.mark.parametrize(("text", "value"), VALUES, ids=[text for text, _ in VALUES])
def test_a_value_is_read_as_in_yaml_1_2(tmp_path: Path, text: str, value: Any) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(f"written: {text}\n")
    data, problems = resolve(path, [f"given={text}"])
    assert problems == []
    for found in data.values():
        assert found == value
        assert isinstance(found, type(value))


@pytest.mark.parametrize(("text", "value"), VALUES, ids=[text for text, _ in VALUES])
def test_what_check_prints_is_read_as_the_same_value(tmp_path: Path, text: str, value: Any) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(dump_yaml({"text": text, "value": value}))
    assert resolve(path, [])[0] == {"text": text, "value": value}


def test_nan_is_read_and_then_refused_as_a_number(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("x: .nan\n")
    found = resolve(path, [])[0]["x"]
    assert isinstance(found, float)
    assert found != found


@pytest.mark.parametrize("text", ["!!int 1_000", "!!int x", "!!float 1:30", "9" * 5000])
def test_what_is_no_number_is_a_mistake_with_its_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(f"out: x\nvalue: {text}\n")
    with pytest.raises(RecipeError, match="line 2, column 8: "):
        resolve(path, [])
