"""`editjudge ls` (what exists) and `editjudge check` (what a recipe would do)."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from editjudge.prompts import FAMILIES, PROMPT_SETS
from editjudge.provenance import PROJECT
from editjudge.recipe import dump_recipe, load_recipe, recipe_kind

TABLES = {
    "sources, stages and filters": "curation.stage:STAGES",
    "editors": "curation.editors:EDITORS",
    "engines": "editjudge.engines:ENGINES",
    "benchmarks": "eval.benchmarks:BENCHMARKS",
}
"""What `use:` may name. By string: the ground floor imports no application."""

SCHEMAS = {
    "curation": "curation.recipe:CurationRecipe",
    "sft": "sft.recipe:SFTRecipe",
    "eval": "eval.recipe:EvalRecipe",
    "sweep": "eval.recipe:SweepRecipe",
    "annotation": "annotation.recipe:AnnotationRecipe",
    "judge": "editjudge.judge:JudgeRecipe",
}
"""What each kind of recipe is checked against. A schema may have `describe() -> str`."""

COMMAND_OF = {"curation": "curate", "sft": "sft", "eval": "eval", "sweep": "sweep", "annotation": "annotate serve"}
"""The command that runs a kind of recipe; a judge's is used by other commands."""


def list_main(argv: list[str]) -> int:
    """`editjudge ls`: print every table with the first line of each entry's documentation."""
    parser = argparse.ArgumentParser(prog="editjudge ls", description="What recipes can name, and the recipes here.")
    parser.parse_args(argv)
    for title, rows in catalog().items():
        print(f"{title}:")
        width = max((len(name) for name in rows), default=0)
        for name, text in rows.items():
            print(f"  {name:<{width}}  {text}".rstrip())
        print()
    return 0


def catalog() -> dict[str, dict[str, str]]:
    """Title -> name -> what it is, in one line."""
    found = {
        title: {name: _first_line(target) for name, target in load_target(table).items()}
        for title, table in TABLES.items()
    }
    found["prompt sets"] = {name: f"scores from 0 to {prompts.scale:g}" for name, prompts in PROMPT_SETS.items()}
    found["model families"] = {
        name: f"system turn: {family.system}" if family.system else "no system turn"
        for name, family in FAMILIES.items()
    }
    found["recipes"] = dict(_recipes())
    return found


def check_main(argv: list[str]) -> int:
    """`editjudge check`: validate a recipe and print what it would do."""
    parser = argparse.ArgumentParser(prog="editjudge check", description="Check a recipe and say what it would do.")
    parser.add_argument("recipe", help="YAML file")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="change a value of the recipe")
    arguments = parser.parse_args(argv)
    kind = recipe_kind(arguments.recipe, arguments.overrides)
    recipe = load_recipe(arguments.recipe, schema(kind), arguments.overrides)
    print(f"{arguments.recipe}: no mistakes ({kind} recipe)")
    if kind in COMMAND_OF:
        print(f"run it with: {' '.join(['editjudge', COMMAND_OF[kind], arguments.recipe, *arguments.overrides])}")
    describe = getattr(recipe, "describe", None)
    if describe is not None:
        print(f"\n{describe()}")
    print(f"\n# every value as resolved\n{_as_yaml(recipe)}", end="")
    return 0


def schema(kind: str) -> type[BaseModel]:
    """The model that recipes of a kind are checked against."""
    found: type[BaseModel] = load_target(SCHEMAS[kind])
    return found


def load_target(target: str) -> Any:
    """The object behind "module:name"."""
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)


def _as_yaml(recipe: BaseModel) -> str:
    return yaml.safe_dump(dump_recipe(recipe), sort_keys=False, allow_unicode=True, width=120)


def _first_line(target: str) -> str:
    return (load_target(target).__doc__ or "").strip().partition("\n")[0]


def _recipes() -> Iterator[tuple[str, str]]:
    """The recipe files of the checkout, or of the folder the command runs in, and what each says it is.

    A recipe opens with the command that runs it; the line below says what it is.
    """
    for root in (PROJECT, Path.cwd()):
        files = sorted((root / "recipes").rglob("*.yaml"))
        if not files:
            continue
        for path in files:
            lines = path.read_text(encoding="utf-8").splitlines()
            head = [line.removeprefix("#").strip() for line in itertools.takewhile(lambda line: line[:1] == "#", lines)]
            comments = [line for line in head if line]
            yield path.relative_to(root).as_posix(), comments[min(1, len(comments) - 1)] if comments else ""
        return
