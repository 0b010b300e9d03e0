"""What the README tells a newcomer to type exists and says what it shows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from factories import make_image
from places import ROOT

from editjudge.cli.commands import split

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FILES = re.compile(r"recipes/[\w/.-]+\.(?:yaml|json)|(?:scripts|docs)/[\w/.-]+\.(?:sh|py|md)")
COMMAND = re.compile(r"^(?:\$ )?(editjudge|bash|python|deepspeed) +(\S+(?: +\S+)?)", re.MULTILINE)


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def commands() -> list[tuple[str, str, str]]:
    found = []
    for page in PAGES:
        for block in [*blocks(page, "bash"), *blocks(page, "console")]:
            found += [(page.name, program, argument) for program, argument in COMMAND.findall(block)]
    return sorted(set(found))


@pytest.mark.parametrize(("page", "program", "argument"), commands())
def test_commands_exist(page, program, argument):
    if program == "editjudge":
        assert argument in ("--help", "--version") or split(argument.split())
    elif argument.split()[0] not in ("-m", "-c"):
        assert (ROOT / argument.split()[0]).is_file()


def test_recipes_and_files_named_in_the_pages_exist():
    for page in PAGES:
        for name in FILES.findall(page.read_text()):
            assert (ROOT / name).is_file(), f"{page.name}: {name}"


def test_the_library_snippet_runs(tmp_path):
    """The README's Python, with a judge recipe that this machine can load and two pictures drawn here."""
    (snippet,) = blocks(ROOT / "README.md", "python")
    recipe = re.search(r'from_recipe\("([^"]+)"\)', snippet)
    assert recipe is not None
    assert (ROOT / recipe.group(1)).is_file()
    for name in ("before.png", "after.png"):
        make_image().save(tmp_path / name)
    stand_in = tmp_path / "judge.yaml"
    stand_in.write_text('engine: {use: scripted, replies: [\'{"reasoning": "Pink.", "score": [20, 15]}\']}\n')
    code = snippet.replace(recipe.group(1), str(stand_in))
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "8.0 6.0" in done.stdout
    assert "Pink." in done.stdout
