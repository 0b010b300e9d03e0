"""Start processes and kill them at a point that the process itself reaches, never after a fixed delay.

Nothing here has a deadline. pytest-timeout, the only time-out of the suite, ends processes that hang.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from places import ROOT, SUPPORT

NEVER_S = 3600
"""Longer than any test may take: a process that sleeps this long must be killed."""


def environment(**changes: str) -> dict[str, str]:
    """Return this process's environment, with the packages and modules of tests/ importable and one thread for sums.

    Sums of floats depend on the number of threads: exact comparisons need one.
    """
    paths = os.pathsep.join([str(SUPPORT), str(ROOT)])
    return {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", **changes}


def _halting(point: Mapping[str, Any]) -> dict[str, str]:
    found = environment(EDITJUDGE_TEST_HALT=json.dumps(point))
    return found | {"PYTHONPATH": os.pathsep.join([str(SUPPORT / "halting"), found["PYTHONPATH"]])}


def killed_at(file: str, count: int = 1, pid: int | None = None) -> dict[str, str]:
    """Return an environment in which a command is killed when a file is about to appear for the `count`-th time.

    `file` is an fnmatch pattern for the whole path. With `pid` another process is killed instead. The command needs its
    own session, as `start` creates it: its first process is killed, even when a worker reaches the point.
    """
    return _halting({"file": file, "count": count, "action": "kill", "pid": pid})


def stopped_at(file: str, announce: Path, count: int = 1) -> dict[str, str]:
    """Return an environment in which a process of a command pauses at that point: it creates the file `announce` and
    waits until it is removed."""
    return _halting({"file": file, "count": count, "action": "stop", "announce": str(announce)})


def start(command: list[str], **options: Any) -> subprocess.Popen[str]:
    """Start a Python command (without the interpreter) in its own session, its output in one pipe."""
    settings = {"env": environment(), "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen([sys.executable, *command], text=True, start_new_session=True, **(settings | options))


def run_until_killed(command: list[str], env: dict[str, str], **options: Any) -> str:
    """Run a command until it is killed, and return its output. Its children have ended too: they inherit the pipe."""
    process = start(command, env=env, **options)
    text = process.communicate()[0]
    assert process.returncode == -signal.SIGKILL, text
    return text


def wait_until(condition: Callable[[], object], process: subprocess.Popen[str] | None = None) -> None:
    """Poll until the condition is true. With a process, fail as soon as it has ended before that."""
    while not condition():
        if process is not None and process.poll() is not None and not condition():
            raise AssertionError(f"ended with {process.returncode}: {process.communicate()[0]}")
        time.sleep(0.005)


def alive(pid: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def children_of(pid: int) -> list[int]:
    """Return the direct children of a process."""
    return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def family_of(pid: int) -> Iterator[int]:
    """Yield a process and its descendants."""
    yield pid
    for child in children_of(pid):
        yield from family_of(child)
