"""`editjudge sweep RECIPE`: the untrained base and every checkpoint of a training run, on the same pairs."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from editjudge.engines.base import Sampling
from editjudge.io import write_json
from editjudge.provenance import RunRecord
from editjudge.recipe import dump_recipe, load_recipe
from eval.benchmarks import Benchmark
from eval.checkpoints import Checkpoint, find_checkpoints, judge_of
from eval.metrics import count
from eval.recipe import SweepRecipe, folder_name
from eval.report import write_report
from eval.results import Measured, build_results, summarise, summary
from eval.run import load_benchmarks
from eval.scoring import evaluate
from eval.statistics import compare
from eval.terminal import print_results


@dataclass(frozen=True)
class Way:
    """How a checkpoint is asked."""

    passes: int
    sampling: Sampling


@dataclass(frozen=True)
class Job:
    """One checkpoint, loaded once. Jobs do not depend on each other, so several devices may share them."""

    checkpoint: Checkpoint
    ways: tuple[Way, ...]


def plan_jobs(recipe: SweepRecipe) -> list[Job]:
    """What is to be measured of the checkpoints that are complete now, in the order of the table."""
    checkpoints = find_checkpoints(recipe.run)
    if recipe.base:
        checkpoints = [Checkpoint(0, None), *checkpoints]
    for checkpoint in checkpoints:
        judge_of(recipe.judge, checkpoint)  # whatever is wrong with one is told before hours are spent on the others
    once = Way(recipe.judge.passes, recipe.judge.sampling)
    jobs = [Job(checkpoint, (once,)) for checkpoint in checkpoints]
    sampling = recipe.last_sampling()
    if recipe.last is not None and sampling is not None:
        jobs[-1] = Job(jobs[-1].checkpoint, (once, Way(recipe.last.passes, sampling)))
    return jobs


def run_job(job: Job, benches: Sequence[Benchmark], recipe: SweepRecipe) -> list[Measured]:
    """Score what is not scored yet, way by way and benchmark by benchmark. The model is freed at the end."""
    checkpoint, measured = job.checkpoint, []
    judge_recipe = judge_of(recipe.judge, checkpoint)
    for way in job.ways:
        judge = judge_recipe.model_copy(update={"passes": way.passes, "sampling": way.sampling}).build()
        for bench in benches:
            folder = recipe.out / f"step-{checkpoint.step:06d}-k{way.passes}" / folder_name(bench.name)
            label = f"judge {checkpoint.label}, K={way.passes}, {bench.name}"
            evaluation = evaluate(judge, bench, folder, recipe.shard_triplets, label)
            measured.append(Measured(checkpoint.label, checkpoint.step, evaluation))
    del judge, judge_recipe
    free_memory()
    return measured


def free_memory() -> None:
    """Give back what the last model held, before the next one is loaded."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def run_sweep(recipe: SweepRecipe) -> dict[str, Any]:
    """Measure what is not measured yet, write results.json and report.html, and return the results.

    `results["checkpoints"]` is `summarise(results)` of the first benchmark; `results["ensemble"]` is the entry of the
    last checkpoint with several passes, or None. Raises `CheckpointError` when there is no complete checkpoint and
    `StaleOutputError` when a checkpoint or the benchmark is another one than before.
    """
    record = RunRecord(recipe.out, dump_recipe(recipe))
    with record.phase("load"):
        jobs = plan_jobs(recipe)
        benches = load_benchmarks(recipe)
    with record.phase("judge"):
        measured = [found for job in jobs for found in run_job(job, benches, recipe)]
    with record.phase("report"):
        results = build_results(measured, recipe.bootstrap_rounds, recipe.seed)
        first = [row for row in results["evaluations"] if row["benchmark"] == benches[0].name]
        results["checkpoints"] = summarise(results)
        results["gain"] = gains(measured, recipe)
        results["ensemble"] = summary(first[-1]) if recipe.last is not None else None
        write_json(recipe.out / "results.json", results)
        write_report(recipe.out / "report.html", results, measured, recipe.report)
    return results


def gains(measured: Sequence[Measured], recipe: SweepRecipe) -> dict[str, Any]:
    """Last checkpoint minus untrained base, asked the same way: per benchmark and dimension, pair-mean accuracy.

    `value`, `low`, `high` are differences of shares; `p` is one-sided, the share of resamples without a gain.
    """
    found: dict[str, Any] = {}
    usual = [item for item in measured if item.evaluation.judge["passes"] == recipe.judge.passes]
    for name in dict.fromkeys(item.evaluation.bench.name for item in usual):
        of_bench = [item for item in usual if item.evaluation.bench.name == name]
        first, last = of_bench[0], of_bench[-1]
        if first.step != 0 or first is last:
            continue
        comparison = compare(
            count(last.evaluation.table), count(first.evaluation.table), recipe.bootstrap_rounds, recipe.seed
        )
        found[name] = comparison.as_json()
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="editjudge sweep", description="Measure every checkpoint of a training run.")
    parser.add_argument("recipe", type=Path, help="YAML file")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="change a value of the recipe")
    arguments = parser.parse_args(argv)
    recipe = load_recipe(arguments.recipe, SweepRecipe, arguments.overrides)
    print_results(run_sweep(recipe))
    print(f"report: {recipe.out / 'report.html'}")
    return 0
