"""`editjudge annotate pairs`: convert a campaign's rankings to pairs.jsonl and a benchmark, or pairs to rankings."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from annotation.agreement.tables import pairs_table, show
from annotation.campaign.campaign import Campaign, read_ranked
from annotation.campaign.groups import images_root
from annotation.rankings.leaks import training_inputs
from annotation.rankings.pairs import PairReport, make_pairs, tiers_of_pairs
from annotation.recipe import AnnotationRecipe
from editjudge.cli.options import add_json, add_recipe, json_results
from editjudge.errors import DataError, RecipeError
from editjudge.files.io import read_jsonl, write_jsonl
from editjudge.files.paths import user_path
from editjudge.formats.bench_schema import write_editreward_bench
from editjudge.images.store import ImageStore
from editjudge.recipes.recipe import load_for_run
from editjudge.records.tasks import UNKNOWN_TASK, counts_by_task
from editjudge.records.types import PreferencePair

PAIRS = "pairs.jsonl"
BENCHMARK = "benchmark"
"""Names below `out`: the file of pairs, and the folder of the Parquet file."""


def main(argv: Sequence[str] | None = None) -> int:
    """Make preference pairs from a campaign's rankings, or rankings from pairs."""
    parser = argparse.ArgumentParser(
        prog="editjudge annotate pairs", description="Rankings to preference pairs, and back."
    )
    add_recipe(parser, required=False)
    parser.add_argument(
        "--tiers",
        nargs=2,
        type=user_path,
        metavar=("PAIRS", "OUT"),
        help="instead: write the rankings whose pairs are those of a JSONL of PreferencePair",
    )
    add_json(parser)
    arguments = parser.parse_intermixed_args(argv)
    if (arguments.recipe is None) == (arguments.tiers is None):
        raise RecipeError("editjudge annotate pairs", ["needs either a recipe or --tiers PAIRS OUT, and not both"])
    with json_results(arguments.json) as write:
        if arguments.tiers is not None:
            write(write_tiers(*arguments.tiers))
        else:
            recipe = load_for_run(arguments.recipe, AnnotationRecipe, arguments.overrides)
            write(write_pairs(read_ranked(recipe)))
    return 0


def write_pairs(campaign: Campaign) -> dict[str, Any]:
    """Make a campaign's pairs; write `out/pairs.jsonl` and `out/benchmark/data.parquet`; print counts per reason.

    Return the numbers and problems. `DataError` when no pair is kept.
    """
    recipe = campaign.recipe
    settings = recipe.pairs
    report = make_pairs(
        campaign.ordinary,
        campaign.triplets(),
        settings.consensus,
        settings.min_tier_gap,
        settings.min_units,
        campaign.decisions,
        training_inputs(settings.not_in) if settings.not_in else None,
    )
    show(pairs_table(report))
    _print_problems(report)
    if not report.pairs:
        raise DataError("no pair is left: the table says why; rank more tasks or ask for less consensus (`pairs:`)")
    write_jsonl(recipe.out / PAIRS, report.pairs)
    root = images_root(recipe)
    # The public schema has one input image per row.
    writable = [pair for pair in report.pairs if len(pair.task.inputs) == 1]
    print(f"pairs: {recipe.out / PAIRS} (an evaluation needs `root: {root}` with it)")
    if writable:
        path = write_editreward_bench(writable, ImageStore(root), recipe.out / BENCHMARK)
        print(f"in EditReward-Bench's schema: {path}")
    by_task = counts_by_task(pair.task.task_type for pair in report.pairs)
    print(f"by task type: {', '.join(f'{name} {count:,}' for name, count in by_task.items())}")
    unknown = [pair for pair in report.pairs if pair.task.task_type == UNKNOWN_TASK]
    if unknown:
        tasks = len({pair.task.id for pair in unknown})
        print(
            f"  {len(unknown):,} pairs of {tasks:,} tasks have no task type: an evaluation counts them as comparisons, "
            "and in no mean over tasks; give their types in project.task_types"
        )
    if len(writable) < len(report.pairs):
        print(f"  without {len(report.pairs) - len(writable):,} pairs of tasks with several input images")
    if not settings.not_in:
        print("not checked against any training set: name its files in pairs.not_in")
    return {
        **report.as_json(),
        "consensus": settings.consensus,
        "min_tier_gap": settings.min_tier_gap,
        "min_units": settings.min_units,
        "n_in_parquet": len(writable),
        "task_types": by_task,
        "n_without_task_type": len(unknown),
        "checked_against": [str(path) for path in settings.not_in],
    }


def write_tiers(source: Path, target: Path) -> dict[str, Any]:
    """Write the rankings whose pairs are all in `source` to `target`, as `TierRanking`.

    Tasks without such a ranking are reported with the reason; `DataError` when no task has one.
    """
    rankings, problems = tiers_of_pairs(read_jsonl(source, PreferencePair), annotator=source.stem)
    for problem in problems[:10]:
        print(f"{problem.task_id}, {problem.dimension}: no tiers say these pairs. {problem.why}")
    if len(problems) > 10:
        print(f"... and {len(problems) - 10:,} more; --json lists them all")
    if not rankings:
        raise DataError(f"{source}: the pairs of no task form tiers ({len(problems)} tasks and dimensions)")
    write_jsonl(target, rankings)
    print(f"{len(rankings):,} rankings: {target}; {len(problems):,} tasks and dimensions have none")
    return {
        "n_rankings": len(rankings),
        "dimensions": dict(Counter(ranking.dimension for ranking in rankings)),
        "without": [vars(problem) for problem in problems],
    }


def _print_problems(report: PairReport) -> None:
    for cycle in report.cycles[:5]:
        print(f"cycle: task {cycle['task_id']}, {cycle['dimension']}: {', '.join(cycle['candidates'])}")
    if len(report.cycles) > 5:
        print(f"... and {len(report.cycles) - 5:,} more cycles; --json lists them all")
    if report.waiting:
        tasks = len({task for task, _ in report.waiting})
        print(f"{tasks:,} tasks wait for the adjudicator")
