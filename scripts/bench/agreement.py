"""Time of every measure of agreement on a large campaign.

    python scripts/bench/agreement.py
    python scripts/bench/agreement.py --tasks 10000 --units 4 --rounds 1000

Makes rankings of five candidates by noisy units in three dimensions, writes them as `rankings.jsonl`, and times the
work of `editjudge annotate agreement`: reading, all figures with intervals, report per unit, disputes.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from annotation.agreement.figures import measure_agreement
from annotation.agreement.quality import find_disputes, unit_report
from editjudge.files.io import read_jsonl, rng, write_jsonl
from editjudge.formats.rankings import Ranking, make_ranking
from editjudge.records.tasks import DIMENSIONS

CANDIDATES = 5
STEP = 0.8
"""Smallest score difference between tiers: larger steps give more ties."""
NOISE = 0.5


def rankings(n_tasks: int, n_units: int) -> Iterator[Ranking]:
    """Yield rankings: every unit sees the same quality of a candidate with its own noise."""
    generator = rng(0, "bench")
    for task in range(n_tasks):
        shown = [f"task{task:06d}-{number}" for number in range(CANDIDATES)]
        for dimension in DIMENSIONS:
            quality = generator.normal(size=CANDIDATES)
            for unit in range(n_units):
                steps = np.floor((quality + generator.normal(0, NOISE, CANDIDATES)) / STEP)
                tiers = [(np.flatnonzero(steps == step) + 1).tolist() for step in np.unique(steps)[::-1]]
                yield make_ranking(f"task{task:06d}", dimension, f"unit{unit}", tiers, shown)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--units", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=1_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rankings.jsonl"
        n_rows = write_jsonl(path, rankings(arguments.tasks, arguments.units))
        start, cpu_start = time.perf_counter(), time.process_time()
        rows = list(read_jsonl(path, Ranking))
        read_s = time.perf_counter() - start
        found = measure_agreement(rows, rounds=arguments.rounds)
        figures_s = time.perf_counter() - start - read_s
        units = sorted({row.annotator for row in rows})
        unit_report(rows, [], [], [], {}, units, rounds=arguments.rounds)
        find_disputes(rows, "contradiction")
        all_s, cpu_s = time.perf_counter() - start, time.process_time() - cpu_start
    n_figures = sum(len(part.figures) + sum(map(len, part.units.values())) for part in found.values())
    print(f"{arguments.tasks:,} tasks x {arguments.units} units x {len(DIMENSIONS)} dimensions: {n_rows:,} rankings")
    print(f"reading {read_s:.1f} s, {n_figures} figures x {arguments.rounds:,} resamples {figures_s:.1f} s")
    print(f"report per unit and disputes {all_s - read_s - figures_s:.1f} s")
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"in all {all_s:.1f} s ({cpu_s:.1f} s of processor time), peak memory {memory_mb:.0f} MB")
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, numpy {np.__version__}")
    for key, figure in found["all"].figures.items():
        print(f"  {key:<20} {figure.text()}")


if __name__ == "__main__":
    main()
