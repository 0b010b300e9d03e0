"""Preparation before the model is loaded: trainable rows, the processor, and `judge.yaml`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from editjudge.families import get_family
from editjudge.files.io import is_marked, read_marker, write_marker
from editjudge.formats.judge_settings import JudgeSettings
from editjudge.training.launch import World
from sft.data import (
    DroppedRow,
    RowReader,
    check_examples,
    prompts_of,
    read_examples,
    refuse_too_many,
    summary,
    task_counts,
    token_counter,
)
from sft.recipe import SFTRecipe

DATA = "data.json"
"""File in a run's folder: the dropped rows and their reasons."""


def prepare_data(recipe: SFTRecipe, world: World, identity: Mapping[str, Any]) -> tuple[RowReader, Any, JudgeSettings]:
    """Return a reader of the trainable rows, the processor, and the settings of the judge.

    One process checks the rows and writes `judge.yaml` into the run's folder; the others wait for it.
    """
    marker = recipe.out / DATA
    examples = read_examples(recipe.data)
    settings = JudgeSettings.of(recipe.family, prompts_of(examples, recipe.data), recipe.max_pixels, recipe.colors)
    if world.main:
        settings.write(recipe.out)
    processor = get_family(recipe.family).load_processor(recipe.model)
    if world.main and not is_marked(marker, identity):
        reader = RowReader(examples, recipe.image_root, recipe.family, recipe.max_pixels, recipe.colors)
        counter = token_counter(reader, processor, recipe.family)
        dropped = list(check_examples(reader, counter, recipe.max_tokens))
        refuse_too_many(len(examples), dropped, recipe.max_dropped, recipe.data)
        write_marker(marker, identity, {"rows": len(examples), "dropped": [row.model_dump() for row in dropped]})
    while not is_marked(marker, identity):  # the wait may exceed the time-out of any collective
        time.sleep(0.2)
    found = read_marker(marker)
    assert found is not None
    dropped = [DroppedRow.model_validate(row) for row in found["info"]["dropped"]]
    if world.main:
        print(f"{recipe.data}: {summary(len(examples), dropped)}")
    gone = {row.id for row in dropped}
    kept = [example for example in examples if example.id not in gone]
    if world.main:
        print(f"task types: {task_counts(kept)}")
    return RowReader(kept, recipe.image_root, recipe.family, recipe.max_pixels, recipe.colors), processor, settings
