"""Loaded by the Python processes that `children.killed_at` and `stopped_at` prepare, and by their children: halts one.

It halts when a file is about to get its final name. Files appear through `os.replace` (`atomic_write`), which Python
reports to audit hooks; the code under test does not know this one.
"""

from __future__ import annotations

import fnmatch
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

VARIABLE = "EDITJUDGE_TEST_HALT"


def install(point: dict[str, Any]) -> None:
    """Act when a file whose path matches `file` is about to appear for the `count`-th time in this process."""
    seen = 0

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if event != "os.rename" or not fnmatch.fnmatch(os.fsdecode(arguments[1]), point["file"]):
            return
        seen += 1
        if seen == point["count"]:
            act(point)

    sys.addaudithook(watch)


def act(point: dict[str, Any]) -> None:
    """Kill the first process of this session or the process with the given id; or create a file and pause until it is
    removed."""
    if point["action"] == "stop":
        said = Path(point["announce"])
        said.touch()
        while said.exists():
            time.sleep(0.01)
        return
    os.kill(point["pid"] or os.getsid(0), signal.SIGKILL)


if VARIABLE in os.environ:
    install(json.loads(os.environ[VARIABLE]))
