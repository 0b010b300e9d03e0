"""`editjudge curate RECIPE --dry-run`: run a recipe in a minute without its models.

Every stage defines its stand-in (`Stage.stand_in`): editors tint the input, the teacher draws scores, sources are
shortened; filters, balance, parts and exports are the recipe's own. The output shows whether a recipe does what was
intended, not how good it is.
"""

from __future__ import annotations

from pathlib import Path

from curation.recipe import CurationRecipe


def dry(recipe: CurationRecipe) -> CurationRecipe:
    """Return the recipe with stand-ins for its models and an output folder beside its `out`."""
    parts = {
        name: part.model_copy(update={"stages": tuple(stage.stand_in() for stage in part.stages)})
        for name, part in recipe.parts.items()
    }
    changes = {
        "out": Path(f"{recipe.out}-dry-run"),
        "shards": 1,
        "engines": {},
        "runtime": recipe.runtime.model_copy(update={"devices": ()}),  # there is no model to place on them
        "stages": tuple(stage.stand_in() for stage in recipe.stages),
        "parts": parts,
    }
    return recipe.model_copy(update=changes)
