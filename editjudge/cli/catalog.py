"""`editjudge ls` (what exists) and `editjudge check` (what a recipe would do)."""

from __future__ import annotations

import argparse
import itertools
import shlex
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from editjudge.asking.base_recipe import judge_schema
from editjudge.errors import RecipeError
from editjudge.files.paths import PROJECT, below_runs, user_path
from editjudge.prompts.prompt_sets import PROMPT_SETS
from editjudge.recipes.recipe import Missing, dump_recipe, examine, recipe_kind
from editjudge.recipes.recipe_yaml import dump_yaml, resolve

TABLES = {
    "sources, stages and filters": "curation:STAGES",
    "editors": "curation:EDITORS",
    "sinks": "curation:SINKS",
    "judges": "editjudge.asking:JUDGES",
    "engines": "editjudge.engines:ENGINES",
    "model families": "editjudge.families:FAMILIES",
    "benchmarks": "eval.benchmarks:BENCHMARKS",
}
"""What `use:` and `family:` may name. By string: the ground floor imports no application."""

SCHEMAS = {
    "curation": "curation.recipe:CurationRecipe",
    "sft": "sft.check:RunnableRecipe",
    "eval": "eval.recipe:EvalRecipe",
    "sweep": "eval.checkpoints.recipe:SweepRecipe",
    "annotation": "annotation.recipe:AnnotationRecipe",
    "judge": "editjudge.asking.recipe:JudgeRecipe",
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
    found["prompt sets"] = {
        name: f"scores from 0 to {prompts.semantic.scale:g}" for name, prompts in PROMPT_SETS.items()
    }
    found["recipes"] = {name: text for _, name, text in _recipes()}
    return found


def check_main(argv: list[str]) -> int:
    """`editjudge check`: validate a recipe and print what it would do."""
    parser = argparse.ArgumentParser(prog="editjudge check", description="Check a recipe and say what it would do.")
    parser.add_argument("recipe", type=user_path, help="YAML file")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="change a value of the recipe")
    arguments = parser.parse_args(argv)
    path, overrides = arguments.recipe, arguments.overrides
    kind = recipe_kind(path, overrides)
    found = examine(path, judge_schema(path, overrides) if kind == "judge" else schema(kind), overrides)
    wrong = [item for item in found.missing if not below_runs(item.path)]
    if found.recipe is None or wrong:
        raise RecipeError(str(path), [*found.problems, *map(str, wrong)])
    later = [_not_there_yet(item, path) for item in found.missing]
    print(f"{path}: no mistakes ({kind} recipe){'; not ready to run yet' if later else ''}")
    for line in later:
        print(f"not there yet: {line}")
    if kind in COMMAND_OF:
        print(f"run it with: editjudge {COMMAND_OF[kind]} {shlex.join([str(path), *overrides])}")
    describe = getattr(found.recipe, "describe", None)
    if describe is not None:
        print(f"\n{describe()}")
    print(f"\n# every value as resolved\n{dump_yaml(dump_recipe(found.recipe))}", end="")
    return 0


def _not_there_yet(missing: Missing, recipe: Path) -> str:
    """An input below `runs/`, and the command that makes it: that of a recipe whose `out` it lies in."""
    wanted = missing.path.absolute()
    for path in (*sorted(recipe.parent.glob("*.yaml")), *(path for path, _, _ in _recipes())):
        try:
            kind, data = recipe_kind(path), resolve(path, ())[0]
        except RecipeError:
            continue
        out = data.get("out")
        if kind in COMMAND_OF and isinstance(out, str) and wanted.is_relative_to(Path(out).absolute()):
            return f"{missing.where}: {missing.path}; made by: editjudge {COMMAND_OF[kind]} {shlex.quote(str(path))}"
    return f"{missing.where}: {missing.path}; no recipe here makes it"


def schema(kind: str) -> type[BaseModel]:
    """The model that recipes of a kind are checked against."""
    found: type[BaseModel] = load_target(SCHEMAS[kind])
    return found


def load_target(target: str) -> Any:
    """The object behind "module:name"."""
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)


def _first_line(target: str) -> str:
    return (load_target(target).__doc__ or "").strip().partition("\n")[0]


def _recipes() -> Iterator[tuple[Path, str, str]]:
    """The recipe files of the checkout, or of the folder the command runs in: path, name, and what each says it is.

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
            yield path, path.relative_to(root).as_posix(), comments[min(1, len(comments) - 1)] if comments else ""
        return
