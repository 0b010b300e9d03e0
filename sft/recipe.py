"""What an SFT run is told: model, data, adapter, and TRL's own settings passed through unchanged."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from editjudge.colors import Colors
from editjudge.errors import EditJudgeError
from editjudge.prompts import FAMILIES
from editjudge.recipe import Recipe

_RESERVED = {
    "output_dir": "set `out` instead",
    "seed": "set `seed` instead",
    "deepspeed": "set `deepspeed` beside `train` instead",
    "gradient_accumulation_steps": "it follows from `global_batch_size` and the number of processes",
    "max_length": "rows are never cut, `max_tokens` drops the ones that are too long",
    "truncation_mode": "rows are never cut, `max_tokens` drops the ones that are too long",
    "completion_only_loss": "a judge is always trained on its reply alone",
    "assistant_only_loss": "a judge is always trained on its reply alone",
    "chat_template_path": "the chat layout follows from `family`",
    "eos_token": "the end of a reply follows from `family`",
    "dataset_text_field": "rows have the fields of SFTExample",
    "remove_unused_columns": "it would remove the images",
    "resume_from_checkpoint": "the same command goes on from the last complete checkpoint by itself",
    "save_only_model": "a run could not be continued from such a checkpoint",
    "packing": "TRL has no packing for images",
    "padding_free": "TRL has no padding-free batches for images",
    "eval_strategy": "checkpoints are measured on a benchmark by `editjudge sweep`",
    "load_best_model_at_end": "checkpoints are measured on a benchmark by `editjudge sweep`",
    "disable_tqdm": "the progress bar is EditJudge's own",
}
"""Fields of SFTConfig that a recipe must not set, and why."""

_NO_EFFECT_ON_WEIGHTS = frozenset(
    {
        "dataloader_num_workers",
        "dataloader_pin_memory",
        "dataloader_prefetch_factor",
        "logging_dir",
        "logging_steps",
        "report_to",
        "run_name",
        "save_total_limit",
    }
)
"""Fields of SFTConfig that may change between a run and its continuation."""

_ELSEWHERE = frozenset({"out", "processes", "model", "data", "data_root", "max_dropped", "train", "deepspeed"})
"""Keys that an identity does not hold: they have no effect on weights, or what they name counts by its content."""


class LoraSettings(BaseModel):
    """The adapter. Its base stays as it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rank: int = Field(32, gt=0)
    alpha: float = Field(64, gt=0)
    """The adapter's output is scaled by alpha / rank."""
    dropout: float = Field(0.0, ge=0, lt=1)
    target: str | None = None
    """Regular expression for whole module names; null takes the attention and MLP layers of every part not frozen."""
    modules_to_save: tuple[str, ...] = ()
    """Modules trained in full beside the adapter, by the last part of their name."""

    @field_validator("target")
    @classmethod
    def _is_pattern(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        return value


class Freeze(BaseModel):
    """Parts that are not trained: no adapter there with LoRA, fixed weights without."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    vision: bool = True
    projector: bool = True
    """The layers that carry image features over to the language model."""
    language: bool = False

    @model_validator(mode="after")
    def _something_left(self) -> Freeze:
        if self.vision and self.projector and self.language:
            raise ValueError("everything is frozen; set at least one of vision, projector, language to false")
        return self


class SFTRecipe(Recipe):
    """A run of `sft/train.py`."""

    model: str
    """Folder or hub name of the base."""
    family: str
    """Chat layout, a key of `prompts.FAMILIES`."""
    data: str
    """JSONL of SFTExample."""
    data_root: str | None = None
    """What image paths are relative to; null: the folder of `data`."""
    max_pixels: int | None = Field(262_144, gt=0)
    """Larger images are shrunk to this area, in pixels; null: as they are. The judge's recipe must say the same."""
    colors: Colors = "srgb"
    """"srgb": ICC profiles are applied, as browsers do. "stored": they are ignored, as in most data loaders. The
    judge's recipe must say the same."""
    max_tokens: int | None = Field(8192, gt=0)
    """Rows with more tokens, prompt and completion together, are dropped and counted; null keeps all."""
    max_dropped: float = Field(0.01, ge=0, le=1)
    """Share of rows that may be dropped before the run is refused."""
    lora: LoraSettings | None = LoraSettings()
    """Null trains the weights themselves."""
    freeze: Freeze = Freeze()
    train: dict[str, Any]
    """Fields of TRL's SFTConfig, passed as they are."""
    global_batch_size: int = Field(32, gt=0)
    """Rows per optimizer step over all processes."""
    deepspeed: str | None = None
    """DeepSpeed's JSON file."""
    processes: int | Literal["auto"] = "auto"
    """Per machine, when EditJudge starts them. "auto": one per GPU; without a GPU one, or with DeepSpeed two."""

    @field_validator("family")
    @classmethod
    def _known_family(cls, value: str) -> str:
        if value not in FAMILIES:
            raise ValueError(f"unknown model family {value!r}; known: {', '.join(FAMILIES)}")
        return value

    @field_validator("processes")
    @classmethod
    def _some_processes(cls, value: int | Literal["auto"]) -> int | Literal["auto"]:
        if value != "auto" and value < 1:
            raise ValueError(f"at least one process is needed, got {value}")
        return value

    @field_validator("train")
    @classmethod
    def _known_settings(cls, value: dict[str, Any]) -> dict[str, Any]:
        problems = list(_training_problems(value))
        if problems:
            details = [
                InitErrorDetails(
                    type=PydanticCustomError("train", "{problem}", {"problem": text}), loc=(key,), input=value.get(key)
                )
                for key, text in problems
            ]
            raise ValidationError.from_exception_data("train", details)
        return value

    @field_validator("deepspeed")
    @classmethod
    def _readable_deepspeed(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                content = json.loads(Path(value).read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                raise ValueError(f"{value}: no readable JSON file ({error}); see recipes/deepspeed/") from error
            if not isinstance(content, dict):
                raise ValueError(f"{value}: must hold a JSON object, got {type(content).__name__}")
        return value

    @property
    def image_root(self) -> Path:
        """The folder that image paths are relative to."""
        return Path(self.data).parent if self.data_root is None else Path(self.data_root)

    def accumulation(self, world_size: int) -> int:
        """Batches per optimizer step and process; `EditJudgeError` when `global_batch_size` does not divide."""
        per_device = int(self.train["per_device_train_batch_size"])
        steps, rest = divmod(self.global_batch_size, world_size * per_device)
        if rest or not steps:
            raise EditJudgeError(
                f"global_batch_size {self.global_batch_size} is no multiple of {world_size} processes x "
                f"per_device_train_batch_size {per_device} = {world_size * per_device}; change one of them"
            )
        return steps

    def identity(self) -> dict[str, Any]:
        """Everything in the recipe that can change a weight, for the run's markers."""
        values = self.model_dump(mode="json", exclude=set(_ELSEWHERE))
        values["train"] = {key: value for key, value in self.train.items() if key not in _NO_EFFECT_ON_WEIGHTS}
        values["deepspeed"] = json.loads(Path(self.deepspeed).read_text(encoding="utf-8")) if self.deepspeed else None
        return values

    def describe(self) -> str:
        """What the run would do, for `editjudge check`."""
        lora = self.lora
        how = f"LoRA rank {lora.rank}, alpha {lora.alpha:g}" if lora else "all weights that are not frozen"
        frozen = ", ".join(name for name, value in self.freeze.model_dump().items() if value) or "nothing"
        data = Path(self.data)
        rows = (
            f"{sum(1 for line in data.open(encoding='utf-8') if line.strip()):,} rows"
            if data.is_file()
            else "not there yet"
        )
        pixels = "as they are" if self.max_pixels is None else f"at most {self.max_pixels:,} pixels each"
        return "\n".join(
            [
                f"model      {self.model} ({self.family})",
                f"trains     {how}; frozen: {frozen}",
                f"data       {self.data} ({rows}), images under {self.image_root}, {pixels}, colors {self.colors}",
                f"batch      {self.global_batch_size} rows per step, "
                f"{self.train['per_device_train_batch_size']} at a time on each process",
                f"deepspeed  {self.deepspeed or 'no'}; processes: {self.processes}",
            ]
        )


def _training_problems(train: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Key and mistake of everything wrong in a `train` block. Names are checked only where TRL is installed."""
    for key, why in _RESERVED.items():
        if key in train:
            yield key, f"must not be set here: {why}"
    size = train.get("per_device_train_batch_size")
    if type(size) is not int or size < 1:
        yield "per_device_train_batch_size", "must be a whole number of at least 1"
    if train.get("save_strategy") in ("no", "best"):
        yield "save_strategy", "must be steps or epoch, or there would be no checkpoints to measure"
    known = _config_fields()
    for key in train if known else ():
        if key not in known:
            close = get_close_matches(key, known, n=1)
            yield key, "SFTConfig has no such field" + (f"; did you mean `{close[0]}`?" if close else "")


def _config_fields() -> frozenset[str]:
    """Names of SFTConfig's fields; empty without TRL, where nothing can be trained either."""
    from dataclasses import fields

    try:
        from trl import SFTConfig
    except ImportError:
        return frozenset()
    return frozenset(field.name for field in fields(SFTConfig) if field.init)
