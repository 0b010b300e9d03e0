"""Reference of recipes: a page per kind of recipe and per table of entries for `use:`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from pydantic import BaseModel

from editjudge.cli.catalog import TABLES
from editjudge.cli.commands import COMMANDS, RecipeKind, load
from editjudge.recipes.recipe_use import Use
from editjudge.recipes.shipped import shipped_recipes
from scripts.docs.keys import Key, keys_of

FOLDER = "reference/recipes"

PAGES = {
    "curation:STAGES": "stages",
    "curation:EDITORS": "editors",
    "curation:SINKS": "sinks",
    "editjudge.asking:JUDGES": "judges",
    "editjudge.engines:ENGINES": "engines",
    "editjudge.families:FAMILIES": "families",
    "eval.benchmarks:BENCHMARKS": "benchmarks",
}
"""Table -> the name of its page."""

GUIDES = {
    "curation": "curation.md",
    "sft": "tutorials/train.md",
    "annotation": "annotation.md",
    "sweep": "evaluation.md#every-checkpoint",
    "eval": "evaluation.md",
}
"""Kind of recipe -> the page that explains it."""


class Block(NamedTuple):
    """One model on a page."""

    place: str
    """Path in the recipe, or below the entry of a table; "" for the top level."""
    model: type[BaseModel]


def recipe_pages() -> dict[str, str]:
    """Return path below docs/ -> Markdown."""
    pages = {name: kind_page(name, *found) for name, found in kinds().items()}
    pages |= {PAGES[table]: table_page(title, table) for title, table in TABLES.items()}
    pages |= {"index": index_page(), "shipped": shipped_page()}
    return {f"{FOLDER}/{name}.md": text for name, text in pages.items()}


def kinds() -> dict[str, tuple[str, RecipeKind]]:
    """Return kind of recipe -> the command that runs it, and the kind; without judges, which are a table."""
    found = {command.recipes.name: (name, command.recipes) for name, command in COMMANDS.items() if command.recipes}
    return {name: found for name, found in found.items() if name != "judge"}


def blocks(model: type[BaseModel], place: str = "") -> Iterator[Block]:
    """Yield a model and the blocks below it, parents first."""
    yield Block(place, model)
    for key in keys_of(model, lambda target: ""):
        if key.block is not None:
            yield from blocks(key.block, _below(place, key.name) + key.many)


def every_model() -> dict[str, type[BaseModel]]:
    """Return all models that recipes are made of, by "module:Class"."""
    roots = [load(kind.schema) for _, kind in kinds().values()]
    roots += [load(target) for table in TABLES.values() for target in load(table).values()]
    found = [block.model for root in roots if hasattr(root, "model_fields") for block in blocks(root)]
    return {f"{model.__module__}:{model.__qualname__}": model for model in found}


def undocumented() -> list[str]:
    """Return the keys without a text, as "module:Class.key"; a block's key can use its model's docstring."""
    return [
        f"{name}.{key.name}"
        for name, model in every_model().items()
        for key in keys_of(model, lambda target: "")
        if not key.text and not (key.block and _doc(key.block))
    ]


def kind_page(name: str, command: str, kind: RecipeKind) -> str:
    """Return the page of the recipes of one command."""
    group = command.partition(" ")[0]
    lines = [f"# Recipes of `editjudge {group}`", ""]
    lines += [
        f"- `editjudge {other} {typed.arguments}`: {typed.help}"
        for other, typed in COMMANDS.items()
        if other.partition(" ")[0] == group and typed.arguments.startswith("RECIPE")
    ]
    lines += ["", f"[Guide](../../{GUIDES[name]}) · [Recipes that ship](shipped.md)"]
    for block in blocks(load(kind.schema)):
        title = f"`{block.place}`" if block.place else "Top level"
        lines += ["", f"## {title} {{ #{block.place or 'top-level'} }}", ""]
        lines += [*([_safe(_doc(block.model)), ""] if block.place else []), *_keys(block)]
    return "\n".join(lines) + "\n"


def table_page(title: str, table: str) -> str:
    """Return the page of one table: every entry with its keys."""
    asked = "family" if title == "model families" else "use"
    lines = [f"# {title.capitalize()}", "", f"What a recipe may name with `{asked}:`."]
    for name, target in load(table).items():
        entry = load(target)
        lines += ["", f"## `{name}` {{ #{name} }}", "", _safe(_doc(entry)), ""]
        for block in blocks(entry, name) if hasattr(entry, "model_fields") else ():
            if block.place != name:
                lines += ["", f"### `{block.place}` {{ #{block.place} }}", "", _safe(_doc(block.model)), ""]
            lines += _keys(block)
    return "\n".join(lines) + "\n"


def index_page() -> str:
    """Return the index page of the reference."""
    lines = [
        "# Recipes",
        "",
        "A recipe is one YAML file for one run. These pages list every key with its type, bounds and default, as the",
        "command checks them. `editjudge check RECIPE` reports every mistake with its place.",
        "",
        "| kind | command | decided by the key |",
        "|---|---|---|",
    ]
    for name, (command, kind) in kinds().items():
        keys = " or ".join(f"`{key}`" for key in kind.keys)
        group = command.partition(" ")[0]
        lines.append(f"| [{name}]({name}.md) | `editjudge {group}` | {keys} |")
    lines.append("| [judge](judges.md) | `editjudge score --judge` | `engine` or `use` |")
    lines += ["", "| `use:` names | for example |", "|---|---|"]
    lines += [f"| [{title}]({PAGES[table]}.md) | {_some(table)} |" for title, table in TABLES.items()]
    lines += [
        "",
        "`N` in a place stands for a position in a list, from 0, and `NAME` for a name of your own. The command line",
        "takes the same places: `editjudge curate RECIPE stages.0.crops=10 parts.train.sinks.0.use=parquet`.",
        "",
        "`extends: other.yaml` takes the values of another recipe and changes those that are written here; its path",
        "is relative to the file. Numbers are read as YAML 1.2 reads them: `010` is ten, and `1:30` is text.",
        "[The recipes that ship](shipped.md) are examples.",
    ]
    return "\n".join(lines) + "\n"


def shipped_page() -> str:
    """Return the page of the files of recipes/."""
    lines = ["# Recipes that ship", "", "The files of `recipes/`. Each begins with the command that runs it."]
    for recipe in shipped_recipes():
        lines += ["", f"## {recipe.name}.yaml", "", "```yaml", recipe.path.read_text(encoding="utf-8").rstrip()]
        lines += ["```"]
    return "\n".join(lines) + "\n"


def _some(table: str) -> str:
    names = [*load(table)]
    return ", ".join(f"`{name}`" for name in names[:4]) + (", …" if len(names) > 4 else "")


def _below(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _keys(block: Block) -> Iterator[str]:
    """Yield the keys of a block as a definition list."""
    found = [*keys_of(block.model, _linker(block))]
    if not found:
        yield "It has no keys."
    for key in found:
        place = _below(block.place, key.name)
        facts = [f"*{key.kind}*", key.bounds, "**required**" if key.required else ""]
        facts += [f"default {key.default}" if key.default else ""]
        anchor = "" if key.block else f" {{ #{place} }}"  # a block's heading has that anchor
        yield f"`{key.name}` · {' · '.join(filter(None, facts))}{anchor}"
        yield _definition(key)
        yield ""


def _definition(key: Key) -> str:
    """Return the body of a key's definition: its text, or that of its block's model."""
    text = key.text or (_doc(key.block).partition("\n")[0] if key.block else "–")
    lines = _safe(text).splitlines()
    return "\n".join([f":   {lines[0]}", *(f"    {line}".rstrip() for line in lines[1:])])


def _linker(block: Block) -> Callable[[object], str]:
    """Return a function that links types of a block's keys to the section of a block or the page of a table."""
    places = {key.block: _below(block.place, key.name) + key.many for key in keys_of(block.model, lambda target: "")}

    def link(target: object) -> str:
        if isinstance(target, Use):
            page = next(PAGES[table] for table in TABLES.values() if load(table) is target.table)
            return f"[{page.removesuffix('s')}]({page}.md)"
        assert isinstance(target, type)
        return f"[block](#{places[target]})"

    return link


def _doc(entry: object) -> str:
    return inspect.getdoc(entry) or ""


def _safe(text: str) -> str:
    """Escape a docstring for Markdown: outside of code, `<` is not a tag and `*` is not emphasis."""
    parts = re.split(r"(`[^`]*`)", text)
    escape = str.maketrans({"<": "&lt;", "*": r"\*", "_": r"\_"})
    return "".join(part if part.startswith("`") else part.translate(escape) for part in parts)
