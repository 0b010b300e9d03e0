"""Overhead of an evaluation besides the engine: a scripted engine of fixed latency replaces a 7B judge.

    python scripts/bench/eval_overhead.py
    python scripts/bench/eval_overhead.py --triplets 512 --side 1024 --seconds-per-triplet 0.25

Everything else is real: PNG files of photograph size are read and resized, replies parsed, cards and pairs written,
results.json computed with 10,000 bootstrap rounds. A 7B judge with four passes takes about 0.25 s per triplet on one
H100 (EditScore's training: 576 scores by 8 of them in 18 s); overhead is the time on top, as a share of the engine's.
"""

from __future__ import annotations

import argparse
import io
import itertools
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
from PIL import Image

from editjudge.asking.judge import Judge
from editjudge.engines.base import Completion, Engine, Reply, Request, Sampling
from editjudge.files.io import derive_seed, digest, rng
from editjudge.images.store import ImageStore
from editjudge.records.tasks import DIMENSIONS, TASK_TYPES
from editjudge.records.types import EditTask, EditTriplet, Origin, PreferencePair
from eval.evaluations.scoring import evaluate
from eval.labels.benchmark import Benchmark
from eval.labels.findings import Findings
from eval.results import Measured, build_results

CANDIDATES = 4
MAX_PIXELS = 512 * 512
RATIONALE = "The sky was made pink as asked, and the rest of the picture was left as it is. " * 3


class FixedLatency(Engine):
    """Takes as long as a judge for the number of requests, two per triplet."""

    identity = "fixed latency"

    def __init__(self, seconds_per_triplet: float) -> None:
        self.seconds = seconds_per_triplet / 2
        self.spent = 0.0

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[tuple[int, Reply]]:
        """Wait, then answer by hash of the seed."""
        self.spent += self.seconds * len(requests)
        time.sleep(self.seconds * len(requests))
        for index, request in enumerate(requests):
            yield index, Reply(tuple(self._say(seed) for seed in request.seeds), 700)

    def _say(self, seed: int) -> Completion:
        score = [derive_seed(seed, "first") % 26, derive_seed(seed, "second") % 26]
        return Completion(f'{{"reasoning": "{RATIONALE}", "score": {score}}}', "stop", 70)


def make_benchmark(folder: Path, n_triplets: int, side: int) -> Benchmark:
    """Make groups of four candidates, every pair of them in every dimension. Noise on a gradient makes PNG slow."""
    store, generator = ImageStore(folder), rng(0, "bench")
    slope = np.add.outer(np.arange(side), np.arange(side))[..., None] * [0.05, 0.08, 0.1]

    pictures = []
    for _ in range(8):  # encoding takes longer than the benchmark itself
        buffer = io.BytesIO()
        pixels = np.clip(slope + generator.normal(60, 8, (side, side, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
        pictures.append(buffer.getvalue())

    pairs = []
    for group in range(n_triplets // CANDIDATES):
        before = store.add_file(pictures[0], f"{group}/before.png")
        task = EditTask(
            id=digest("task", group),
            inputs=(before,),
            instruction="Make the sky pink.",
            task_type=TASK_TYPES[group % len(TASK_TYPES)],
            origin=Origin(source=str(group), licence="CC0"),
        )
        made = [
            EditTriplet(
                id=digest(task.id, number),
                task=task,
                edited=store.add_file(pictures[1 + (group + number) % 7], f"{group}/{number}.png"),
                editor=str(number),
                seed=0,
            )
            for number in range(CANDIDATES)
        ]
        for dimension in DIMENSIONS:
            for better, worse in itertools.combinations(made, 2):
                pairs.append(
                    PreferencePair(
                        id=digest(better.id, worse.id, dimension),
                        task=task,
                        better=better,
                        worse=worse,
                        dimension=dimension,
                        tier_gap=1,
                        n_annotators=1,
                        agreement=1.0,
                    )
                )
    return Benchmark("overhead", str(folder), tuple(pairs), folder, Findings(), Findings())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--triplets", type=int, default=768)
    parser.add_argument("--side", type=int, default=1024, help="of the images, in pixels")
    parser.add_argument("--seconds-per-triplet", type=float, default=0.25)
    parser.add_argument("--passes", type=int, default=4)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bench = make_benchmark(folder / "bench", arguments.triplets, arguments.side)
        engine = FixedLatency(arguments.seconds_per_triplet)
        judge = Judge(engine, passes=arguments.passes, max_pixels=MAX_PIXELS)
        start = time.perf_counter()
        evaluation = evaluate(judge, bench, folder / "out", 64, "scripted judge")
        scored = time.perf_counter()
        build_results([Measured("judge", None, evaluation)], 10_000, 0)
        end = time.perf_counter()
    print(
        f"{platform.machine()}, Python {platform.python_version()}; "
        f"{len(bench.triplets)} triplets, {len(bench.pairs)} pairs"
    )
    print(f"engine {engine.spent:.1f} s; scoring {scored - start:.1f} s, of that besides the engine", end=" ")
    print(f"{scored - start - engine.spent:.2f} s = {100 * ((scored - start) / engine.spent - 1):.2f} % (goal: < 2 %)")
    print(f"results with 10,000 bootstrap rounds, K-curve and calibration: {end - scored:.1f} s, whatever the judge")


if __name__ == "__main__":
    main()
