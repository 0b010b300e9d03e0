"""Identity of a training run: everything that can change a weight."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from editjudge.engines.weights import model_digest
from editjudge.errors import DataError
from editjudge.files.io import digest
from editjudge.formats.checkpoint import training_identity
from editjudge.images.pixels import IMAGE_RULES
from sft.recipe import SFTRecipe


def claimed_identity(recipe: SFTRecipe) -> dict[str, Any]:
    """Wait for the first process to claim the folder, and return the identity of the claim.

    The folder may contain an old claim by a run with other parameters, which the first process will replace. Every
    process compares the identity except for the weights of the base.
    """
    wanted = _cheap_identity(recipe)
    while True:
        identity = training_identity(recipe.out)
        if identity is not None and {key: identity.get(key) for key in wanted} == wanted:
            return identity
        time.sleep(0.2)


def run_identity(recipe: SFTRecipe) -> dict[str, Any]:
    """Return everything that can change a weight: recipe, bytes of the data, weights of the base."""
    return {**_cheap_identity(recipe), "model": model_digest(recipe.model, None)}


def _cheap_identity(recipe: SFTRecipe) -> dict[str, Any]:
    data = Path(recipe.data)
    if not data.is_file():
        raise DataError(f"{data}: no such training set; run the curation that makes it, or change `data`")
    return {
        "recipe": recipe.identity(),
        "data": digest(data.read_text(encoding="utf-8")),
        "image_rules": IMAGE_RULES,
    }
