"""Steps of a run: every stage at its place, and which stages share one pass over a shard."""

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
"""Format version of a step's folder: raise it when its files or their meaning change. 2: `dropped/` and `failed/`."""


@dataclass(frozen=True)
class Step:
    """One stage at its place in a run."""

    name: str
    """Name of its folder, such as "03-measure" or "train-01-sft"."""
    stage: Stage
    part: str | None
    """Name of the part; None before the rows are split."""
    reads: str | None
    """Name of the step whose rows it reads; None for the source."""
    row_type: type[Record]
    """Type of the rows it yields."""
    identity: Mapping[str, Any]
    """Everything that can change a byte of its rows, including a digest of the previous step."""


Pass = tuple[Step, ...]
"""Steps that a row goes through before it is written; the pass has the name of the last one.

Only the rows of the last step are written. A step that makes something new (candidates, scores, training rows) is its
own pass: its expensive output stays when a later filter changes.
"""


def plan_steps(recipe: CurationRecipe) -> list[Step]:
    """Return the steps in run order: the common stages, then each part's, starting with `Split`."""
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
    """Group steps into passes: consecutive filters of shards without a model share one, other steps have their own."""
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
