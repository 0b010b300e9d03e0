"""The steps `editjudge annotate agreement` and `editjudge annotate pairs`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from annotation.campaign import Campaign, read_campaign
from annotation.campaign_agreement import measure_campaign
from annotation.campaign_pairs import write_pairs, write_tiers
from annotation.ratings import measure_ratings, read_ratings
from annotation.recipe import AnnotationRecipe
from annotation.records import rankings_file
from annotation.tables import ratings_table, show
from editjudge.errors import DataError, RecipeError
from editjudge.files.io import write_json
from editjudge.files.paths import user_path
from editjudge.recipes.recipe import load_for_run, load_recipe


def agreement_main(argv: Sequence[str] | None = None) -> int:
    """How far the units of a campaign agree, or the raters of rating tables."""
    parser = argparse.ArgumentParser(prog="editjudge annotate agreement", description="How far units agree.")
    parser.add_argument("recipe", nargs="?", type=user_path, help="YAML file of the campaign")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="change a value of the recipe")
    parser.add_argument(
        "--ratings",
        nargs="+",
        type=user_path,
        metavar="FILE",
        help="instead: tables as ImagenHub has them, one per rater",
    )
    parser.add_argument(
        "--disputes",
        choices=("contradiction", "difference"),
        help="a task is for the adjudicator when units prefer different candidates (default), or on any difference",
    )
    parser.add_argument("--json", type=user_path, metavar="FILE", help="write every number to a file")
    arguments = parser.parse_intermixed_args(argv)
    if (arguments.recipe is None) == (arguments.ratings is None):
        raise RecipeError("editjudge annotate agreement", ["needs either a recipe or --ratings FILE..., and not both"])
    if arguments.ratings is not None and arguments.disputes is not None:
        raise RecipeError(
            "editjudge annotate agreement", ["--disputes is of campaigns, --ratings of plain tables; leave one out"]
        )
    if arguments.ratings is not None:
        ratings = measure_ratings([read_ratings(path) for path in arguments.ratings])
        found = ratings.as_json()
        show(ratings_table(ratings))
    else:
        recipe = load_recipe(arguments.recipe, AnnotationRecipe, arguments.overrides)
        found = measure_campaign(_ranked(recipe), arguments.disputes or "contradiction")
    if arguments.json is not None:
        write_json(arguments.json, found)
    return 0


def pairs_main(argv: Sequence[str] | None = None) -> int:
    """Preference pairs from a campaign's rankings, or rankings from pairs."""
    parser = argparse.ArgumentParser(
        prog="editjudge annotate pairs", description="Rankings to preference pairs, and back."
    )
    parser.add_argument("recipe", nargs="?", type=user_path, help="YAML file of the campaign")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="change a value of the recipe")
    parser.add_argument(
        "--tiers",
        nargs=2,
        type=user_path,
        metavar=("PAIRS", "OUT"),
        help="instead: write the rankings whose pairs are those of a JSONL of PreferencePair",
    )
    parser.add_argument("--json", type=user_path, metavar="FILE", help="write every number to a file")
    arguments = parser.parse_intermixed_args(argv)
    if (arguments.recipe is None) == (arguments.tiers is None):
        raise RecipeError("editjudge annotate pairs", ["needs either a recipe or --tiers PAIRS OUT, and not both"])
    if arguments.tiers is not None:
        found = write_tiers(*arguments.tiers)
    else:
        recipe = load_for_run(arguments.recipe, AnnotationRecipe, arguments.overrides)
        found = write_pairs(_ranked(recipe))
    if arguments.json is not None:
        write_json(arguments.json, found)
    return 0


def _ranked(recipe: AnnotationRecipe) -> Campaign:
    """The campaign; `DataError` while nobody has ranked an ordinary task."""
    campaign = read_campaign(recipe)
    if not campaign.ordinary:
        raise DataError(
            f"{rankings_file(recipe.out)}: holds no ranking of an ordinary task; rank some, then run "
            "`editjudge annotate pull RECIPE`"
        )
    return campaign
