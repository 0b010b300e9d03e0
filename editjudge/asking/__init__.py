"""Edits in, score cards out. `JUDGES` names the kinds of judges for the `use:` key of recipes."""

from __future__ import annotations

JUDGES: dict[str, str] = {
    "vlm": "editjudge.asking.recipe:JudgeRecipe",
    "recorded": "editjudge.asking.recorded:RecordedRecipe",
}
"""Name -> "module:Class" of a recipe (`base_recipe.BaseJudgeRecipe`), whose fields are the judge's parameters."""

DEFAULT_JUDGE = "vlm"
"""What a `judge:` block without `use:` is."""
