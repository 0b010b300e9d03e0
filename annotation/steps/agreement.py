"""`editjudge annotate agreement`: agreement between units, and a quality report per unit."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from annotation.agreement.figures import DimensionAgreement, measure_agreement
from annotation.agreement.quality import DisputeRule, find_disputes, unit_report
from annotation.agreement.ratings import measure_ratings
from annotation.agreement.tables import agreement_table, majority_table, quality_table, ratings_table, show
from annotation.campaign.campaign import Campaign, read_ranked
from annotation.recipe import AnnotationRecipe
from editjudge.cli.options import add_json, add_recipe, json_results
from editjudge.errors import RecipeError
from editjudge.files.io import write_json, write_jsonl
from editjudge.files.paths import user_path
from editjudge.formats.rating_tables import read_ratings
from editjudge.recipes.recipe import load_recipe

AGREEMENT = "agreement.json"
DISPUTES = "disputes.jsonl"
"""File names below `out`."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure the agreement of a campaign's units, or of the raters of rating tables."""
    parser = argparse.ArgumentParser(prog="editjudge annotate agreement", description="How far units agree.")
    add_recipe(parser, required=False)
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
    add_json(parser)
    arguments = parser.parse_intermixed_args(argv)
    if (arguments.recipe is None) == (arguments.ratings is None):
        raise RecipeError("editjudge annotate agreement", ["needs either a recipe or --ratings FILE..., and not both"])
    if arguments.ratings is not None and arguments.disputes is not None:
        raise RecipeError(
            "editjudge annotate agreement", ["--disputes is of campaigns, --ratings of plain tables; leave one out"]
        )
    with json_results(arguments.json) as write:
        if arguments.ratings is not None:
            ratings = measure_ratings([read_ratings(path) for path in arguments.ratings])
            show(ratings_table(ratings))
            write(ratings.as_json())
        else:
            recipe = load_recipe(arguments.recipe, AnnotationRecipe, arguments.overrides)
            write(measure_campaign(read_ranked(recipe), arguments.disputes or "contradiction"))
    return 0


def measure_campaign(campaign: Campaign, rule: DisputeRule) -> dict[str, Any]:
    """Print every figure of a campaign; write `out/agreement.json` and `out/disputes.jsonl`.

    Return the content of agreement.json.
    """
    recipe = campaign.recipe
    settings = recipe.agreement
    rounds, level = settings.bootstrap_rounds, settings.level

    def measured(units: Sequence[str]) -> dict[str, DimensionAgreement]:
        rankings = [row for row in campaign.ordinary if row.annotator in units]
        return measure_agreement(rankings, settings.thresholds, rounds, recipe.seed, level)

    names = [unit.name for unit in recipe.project.units]
    found = measured(names)
    tables = [
        agreement_table(
            found, f"{recipe.project.title}: agreement of {len(names)} {'unit' if len(names) == 1 else 'units'}", level
        )
    ]
    kinds = {}
    for kind in ("single", "pair"):
        members = [unit.name for unit in recipe.project.units if unit.kind == kind]
        if 1 < len(members) < len(names):
            kinds[kind] = measured(members)
            tables.append(agreement_table(kinds[kind], f"Among the {len(members)} units of kind {kind}", level))
    report = unit_report(
        campaign.ordinary,
        campaign.gold,
        campaign.answers(),
        campaign.repeats,
        campaign.repeat_of,
        names,
        rounds,
        recipe.seed,
        level,
    )
    disputes = find_disputes(campaign.ordinary, rule)
    if any(part.n_shared for part in found.values()):
        show(*tables, majority_table(found, level))
    else:
        print("Agreement is undefined: no task was ranked by two units. Name two or more in project.units.")
    show(quality_table(report))
    n_tasks = len({row.task_id for row in campaign.ordinary})
    content = {
        "units": names,
        "n_tasks": n_tasks,
        "thresholds": list(settings.thresholds),
        "bootstrap_rounds": rounds,
        "level": level,
        "seed": recipe.seed,
        "dimensions": agreement_json(found),
        "kinds": {kind: agreement_json(part) for kind, part in kinds.items()},
        "quality": {unit: quality.as_json() for unit, quality in report.items()},
        "disputes": {"rule": rule, "n_tasks": len(disputes), "task_ids": [dispute.task_id for dispute in disputes]},
    }
    write_json(recipe.out / AGREEMENT, content)
    write_jsonl(recipe.out / DISPUTES, disputes)
    print(f"{len(disputes):,} of {n_tasks:,} tasks need an adjudicator ({rule}): {recipe.out / DISPUTES}")
    if disputes:
        needs = "" if recipe.pairs.adjudicator is not None else " (name one in pairs.adjudicator first)"
        print(f"  editjudge annotate push RECIPE --disputes shows them with all rankings to the adjudicator{needs}")
    print(f"every number: {recipe.out / AGREEMENT}")
    return content


def agreement_json(found: Mapping[str, DimensionAgreement]) -> dict[str, Any]:
    """Return dimension ("all": pooled) -> sizes, figures, and figures per unit."""
    return {
        name: {
            "n_tasks": part.n_tasks,
            "n_shared": part.n_shared,
            **{key: figure.as_json() for key, figure in part.figures.items()},
            "units": {
                unit: {key: figure.as_json() for key, figure in figures.items()} for unit, figures in part.units.items()
            },
        }
        for name, part in found.items()
    }
