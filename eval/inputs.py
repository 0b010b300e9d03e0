"""Read and check a recipe's input files before judging starts."""

from __future__ import annotations

from collections.abc import Sequence

from editjudge.errors import DataError
from editjudge.formats.funnel import read_funnel
from editjudge.formats.results.results import read_results
from eval.human.rankings import rankings_that_count
from eval.labels.benchmark import Benchmark
from eval.recipe import MeasureRecipe


def load_benchmarks(recipe: MeasureRecipe) -> list[Benchmark]:
    """Return the recipe's benchmarks, images extracted below `out/images`."""
    return [source.load(recipe.out / "images") for source in recipe.bench]


def refuse_without_images(benches: Sequence[Benchmark]) -> None:
    """Raise `DataError` for labels without images, because a judge needs images."""
    for bench in benches:
        if not bench.has_images:
            raise DataError(
                f"{bench.source}: labels without images; a judge needs them, only `scores` do without. Give the images "
                "(take `labels_only` out), or leave this benchmark out"
            )


def check_files(recipe: MeasureRecipe) -> None:
    """Read the report's other input files, to report a wrong file before hours of judging.

    Raises `DataError` for a missing file or another kind of file.
    """
    if recipe.human is not None:
        rankings_that_count(recipe.human)
    for path in recipe.leaderboard.results:
        read_results(path)
    if recipe.report.funnel is not None:
        read_funnel(recipe.report.funnel)
