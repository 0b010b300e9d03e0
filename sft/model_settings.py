"""Checks of `train.model_init_kwargs` and `train.gradient_checkpointing_kwargs` before the model is loaded."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from editjudge.engines.attention import attention_problem
from editjudge.recipes.recipe_use import did_you_mean

TINY_BASE = Path(__file__).with_name("tiny_base")
"""A small Qwen-VL model that loads quickly; settings that it refuses, every base refuses."""

_OTHER_WEIGHTS = (
    "adapter_kwargs",
    "config",
    "gguf_file",
    "key_mapping",
    "revision",
    "state_dict",
    "subfolder",
    "variant",
)
"""They select other weights than those of the run's identity."""

_OF_THE_MACHINE = frozenset(
    {
        *("allow_all_kernels", "cache_dir", "device_map", "device_mesh", "distributed_config", "force_download"),
        *("kernel_config", "local_files_only", "max_memory", "offload_buffers", "offload_folder", "proxies"),
        *("quantization_config", "token", "tp_plan", "tp_size", "trust_remote_code", "use_kernels"),
    }
)
"""Settings that need the machine of the run or the network."""


def model_problems(train: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (dotted key, error). Downloads nothing and uses no device."""
    model = train.get("model_init_kwargs") or {}
    for name in _OTHER_WEIGHTS:
        if name in model:
            yield (
                f"model_init_kwargs.{name}",
                "must not be set here: put the weights into a folder, and set `model` to it",
            )
    dtype = model.get("dtype", "auto")
    if dtype not in ("auto", "bfloat16", "float16", "float32"):
        yield "model_init_kwargs.dtype", f"unknown value; known: auto, bfloat16, float16, float32, got {dtype!r}"
    attention = model.get("attn_implementation")
    if attention is not None and (text := attention_problem(attention)) is not None:
        yield "model_init_kwargs.attn_implementation", f"{text}, got {attention!r}"
    if "bitsandbytes" in str(model.get("quantization_config")) and find_spec("bitsandbytes") is None:
        yield "model_init_kwargs.quantization_config", "needs the package bitsandbytes, which is not installed"
    checked = {*_OTHER_WEIGHTS, *_OF_THE_MACHINE, "dtype", "attn_implementation"}
    for name, value in model.items():
        if name not in checked and (problem := _refused({name: value})) is not None:
            yield f"model_init_kwargs.{name}", problem
    yield from _checkpointing_problems(train.get("gradient_checkpointing_kwargs") or {})


def _refused(settings: Mapping[str, Any]) -> str | None:
    """Return transformers' error when a model is loaded with these settings; None without one."""
    from transformers import AutoModelForImageTextToText
    from transformers.utils import logging

    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        AutoModelForImageTextToText.from_pretrained(TINY_BASE, **settings)
    except Exception as error:  # each setting has its own exception types
        if "unexpected keyword argument" in str(error):
            known = ("attn_implementation", "dtype", *sorted(_OF_THE_MACHINE))
            return "the model takes no such setting" + did_you_mean(next(iter(settings)), known, listed=False)
        return " ".join(str(error).split()) or type(error).__name__
    finally:
        if bars:
            logging.enable_progress_bar()
    return None


def _checkpointing_problems(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield keys that torch's `checkpoint` has no parameter for. It would pass them to the layers of the model."""
    from torch.utils.checkpoint import checkpoint

    named = inspect.Parameter.KEYWORD_ONLY
    known = [name for name, parameter in inspect.signature(checkpoint).parameters.items() if parameter.kind is named]
    known += ["preserve_rng_state", "selective"]  # in torch's **kwargs, and TRL's own
    for name in settings:
        if name not in known:
            yield f"gradient_checkpointing_kwargs.{name}", f"no such setting{did_you_mean(name, known)}"
    if settings.get("selective") and settings.get("use_reentrant"):
        yield "gradient_checkpointing_kwargs", "selective goes with `use_reentrant: false` only"
