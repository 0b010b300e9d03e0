"""`editjudge eval RECIPE`: one judge on one or more benchmarks."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Any

from editjudge.asking.base import BaseJudge
from editjudge.cli.options import add_json, add_recipe, json_results
from editjudge.files.io import write_json
from editjudge.formats.results.results import Results
from editjudge.recipes.recipe import dump_recipe, load_for_run
from editjudge.system.processes import alone_in
from editjudge.system.provenance import RunRecord
from eval.evaluations.answers import write_answers
from eval.evaluations.scoring import evaluate
from eval.external import evaluate_scores
from eval.inputs import check_files, load_benchmarks, refuse_without_images
from eval.labels.benchmark import Benchmark, folder_name
from eval.probes import run_probes
from eval.recipe import EvalRecipe
from eval.report.leaderboard import build_leaderboard, kinds_of
from eval.report.page import write_report
from eval.results import Measured, build_results, human_results
from eval.terminal import print_leaderboards, print_results


def run_eval(recipe: EvalRecipe) -> Results:
    """Score missing triplets, write results.json and report.html, and return the results.

    Raises `StaleOutputError` when `out` contains another judge's scores, `DataError` for an unusable benchmark,
    `StorageError` while another evaluation writes there.
    """
    with alone_in(recipe.out, "another evaluation works in this folder"):
        return _measure(recipe)


def _measure(recipe: EvalRecipe) -> Results:
    record = RunRecord(recipe.out, dump_recipe(recipe))
    with record.phase("load"):
        check_files(recipe)
        benches = load_benchmarks(recipe)
        judge = None if recipe.judge is None else recipe.judge.build()
        if judge is not None and judge.reads_images:
            refuse_without_images(benches)
    with record.phase("judge"), nullcontext() if judge is None else judge:
        measured = list(_evaluations(recipe, benches, judge))
    with record.phase("report"):
        rounds, options = recipe.bootstrap_rounds, recipe.leaderboard
        results = build_results(measured, rounds, recipe.seed, recipe.prices)
        human = None if recipe.human is None else human_results(recipe.human, measured, rounds, recipe.seed)
        board = build_leaderboard(
            results, recipe.out.name, kinds_of(recipe.bench, benches), options.results, options.published
        )
        results = results.model_copy(update={"human": human, "leaderboard": board})
        write_json(recipe.out / "results.json", results.as_json())
        write_report(recipe.out / "report.html", results, measured, recipe.report)
    return results


def _evaluations(recipe: EvalRecipe, benches: Sequence[Benchmark], judge: BaseJudge[Any] | None) -> Iterator[Measured]:
    """Yield one evaluation per benchmark for the recipe's judge, with probe results; for a score file, one per reading.

    Several files have one folder each in `out`, with a subfolder per benchmark.
    """
    for bench in benches:
        folder = recipe.out / folder_name(bench.name)
        if judge is not None:
            evaluation = evaluate(judge, bench, folder, recipe.shard_triplets, f"judge {bench.name}")
            write_answers(evaluation)
            probed = () if recipe.probes is None else tuple(run_probes(judge, evaluation, recipe.probes))
            yield Measured("judge", None, evaluation, probes=probed)
        for block in recipe.scores:
            label = block.label
            own = folder if len(recipe.scores) == 1 else recipe.out / folder_name(label) / folder_name(bench.name)
            read = evaluate_scores(block, bench, own)
            for evaluation in read:
                write_answers(evaluation)
                yield Measured(label if len(read) == 1 else f"{label}, {evaluation.reading}", None, evaluation)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="editjudge eval", description="Measure one judge on one or more benchmarks.")
    add_recipe(parser)
    add_json(parser)
    arguments = parser.parse_intermixed_args(argv)
    recipe = load_for_run(arguments.recipe, EvalRecipe, arguments.overrides)
    with json_results(arguments.json) as write:
        results = run_eval(recipe)
        write(results.as_json())
        print_results(results)
        print_leaderboards(results)
        print(f"report: {recipe.out / 'report.html'}")
    return 0
