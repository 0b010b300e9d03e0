"""The pages that `scripts/docs` generates for the documentation site; `.ci/run` builds the site itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, get_args

import pytest
import yaml
from places import ROOT
from pydantic import BaseModel, Field

from editjudge.cli.catalog import TABLES
from editjudge.cli.commands import COMMANDS, load
from editjudge.engines import ENGINES
from editjudge.engines.base import Engine
from editjudge.files.paths import InputPath
from editjudge.recipes.recipe_use import Use
from scripts.docs.command_pages import command_pages
from scripts.docs.hooks import generated_pages
from scripts.docs.keys import keys_of
from scripts.docs.readme_pages import FIRST_STEPS, readme_pages
from scripts.docs.recipe_pages import PAGES, kinds, recipe_pages, undocumented

FOLDER = "reference/recipes"


@pytest.fixture(scope="module")
def pages():
    return recipe_pages()


class Inner(BaseModel):
    """A block of its own."""

    share: float = Field(0.5, gt=0, le=1)


class Outer(BaseModel):
    plain: int
    size_px: int | None = Field(None, ge=1)
    """Longer side,
    of the copies."""
    files: tuple[InputPath, ...] = Field((), min_length=1)
    mode: Literal["a", "b"] = "a"
    name: Annotated[str, Field(pattern="^x")] = "x"
    engine: Annotated[Engine, Use(ENGINES)]
    inner: Inner = Inner()
    inners: dict[str, tuple[Inner, ...]] = Field(default_factory=dict)


class Derived(Outer):
    plain: int = 2
    """What a subclass says."""
    size_px: int | None = 3


def test_a_key_has_type_bounds_default_and_docstring():
    found = {key.name: key for key in keys_of(Outer, lambda target: "LINK")}
    assert {name: (key.kind, key.bounds, key.default, key.required) for name, key in found.items()} == {
        "plain": ("integer", "", "", True),
        "size_px": ("integer or `null`, in pixels", "≥ 1", "`null`", False),
        "files": ("list of input paths", "at least 1 entry", "`[]`", False),
        "mode": ("`a` or `b`", "", '`"a"`', False),
        "name": ("string", "matches `^x`", '`"x"`', False),
        "engine": ("LINK", "", "", True),
        "inner": ("LINK", "", "", False),
        "inners": ("mapping from names to list of LINK", "", "`{}`", False),
    }
    assert found["size_px"].text == "Longer side,\nof the copies."
    assert found["plain"].text == ""
    assert {name: (key.block, key.many) for name, key in found.items() if key.block} == {
        "inner": (Inner, ""),
        "inners": (Inner, ".NAME.N"),
    }


def test_docstrings_of_bases_hold_until_a_class_says_otherwise():
    found = {key.name: key for key in keys_of(Derived, lambda target: "")}
    assert found["plain"].text == "What a subclass says."
    assert found["size_px"].text == "Longer side,\nof the copies."


def fields_below(model: type[BaseModel]) -> set[str]:
    """The names of all fields of a model and of the blocks below it, without what `use:` names."""
    found = set(model.model_fields)
    parts = [Annotated[(field.annotation, *field.metadata, "")] for field in model.model_fields.values()]
    while parts:
        part = parts.pop()
        if isinstance(part, type) and issubclass(part, BaseModel):
            found |= fields_below(part)
        elif not any(isinstance(mark, Use) for mark in get_args(part)):
            parts += get_args(part)
    return found


def test_every_kind_of_recipe_has_a_page_with_all_of_its_keys(pages):
    named = {command.recipes.name for command in COMMANDS.values() if command.recipes}
    assert named == {*kinds(), "judge"}
    for name, (_, kind) in kinds().items():
        page = pages[f"{FOLDER}/{name}.md"]
        missing = {key for key in fields_below(load(kind.schema)) - {"use"} if f"`{key}` ·" not in page}
        assert missing == set(), name


@pytest.mark.parametrize("table", TABLES.values())
def test_every_entry_of_a_table_has_a_section_with_its_keys(table, pages):
    page = pages[f"{FOLDER}/{PAGES[table]}.md"]
    sections = {text.partition("`")[2].partition("`")[0]: text for text in re.split(r"^## ", page, flags=re.M)[1:]}
    assert list(sections) == list(load(table))
    for name, target in load(table).items():
        for key in set(getattr(load(target), "model_fields", ())) - {"use"}:
            assert f"\n`{key}` ·" in sections[name], f"{name}: {key}"


def test_every_key_has_a_text():
    assert undocumented() == [], "say below the field what it means: the reference of recipes shows it"


def test_links_between_the_generated_pages_lead_somewhere(pages):
    for path, text in pages.items():
        anchors = set(re.findall(r"\{ #(\S+) \}", text))
        for target in re.findall(r"\]\(([^)]+)\)", text):
            file, _, anchor = target.partition("#")
            if not file:
                assert anchor in anchors, f"{path}: #{anchor}"
            else:
                place = (Path(path).parent / file).as_posix()
                known = place in pages or (ROOT / "docs" / path).parent.joinpath(file).resolve().is_file()
                assert known, f"{path}: {target}"


def test_every_shipped_recipe_is_shown(pages):
    shown = pages[f"{FOLDER}/shipped.md"]
    for path in (ROOT / "recipes").rglob("*.yaml"):
        assert path.read_text().strip() in shown


def test_every_command_shows_its_help():
    (page,) = command_pages().values()
    for name in COMMANDS:
        assert f"### `editjudge {name}`" in page
    assert page.count("usage: editjudge") == len(COMMANDS)
    assert "--dry-run" in page


def test_the_readme_becomes_the_front_page_and_the_first_steps():
    sections = "".join(f"## {name}\n\nText of {name}.\n\n" for name in FIRST_STEPS)
    readme = (
        "# Title\n\nSee [pictures](docs/images.md#colours), [recipes](recipes/x), [code](sft/) and "
        f"[a page](https://example.org).\n\n{sections}## Last\n\nEnd.\n"
    )
    found = readme_pages(readme)
    assert found["first-steps.md"] == f"# First steps\n\n{sections}"
    assert "[pictures](images.md#colours)" in found["index.md"]
    assert f"[recipes]({FOLDER}/shipped.md), `code` and [a page](https://example.org)" in found["index.md"]
    assert found["index.md"].endswith("## Last\n\nEnd.\n")
    with pytest.raises(ValueError, match=FIRST_STEPS[1]):
        readme_pages(readme.replace(f"## {FIRST_STEPS[1]}", "## Another"))


def test_the_navigation_names_pages_that_exist():
    def files(entry: object) -> list[str]:
        if isinstance(entry, str):
            return [entry]
        items = entry.values() if isinstance(entry, dict) else entry
        return [name for item in items for name in files(item)]

    named = files(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
    generated = generated_pages()
    assert [name for name in named if name not in generated and not (ROOT / "docs" / name).is_file()] == []
    assert [name for name in generated if name not in named] == []
    assert len(named) == len(set(named))
