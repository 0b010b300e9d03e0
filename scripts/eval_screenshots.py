"""Take the screenshots of docs/evaluation.md: a sweep's report in headless Chromium.

    editjudge quickstart            # or at least its first step, which makes the benchmark
    python scripts/eval_screenshots.py

The judges are invented: the measured scores of the quickstart's benchmark with noise that decreases from checkpoint to
checkpoint, and three people with their own noise. The screenshots show the page; they say nothing about any model.
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from PIL import Image

from editjudge.asking.base import BaseJudge
from editjudge.asking.cards import make_card
from editjudge.asking.recipe import JudgeRecipe
from editjudge.engines.scripted import ScriptedEngine
from editjudge.files.io import read_jsonl, rng, write_json, write_jsonl
from editjudge.files.paths import user_path
from editjudge.formats.results.sweep import RunState
from editjudge.records.tasks import DIMENSIONS
from editjudge.records.types import EditTriplet, ScoreCard, TierRanking
from eval.benchmarks.pairs import Pairs
from eval.checkpoints.recipe import SweepRecipe
from eval.checkpoints.results import build_sweep_results
from eval.evaluations.scoring import evaluate
from eval.human.rankings import Human
from eval.report.options import Report
from eval.report.page import write_report
from eval.results import Measured

ROOT = Path(__file__).resolve().parents[1]
NOISE = {0: 16.0, 100: 9.0, 200: 6.0, 300: 5.0, 400: 5.2}
"""Standard deviation of the noise by step, on 0 to 25."""
PARTS = {
    "evaluation-top": ("main", 1180),
    "evaluation-passes": ("#passes", 760),
    "evaluation-inspector": (".inspector", 800),
    "evaluation-people": ("#human", 900),
}
"""File of docs/images -> the element at its top, and its height in pixels."""
WIDTH = 1180


class Noisy(BaseJudge[None]):
    """Repeats the measured scores with noise."""

    reads_images = False
    chunk = 512

    def __init__(self, cards: dict[str, ScoreCard], step: int, passes: int) -> None:
        self.cards, self.step, self.passes = cards, step, passes

    @property
    def identity(self) -> str:
        return f"demonstration, step {self.step}, K = {self.passes}"

    def describe(self) -> dict[str, Any]:
        return super().describe() | {"engine": self.identity, "prompts": "brief-v1", "passes": self.passes}

    def prepare(self, triplet: EditTriplet, images: Sequence[Image.Image]) -> None:
        """Do nothing."""

    def judge(self, edits: Sequence[tuple[EditTriplet, None]]) -> list[ScoreCard]:
        return [self.card(triplet) for triplet, _ in edits]

    def card(self, triplet: EditTriplet) -> ScoreCard:
        """Return a card with whole numbers, as judges write them, which gives ties; one reply in 100 is unreadable."""
        judgments = []
        for number in range(self.passes):
            for judgment in self.cards[triplet.id].judgments:
                generator = rng(self.step, triplet.id, judgment.aspect, number)
                changes: dict[str, Any] = {"pass_index": number, "prompt_tokens": 310, "completion_tokens": 34}
                if generator.random() < 0.01:
                    changes |= {"scores": None, "failure": "no_json", "raw": "I cannot say.", "parsed_by": "none"}
                elif judgment.scores is not None:
                    noisy = np.clip(np.array(judgment.scores) + generator.normal(0, NOISE[self.step], 2), 0, 25)
                    changes["scores"] = tuple(noisy.round().tolist())
                judgments.append(judgment.model_copy(update=changes))
        return make_card(triplet, judgments)


def rank(cards: dict[str, ScoreCard], triplets: Sequence[EditTriplet], path: Path) -> Path:
    """Write rankings by three people: the measured scores with noise, in half steps of ten."""
    rows = []
    for unit in ("anna", "ben", "carla"):
        for task in list(dict.fromkeys(triplet.task.id for triplet in triplets))[:60]:
            mine = [triplet.id for triplet in triplets if triplet.task.id == task]
            for dimension in DIMENSIONS:
                generator = rng(0, unit, task, dimension)
                levels = [round((cards[name].value(dimension) or 0) / 2 + generator.normal(0, 0.7)) for name in mine]
                tiers = [
                    tuple(name for name, own in zip(mine, levels, strict=True) if own == level)
                    for level in sorted(set(levels), reverse=True)
                ]
                rows.append(TierRanking(task_id=task, dimension=dimension, annotator=unit, tiers=tuple(tiers)))
    write_jsonl(path, rows)
    return path


def make_report(curated: Path, out: Path) -> Path:
    """Write the report of a sweep over invented checkpoints."""
    bench = Pairs(path=curated / "benchmark.jsonl", name="quickstart").load(out)
    stages = sorted((curated / "stages").glob("*-measure"))[0]
    cards = {card.triplet.id: card for path in sorted(stages.glob("*.jsonl")) for card in read_jsonl(path, ScoreCard)}
    measured = []
    for step, passes in [*((step, 1) for step in NOISE), (400, 8)]:
        folder = out / f"step-{step}-k{passes}" / bench.name
        evaluation = evaluate(Noisy(cards, step, passes), bench, folder, 512, f"step {step}")
        measured.append(Measured(f"step {step}" if step else "base", step, evaluation, run="demonstration"))
    recipe = SweepRecipe(
        out=out,
        runs={"demonstration": out},
        bench=[{"use": "pairs", "path": curated / "benchmark.jsonl", "name": bench.name}],
        judge=JudgeRecipe(engine=ScriptedEngine(replies=("-",)), prompts="brief-v1"),
        last=None,
    )
    rankings = rank(cards, bench.triplets, out / "rankings.jsonl")
    recipe = recipe.model_copy(update={"human": Human(rankings=rankings)})
    state = RunState(path=str(out), finished=True, incomplete=[], missed=[], failed=[])
    results = build_sweep_results(recipe, [bench], measured, {"demonstration": state})
    write_json(out / "results.json", results)
    options = Report(title="Demonstration: made-up judges", funnel=curated / "funnel.json")
    write_report(out / "report.html", results, measured, options)
    return out / "report.html"


def photograph(page: Path, folder: Path) -> None:
    """Take one screenshot per entry of `PARTS`."""
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    options = ChromeOptions()
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        raise SystemExit("this needs Chromium and its driver: apt-get install chromium chromium-driver")
    options.binary_location = browser
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"):
        options.add_argument(flag)
    chrome = Chrome(options=options, service=Service(driver))
    try:
        chrome.get(page.as_uri())
        for name, (selector, height) in PARTS.items():
            metrics = {"width": WIDTH, "height": height, "deviceScaleFactor": 1, "mobile": False}
            chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
            chrome.execute_script("document.querySelector(arguments[0]).scrollIntoView()", selector)
            time.sleep(1)  # images near the viewport are being decoded
            data = chrome.get_screenshot_as_png()
            picture = Image.open(io.BytesIO(data)).convert("P", palette=Image.Palette.ADAPTIVE, colors=256)
            picture.save(folder / f"{name}.png", optimize=True)
    finally:
        chrome.quit()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--curated", type=user_path, default=ROOT / "runs" / "quickstart" / "curate")
    parser.add_argument("--out", type=user_path, default=ROOT / "docs" / "images")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        photograph(make_report(arguments.curated, Path(folder)), arguments.out)


if __name__ == "__main__":
    main()
