"""`editjudge sweep RECIPE [--watch]`: the untrained base and every checkpoint of training runs, on the same pairs."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from editjudge.cli.options import add_json, add_recipe, json_results
from editjudge.errors import CheckpointError, EditJudgeError, EngineError, WorkerError
from editjudge.files.io import write_json
from editjudge.formats.checkpoint import RunFolder, scan
from editjudge.formats.results.results import Results
from editjudge.formats.results.sweep import FailedCheckpoint, RunState
from editjudge.recipes.recipe import dump_recipe, load_for_run
from editjudge.system.devices import resolve_devices, seats
from editjudge.system.processes import alone_in
from editjudge.system.progress import track
from editjudge.system.provenance import RunRecord
from editjudge.system.workers import Workers
from eval.checkpoints import find_checkpoints, judge_of, pin_training, step_name, trained_in
from eval.checkpoints.jobs import Job, collect, plan_run, run_folder, score
from eval.checkpoints.probes import probe_last
from eval.checkpoints.recipe import SweepRecipe
from eval.checkpoints.results import build_sweep_results
from eval.checkpoints.selection import key_of
from eval.checkpoints.tracking import Tracker, require_wandb
from eval.inputs import check_files, load_benchmarks, refuse_without_images
from eval.labels.benchmark import Benchmark
from eval.report.page import write_report
from eval.results import Measured
from eval.terminal import print_leaderboards, print_results

ATTEMPTS = 2
"""Tries per command for a checkpoint that cannot be measured: it may have been read while it was replaced."""
FAILURES = (CheckpointError, EngineError, WorkerError)
"""Errors of one checkpoint; the others continue. Other errors stop the command."""


class Sweep:
    """State of one command: measured and failed checkpoints. Everything else is on disk."""

    def __init__(self, recipe: SweepRecipe) -> None:
        """Read the benchmarks. Raises the errors of `load_benchmarks`, and `RecipeError` for missing devices
        or a missing figure to select by."""
        self.recipe = recipe
        if recipe.wandb is not None:
            require_wandb()
        self.devices = resolve_devices(recipe.runtime.devices)
        self.record = RunRecord(recipe.out, dump_recipe(recipe))
        with self.record.phase("load"):
            check_files(recipe)
            self.benches: list[Benchmark] = load_benchmarks(recipe)
        refuse_without_images(self.benches)
        key_of(recipe.select, self.benches)  # report a missing figure before judging starts
        self.measured: list[Measured] = []
        self._failed: dict[tuple[str, int], tuple[int, EditJudgeError]] = {}
        self._known: dict[Path, Measured] = {}
        self._states: dict[str, RunState] = {}

    def look(self) -> dict[str, RunFolder]:
        """Scan the folders of the runs."""
        return {name: scan(run.path) for name, run in self.recipe.named_runs().items()}

    def check(self) -> None:
        """Report problems of runs and checkpoints before hours are spent on the others."""
        for run in self.recipe.named_runs().values():
            checkpoints = find_checkpoints(run.path)
            judge = self.recipe.judge_of_run(run).as_trained(trained_in(run.path))
            for checkpoint in checkpoints:
                judge_of(judge, checkpoint.path)

    def measure(self, found: dict[str, RunFolder], closing: bool) -> bool:
        """Measure the checkpoints in `found` that are not measured; return whether anything is new since the last call.

        `closing`: no more checkpoints will appear. An error of one checkpoint (`FAILURES`) is kept for the report and
        the others continue; it is raised when nothing could be measured.
        """
        jobs: list[Job] = []
        for name, run in self.recipe.named_runs().items():
            pin_training(run.path, run_folder(self.recipe, name))
            of_run, missed = plan_run(self.recipe, name, found[name], self.benches, closing)
            jobs += of_run
            self._states[name] = RunState(
                path=str(run.path),
                finished=found[name].finished,
                incomplete=[path.name for path in found[name].incomplete],
                missed=missed,
                failed=[],
            )
        before = len(self._known)
        with self.record.phase("judge"):
            self._collect(jobs)  # raises for other judges' scores before anything new is asked
            self._score(self._waiting(jobs))
            self.measured = self._collect(jobs)
        if closing and self.recipe.probes is not None:
            with self.record.phase("probes"):
                self.measured = probe_last(self.recipe, self.recipe.probes, found, self.measured)
        if not self.measured and self._failed:
            raise next(iter(self._failed.values()))[1]
        return len(self._known) > before

    def _waiting(self, jobs: Sequence[Job]) -> list[Job]:
        """Return the jobs to score, the longest first because a long last job would leave other devices idle.

        Runs may share the measurement of their base; it runs once.
        """
        todo: dict[Path, Job] = {}
        for job in jobs:
            tries = self._failed.get((job.run, job.step), (0, None))[0]
            if not job.gone and tries < ATTEMPTS and not job.is_measured(self.benches):
                todo.setdefault(job.place(job.ways[-1], self.benches[0]), job)
        return sorted(todo.values(), key=lambda job: -sum(way.passes for way in job.ways))

    def _score(self, jobs: Sequence[Job]) -> None:
        if not self.devices:
            jobs = sorted(jobs, key=lambda job: (job.run, job.step))
        function = partial(score, benches=self.benches, recipe=self.recipe)
        with Workers(function, seats(self.devices, self.recipe.out / "devices")) as workers:
            results = workers.run(jobs)
            for job, future in track(results, "checkpoints", len(jobs)) if self.devices and jobs else results:
                try:
                    future.result()
                except FAILURES as error:
                    self._note(job, error)
                else:
                    self._note(job, None)

    def _note(self, job: Job, error: EditJudgeError | None) -> None:
        key = (job.run, job.step)
        if error is None:
            self._failed.pop(key, None)
            return
        self._failed[key] = (self._failed.get(key, (0, error))[0] + 1, error)
        print(f"{job.label}: not measured: {error}", file=sys.stderr)

    def _collect(self, jobs: Sequence[Job]) -> list[Measured]:
        found = []
        for job in jobs:
            try:
                items = [*collect(job, self.benches, self.recipe)] if self._is_new(job) else []
            except CheckpointError as error:  # removed since the scan
                self._note(job, error)
                continue
            self._known |= {item.evaluation.folder: item for item in items}
            for way in job.ways:
                for bench in self.benches:
                    known = self._known.get(job.place(way, bench))
                    if known is not None:
                        found.append(Measured(step_name(job.step), job.step, known.evaluation, job.run))
        return found

    def _is_new(self, job: Job) -> bool:
        return any(job.place(way, bench) not in self._known for way in job.ways for bench in self.benches)

    def write(self) -> Results:
        """Write results.json, report.html and the log for wandb, and return the results."""
        recipe = self.recipe
        failed: dict[str, list[FailedCheckpoint]] = {name: [] for name in self._states}
        for (name, step), (_, error) in sorted(self._failed.items()):
            failed[name].append(FailedCheckpoint(step=step, error=str(error)))
        states = {name: state.model_copy(update={"failed": failed[name]}) for name, state in self._states.items()}
        with self.record.phase("report"):
            results = build_sweep_results(recipe, self.benches, self.measured, states)
            write_json(recipe.out / "results.json", results.as_json())
            write_report(recipe.out / "report.html", results, self.measured, recipe.report)
            if recipe.wandb is not None:
                Tracker(recipe.wandb, recipe.out).log(results)
        return results


def only_sweep(out: Path) -> AbstractContextManager[None]:
    """Lock a sweep's folder for this process; see `alone_in`."""
    return alone_in(out, "another sweep works in this folder")


