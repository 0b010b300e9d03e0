"""Checks of an SFT recipe's `train` block: errors of TRL's SFTConfig and of the objects made from it."""

from __future__ import annotations

import enum
import math
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, get_args

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError

from editjudge.files.text import first_line
from editjudge.recipes.recipe_use import did_you_mean
from sft.model_settings import model_problems

Problems = Iterator[tuple[str, str]]
"""Key of the block and its error; "" for settings that conflict."""

RESERVED = {
    "output_dir": "set `out` instead",
    "seed": "set `seed` instead",
    "deepspeed": "set `deepspeed` beside `train` instead",
    "gradient_accumulation_steps": "it follows from `global_batch_size` and the number of processes",
    "auto_find_batch_size": "it would change `global_batch_size` in the middle of a run",
    "max_length": "rows are never cut, `max_tokens` drops the ones that are too long",
    "truncation_mode": "rows are never cut, `max_tokens` drops the ones that are too long",
    "completion_only_loss": "a judge is always trained on its reply alone",
    "assistant_only_loss": "a judge is always trained on its reply alone",
    "chat_template_path": "the chat layout follows from `family`",
    "eos_token": "the end of a reply follows from `family`",
    "pad_token": "the tokens of the chat follow from `family`",
    "pad_to_multiple_of": "TRL has no such padding for images",
    "push_to_hub": "it would upload checkpoints before they are complete; upload one with `hf upload` afterwards",
    "dataset_text_field": "rows have the fields of SFTExample",
    "remove_unused_columns": "it would remove the images",
    "resume_from_checkpoint": "the same command resumes from the last complete checkpoint by itself",
    "save_only_model": "a run could not be resumed from such a checkpoint",
    "packing": "TRL has no packing for images",
    "padding_free": "TRL has no padding-free batches for images",
    "eval_strategy": "checkpoints are measured on a benchmark by `editjudge sweep`",
    "eval_on_start": "checkpoints are measured on a benchmark by `editjudge sweep`",
    "load_best_model_at_end": "checkpoints are measured on a benchmark by `editjudge sweep`",
    "disable_tqdm": "the progress bar is EditJudge's own",
    "local_rank": "the launcher of the processes sets it",
}
"""Fields of SFTConfig that a recipe must not set, and why."""

_POSITIVE = frozenset(
    {
        "adam_epsilon",
        "dataloader_prefetch_factor",
        "dataset_num_proc",
        "ddp_bucket_cap_mb",
        "ddp_timeout",
        "learning_rate",
        "logging_steps",
        "num_train_epochs",
        "save_steps",
        "save_total_limit",
        "torch_empty_cache_steps",
    }
)
"""Numbers of which 0 would end the run, or train nothing."""

_BELOW_ONE = frozenset({"adam_beta1", "adam_beta2", "label_smoothing_factor"})
_STEPS = frozenset({"logging_steps", "save_steps", "warmup_steps"})
"""A number of steps, or below 1 a share of all steps."""

_OF_THE_MACHINE = frozenset({"tf32", "torch_compile", "torch_compile_backend", "torch_compile_mode"})
"""Settings for which SFTConfig queries the GPU."""

_ALLOWED = {
    "loss_type": ("nll", "dft"),
    "train_sampling_strategy": ("random", "sequential"),  # not by length: rows are read lazily, their length is unknown
    "save_strategy": ("steps", "epoch"),
}
"""Values that a judge's training supports, among those that the field's type allows."""


def training_problems(train: Mapping[str, Any]) -> Problems:
    """Yield every error in a `train` block. Only the first rules can be checked without TRL."""
    for key, why in RESERVED.items():
        if key in train:
            yield key, f"must not be set here: {why}"
    size = train.get("per_device_train_batch_size")
    if type(size) is not int or size < 1:
        yield "per_device_train_batch_size", "must be a whole number of at least 1"
    if find_spec("trl") is None:
        return
    known = _config_fields()
    sound: dict[str, Any] = {}
    for key, value in train.items():
        if key in RESERVED or key == "per_device_train_batch_size":
            continue
        if key not in known:
            yield key, "SFTConfig has no such field" + did_you_mean(key, known, listed=False)
        elif (problem := _field_problem(known[key], value)) is not None:
            yield key, problem
        else:
            sound[key] = value
    yield from _library_problems(sound)


