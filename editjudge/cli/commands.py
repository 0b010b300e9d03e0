"""Table of commands. A new command needs its module and one entry here; help, `ls` and `check` read the table.

A command's code is imported only when it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class RecipeKind(NamedTuple):
    """The recipes of a command."""

    name: str
    keys: tuple[str, ...]
    """Top-level keys that mark a recipe of this kind; the first matching entry of the table decides."""
    schema: str
    """"module:name" of the model, or of a function (path, overrides) -> model. It may have `describe() -> str`."""


class Command(NamedTuple):
    """One entry of the table."""

    target: str
    """"module:function"; the function takes the remaining arguments and returns the exit status, None for 0."""
    arguments: str
    help: str
    group: str
    recipes: RecipeKind | None = None

    @property
    def runs_recipes(self) -> bool:
        """Whether the command takes a recipe of its kind as argument."""
        return self.recipes is not None and self.arguments.startswith("RECIPE")


START, BUILD, PEOPLE, MEASURE, USE = "Start here", "Build", "Rank with people, in Label Studio", "Measure", "Use"

CURATION = RecipeKind("curation", ("stages",), "curation.recipe:CurationRecipe")
SFT = RecipeKind("sft", ("train",), "sft.check:RunnableRecipe")
ANNOTATION = RecipeKind("annotation", ("project",), "annotation.recipe:AnnotationRecipe")
SWEEP = RecipeKind("sweep", ("run", "runs"), "eval.checkpoints.recipe:SweepRecipe")
EVAL = RecipeKind("eval", ("bench",), "eval.recipe:EvalRecipe")
JUDGE = RecipeKind("judge", ("engine", "use"), "editjudge.asking.base_recipe:judge_schema")

COMMANDS: dict[str, Command] = {
    "quickstart": Command("editjudge.cli.quickstart:main", "", "the whole loop, offline, on a CPU", START),
    "doctor": Command("editjudge.cli.doctor:main", "[OUT]", "is this machine ready", START),
    "ls": Command("editjudge.cli.catalog:main", "", "what exists: stages, engines, recipes, ...", START),
    "recipe ls": Command("editjudge.cli.recipe:list_recipes", "", "the recipes that ship with EditJudge", START),
    "recipe show": Command("editjudge.cli.recipe:show", "NAME", "print one", START),
    "recipe copy": Command("editjudge.cli.recipe:copy", "NAME [FOLDER]", "copy one with its files", START),
    "check": Command("editjudge.cli.check:main", "RECIPE", "what a recipe would do", START),
    "curate": Command(
        "curation.runner.run:main", "RECIPE", "photographs to training set and benchmark", BUILD, CURATION
    ),
    "curate report": Command("curation.runner.report:main", "OUT", "write the report of a run again", BUILD),
    "sft": Command("sft.train:main", "RECIPE", "train a judge", BUILD, SFT),
    "merge": Command("editjudge.cli.merge:main", "CHECKPOINT OUT", "adapter to full weights, verified", BUILD),
    "annotate serve": Command(
        "annotation.steps.serve:main", "RECIPE", "a Label Studio of your own for the campaign", PEOPLE, ANNOTATION
    ),
    "annotate push": Command(
        "annotation.steps.push:main", "RECIPE", "show every group to every unit, or what is missing", PEOPLE
    ),
    "annotate pull": Command("annotation.steps.pull:main", "RECIPE", "fetch what was ranked and check it", PEOPLE),
    "annotate import": Command(
        "annotation.steps.imports:main", "RECIPE FILE", "take over rankings made elsewhere", PEOPLE
    ),
    "annotate status": Command(
        "annotation.steps.status:main", "RECIPE", "how far each unit is, and when it will be done", PEOPLE
    ),
    "annotate agreement": Command("annotation.steps.agreement:main", "RECIPE", "how far the units agree", PEOPLE),
    "annotate pairs": Command("annotation.steps.pairs:main", "RECIPE", "rankings to preference pairs", PEOPLE),
    "sweep": Command("eval.sweep:main", "RECIPE", "every checkpoint of a training run", MEASURE, SWEEP),
    "eval": Command("eval.run:main", "RECIPE", "one judge on one or more benchmarks", MEASURE, EVAL),
    "compare": Command("eval.compare.command:main", "A B", "is judge A better than judge B, or is it noise", MEASURE),
    "score": Command("editjudge.cli.score:main", "--instruction ...", "judge one edit", USE, JUDGE),
}
"""Commands by name; a name of two words is a subcommand."""


def split(arguments: Sequence[str]) -> tuple[str, list[str]]:
    """Return the command that a command line names, and its arguments. Raises `KeyError` with an unknown name."""
    for words in (2, 1):
        name = " ".join(arguments[:words])
        if name in COMMANDS:
            return name, [*arguments[words:]]
    is_group = any(name.startswith(f"{arguments[0]} ") for name in COMMANDS)
    raise KeyError(" ".join(arguments[: 2 if is_group else 1]))


def load(target: str) -> Any:
    """Import the object behind "module:name"."""
    from importlib import import_module

    module, _, name = target.partition(":")
    return getattr(import_module(module), name)


def load_command(name: str) -> Callable[[list[str]], int | None]:
    """Import the function of a command."""
    found: Callable[[list[str]], int | None] = load(COMMANDS[name].target)
    return found


def usage(group: str = "") -> str:
    """Return the text of `editjudge --help`; with `group`, of `editjudge GROUP --help`."""
    shown = {name: command for name, command in COMMANDS.items() if name.startswith(group)}
    lines = ["Build, measure and serve judges of image edits.", "", f"usage: editjudge {group}COMMAND [ARGUMENTS]"]
    width = max(len(f"{name} {command.arguments}") for name, command in shown.items())
    for title in dict.fromkeys(command.group for command in shown.values()):
        lines += ["", f"{title}:"]
        lines += [
            f"  {f'{name} {command.arguments}':<{width}}  {command.help}"
            for name, command in shown.items()
            if command.group == title
        ]
    return "\n".join(
        [
            *lines,
            "",
            "A value of a recipe is changed on the command line: editjudge curate RECIPE seed=2 stages.0.crops=10",
            "Results as JSON: --json FILE, or --json - for standard output",
            f"More about one command: editjudge {group}COMMAND --help",
        ]
    )
