"""The jobs of a sweep: one per checkpoint, each independent of the others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from editjudge.asking.base import BaseJudge
from editjudge.asking.base_recipe import BaseJudgeRecipe
from editjudge.engines.base import Sampling
from editjudge.files.io import read_marker
from editjudge.formats.checkpoint import RunFolder
from editjudge.formats.judge_settings import JudgeSettings, Trained
from eval.checkpoints import BASE, judge_of, step_name, trained_in
from eval.checkpoints.options import SweptRun
from eval.checkpoints.recipe import SweepRecipe
from eval.evaluations.answers import write_answers
from eval.evaluations.evaluation import DONE, Evaluation
from eval.evaluations.scoring import evaluate
from eval.labels.benchmark import Benchmark, folder_name
from eval.results import Measured

_STEP_FOLDER = re.compile(r"step-(\d+)-k\d+")


@dataclass(frozen=True)
class Way:
    """Sampling and number of passes of a measurement."""

    passes: int
    sampling: Sampling | None = None
    """None: the sampling of the judge's recipe."""
    several: bool = False
    """Average over `passes`, overriding the recipe."""


@dataclass(frozen=True)
class Job:
    """One checkpoint, or the untrained base, loaded once. Jobs are independent, so several devices may share
    them."""

    run: str
    step: int
    """Number of optimizer steps; `BASE` for the untrained base."""
    weights: Path | None
    """Folder of the checkpoint; None for the untrained base, and for a checkpoint that is `gone`."""
    ways: tuple[Way, ...]
    judge: BaseJudgeRecipe
    """The run's judge, without the checkpoint's weights."""
    folder: Path
    """Folder of the run's evaluations."""
    label: str
    """Name in messages; with several runs it contains the run's name."""
    gone: bool = False
    """The checkpoint was measured and then removed: only its scores remain."""

    def __str__(self) -> str:
        return self.label

    def place(self, way: Way, bench: Benchmark) -> Path:
        """Return the folder of one evaluation."""
        return self.folder / f"step-{self.step:06d}-k{way.passes}" / folder_name(bench.name)

    def is_measured(self, benches: Sequence[Benchmark]) -> bool:
        """Return whether all evaluations are on disk; reading them checks which judge made them."""
        return all(read_marker(self.place(way, bench) / DONE) is not None for way in self.ways for bench in benches)


def plan_run(
    recipe: SweepRecipe, name: str, found: RunFolder, benches: Sequence[Benchmark], closing: bool
) -> tuple[list[Job], list[int]]:
    """Return the jobs of one run by step, the base first, and the steps removed before they were measured.

    `closing`: no more checkpoints will appear, so the last one is also measured with several passes.
    """
    run = recipe.named_runs()[name]
    trained, folder = trained_in(run.path), run_folder(recipe, name)
    judge = recipe.judge_of_run(run).as_trained(trained)
    once = Way(judge.n_passes())

    def job(step: int, weights: Path | None = None, gone: bool = False) -> Job:
        label = f"{name}, {step_name(step)}" if recipe.runs else step_name(step)
        where = _base_folder(recipe, run, trained, folder) if step == BASE else folder
        return Job(name, step, weights, (once,), judge, where, label, gone)

    present = {checkpoint.step for checkpoint in found.complete}
    removed = [job(step, gone=True) for step in _steps_on_disk(folder) - present - {BASE}]
    missed = sorted(item.step for item in removed if not item.is_measured(benches))
    jobs = [job(checkpoint.step, checkpoint.path) for checkpoint in found.complete]
    jobs += [item for item in removed if item.is_measured(benches)]
    jobs.sort(key=lambda item: item.step)
    if closing and jobs and recipe.last is not None and recipe.last_judge(judge) is not None:
        more = replace(jobs[-1], ways=(once, Way(recipe.last.passes, recipe.last.sampling, several=True)))
        if not more.gone or more.is_measured(benches):
            jobs[-1] = more
    # Settings that the recipe leaves to the training are unknown until it starts.
    known = trained is not None or bool(jobs) or not judge.waits_for_training()
    return ([job(BASE)] if recipe.base and known else []) + jobs, missed


def run_folder(recipe: SweepRecipe, name: str) -> Path:
    """Return the folder of a run's evaluations."""
    return recipe.out / "runs" / name if recipe.runs else recipe.out


def _base_folder(recipe: SweepRecipe, run: SweptRun, trained: Trained | None, folder: Path) -> Path:
    """Return the folder of the base's evaluations. Runs with the same prompts and settings share it."""
    if run.judge is not None:
        return folder
    first = next(other for other in recipe.named_runs().values() if other.judge is None)
    other = trained if first is run else trained_in(first.path)
    return recipe.out if _settings(other) == _settings(trained) else folder


def _settings(trained: Trained | None) -> JudgeSettings | None:
    return None if trained is None else trained.settings


def _steps_on_disk(folder: Path) -> set[int]:
    names = [_STEP_FOLDER.fullmatch(path.name) for path in folder.glob("step-*")]
    return {int(match.group(1)) for match in names if match is not None}


def score(job: Job, benches: Sequence[Benchmark], recipe: SweepRecipe) -> None:
    """Measure what is missing on disk, for each way and benchmark, then free the model."""
    missing = [
        (way, [bench for bench in benches if read_marker(job.place(way, bench) / DONE) is None]) for way in job.ways
    ]
    if job.gone or not any(left for _, left in missing):
        return
    loaded = judge_of(job.judge, job.weights)
    with ExitStack() as at_end:  # the ways share the model, which is loaded once
        for way, left in missing:
            judge = at_end.enter_context(_asked(loaded, way))
            for bench in left:
                _evaluate(judge, job, way, bench, recipe)


def collect(job: Job, benches: Sequence[Benchmark], recipe: SweepRecipe) -> Iterator[Measured]:
    """Read the evaluations of a job on disk.

    Raises `StaleOutputError` when they were made with another judge, benchmark or checkpoint than the current one.
    """
    loaded = None
    for way in job.ways:
        for bench in benches:
            marker = read_marker(job.place(way, bench) / DONE)
            if marker is None:
                continue
            if job.gone:
                loaded = job.judge.without_weights(str(marker["identity"]["judge"]["engine"]))
            elif loaded is None:
                loaded = judge_of(job.judge, job.weights)
            evaluation = _evaluate(_asked(loaded, way), job, way, bench, recipe)
            yield Measured(step_name(job.step), job.step, evaluation, job.run)


def _asked(judge: BaseJudgeRecipe, way: Way) -> BaseJudge[Any]:
    several = judge.averaged(way.passes, way.sampling) if way.several else None
    return (judge if several is None else several).build()


def _evaluate(judge: BaseJudge[Any], job: Job, way: Way, bench: Benchmark, recipe: SweepRecipe) -> Evaluation:
    label = f"judge {job.label}, K={way.passes}, {bench.name}"
    evaluation = evaluate(judge, bench, job.place(way, bench), recipe.shard_triplets, label)
    write_answers(evaluation)
    return evaluation
