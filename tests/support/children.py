"""Processes that tests start and kill: at a point that the process itself reaches, never after a wait.

Nothing here has a deadline. What hangs is ended by pytest-timeout, the one clock of the suite.
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
"""Longer than any test may take: what sleeps so long ends only when it is ended."""


def environment(**changes: str) -> dict[str, str]:
    """That of this process, with the packages and the modules of tests/ importable and one thread for sums.

    Sums of floats depend on the number of threads: what is compared exactly runs with one.
    """
    paths = os.pathsep.join([str(SUPPORT), str(ROOT)])
    return {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", **changes}


def _halting(point: Mapping[str, Any]) -> dict[str, str]:
    found = environment(EDITJUDGE_TEST_HALT=json.dumps(point))
    return found | {"PYTHONPATH": os.pathsep.join([str(SUPPORT / "halting"), found["PYTHONPATH"]])}


def killed_at(file: str, count: int = 1, pid: int | None = None) -> dict[str, str]:
    """Environment of a command that is killed when a file is about to appear for the `count`-th time.

    `file` is a pattern for the whole path, as of fnmatch. With `pid` another process is killed instead. The command
    needs a session of its own, as `start` gives it: its first process is killed, also when a worker reaches the point.
    """
    return _halting({"file": file, "count": count, "action": "kill", "pid": pid})


def stopped_at(file: str, announce: Path, count: int = 1) -> dict[str, str]:
    """Environment of a command of which a process stands still at that point while the file `announce`, which it makes
    then, is there."""
    return _halting({"file": file, "count": count, "action": "stop", "announce": str(announce)})


def start(command: list[str], **options: Any) -> subprocess.Popen[str]:
    """A Python command (without the interpreter) in a session of its own, its output in one pipe."""
    settings = {"env": environment(), "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen([sys.executable, *command], text=True, start_new_session=True, **(settings | options))


def run_until_killed(command: list[str], env: dict[str, str], **options: Any) -> str:
    """Run a command that is to be killed, and give its output. Its children have ended too: they hold the pipe."""
    process = start(command, env=env, **options)
    text = process.communicate()[0]
    assert process.returncode == -signal.SIGKILL, text
    return text


def wait_until(condition: Callable[[], object], process: subprocess.Popen[str] | None = None) -> None:
    """Look until it holds. With a process, fail as soon as that has ended without it."""
    while not condition():
        if process is not None and process.poll() is not None and not condition():
            raise AssertionError(f"ended with {process.returncode}: {process.communicate()[0]}")
        time.sleep(0.005)


def alive(pid: int) -> bool:
    """Whether a process runs; one that is dead but not yet collected by its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def children_of(pid: int) -> list[int]:
    """Processes that a process started itself."""
    return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def family_of(pid: int) -> Iterator[int]:
    """A process and everything it started."""
    yield pid
    for child in children_of(pid):
        yield from family_of(child)
