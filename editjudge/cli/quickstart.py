"""`editjudge quickstart`: the whole loop on this machine, offline, with the commands of a real run.

Only the recipes differ from a 7B run: they are in `recipes/quickstart/`. Every step resumes after an interruption, so
the command can be repeated at any time.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from editjudge.errors import EditJudgeError
from editjudge.files.io import write_json
from editjudge.files.paths import RUNS, user_path
from editjudge.formats.funnel import FUNNEL
from editjudge.formats.results.results import read_results
from editjudge.recipes.shipped import RECIPES
from editjudge.system.provenance import machine


@dataclass(frozen=True)
class Step:
    """One command of the loop."""

    phase: str
    title: str
    command: str
    recipe: Path
    overrides: tuple[str, ...]


def steps(out: Path) -> tuple[Step, ...]:
    """Return the steps of the loop, with every folder under `out`."""
    curated, trained, measured = out / "curate", out / "sft", out / "sweep"
    recipes = RECIPES / "quickstart"
    return (
        Step(
            "curate",
            "Curate: photographs to training set and benchmark",
            "curate",
            recipes / "curate.yaml",
            (f"out={curated}",),
        ),
        Step(
            "train",
            "Train: LoRA on the tiny Qwen2.5-VL base, under DeepSpeed",
            "sft",
            recipes / "sft.yaml",
            (f"out={trained}", f"data={curated / 'train.jsonl'}"),
        ),
        Step(
            "evaluate",
            "Evaluate: the base and every checkpoint, on photographs not trained on",
            "sweep",
            recipes / "sweep.yaml",
            (
                f"out={measured}",
                f"run={trained}",
                f"bench.0.path={curated / 'benchmark'}",
                f"report.funnel={curated / FUNNEL}",
            ),
        ),
    )


def run_step(step: Step) -> float:
    """Run one command in its own process, so that its memory is freed; return its wall-clock seconds."""
    started = time.monotonic()
    command = [sys.executable, "-m", "editjudge", step.command, str(step.recipe), *step.overrides]
    status = subprocess.run(command, check=False).returncode
    if status < 0 or status == 130:
        raise KeyboardInterrupt
    if status != 0:
        raise EditJudgeError(
            f"the step `{step.phase}` ended with status {status}; its message is above. "
            "Rerun the same command to resume from there."
        )
    return time.monotonic() - started


def summarise(out: Path, seconds: dict[str, float]) -> dict[str, Any]:
    """Return the content of `summary.json`: figures of every checkpoint, seconds per phase, machine and date."""
    results = read_results(out / "sweep" / "results.json").as_json()
    return {
        "checkpoints": results["checkpoints"],
        "ensemble": results["ensemble"],
        "seconds": {
            **{phase: round(value, 1) for phase, value in seconds.items()},
            "total": round(sum(seconds.values()), 1),
        },
        "largest_process_gb": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024**2, 2),
        "machine": machine(),
        "date": datetime.now(timezone.utc).date().isoformat(),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Run the loop, then print where the results are."""
    parser = argparse.ArgumentParser(
        prog="editjudge quickstart", description="The whole loop, offline, on a laptop CPU."
    )
    parser.add_argument(
        "--out",
        type=user_path,
        default=Path(RUNS) / "quickstart",
        help="folder for everything made (default: %(default)s)",
    )
    out: Path = parser.parse_args(argv).out.absolute()
    todo, seconds = steps(out), {}
    for number, step in enumerate(todo, start=1):
        print(f"\n[{number}/{len(todo)}] {step.title}", flush=True)
        seconds[step.phase] = run_step(step)
    write_json(out / "summary.json", summarise(out, seconds))
    total = sum(seconds.values())
    spent = ", ".join(f"{phase} {value:.0f} s" for phase, value in seconds.items())
    print(f"\nDone in {total / 60:.1f} minutes ({spent}).")
    print(f"  report    {out / 'sweep' / 'report.html'}")
    print(f"  curation  {out / 'curate' / 'report.html'}")
    print(f"  summary   {out / 'summary.json'}")
    return 0
