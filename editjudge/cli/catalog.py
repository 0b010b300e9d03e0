"""`editjudge ls`: list everything that recipes can name."""

from __future__ import annotations

import argparse

from editjudge.cli.commands import load
from editjudge.cli.options import add_json, json_results
from editjudge.prompts.prompt_sets import PROMPT_SETS
from editjudge.recipes.shipped import shipped_recipes

METRICS = "eval.metrics.further:METRICS"
"""Metrics measured of every judge; recipes do not name them."""
TABLES = {
    "sources, stages and filters": "curation:STAGES",
    "editors": "curation:EDITORS",
    "sinks": "curation:SINKS",
    "judges": "editjudge.asking:JUDGES",
    "engines": "editjudge.engines:ENGINES",
    "model families": "editjudge.families:FAMILIES",
    "benchmarks": "eval.benchmarks:BENCHMARKS",
}
"""Tables of the names for `use:` and `family:`. Strings, because the ground floor imports no application."""


def main(argv: list[str]) -> int:
    """Print every table with the first line of each entry's documentation."""
    parser = argparse.ArgumentParser(prog="editjudge ls", description="What recipes can name, and the shipped recipes.")
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
    """Return title -> name -> one-line description."""
    found = {
        title: {name: _first_line(target) for name, target in load(table).items()}
        for title, table in (TABLES | {"metrics": METRICS}).items()
    }
    found["prompt sets"] = {
        name: f"scores from 0 to {prompts.semantic.scale:g}" for name, prompts in PROMPT_SETS.items()
    }
    found["recipes"] = {recipe.name: recipe.about for recipe in shipped_recipes()}
    return found


def _first_line(target: str) -> str:
    return (load(target).__doc__ or "").strip().partition("\n")[0]
