"""Run the test suites under other conditions: other numbers of threads, one core, a busy machine, random order.

python scripts/test_conditions.py                                   every condition, default and slow suite, three times
python scripts/test_conditions.py --conditions load random --suites default --repeats 1
python scripts/test_conditions.py -- tests/editjudge/engines/test_cache.py -n 0       pass arguments after -- to pytest

--out contains each run's output and its row, and `table.md` with all rows as a Markdown table. The same command resumes
an interrupted one: it does not repeat runs of the same commit. The exit status is 1 when a test failed in any run.
Needs Linux and the extra `dev`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from editjudge.files.paths import user_path
from editjudge.system.provenance import cores, git_state, machine


class Condition(NamedTuple):
    """Conditions of a run."""

    title: str
    threads: int | None = None
    """Value of OMP_NUM_THREADS; None leaves it unset."""
    one_core: bool = False
    load: bool = False
    shuffled: bool = False


CONDITIONS = {
    "threads-1": Condition("`OMP_NUM_THREADS=1`", threads=1),
    "threads-2": Condition("`OMP_NUM_THREADS=2`", threads=2),
    "one-core": Condition("one core (`taskset -c`)", one_core=True),
    "load": Condition("a busy process on every core", load=True),
    "random": Condition("random order", shuffled=True),
}
SUITES = {"default": ["-n", "auto", "--dist", "loadfile"], "slow": ["-m", "slow"]}
"""Arguments of pytest; scripts/test.sh runs the default suite in the same way."""


def main(argv: Sequence[str] | None = None) -> int:
    """Make the missing runs, then print the table."""
    arguments = parse(argv)
    arguments.out.mkdir(parents=True, exist_ok=True)
    state = git_state(ROOT)
    commit = "unknown" if state is None else state["commit"][:12] + (" with changes" if state["dirty"] else "")
    rows = [row for row in read_rows(arguments.out) if row["commit"] == commit and "with changes" not in commit]
    done = {(row["condition"], row["suite"], row["run"], tuple(row["arguments"])) for row in rows}
    for number in range(1, arguments.repeats + 1):
        for suite in arguments.suites:
            for name in arguments.conditions:
                if (name, suite, number, tuple(arguments.pytest)) in done:
                    continue
                row = {
                    "commit": commit,
                    "condition": name,
                    "suite": suite,
                    "run": number,
                    "arguments": arguments.pytest,
                }
                row |= run(CONDITIONS[name], suite, arguments.seed + number, arguments.pytest, log(arguments.out, row))
                rows.append(row)
                print(f"{suite}, {name}, run {number}: {cell(row)}", flush=True)
                write_rows(arguments.out, rows)
                (arguments.out / "table.md").write_text(table(rows, commit))
    (arguments.out / "table.md").write_text(table(rows, commit))
    print(f"\n{table(rows, commit)}\nAlso in {arguments.out / 'table.md'}")
    return 1 if any(row["status"] != 0 for row in rows) else 0


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line; `pytest` contains the arguments after `--`."""
    given = list(sys.argv[1:] if argv is None else argv)
    cut = given.index("--") if "--" in given else len(given)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conditions", nargs="+", choices=CONDITIONS, default=[*CONDITIONS])
    parser.add_argument("--suites", nargs="+", choices=SUITES, default=[*SUITES])
    parser.add_argument("--repeats", type=int, default=3, help="runs of each suite under each condition")
    parser.add_argument("--seed", type=int, default=0, help="run n in random order has the seed SEED + n")
    parser.add_argument("--out", type=user_path, default=ROOT / "runs" / "test-conditions")
    arguments = parser.parse_args(given[:cut])
    arguments.pytest = given[cut + 1 :]
    return arguments


def run(condition: Condition, suite: str, seed: int, more: Sequence[str], log: Path) -> dict[str, Any]:
    """Run a suite once; return pytest's status, numbers of tests by outcome, and seconds."""
    report = log.with_suffix(".xml")
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", *SUITES[suite], f"--junitxml={report}"]
    command += ["-p", "randomly", f"--randomly-seed={seed}"] if condition.shuffled else ["-p", "no:randomly"]
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    if condition.threads is not None:
        environment["OMP_NUM_THREADS"] = str(condition.threads)
    core = min(os.sched_getaffinity(0))
    start = time.monotonic()
    with log.open("w") as output, busy(cores() if condition.load else 0):
        done = subprocess.run(
            [*command, *more],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
            preexec_fn=(lambda: os.sched_setaffinity(0, {core})) if condition.one_core else None,
        )
    return {"status": done.returncode, "seconds": round(time.monotonic() - start, 1), **count(report)}


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Keep a number of processes busy for the duration of the block."""
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def count(report: Path) -> dict[str, int]:
    """Return numbers of tests by outcome from a JUnit file; all 0 when pytest ended before writing it."""
    totals = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    if report.exists():
        for suite in ElementTree.parse(report).getroot().iter("testsuite"):
            totals = {name: number + int(suite.get(name, 0)) for name, number in totals.items()}
    failed = totals["failures"] + totals["errors"]
    return {"passed": totals["tests"] - failed - totals["skipped"], "failed": failed, "skipped": totals["skipped"]}


def cell(row: dict[str, Any]) -> str:
    """Return a run as text."""
    words = [f"{row['passed']} passed", f"{row['seconds']:.0f} s"]
    if row["skipped"]:
        words.insert(1, f"{row['skipped']} skipped")
    if row["failed"]:
        words.insert(0, f"**{row['failed']} failed**")
    elif row["status"] != 0:
        words.insert(0, f"**pytest ended with status {row['status']}**")
    return ", ".join(words)


def table(rows: Sequence[dict[str, Any]], commit: str) -> str:
    """Return Markdown: place and date, then a line for each suite and condition with a column for each run."""
    here = machine()
    date = datetime.now(timezone.utc).date().isoformat()
    runs = sorted({row["run"] for row in rows})
    lines = [
        f"{date}, commit {commit}, {here['cpu']}, {here['cores']} cores, {here['memory_gb']:.1f} GiB, "
        f"numpy with {here['blas']['numpy']}.",
        "",
        "| suite | condition | " + " | ".join(f"run {number}" for number in runs) + " |",
        "|---" * (2 + len(runs)) + "|",
    ]
    for suite in SUITES:
        for name, condition in CONDITIONS.items():
            found = {row["run"]: cell(row) for row in rows if (row["suite"], row["condition"]) == (suite, name)}
            if found:
                cells = " | ".join(found.get(number, "") for number in runs)
                lines.append(f"| {suite} | {condition.title} | {cells} |")
    return "\n".join(lines) + "\n"


def log(out: Path, row: dict[str, Any]) -> Path:
    """Return the path of a run's output."""
    return out / f"{row['suite']}-{row['condition']}-{row['run']}.log"


def read_rows(out: Path) -> list[dict[str, Any]]:
    """Read the completed runs."""
    path = out / "runs.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def write_rows(out: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Replace all rows: runs of another commit are obsolete."""
    (out / "runs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