def run_sweep(recipe: SweepRecipe) -> Results:
    """Measure what is missing, write results.json and report.html, and return the results.

    `results` is made by `build_sweep_results`. A checkpoint that cannot be measured is in `runs.*.failed`.
    Raises `CheckpointError` when a run has no complete checkpoint and `StaleOutputError` when a checkpoint, the
    training or the benchmark has changed.
    """
    with only_sweep(recipe.out):
        sweep = Sweep(recipe)
        sweep.check()
        sweep.measure(sweep.look(), closing=True)
        return sweep.write()


def watch_sweep(recipe: SweepRecipe) -> Results:
    """Repeat `run_sweep` until every run is marked as finished; return the last results.

    A run need not exist yet. results.json and report.html are rewritten after every new measurement. The additional
    passes of the last checkpoint are made at the end. It also ends after the time-out `runtime.give_up_s` without a new
    checkpoint. Raises `CheckpointError` when it ends without one.
    """
    with only_sweep(recipe.out):
        sweep = Sweep(recipe)
        results: Results | None = None
        last_news = time.monotonic()
        while True:
            found = sweep.look()
            finished = all(run.finished for run in found.values())
            quiet_s = time.monotonic() - last_news
            closing = finished or (recipe.runtime.give_up_s is not None and quiet_s > recipe.runtime.give_up_s)
            if sweep.measure(found, closing) or (closing and sweep.measured):
                results = sweep.write()
                last_news = time.monotonic()
                print("\n".join(sentences(results)), file=sys.stderr, flush=True)
            if closing:
                break
            time.sleep(recipe.runtime.poll_s)
        if results is None:
            runs = ", ".join(str(run.path) for run in recipe.named_runs().values())
            raise CheckpointError(
                f"{runs}: no complete checkpoint appeared; is training running, and is `run` its `out`?"
            )
        return results


def failures(results: Results) -> list[str]:
    """Return a line for each checkpoint that could not be measured."""
    return [
        f"{name}, step {failed.step}: {failed.error}" for name, run in results.runs.items() for failed in run.failed
    ]


def sentences(results: Results) -> list[str]:
    """Return the recommendation for each run, in words."""
    found = []
    for name, run in results.runs.items():
        bench = results.benchmarks.get(run.best.benchmark)
        mark = f" PARTIAL: rows of {run.best.benchmark} could not be used." if bench and bench.partial else ""
        found.append(f"{name}: {run.best.words} {run.early_stop.words}{mark}")
    return found


def show(results: Results) -> None:
    """Print the tables and sentences at the end of a sweep to standard output."""
    print_results(results)
    print_leaderboards(results)
    for line in sentences(results):
        print(line)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. Returns 1 when a checkpoint could not be measured."""
    parser = argparse.ArgumentParser(prog="editjudge sweep", description="Measure every checkpoint of training runs.")
    add_recipe(parser)
    parser.add_argument("--watch", action="store_true", help="measure new checkpoints until training is finished")
    add_json(parser)
    arguments = parser.parse_intermixed_args(argv)
    # A watched training may start later.
    may_come = ("run", "runs") if arguments.watch else ()
    recipe = load_for_run(arguments.recipe, SweepRecipe, arguments.overrides, may_come)
    with json_results(arguments.json) as write:
        results = watch_sweep(recipe) if arguments.watch else run_sweep(recipe)
        write(results.as_json())
        show(results)
        print(f"report: {recipe.out / 'report.html'}")
    problems = failures(results)
    for problem in problems:
        print(f"not measured: {problem}", file=sys.stderr)
    return 1 if problems else 0
