"""The field's vocabulary: 13 edit subtasks in 4 categories, and the 3 dimensions of a judgment.

Source: EditScore paper (arXiv 2509.23909), section 3.1, with the identifiers of the public data set.
"""

from __future__ import annotations

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
UNKNOWN_TASK = "unknown"
"""Task type of an edit that somebody has judged without saying what kind it is; no benchmark knows it."""
CATEGORY_OF: dict[str, str] = {task: category for category, tasks in CATEGORIES.items() for task in tasks}
