"""`editjudge ls`: what exists for recipes to name."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path

from editjudge.cli.commands import load
from editjudge.cli.options import add_json, json_results
from editjudge.files.paths import PROJECT
from editjudge.prompts.prompt_sets import PROMPT_SETS

TABLES = {
    "sources, stages and filters": "curation:STAGES",
    "editors": "curation:EDITORS",
    "sinks": "curation:SINKS",
    "judges": "editjudge.asking:JUDGES",
    "engines": "editjudge.engines:ENGINES",
    "model families": "editjudge.families:FAMILIES",
    "benchmarks": "eval.benchmarks:BENCHMARKS",
    "metrics": "eval.metrics.further:METRICS",
}
"""What `use:` and `family:` may name, and what is measured. By string: the ground floor imports no application."""


def main(argv: list[str]) -> int:
    """Print every table with the first line of each entry's documentation."""
    parser = argparse.ArgumentParser(prog="editjudge ls", description="What recipes can name, and the recipes here.")
    add_json(parser)
    arguments = parser.parse_args(argv)
    with json_results(arguments.json) as write:
        found = catalog()
        write(found)
        for title, rows in found.items():
            print(f"{title}:")
            width = max((len(name) for name in rows), default=0)
            for name, text in rows.items():
                print(f"  {name:<{width}}  {text}".rstrip())
            print()
    return 0


def catalog() -> dict[str, dict[str, str]]:
    """Title -> name -> what it is, in one line."""
    found = {
        title: {name: _first_line(target) for name, target in load(table).items()} for title, table in TABLES.items()
    }
    found["prompt sets"] = {
        name: f"scores from 0 to {prompts.semantic.scale:g}" for name, prompts in PROMPT_SETS.items()
    }
    found["recipes"] = {name: text for _, name, text in recipe_files()}
    return found


def _first_line(target: str) -> str:
    return (load(target).__doc__ or "").strip().partition("\n")[0]


def recipe_files() -> Iterator[tuple[Path, str, str]]:
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
