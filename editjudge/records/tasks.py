"""The field's vocabulary: task types of edits, 13 of them the benchmark's in 4 categories, and the 3 dimensions of a
judgment.

Source: EditScore paper (arXiv 2509.23909), section 3.1, with the identifiers of the public data set.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Literal, get_args

Dimension = Literal["prompt_following", "consistency", "overall"]
Aspect = Literal["semantic", "quality"]
Part = Literal["success", "restraint", "naturalness", "cleanness"]
"""What one of the two scores of an aspect is about."""

DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)
ASPECTS: tuple[Aspect, ...] = get_args(Aspect)
PARTS: dict[Aspect, tuple[Part, Part]] = {"semantic": ("success", "restraint"), "quality": ("naturalness", "cleanness")}
"""The two scores of a judgment, in their order."""

CATEGORIES: dict[str, tuple[str, ...]] = {
    "subject": ("subject-add", "subject-remove", "subject-replace"),
    "appearance": ("color_alter", "material_alter", "style_change", "tone_transfer"),
    "scene": ("background_change", "extract"),
    "advanced": ("ps_human", "text_change", "motion_change", "compose"),
}
TASK_TYPES: tuple[str, ...] = tuple(task for tasks in CATEGORIES.values() for task in tasks)
"""The 13 task types of EditReward-Bench. Data may hold others; see `canonical_task_type`."""
CATEGORY_OF: dict[str, str] = {task: category for category, tasks in CATEGORIES.items() for task in tasks}
OTHER = "other"
"""Category under which reports list the task types that are not of the benchmark."""
UNKNOWN_TASK = "unknown"
"""Task type of an edit that somebody has judged without saying what kind it is; it is in no mean over tasks."""

ALIASES: dict[str, str] = {
    "subject_add": "subject-add",
    "subject_remove": "subject-remove",
    "subject_replace": "subject-replace",
    "background": "background_change",
    "style": "style_change",
}
"""Names of the same task types in EditScore-RL-Data."""

_SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def canonical_task_type(name: str) -> str:
    """The task type that a data set calls `name`: one of the 13, also by an alias, or any other name in snake_case,
    which is a task type of its own. `ValueError` for anything else."""
    if not is_task_type(name):
        raise ValueError(
            f"{name!r} is no task type: neither one of the 13 ({', '.join(TASK_TYPES)}) nor a name in snake_case"
        )
    return ALIASES.get(name, name)


def is_task_type(name: str) -> bool:
    """Whether `canonical_task_type` takes the name."""
    return name in CATEGORY_OF or _SNAKE_CASE.fullmatch(name) is not None


def in_task_order(names: Iterable[str]) -> tuple[str, ...]:
    """Each task type once: those of the benchmark in its order, then the others by name."""
    found = set(names)
    return (*(task for task in TASK_TYPES if task in found), *sorted(found - CATEGORY_OF.keys()))


def counts_by_task(names: Iterable[str]) -> dict[str, int]:
    """How often each task type comes, `in_task_order`."""
    counts = Counter(names)
    return {name: counts[name] for name in in_task_order(counts)}
