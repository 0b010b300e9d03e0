"""The steps of a run: every stage at its place, and which of them are done in one pass over a shard."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from curation.filters.leakage import Split
from curation.recipe import CurationRecipe, use_name
from curation.stage import Stage
from editjudge.files.identity import identity_values
from editjudge.files.io import digest
from editjudge.images.pixels import IMAGE_RULES
from editjudge.records.types import Record

FORMAT = 2
"""Of a step's folder: raised when other files lie there, or mean something else. 2: `dropped/` and `failed/`."""


@dataclass(frozen=True)
class Step:
    """One stage at its place in a run."""

    name: str
    """Name of its folder, such as "03-measure" or "train-01-sft"."""
    stage: Stage
    part: str | None
    """None before the rows are divided."""
    reads: str | None
    """Name of the step whose rows it reads; None for the source."""
    row_type: type[Record]
    """Of the rows it gives."""
    identity: Mapping[str, Any]
    """Everything that can change a byte of its rows; the step before is in it as a digest."""


Pass = tuple[Step, ...]
"""Steps that a row goes through one after the other before it is written; it has the name of the last one.

Only the rows of the last step are written. A step that makes something new (candidates, scores, training rows) is a
pass of its own, so that what was paid for stays when a filter further down changes.
"""


def plan_steps(recipe: CurationRecipe) -> list[Step]:
    """The steps in the order in which they run: the common stages, then each part's, split first."""
    sources = {name: part.sources for name, part in recipe.parts.items() if part.sources is not None}
    rest = next(name for name, part in recipe.parts.items() if part.sources is None)
    steps: list[Step] = []
    for index, stage in enumerate(recipe.stages):
        steps.append(_step(recipe, f"{index:02d}-{use_name(stage)}", stage, None, steps[-1] if steps else None))
    common = steps[-1]
    for name, part in recipe.parts.items():
        split = Split(part=name, sources=sources, rest=rest)
        before = _step(recipe, f"{name}-split", split, name, common)
        steps.append(before)
        for index, stage in enumerate(part.stages):
            before = _step(recipe, f"{name}-{index:02d}-{use_name(stage)}", stage, name, before)
            steps.append(before)
    return steps


def _step(recipe: CurationRecipe, name: str, stage: Stage, part: str | None, before: Step | None) -> Step:
    identity = {
        "format": FORMAT,
        "stage": use_name(stage),
        "version": stage.version,
        "params": identity_values(stage),
        "seed": recipe.seed,
        "shards": recipe.shards,
        "engines": {role: recipe.engines[role].identity for role in stage.samplings()},
        "depends_on": stage.depends_on(),
        "image_rules": IMAGE_RULES,
        "reads": None if before is None else digest(before.identity),
    }
    gives = before.row_type if isinstance(stage, Split) and before is not None else stage.gives
    return Step(name, stage, part, None if before is None else before.name, gives, identity)


def plan_passes(steps: Iterable[Step]) -> list[Pass]:
    """The steps in their passes: neighbouring filters of shards are one pass, those that run a model apart."""
    passes: list[list[Step]] = []
    for step in steps:
        if passes and step.reads == passes[-1][-1].name and _filters_shards(step) and _filters_shards(passes[-1][-1]):
            passes[-1].append(step)
        else:
            passes.append([step])
    return [tuple(found) for found in passes]


def _filters_shards(step: Step) -> bool:
    stage = step.stage
    return stage.scope == "shard" and stage.takes is stage.gives and not stage.needs_device
