"""Time of the bootstrap on a full benchmark: 3,072 pairs, 13 tasks, 3 dimensions, 10,000 rounds (goal: under 5 s).

python scripts/bench/bootstrap.py
python scripts/bench/bootstrap.py --judges 50
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from editjudge.records.tasks import DIMENSIONS, TASK_TYPES
from eval.metrics.calibration import calibrations
from eval.metrics.intervals import compare, intervals
from eval.metrics.pairs import PairTable, count


def make_table(n_pairs: int, n_groups: int, accuracy: float, seed: int) -> PairTable:
    """Return a table with the same pairs for every seed, of a judge with the given accuracy."""
    layout, judge = np.random.default_rng(0), np.random.default_rng(seed)
    task_of_group = layout.integers(0, len(TASK_TYPES), n_groups)
    group = layout.integers(0, n_groups, n_pairs)
    dimension = layout.integers(0, len(DIMENSIONS), n_pairs)
    width = judge.gamma(2, 1, n_pairs)
    margin = np.where(judge.random(n_pairs) < accuracy, width, -width)
    return PairTable(margin, task_of_group[group], dimension, group, tuple(str(name) for name in range(n_groups)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=3_072)
    parser.add_argument("--groups", type=int, default=650)
    parser.add_argument("--rounds", type=int, default=10_000)
    parser.add_argument("--judges", type=int, default=1, help="measured on the same resamples")
    arguments = parser.parse_args()
    tables = [make_table(arguments.pairs, arguments.groups, 0.7, seed) for seed in range(arguments.judges)]
    counts = [count(table) for table in tables]
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, numpy {np.__version__}")
    other = count(make_table(arguments.pairs, arguments.groups, 0.72, -1 % 2**32))
    for name, work in (
        ("intervals of every figure", lambda: intervals(counts, arguments.rounds)),
        ("paired comparison", lambda: compare(counts[0], other, arguments.rounds)),
        ("calibration", lambda: calibrations(tables, arguments.rounds, 0)),
    ):
        start = time.perf_counter()
        work()
        print(f"{name}: {time.perf_counter() - start:.2f} s ({arguments.judges} judges, {arguments.rounds:,} rounds)")


if __name__ == "__main__":
    main()
