"""Reference of commands: the `--help` of every entry of the table of commands."""

from __future__ import annotations

import io
import os
from contextlib import redirect_stdout
from unittest.mock import patch

from editjudge.cli.commands import COMMANDS, load_command


def command_pages() -> dict[str, str]:
    """Return path below docs/ -> Markdown."""
    lines = [
        "# Commands",
        "",
        "A value of a recipe is changed on the command line: `editjudge curate RECIPE seed=2 stages.0.crops=10`.",
        "The exit status is 0 when the command has done its work, 1 when it failed, 2 for wrong use, and 130 when it",
        "was interrupted.",
    ]
    for group in dict.fromkeys(command.group for command in COMMANDS.values()):
        lines += ["", f"## {group}"]
        for name, command in COMMANDS.items():
            if command.group == group:
                lines += ["", f"### `editjudge {name}`", "", "```text", help_of(name), "```"]
    return {"reference/commands.md": "\n".join(lines) + "\n"}


def help_of(name: str) -> str:
    """Return the output of `editjudge NAME --help` on a terminal of 80 columns."""
    printed = io.StringIO()
    with patch.dict(os.environ, {"COLUMNS": "80", "NO_COLOR": "1"}), redirect_stdout(printed):
        try:
            load_command(name)(["--help"])
        except SystemExit as ended:
            if ended.code:
                raise
    return printed.getvalue().strip()
