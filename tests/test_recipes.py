"""Every recipe that ships loads, opens with the command that runs it, and that command exists."""

from __future__ import annotations

import json
import re
import shutil

import pytest
import yaml
from places import ROOT

from editjudge.cli.check import command_of, schema
from editjudge.cli.check import main as check
from editjudge.cli.commands import split
from editjudge.recipes.recipe import load_recipe
from editjudge.recipes.shipped import files_of

RECIPES = sorted((ROOT / "recipes").rglob("*.yaml"))


@pytest.fixture(autouse=True)
def _in_checkout(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_recipe_loads_and_names_its_command(path):
    name, command = command_of(path)
    load_recipe(path, schema(command, path))
    first = path.read_text().splitlines()[0]
    shown = str(path.relative_to(ROOT))
    assert first.startswith("# ")
    assert shown in first
    assert first.split()[1] in ("editjudge", "deepspeed")
    if first.split()[1] == "editjudge":
        assert not command.runs_recipes or split(first.split()[2:])[0] == name


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_recipe_passes_check_from_any_other_folder(path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert check([str(path)]) == 0, capsys.readouterr().out


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_recipe_names_what_makes_its_inputs(path, tmp_path, monkeypatch, capsys):
    """In a copy without runs: each input has a recipe that makes it and that the comments name, or is to be brought."""
    shutil.copytree(ROOT / "recipes", tmp_path / "recipes")
    monkeypatch.chdir(tmp_path)
    name = path.relative_to(ROOT)
    assert check([str(name), "--json", "-"]) == 0
    comments = "".join(file.read_text() for file in files_of(path))
    for line in json.loads(capsys.readouterr().out)["not_there_yet"]:
        maker = re.search(r"made by: editjudge \w+ (\S+)$", line)
        if maker is None:
            assert f"see the head of {name}" in line
        else:
            assert maker.group(1) in comments or "`editjudge quickstart`" in comments, line


def test_the_quickstart_keeps_training_and_benchmark_apart():
    """The base was pretrained without the benchmark's photographs; what the judge sees is left to `judge.yaml`."""
    folder = ROOT / "recipes" / "quickstart"
    curate, sft, sweep = (yaml.safe_load((folder / f"{name}.yaml").read_text()) for name in ("curate", "sft", "sweep"))
    held_out = set(curate["parts"]["benchmark"]["sources"])
    seen = set(json.loads((ROOT / sft["model"] / "provenance.json").read_text())["photographs"])
    assert held_out.isdisjoint(seen)
    assert sweep["judge"]["engine"]["model"] == sft["model"]
    assert {"max_pixels", "prompts", "colors"}.isdisjoint(sweep["judge"])
