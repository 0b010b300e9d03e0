"""The model in training: its trainable modules and their precision."""

from __future__ import annotations

import re
from typing import Any

from editjudge.engines.weights import load_config
from editjudge.errors import CheckpointError, RecipeError
from editjudge.families import get_family
from sft.recipe import SFTRecipe


def frozen_parts(recipe: SFTRecipe) -> list[str]:
    """Return the names of the parts that are not trained."""
    return [name for name, value in recipe.freeze.model_dump().items() if value]


def lora_target(recipe: SFTRecipe) -> str:
    """Return a regular expression for the names of all modules that get an adapter."""
    assert recipe.lora is not None
    if recipe.lora.target is not None:
        return recipe.lora.target
    layers = get_family(recipe.family).lora_layers
    return "|".join(f"(?:{pattern})" for part, pattern in layers.items() if part not in frozen_parts(recipe))


def module_names(model: str) -> list[str]:
    """Return the names of all modules of a model, from its configuration. `CheckpointError` when it cannot be read."""
    from accelerate import init_empty_weights
    from transformers import AutoModelForImageTextToText

    config = load_config(model)
    try:
        with init_empty_weights():
            return [name for name, _ in AutoModelForImageTextToText.from_config(config).named_modules()]
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{model}: no model can be read there: {error}") from error


def lora_modules(recipe: SFTRecipe) -> list[str]:
    """Return the names of the modules that get an adapter, from the model's configuration alone.

    Raises `RecipeError` when there is none, or when one of them or of `modules_to_save` is in a frozen part.
    """
    assert recipe.lora is not None
    target, family = lora_target(recipe), get_family(recipe.family)
    names = module_names(recipe.model)
    found = [name for name in names if re.fullmatch(target, name)]
    if not found:
        raise RecipeError("recipe", [f"lora.target: no module of {recipe.model} is called {target!r}"])
    saved = [name for name in names if name.endswith(recipe.lora.modules_to_save)]  # PEFT's own rule
    for key, modules in (("target", found), ("modules_to_save", saved)):
        frozen = [name for name in modules if family.part_of(name) in frozen_parts(recipe)]
        if frozen:
            text = f"{len(frozen)} modules lie in a part that `freeze` names, {frozen[0]} first; change one"
            raise RecipeError("recipe", [f"lora.{key}: {text}"])
    return found


def lora_config(recipe: SFTRecipe) -> Any:
    """Return peft's `LoraConfig`; None for training without an adapter."""
    from peft import LoraConfig

    if recipe.lora is None:
        return None
    return LoraConfig(
        r=recipe.lora.rank,
        lora_alpha=recipe.lora.alpha,
        lora_dropout=recipe.lora.dropout,
        target_modules=lora_target(recipe),
        modules_to_save=list(recipe.lora.modules_to_save) or None,
        task_type="CAUSAL_LM",
    )


def freeze(model: Any, recipe: SFTRecipe) -> None:
    """Freeze the weights of the frozen parts. With an adapter the base is frozen already."""
    if recipe.lora is None:
        frozen, family = frozen_parts(recipe), get_family(recipe.family)
        for name, weight in model.named_parameters():
            weight.requires_grad_(family.part_of(name) not in frozen)
