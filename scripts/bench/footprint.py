"""Time and peak memory of a command with all its child processes (Linux).

    python scripts/bench/footprint.py editjudge quickstart
    python scripts/bench/footprint.py --repeat 9 editjudge --help

Memory is the sum of the proportional set sizes (PSS) of the command and its descendants: pages shared between
processes count once; it is read every half second. With --repeat the command runs several times and the median counts.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

_EVERY_S = 0.5


def descendants(pid: int) -> Iterator[int]:
    """Yield the process and its descendants that still run."""
    yield pid
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = tasks.read_text().split()
        except OSError:
            continue
        for child in children:
            yield from descendants(int(child))


def pss_kb(pid: int) -> int:
    """Return the proportional set size in kB; 0 for a process that has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def measure(command: list[str]) -> tuple[float, float, int]:
    """Return (seconds, peak memory in GB, exit status)."""
    started, peak, done = time.perf_counter(), 0, threading.Event()
    process = subprocess.Popen(command)

    def watch() -> None:
        nonlocal peak
        while not done.wait(_EVERY_S):
            peak = max(peak, sum(pss_kb(pid) for pid in descendants(process.pid)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    status = process.wait()
    seconds = time.perf_counter() - started
    done.set()
    watcher.join()
    return seconds, peak / 1024**2, status


def main() -> int:
    """Run, measure, print one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    runs = [measure(arguments.command) for _ in range(arguments.repeat)]
    seconds = statistics.median(run[0] for run in runs)
    peak = max(run[1] for run in runs)
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )
    date = datetime.now(timezone.utc).date().isoformat()
    shown = " ".join(arguments.command)
    print(f"{shown}: {seconds:.2f} s, peak {peak:.2f} GB ({arguments.repeat} runs; {cpu}; {date})", file=sys.stderr)
    return max(run[2] for run in runs)


if __name__ == "__main__":
    sys.exit(main())
