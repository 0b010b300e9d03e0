"""TRL's trainer for a recipe."""

from __future__ import annotations

import os
from typing import Any

from sft.callbacks import Observer, as_callback
from sft.deepspeed_config import deepspeed_file
from sft.model import freeze, lora_config
from sft.recipe import SFTRecipe


def make_config(recipe: SFTRecipe, world_size: int) -> Any:
    """Return TRL's `SFTConfig`: the recipe's `train` block, and the settings that every judge needs.

    Without a GPU the run is on the CPU and in fp32, with one in bf16, unless `train` says otherwise. Weights that an
    optimizer updates without DeepSpeed are kept in fp32; bf16 would round small updates away.
    """
    import torch
    from trl import SFTConfig

    gpu = torch.cuda.is_available()
    settings: dict[str, Any] = {
        "report_to": "none",
        "bf16": gpu and not recipe.train.get("fp16", False),
        "ddp_find_unused_parameters": False,  # every row has an image; GradientWatch would raise an error
    }
    if not gpu:
        settings |= {"use_cpu": True, "dataloader_pin_memory": False}
    settings |= recipe.train
    half = settings["bf16"] and (recipe.lora is not None or recipe.deepspeed is not None)
    settings["model_init_kwargs"] = {
        "dtype": "bfloat16" if half else "float32",
        "device_map": None,
        **(settings.get("model_init_kwargs") or {}),
    }
    settings |= {
        "output_dir": str(recipe.out),
        "seed": recipe.seed,
        "deepspeed": None if recipe.deepspeed is None else str(deepspeed_file(recipe.deepspeed)),
        "gradient_accumulation_steps": recipe.accumulation(world_size),
        "max_length": None,
        "completion_only_loss": True,
        "remove_unused_columns": False,
        "disable_tqdm": True,
        "save_total_limit": None,  # checkpoints.keep_latest does it, after the new one is verified
    }
    return SFTConfig(**settings)


def build_trainer(recipe: SFTRecipe, world_size: int, reader: Any, processor: Any, observer: Observer | None) -> Any:
    """Return TRL's `SFTTrainer` for a recipe: `reader` is a `data.RowReader`; the observer is optional."""
    from transformers.trainer_callback import PrinterCallback
    from trl import SFTTrainer

    # Before the model: under ZeRO-3 it must be loaded in parts, and this configuration enables that in transformers.
    config = make_config(recipe, world_size)
    if "wandb" in config.report_to:
        os.environ.setdefault("WANDB_MODE", "offline")
        os.environ.setdefault("WANDB_DIR", str(recipe.out))
    trainer = SFTTrainer(
        model=recipe.model,
        args=config,
        train_dataset=reader.dataset(),
        processing_class=processor,
        peft_config=lora_config(recipe),
        callbacks=[] if observer is None else [as_callback(observer)],
    )
    trainer.remove_callback(PrinterCallback)
    freeze(trainer.model, recipe)
    return trainer