def _field_problem(field: Any, value: Any) -> str | None:
    """Return the error of one value, by its type in SFTConfig and by the range of a number of that name."""
    annotation = field.type
    allowed: tuple[str, ...] = ()
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, enum.Enum) and value is not None:
            allowed = tuple(str(member.value) for member in kind)
    allowed = _ALLOWED.get(field.name, allowed or tuple(field.metadata.get("choices") or ()))
    if field.name == "save_strategy" and value in ("no", "best"):
        return "must be steps or epoch, or there would be no checkpoints to measure"
    if allowed and (value is not None or field.default is not None):
        return None if isinstance(value, str) and value in allowed else f"unknown value{did_you_mean(value, allowed)}"
    if field.name == "report_to":
        return _reporter_problem(value)
    if (problem := _type_problem(annotation, value)) is not None:
        return problem
    if field.name.endswith("_kwargs") and isinstance(value, str):  # the type allows it for JSON on a command line
        return "must be a mapping of keys to values"
    return _number_problem(field, value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _type_problem(annotation: Any, value: Any) -> str | None:
    try:
        TypeAdapter(annotation, config=ConfigDict(strict=True)).validate_python(value)
    except ValidationError as error:
        found = {problem["msg"][0].lower() + problem["msg"][1:] for problem in error.errors(include_url=False)}
        hint = "; write it without quotes" if isinstance(value, str) and _is_number(value) else ""
        return " or ".join(sorted(found)) + hint
    except PydanticUserError:  # a library's own type: a recipe can only keep its default
        return None if value is None else "cannot be set in a recipe"
    return None


def _number_problem(field: Any, value: float) -> str | None:
    name = field.name
    if not math.isfinite(value):
        return "must be a finite number"
    if name == "max_steps":
        return None if value == -1 or value > 0 else "must be at least 1, or -1 to train for `num_train_epochs`"
    if name in _POSITIVE and value <= 0:
        return "must be greater than 0"
    if name == "data_seed" and not 0 <= value < 2**63:
        return "must be at least 0 and less than 2**63"
    if name in _BELOW_ONE and not 0 <= value < 1:
        return "must be at least 0 and less than 1"
    if name in _STEPS and value > 1 and value != int(value):
        return "must be a whole number of steps, or below 1 a share of all steps"
    default = None if field.default is MISSING else field.default
    if value < 0 and not (isinstance(default, int | float) and default < 0):
        return "must not be negative"
    return None


def _reporter_problem(value: Any) -> str | None:
    from transformers.integrations.integration_utils import (
        INTEGRATION_TO_CALLBACK,
        get_available_reporting_integrations,
    )

    if value in ("none", "all", ["none"], ["all"]):
        return None
    names = value if isinstance(value, list) else [value]
    for name in names:
        if not isinstance(name, str) or name not in INTEGRATION_TO_CALLBACK:
            return f"{name!r} is no tracker{did_you_mean(name, ('none', 'all', *INTEGRATION_TO_CALLBACK))}"
    installed = get_available_reporting_integrations()
    missing = [name for name in names if name not in installed and name != "flyte"]  # not in that list
    return f"{', '.join(missing)} is not installed; install it or write `none`" if missing else None


def _library_problems(train: Mapping[str, Any]) -> Problems:
    """Yield the libraries' errors when the objects of a run are made from settings that are valid separately."""
    try:
        config = probe(train)
    except Exception as whole:
        alone = []
        for key, value in train.items():
            try:
                probe({key: value})
            except Exception as error:
                alone.append((key, first_line(error)))
        yield from alone or [("", first_line(whole))]
        return
    for key, make in (("optim", _make_optimizer), ("lr_scheduler_type", _make_scheduler), ("", _make_loader)):
        try:
            make(config)
        except Exception as error:
            detail = {"optim": "optim_args", "lr_scheduler_type": "lr_scheduler_kwargs"}.get(key, "")
            yield (detail if detail in train else key), first_line(error)
    if train.get("use_liger_kernel") and find_spec("liger_kernel") is None:
        yield "use_liger_kernel", "needs the package liger-kernel, which is not installed"
    yield from model_problems(
        {name: getattr(config, name) for name in ("model_init_kwargs", "gradient_checkpointing_kwargs")}
    )
    yield from _compile_problems(train)


def _compile_problems(train: Mapping[str, Any]) -> Problems:
    import torch

    backend, mode = train.get("torch_compile_backend"), train.get("torch_compile_mode")
    backends = torch.compiler.list_backends(exclude_tags=())
    if backend is not None and backend not in backends:
        yield "torch_compile_backend", f"unknown value{did_you_mean(backend, backends)}"
    if mode is not None and backend in (None, "inductor"):
        from torch._inductor import list_mode_options

        modes = list_mode_options()
        if mode not in modes:
            yield "torch_compile_mode", f"unknown value{did_you_mean(mode, modes)}"


def probe(train: Mapping[str, Any], world_size: int = 1, accumulation: int = 1) -> Any:
    """Return TRL's `SFTConfig` of these settings, without those that need the machine of the run: it uses no device and
    joins no process group. Raises SFTConfig's own errors."""
    import torch
    from trl import SFTConfig

    class Probe(SFTConfig):  # type: ignore[misc]
        device = torch.device("cpu")

        @property
        def world_size(self) -> int:
            return world_size

    # use_cpu keeps bf16 from requiring a GPU that supports it: this may not be the machine of the run.
    settings = {key: value for key, value in train.items() if key not in _OF_THE_MACHINE} | {"use_cpu": True}
    settings.setdefault("report_to", "none")
    settings.setdefault("per_device_train_batch_size", 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Probe(output_dir="unused", gradient_accumulation_steps=accumulation, max_length=None, **settings)


def _make_optimizer(config: Any) -> None:
    import torch
    from transformers import Trainer

    if config.optim_target_modules is not None:  # it needs the model itself
        return
    kind, arguments = Trainer.get_optimizer_cls_and_kwargs(config)
    if isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer):
        kind([torch.nn.Parameter(torch.zeros(1))], **arguments)


def _make_scheduler(config: Any) -> None:
    import torch
    from transformers import get_scheduler

    steps = max(config.max_steps, 10)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=config.learning_rate)
    get_scheduler(
        config.lr_scheduler_type, optimizer, config.get_warmup_steps(steps), steps, config.lr_scheduler_kwargs
    )


def _make_loader(config: Any) -> None:
    from torch.utils.data import DataLoader

    workers = config.dataloader_num_workers
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # more workers than this machine has cores
        DataLoader(
            [0],  # type: ignore[arg-type]
            num_workers=workers,
            persistent_workers=config.dataloader_persistent_workers,
            prefetch_factor=config.dataloader_prefetch_factor,
            multiprocessing_context=config.dataloader_multiprocessing_context,
        )


@lru_cache(maxsize=1)
def _config_fields() -> dict[str, Any]:
    """Return SFTConfig's fields by name."""
    from trl import SFTConfig

    return {field.name: field for field in fields(SFTConfig) if field.init}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
