"""What pages tell a reader to type exists, and so does every file, link and module that pages and code name."""

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
PACKAGES = ("editjudge", "curation", "annotation", "sft", "eval")
SOURCES = [path for folder in (*PACKAGES, "scripts", "recipes") for path in sorted((ROOT / folder).rglob("*.*"))]
TEXTS = [*PAGES, *(path for path in SOURCES if path.suffix in (".py", ".yaml", ".sh"))]
FOLDERS = "|".join((*PACKAGES, "recipes", "scripts", "docs", "tests"))
FILES = re.compile(rf"(?<![\w/.-])(?:{FOLDERS})/[\w/.-]+\.(?:ya?ml|json|sh|py|md)\b")
LINKS = re.compile(r"\]\(((?!https?:)[^)#]*)(?:#([^)]*))?\)")
ALSO_FILES = {"agreement", "campaign", "rankings", "report"}
"""Rooms that share their name with a file of results or a key of recipes."""
ROOMS = {path.parent.name for name in PACKAGES for path in (ROOT / name).glob("*/__init__.py")} - ALSO_FILES
NAMES = re.compile(rf"`((?:(?:{'|'.join(PACKAGES)})\.)?(?:{'|'.join(sorted(ROOMS))})(?:\.\w+)+)[(`]")
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


def test_files_that_are_named_exist():
    named = {(path, name) for path in TEXTS for name in FILES.findall(path.read_text(encoding="utf-8"))}
    assert len(named) > 50
    assert [f"{path.name}: {name}" for path, name in sorted(named) if not (ROOT / name).is_file()] == []


def anchors(page: Path) -> set[str]:
    """Of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_links_of_the_readme_lead_somewhere():
    links = LINKS.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(links) > 10
    for path, anchor in links:
        assert (ROOT / path).exists(), path
        assert not anchor or anchor in anchors(ROOT / path), f"{path}#{anchor}"


def is_there(name: str) -> bool:
    """Whether a dotted name is a module, or something at the top of one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        for package in ("", *PACKAGES):
            path = ROOT.joinpath(package, *parts[:length])
            path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
            if path.is_file():
                rest = parts[length:]
                at_top = rf"^(?:def |class |){rest[0]}\b" if rest else ""
                return bool(re.search(at_top, path.read_text(encoding="utf-8"), re.MULTILINE))
    return False


def test_modules_and_their_parts_that_are_named_exist():
    named = {(path, name) for path in TEXTS for name in NAMES.findall(path.read_text(encoding="utf-8"))}
    assert len(named) > 30
    assert [f"{path.name}: {name}" for path, name in sorted(named) if not is_there(name)] == []
    assert not is_there("images.load_image")


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
