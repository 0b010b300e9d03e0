"""The `editjudge` command. A command's code is imported only when that command runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from editjudge.cli.commands import COMMANDS, load_command, split, usage
from editjudge.errors import EditJudgeError
from editjudge.files.text import require_text

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
    "skimage": "photographs",
    "sklearn": "photographs",
    "matplotlib": "quickstart",
    "label_studio_sdk": "annotation",
    "httpx": "annotation",
}
"""Optional packages by import name, and the extra that installs each."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 done, 1 failed, 2 usage error, 130 interrupted.

    Without `argv`, run as the process's own command: see `run_process`.
    """
    return run_process(_main) if argv is None else _main([*argv])


def run_process(command: Callable[[list[str]], int]) -> int:
    """Call `command` with this process's arguments on any terminal, pipe or locale, and return its exit status."""
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
        print(usage())
        return 0
    if arguments[0] in ("-V", "--version"):
        from editjudge import __version__

        print(f"editjudge {__version__}")
        return 0
    try:
        name, rest = split(arguments)
    except KeyError as error:
        return _no_command(str(error.args[0]))
    return run(name, lambda rest: load_command(name)(rest), rest)


def _no_command(name: str) -> int:
    """Print help for a group of subcommands, or an error for an unknown command; return the exit status."""
    first, _, rest = name.partition(" ")
    if rest in ("", "-h", "--help", "help") and any(known.startswith(f"{first} ") for known in COMMANDS):
        print(usage(f"{first} "))
        return 0
    print(f"editjudge: {_unknown(name)}", file=sys.stderr)
    return 2


def run(name: str, command: Callable[[list[str]], int | None], arguments: list[str]) -> int:
    """Call a command. Errors that a user can fix are printed without a traceback."""
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


def _unknown(name: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, COMMANDS, n=1)
    hint = f"did you mean `{close[0]}`?" if close else f"there are: {', '.join(COMMANDS)}"
    return f"no command `{name}`; {hint}"


if __name__ == "__main__":
    sys.exit(main())
