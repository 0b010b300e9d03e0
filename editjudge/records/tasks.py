"""Task types of edits, 13 of them in the benchmark's 4 categories, and the 3 dimensions of a judgment.

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
"""The subject of one of the two scores of an aspect."""

DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)
ASPECTS: tuple[Aspect, ...] = get_args(Aspect)
PARTS: dict[Aspect, tuple[Part, Part]] = {"semantic": ("success", "restraint"), "quality": ("naturalness", "cleanness")}
"""The two scores of an aspect, in order."""

CATEGORIES: dict[str, tuple[str, ...]] = {
    "subject": ("subject-add", "subject-remove", "subject-replace"),
    "appearance": ("color_alter", "material_alter", "style_change", "tone_transfer"),
    "scene": ("background_change", "extract"),
    "advanced": ("ps_human", "text_change", "motion_change", "compose"),
}
TASK_TYPES: tuple[str, ...] = tuple(task for tasks in CATEGORIES.values() for task in tasks)
"""The 13 task types of EditReward-Bench. Data may contain others; see `canonical_task_type`."""
CATEGORY_OF: dict[str, str] = {task: category for category, tasks in CATEGORIES.items() for task in tasks}
OTHER = "other"
"""Category of task types outside of the benchmark, in reports."""
UNKNOWN_TASK = "unknown"
"""Task type of an edit whose kind is not recorded; means over tasks leave it out."""

ALIASES: dict[str, str] = {
    "subject_add": "subject-add",
    "subject_remove": "subject-remove",
    "subject_replace": "subject-replace",
    "background": "background_change",
    "style": "style_change",
}
"""Names of these task types in EditScore-RL-Data."""

_SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def canonical_task_type(name: str) -> str:
    """Return the task type that a data set calls `name`: one of the 13, also by an alias, or another name in
    snake_case, which is its own task type. Raises `ValueError` for anything else."""
    if not is_task_type(name):
        raise ValueError(
            f"{name!r} is no task type: neither one of the 13 ({', '.join(TASK_TYPES)}) nor a name in snake_case"
        )
    return ALIASES.get(name, name)


def is_task_type(name: str) -> bool:
    """Return whether `canonical_task_type` accepts the name."""
    return name in CATEGORY_OF or _SNAKE_CASE.fullmatch(name) is not None


def in_task_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return each task type once: those of the benchmark in its order, then the others by name."""
    found = set(names)
    return (*(task for task in TASK_TYPES if task in found), *sorted(found - CATEGORY_OF.keys()))


def counts_by_task(names: Iterable[str]) -> dict[str, int]:
    """Count each task type, `in_task_order`."""
    counts = Counter(names)
    return {name: counts[name] for name in in_task_order(counts)}
