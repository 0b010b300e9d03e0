"""Checks before launch for errors that would end a training run."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from pydantic import ValidationInfo, model_validator
from pydantic_core import InitErrorDetails

from editjudge.engines.attention import needs_gpu
from editjudge.engines.quiet import quiet
from editjudge.engines.weights import model_digest, model_problem
from editjudge.errors import EditJudgeError, RecipeError
from editjudge.families import too_few_pixels
from editjudge.recipes.recipe_use import about_to_run, mistake, refuse
from editjudge.training.launch import World, process_count
from sft.deepspeed_config import deepspeed_problems, read_deepspeed
from sft.model import lora_config, lora_modules, module_names
from sft.recipe import SFTRecipe


class RunnableRecipe(SFTRecipe):
    """A recipe that is validated, when it is about to run, for every error that would end the run."""

    @model_validator(mode="after")
    def _would_run(self, info: ValidationInfo) -> RunnableRecipe:
        if about_to_run(info):
            refuse(run_problems(self))
        return self


def run_problems(recipe: SFTRecipe) -> Iterator[InitErrorDetails]:
    """Yield conflicts between values that are valid separately. Loads and downloads nothing."""
    if (text := too_few_pixels(recipe.family, recipe.max_pixels)) is not None:
        yield mistake(text, "max_pixels", seen=recipe.max_pixels)
    found = model_problem(recipe.model, recipe.family)
    if found is not None:
        yield mistake(found[1], found[0], seen=getattr(recipe, found[0]))
    elif find_spec("peft") is not None:
        yield from _adapter_problems(recipe)
    if find_spec("torch") is not None:
        yield from _process_problems(recipe)


def require_base(recipe: SFTRecipe) -> None:
    """Download and check the configuration of a base on the hub. Raises `CheckpointError` when it cannot be downloaded,
    `RecipeError` when it is another family's."""
    if Path(recipe.model).is_dir():  # already checked with the recipe
        return
    model_digest(recipe.model, None)
    found = model_problem(recipe.model, recipe.family)
    if found is not None:
        raise RecipeError("recipe", [f"{found[0]}: {found[1]}, got {getattr(recipe, found[0])!r}"])


def machine_problems(recipe: SFTRecipe) -> list[str]:
    """Return the settings of a recipe that this machine cannot run; another machine may."""
    import torch

    if torch.cuda.device_count():
        return []
    train = recipe.train
    wanted = [name for name in ("fp16", "tf32", "activation_offloading") if train.get(name)]
    wanted += ["ddp_backend"] if train.get("ddp_backend") == "nccl" else []
    attention = (train.get("model_init_kwargs") or {}).get("attn_implementation")
    wanted += ["model_init_kwargs.attn_implementation"] if needs_gpu(str(attention)) else []
    return [
        f"train.{name}: needs a GPU, and torch sees none here; leave it out or run on another machine"
        for name in wanted
    ]


def _adapter_problems(recipe: SFTRecipe) -> Iterator[InitErrorDetails]:
    """Yield PEFT's errors about the adapter; target modules are looked up when the base is a folder."""
    if recipe.lora is None:
        return
    try:
        lora_config(recipe)
    except (TypeError, ValueError) as error:
        yield mistake(str(error), "lora")
        return
    if not Path(recipe.model).is_dir():
        return
    try:
        lora_modules(recipe)
    except RecipeError as error:
        for problem in error.problems:
            key, _, text = problem.partition(": ")
            yield mistake(text, *key.split("."))
    except EditJudgeError as error:
        yield mistake(str(error), "model")
        return
    names = module_names(recipe.model)
    for wanted in recipe.lora.modules_to_save:
        if not any(name.endswith(wanted) for name in names):  # PEFT's own rule
            yield mistake(f"no module of {recipe.model} has this name", "lora", "modules_to_save", seen=wanted)


def _process_problems(recipe: SFTRecipe) -> Iterator[InitErrorDetails]:
    """Check batch and DeepSpeed's file against the number of processes: launcher's, recipe's or this machine's."""
    world = World.from_environment()
    processes = (
        world.size if world.launched else process_count(recipe.processes, deepspeed=recipe.deepspeed is not None)
    )
    accumulation = 1
    try:
        accumulation = recipe.accumulation(processes)
    except EditJudgeError as error:
        yield mistake(str(error).removeprefix("global_batch_size ").strip(), "global_batch_size")
    if recipe.deepspeed is None:
        return
    if recipe.train.get("fsdp"):
        yield mistake("does not go with `deepspeed`; leave one of them out", "train", "fsdp")
    if find_spec("deepspeed") is None or find_spec("transformers") is None:
        return
    quiet(main=True)
    content = read_deepspeed(recipe.deepspeed)
    for problem in deepspeed_problems(content, recipe.train, processes, accumulation):
        yield mistake(f"{recipe.deepspeed}: {problem}", "deepspeed")
