"""A complete report, about judges that read the labels from the pixels, for tests of the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eval_world import PixelEngine, write_benchmark, write_checkpoint

from editjudge.asking.recipe import JudgeRecipe
from editjudge.files.io import write_jsonl
from editjudge.formats.funnel import Funnel, StageCount, write_funnel
from editjudge.records.types import TierRanking
from eval.benchmarks.pairs import Pairs
from eval.evaluations.scoring import evaluate
from eval.human.rankings import Human
from eval.labels.benchmark import Benchmark
from eval.report.options import Report
from eval.report.page import write_report
from eval.results import Measured, build_results, human_results

ATTACK = "<script>alert('x')</script>"
FUNNEL = Funnel(
    stages=(
        StageCount(
            name="00-photographs",
            stage="photographs",
            part=None,
            gives="Photo",
            rows_in=0,
            kept=500,
            dropped={},
            failed=0,
            errors={},
        ),
        StageCount(
            name="01-min_side",
            stage="min_side",
            part="train",
            gives="EditTriplet",
            rows_in=500,
            kept=421,
            dropped={"side_below_512": 77},
            failed=2,
            errors={"an image is missing": 2},
        ),
    ),
    parts={},
)


def make_report(folder: Path) -> dict[str, Any]:
    """Write report.html and its tables into a folder; return the content of results.json."""
    path = write_benchmark(folder / "bench", groups=9, instruction=f"Add {ATTACK} to the sky, number")
    write_funnel(folder, FUNNEL)
    bench = Pairs(path=path).load(folder)
    rationale = f'It says {ATTACK} & "more".'
    measured = []
    trained = str(write_checkpoint(folder / "run", 10, noise=8.0))
    for step, passes in ((0, 1), (10, 1), (10, 4)):
        adapter = trained if step else None
        engine = PixelEngine(adapter=adapter, rationale=rationale, unreadable=0.1)
        judge = JudgeRecipe(engine=engine, prompts="brief-v1", retries=0, passes=passes).build()
        evaluation = evaluate(judge, bench, folder / f"step-{step}-k{passes}", 64, "judge")
        measured.append(Measured(f"step {step}" if step else "base", step, evaluation))
    results = build_results(measured, rounds=200, seed=1)
    human = human_results(Human(rankings=rankings(folder / "rankings.jsonl", bench)), measured, 200, 1)
    results = results.model_copy(update={"human": human})
    options = Report(examples=8, right_examples=4, funnel=folder / "funnel.json", tables=("latex", "markdown"))
    write_report(folder / "report.html", results, measured, options)
    return results.as_json()


def rankings(path: Path, bench: Benchmark) -> Path:
    """Write rankings by two people who agree with the labels, except that the second reverses every third task."""
    rows = []
    for number, task in enumerate(dict.fromkeys(triplet.task.id for triplet in bench.triplets)):
        tiers = [[triplet.id] for triplet in bench.triplets if triplet.task.id == task]
        for unit in (f"anna {ATTACK}", "ben"):
            best_first = unit != "ben" or number % 3
            rows.append(
                TierRanking(
                    task_id=task, dimension="overall", annotator=unit, tiers=tiers if best_first else tiers[::-1]
                )
            )
    write_jsonl(path, rows)
    return path
