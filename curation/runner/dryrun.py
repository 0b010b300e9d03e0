"""`editjudge curate RECIPE --dry-run`: a recipe's shape, run in a minute without its models.

Every stage says what takes its place (`Stage.stand_in`): editors tint the input, the teacher draws scores; sources are
cut short; filters, balance, parts and exports are the recipe's own. What comes out shows whether a recipe does what was
meant, not how good it is.
"""

from __future__ import annotations

from pathlib import Path

from curation.recipe import CurationRecipe


def dry(recipe: CurationRecipe) -> CurationRecipe:
    """The recipe with stand-ins for its models, writing beside its `out`."""
    parts = {
        name: part.model_copy(update={"stages": tuple(stage.stand_in() for stage in part.stages)})
        for name, part in recipe.parts.items()
    }
    changes = {
        "out": Path(f"{recipe.out}-dry-run"),
        "shards": 1,
        "engines": {},
        "runtime": recipe.runtime.model_copy(update={"devices": ()}),  # there is no model to put on them
        "stages": tuple(stage.stand_in() for stage in recipe.stages),
        "parts": parts,
    }
    return recipe.model_copy(update=changes)
