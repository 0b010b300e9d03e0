"""Options shared by commands: a recipe with overrides, and results as JSON."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

from editjudge.files.io import dump_json, write_json
from editjudge.files.paths import user_path


def add_recipe(parser: ArgumentParser, required: bool = True) -> None:
    """Add the arguments `recipe` and `overrides`. Options may appear between them: use `parse_intermixed_args`."""
    parser.add_argument("recipe", metavar="RECIPE", nargs=None if required else "?", type=user_path, help="YAML file")
    add_overrides(parser)


def add_overrides(parser: ArgumentParser) -> None:
    """Add the argument `overrides`."""
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="change a value of the recipe")


def add_json(parser: ArgumentParser) -> None:
    """Add the option `--json FILE|-`, for `json_results`."""
    parser.add_argument(
        "--json",
        type=user_path,
        metavar="FILE|-",
        help="write the results as JSON, to a file or with - to standard output, where nothing else is printed then",
    )


@contextmanager
def json_results(target: Path | None) -> Iterator[Callable[[object], None]]:
    """Yield a function that writes a command's results where `--json` says. With `-`, other output goes to stderr."""
    if target is None:
        yield lambda content: None
    elif target != Path("-"):
        yield lambda content: write_json(target, content)
    else:
        stdout = sys.stdout
        is_utf8 = (getattr(stdout, "encoding", None) or "").lower().replace("-", "") == "utf8"
        with redirect_stdout(sys.stderr):
            yield lambda content: print(dump_json(content, ascii_only=not is_utf8), file=stdout, flush=True)
