"""Judges: edits in, score cards out. `JUDGES` lists the kinds of judges for the `use:` key of recipes."""

from __future__ import annotations

JUDGES: dict[str, str] = {
    "vlm": "editjudge.asking.recipe:JudgeRecipe",
    "recorded": "editjudge.asking.recorded:RecordedRecipe",
}
"""Name -> "module:Class" of a recipe (`base_recipe.BaseJudgeRecipe`), with the judge's parameters as fields."""

DEFAULT_JUDGE = "vlm"
"""The kind of a `judge:` block without `use:`."""
