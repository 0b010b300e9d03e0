"""Time and size of the report over many checkpoints, and its loading time in a browser.

    python scripts/bench/report.py
    python scripts/bench/report.py --checkpoints 50 --pairs 3072 --side 1024

Makes a benchmark of groups of one input and five candidates with images of `--side` pixels, score cards of every
checkpoint with rationales of ordinary length, and from them results.json and report.html, as a sweep does. Then opens
the page in headless Chromium if it is installed.
"""

from __future__ import annotations

import argparse
import io
import os
import platform
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
from PIL import Image

from editjudge.asking.base import BaseJudge
from editjudge.asking.cards import make_card
from editjudge.files.io import digest, rng, write_json, write_jsonl
from editjudge.files.paths import user_path
from editjudge.images.store import ImageStore
from editjudge.records.tasks import ASPECTS, DIMENSIONS, TASK_TYPES
from editjudge.records.types import EditTask, EditTriplet, Judgment, Origin, PreferencePair, ScoreCard
from eval.benchmarks.pairs import Pairs
from eval.evaluations.scoring import evaluate
from eval.report.options import Report
from eval.report.page import THUMBNAILS, write_report
from eval.results import Measured, build_results

CANDIDATES = 5
RATIONALE = (
    "The instruction asks for a change of colour in the upper part of the picture. The sky is now pink and the change "
    "follows the clouds, yet the sea below took on a tint that it did not have before, and the edges of the hills are "
    "softer than in the original. No other object was added or removed. "
)


def photograph(side: int, seed: int) -> bytes:
    """Return a JPEG file of smooth shapes with grain, which compresses about as well as a photograph."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 255, (12, 12, 3), dtype=np.uint8)
    pixels = np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC), dtype=np.int16)
    grain = generator.integers(-6, 7, (side, side, 1), dtype=np.int16)
    buffer = io.BytesIO()
    Image.fromarray(np.clip(pixels + grain, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def make_benchmark(folder: Path, n_pairs: int, side: int) -> Path:
    """Write a JSONL file of `n_pairs` pairs, spread over all tasks and dimensions."""
    store, pairs = ImageStore(folder), []
    orders = list(combinations(range(CANDIDATES), 2))
    group = 0
    while len(pairs) < n_pairs:
        before = store.add_file(photograph(side, 10 * group), f"images/{group}/before.jpg")
        task = EditTask(
            id=f"task{group:05d}",
            inputs=(before,),
            instruction=f"Make the sky pink and leave the sea as it is, number {group}.",
            task_type=TASK_TYPES[group % len(TASK_TYPES)],
            origin=Origin(source=f"photo{group}", licence="CC0"),
        )
        triplets = []
        for place in range(CANDIDATES):
            edited = store.add_file(photograph(side, 10 * group + place + 1), f"images/{group}/{place}.jpg")
            name = digest(task.id, place)
            triplets.append(EditTriplet(id=name, task=task, edited=edited, editor=f"editor{place}", seed=0))
        dimension = DIMENSIONS[group % len(DIMENSIONS)]
        for high, low in orders[: n_pairs - len(pairs)]:
            pairs.append(
                PreferencePair(
                    id=digest(task.id, high, low),
                    task=task,
                    better=triplets[high],
                    worse=triplets[low],
                    dimension=dimension,
                    tier_gap=1,
                    n_annotators=2,
                    agreement=1.0,
                )
            )
        group += 1
    write_jsonl(folder / "pairs.jsonl", pairs)
    return folder / "pairs.jsonl"


class Noisy(BaseJudge[None]):
    """Scores each candidate by its number with noise, without its image."""

    reads_images = False
    chunk = 512

    def __init__(self, step: int) -> None:
        self.step = step

    @property
    def identity(self) -> str:
        return f"noisy-{self.step}"

    def prepare(self, triplet: EditTriplet, images: Sequence[Image.Image]) -> None:
        """Do nothing."""

    def judge(self, edits: Sequence[tuple[EditTriplet, None]]) -> list[ScoreCard]:
        return [self.card(triplet) for triplet, _ in edits]

    def card(self, triplet: EditTriplet) -> ScoreCard:
        """Return a card of one pass with both aspects."""
        generator = rng(self.step, triplet.id)
        level = 20 - 3 * int(triplet.editor.removeprefix("editor"))
        judgments = []
        for aspect in ASPECTS:
            drawn = np.clip(level + generator.normal(0, 12 / (1 + self.step / 500), 2), 0, 25).round()
            judgments.append(
                Judgment(
                    triplet_id=triplet.id,
                    aspect=aspect,
                    scores=(float(drawn[0]), float(drawn[1])),
                    scale=25.0,
                    rationale=RATIONALE,
                    raw=RATIONALE,
                    parsed_by="json",
                    pass_index=0,
                    seed=0,
                    engine="bench",
                    prompt_version="bench",
                )
            )
        return make_card(triplet, judgments)


def open_in_browser(page: Path) -> float | None:
    """Return seconds until headless Chromium has loaded and painted the page; None without Chromium and its driver."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        return None
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    options = ChromeOptions()
    options.binary_location = browser
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--window-size=1366,768"):
        options.add_argument(flag)
    chrome = Chrome(options=options, service=Service(driver))
    try:
        chrome.get("about:blank")
        start = time.perf_counter()
        chrome.get(page.as_uri())
        chrome.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
        return time.perf_counter() - start
    finally:
        chrome.quit()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoints", type=int, default=50)
    parser.add_argument("--pairs", type=int, default=3072)
    parser.add_argument("--side", type=int, default=1024, help="of the pictures, in pixels")
    parser.add_argument("--keep", type=user_path, help="work in this folder and leave everything there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) if arguments.keep is None else arguments.keep
        path = folder / "bench" / "pairs.jsonl"
        if not path.is_file():
            path = make_benchmark(folder / "bench", arguments.pairs, arguments.side)
        bench = Pairs(path=path, name="bench").load(folder)
        measured = []
        for number in range(arguments.checkpoints):
            step = 100 * number
            evaluation = evaluate(Noisy(step), bench, folder / f"step-{step:06d}" / "bench", 512, f"step {step}")
            measured.append(Measured(f"step {step}" if step else "base", step, evaluation))
        shutil.rmtree(folder / THUMBNAILS, ignore_errors=True)
        start, cpu_start = time.perf_counter(), time.process_time()
        results = build_results(measured, 10_000, 0)
        write_json(folder / "results.json", results)
        results_s = time.perf_counter() - start
        write_report(folder / "report.html", results, measured, Report(title="Benchmark of the report"))
        all_s, cpu_s = time.perf_counter() - start, time.process_time() - cpu_start
        size_mb = (folder / "report.html").stat().st_size / 1e6
        open_s = open_in_browser(folder / "report.html")
    print(f"{arguments.checkpoints} checkpoints x {len(bench.pairs):,} pairs, pictures of {arguments.side} px")
    print(f"results.json with 10,000 resamples {results_s:.1f} s, report.html {all_s - results_s:.1f} s")
    print(f"in all {all_s:.1f} s ({cpu_s:.1f} s of processor time), goal 30; {size_mb:.1f} MB, goal 25")
    print("opened: no Chromium here" if open_s is None else f"opened and painted in {open_s:.2f} s, goal 3")
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {memory_mb:.0f} MB; load average {os.getloadavg()[0]:.1f}")
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, numpy {np.__version__}")


if __name__ == "__main__":
    main()
