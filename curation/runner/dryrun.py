"""`editjudge curate RECIPE --dry-run`: a recipe's shape, run in a minute without its models.

Editors and the teacher are replaced by the programmatic pool and the measured teacher; sources, filters, balance,
parts and exports are the recipe's own. What comes out shows whether a recipe does what was meant, not how good it is.
"""

from __future__ import annotations

from itertools import cycle
from pathlib import Path

from curation.editing import Edit
from curation.judging import JudgeStage
from curation.recipe import CurationRecipe
from curation.stage import Stage
from curation.synthetic.artefacts import ARTEFACTS
from curation.synthetic.measure import Measure
from curation.synthetic.photographs import Photographs
from curation.synthetic.programmatic import FAULTS, Programmatic

CROPS = 3
"""Crops of each photograph in a dry run."""


def dry(recipe: CurationRecipe) -> CurationRecipe:
    """The recipe with stand-ins for its models, writing beside its `out`."""
    parts = {
        name: part.model_copy(update={"stages": tuple(_stand_in(stage) for stage in part.stages)})
        for name, part in recipe.parts.items()
    }
    changes = {
        "out": Path(f"{recipe.out}-dry-run"),
        "shards": 1,
        "engines": {},
        "stages": tuple(_stand_in(stage) for stage in recipe.stages),
        "parts": parts,
    }
    return recipe.model_copy(update=changes)


def _stand_in(stage: Stage) -> Stage:
    if isinstance(stage, Photographs):
        return stage.model_copy(update={"crops": min(stage.crops, CROPS)})
    if isinstance(stage, JudgeStage):
        return Measure()
    if isinstance(stage, Edit):
        pool = cycle(Programmatic(fault=fault, artefact=artefact) for artefact in ARTEFACTS for fault in FAULTS)
        return Edit(editors={name: next(pool) for name in stage.editors}, per_task=stage.per_task)
    return stage
