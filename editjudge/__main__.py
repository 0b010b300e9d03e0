"""The `editjudge` command. A command's code is imported only when that command runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from editjudge.errors import EditJudgeError
from editjudge.files.text import require_text


class Command(NamedTuple):
    """One row of the table."""

    target: str
    """"module:function"; the function takes the remaining arguments and returns the exit status, None for 0."""
    arguments: str
    help: str
    group: str


COMMANDS: dict[str, Command] = {
    "quickstart": Command("editjudge.cli.quickstart:main", "", "the whole loop, offline, on a CPU", "Start here"),
    "doctor": Command("editjudge.cli.doctor:main", "[OUT]", "is this machine ready", "Start here"),
    "ls": Command("editjudge.cli.catalog:list_main", "", "what exists: stages, engines, recipes, ...", "Start here"),
    "check": Command("editjudge.cli.catalog:check_main", "RECIPE", "what a recipe would do", "Start here"),
    "curate": Command("curation.runner.run:main", "RECIPE", "photographs to training set and benchmark", "Build"),
    "annotate": Command("annotation.main:main", "STEP RECIPE", "rankings by people in Label Studio", "Build"),
    "sft": Command("sft.train:main", "RECIPE", "train a judge", "Build"),
    "merge": Command("editjudge.engines.merge:main", "CHECKPOINT OUT", "adapter to full weights, verified", "Build"),
    "eval": Command("eval.run:main", "RECIPE", "one judge on one or more benchmarks", "Measure"),
    "sweep": Command("eval.sweep:main", "RECIPE", "every checkpoint of a training run", "Measure"),
    "compare": Command("eval.compare.command:main", "A B", "is judge A better than judge B, or is it noise", "Measure"),
    "score": Command("editjudge.cli.score:main", "--instruction ...", "judge one edit", "Use"),
}

EXTRAS = {
    "torch": "train",
    "transformers": "train",
    "trl": "train",
    "peft": "train",
    "accelerate": "train",
    "datasets": "train",
    "deepspeed": "train",
    "wandb": "train",
    "safetensors": "train",
    "tokenizers": "train",
    "skimage": "quickstart",
    "sklearn": "quickstart",
    "matplotlib": "quickstart",
    "label_studio_sdk": "annotation",
    "httpx": "annotation",
}
"""Optional packages by import name, and the extra that installs each."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 done, 1 failed, 2 wrong use, 130 interrupted.

    Without `argv`, the process is a command of its own: see `run_process`.
    """
    return run_process(_main) if argv is None else _main([*argv])


def run_process(command: Callable[[list[str]], int]) -> int:
    """Call `command` with this process's arguments, whatever its terminal, pipes and locale; its exit status."""
    from editjudge.system import environment

    environment.prepare()
    status, problem = 1, None
    try:
        status = command(sys.argv[1:])
    except SystemExit as ended:  # argparse, after --help or a wrong argument
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except OSError as error:
        problem = environment.explain(error)
        if problem is None:
            raise
    unwritten = environment.flush()
    if problem or unwritten:
        print(f"editjudge: {problem or unwritten}", file=sys.stderr)
    return status if unwritten is None else 1


def _main(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage(COMMANDS))
        return 0
    if arguments[0] in ("-V", "--version"):
        from editjudge import __version__

        print(f"editjudge {__version__}")
        return 0
    name, *rest = arguments
    if name not in COMMANDS:
        print(f"editjudge: {_unknown(name)}", file=sys.stderr)
        return 2
    return run(name, lambda rest: _load(COMMANDS[name].target)(rest), rest)


def run(name: str, command: Callable[[list[str]], int | None], arguments: list[str]) -> int:
    """Call a command. An error that a user can fix is printed without a traceback."""
    try:
        require_text([name, *arguments])
        status = command(arguments)
    except EditJudgeError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRAS:
            raise
        print(
            f"editjudge {name}: the package {package} is needed and not installed; "
            f"install it with: pip install 'editjudge[{EXTRAS[package]}]'",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print(f"editjudge {name}: interrupted", file=sys.stderr)
        return 130
    return 0 if status is None else status


def usage(commands: Mapping[str, Command]) -> str:
    """What `editjudge --help` prints."""
    lines = ["Build, measure and serve judges of image edits.", "", "usage: editjudge COMMAND [ARGUMENTS]"]
    width = max(len(f"{name} {command.arguments}") for name, command in commands.items())
    groups = dict.fromkeys(command.group for command in commands.values())
    for group in groups:
        lines += ["", f"{group}:"]
        lines += [
            f"  {f'{name} {command.arguments}':<{width}}  {command.help}"
            for name, command in commands.items()
            if command.group == group
        ]
    lines += [
        "",
        "A value of a recipe is changed on the command line: editjudge curate RECIPE seed=2 stages.0.crops=10",
        "More about one command: editjudge COMMAND --help",
    ]
    return "\n".join(lines)


def _load(target: str) -> Callable[[list[str]], int | None]:
    from importlib import import_module

    module, _, function = target.partition(":")
    found: Callable[[list[str]], int | None] = getattr(import_module(module), function)
    return found


def _unknown(name: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, COMMANDS, n=1)
    hint = f"did you mean `{close[0]}`?" if close else f"there are: {', '.join(COMMANDS)}"
    return f"no command `{name}`; {hint}"


if __name__ == "__main__":
    sys.exit(main())
