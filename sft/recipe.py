"""Recipe of an SFT run: model, data, adapter, and TRL's own settings passed through unchanged."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from editjudge.errors import EditJudgeError
from editjudge.families import FAMILIES
from editjudge.files.identity import identity_values
from editjudge.files.paths import Located, ModelName
from editjudge.images.colors import Colors
from editjudge.recipes.recipe import Recipe
from editjudge.recipes.recipe_use import mistake, refuse
from editjudge.recipes.recipe_yaml import plain
from sft.deepspeed_config import SHIPPED, read_deepspeed
from sft.settings import training_problems

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
"""Fields of SFTConfig that may change when a run is resumed."""

_ELSEWHERE = frozenset({"out", "processes", "model", "data", "data_root", "max_dropped", "train", "deepspeed"})
"""Keys that are not in the identity: they do not affect weights, or the identity contains the content they name."""


class LoraSettings(BaseModel):
    """The LoRA adapter. Its base does not change."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rank: int = Field(32, gt=0)
    """Inner dimension of the adapter's two matrices."""
    alpha: float = Field(64, gt=0)
    """The adapter's output is scaled by alpha / rank."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of the adapter's inputs that is set to zero in training."""
    target: str | None = None
    """Regular expression for whole module names; null selects the attention and MLP layers of every part not frozen."""
    modules_to_save: tuple[str, ...] = ()
    """Modules trained in full next to the adapter, by the last part of their name."""

    @field_validator("target")
    @classmethod
    def _is_pattern(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        return value


class Freeze(BaseModel):
    """Parts that are not trained: they get no adapter with LoRA, and fixed weights without."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    vision: bool = True
    """Freeze the image encoder."""
    projector: bool = True
    """Freeze the layers that map image features to the language model."""
    language: bool = False
    """Freeze the language model."""

    @model_validator(mode="after")
    def _something_left(self) -> Freeze:
        if self.vision and self.projector and self.language:
            raise ValueError("everything is frozen; set at least one of vision, projector, language to false")
        return self


class SFTRecipe(Recipe):
    """Fine-tune a judge with `sft/train.py`."""

    seed: int = Field(0, ge=0, lt=2**32)
    """Seed of the run's random numbers, in the range of numpy's seeds."""
    model: ModelName
    """Folder or hub name of the base."""
    family: str
    """Chat layout and architecture, a key of `families.FAMILIES`."""
    data: Annotated[str, Located("input")]
    """JSONL of SFTExample."""
    data_root: Annotated[str, Located("input")] | None = None
    """Folder that image paths are relative to; null: the folder of `data`."""
    max_pixels: int | None = Field(262_144, gt=0)
    """Larger images are shrunk to this area, in pixels; null keeps their size. Saved in `judge.yaml`."""
    colors: Colors = "srgb"
    """"srgb": ICC profiles are applied, as browsers do. "stored": they are ignored, as in most data loaders. Saved in
    `judge.yaml`."""
    max_tokens: int | None = Field(8192, gt=0)
    """Rows with more tokens, prompt and completion together, are dropped and counted; null keeps all."""
    max_dropped: float = Field(0.01, ge=0, le=1)
    """Largest share of dropped rows; above it the run is refused."""
    lora: LoraSettings | None = LoraSettings()
    """Adapter; null trains the weights themselves."""
    freeze: Freeze = Freeze()
    train: dict[str, Any]
    """Fields of TRL's SFTConfig, passed unchanged."""
    global_batch_size: int = Field(32, gt=0)
    """Rows per optimizer step over all processes."""
    deepspeed: str | None = None
    """Name of a configuration in sft/deepspeed_configs/ (zero2, zero3, zero3_offload), or a JSON file."""
    processes: int | Literal["auto"] = "auto"
    """Number per machine, when EditJudge starts them. "auto": one per GPU; without a GPU one, or with DeepSpeed two."""

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
    def _sound_settings(cls, value: dict[str, Any]) -> dict[str, Any]:
        problems = training_problems(value)
        refuse(mistake(text, *filter(None, key.split(".")), seen=value.get(key)) for key, text in problems)
        return plain(value)

    @field_validator("deepspeed", mode="before")
    @classmethod
    def _found_deepspeed(cls, value: object, info: ValidationInfo) -> object:
        return value if value in SHIPPED else Located("input").find(value, info, as_text=True)

    @field_validator("deepspeed")
    @classmethod
    def _readable_deepspeed(cls, value: str | None) -> str | None:
        if value is not None:
            read_deepspeed(value)
        return value

    @property
    def image_root(self) -> Path:
        """Return the folder that image paths are relative to."""
        return Path(self.data).parent if self.data_root is None else Path(self.data_root)

    def accumulation(self, world_size: int) -> int:
        """Return batches per optimizer step and process; `EditJudgeError` when `global_batch_size` does not divide."""
        per_device = int(self.train["per_device_train_batch_size"])
        steps, rest = divmod(self.global_batch_size, world_size * per_device)
        if rest or not steps:
            raise EditJudgeError(
                f"global_batch_size {self.global_batch_size} is no multiple of {world_size} processes x "
                f"per_device_train_batch_size {per_device} = {world_size * per_device}; change one of them"
            )
        return steps

    def identity(self) -> dict[str, Any]:
        """Return everything in the recipe that can change a weight, for the run's markers."""
        values = {key: value for key, value in identity_values(self).items() if key not in _ELSEWHERE}
        values["train"] = {key: value for key, value in self.train.items() if key not in _NO_EFFECT_ON_WEIGHTS}
        values["deepspeed"] = None if self.deepspeed is None else read_deepspeed(self.deepspeed)
        return values

    def describe(self) -> str:
        """Describe the run, for `editjudge check`."""
        lora = self.lora
        how = f"LoRA rank {lora.rank}, alpha {lora.alpha:g}" if lora else "all weights that are not frozen"
        frozen = ", ".join(name for name, value in self.freeze.model_dump().items() if value) or "nothing"
        data = Path(self.data)
        rows = (
            f"{sum(1 for line in data.open(encoding='utf-8') if line.strip()):,} rows"
            if data.is_file()
            else "not there yet"
        )
        # Download nothing: a login node or a laptop may be offline.
        hub = "" if Path(self.model).is_dir() else "; a name on the hub is not checked before the run starts"
        pixels = "as they are" if self.max_pixels is None else f"at most {self.max_pixels:,} pixels each"
        return "\n".join(
            [
                f"model      {self.model} ({self.family}){hub}",
                f"trains     {how}; frozen: {frozen}",
                f"data       {self.data} ({rows}), images under {self.image_root}, {pixels}, colors {self.colors}",
                f"batch      {self.global_batch_size} rows per step, "
                f"{self.train['per_device_train_batch_size']} at a time on each process",
                f"deepspeed  {self.deepspeed or 'no'}; processes: {self.processes}",
            ]
        )
