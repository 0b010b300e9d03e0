"""Blocks of a sweep's recipe: runs, devices, selection of the best checkpoint, logging."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, model_validator
from pydantic_core import InitErrorDetails

from editjudge.asking.base_recipe import AnyJudge
from editjudge.engines.base import Sampling
from editjudge.files.paths import InputPath
from editjudge.recipes.recipe_use import about_to_run, mistake, refuse
from editjudge.records.tasks import Dimension
from editjudge.system.devices import Device
from eval.labels.types import Scale
from eval.metrics.figures import FigureName


class _Block(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LastCheckpoint(_Block):
    """Additional measurement of the last checkpoint, averaged over several passes."""

    passes: int = Field(4, ge=2)
    """K of Avg@K."""
    sampling: Sampling | None = None
    """Null: the judge's own sampling. Greedy passes are identical, so greedy judges need a sampling here."""


class SweptRun(_Block):
    """A training run; a recipe may give only its path."""

    path: InputPath
    """Folder of the run; complete checkpoints are `checkpoint-<step>/` with a `done.json`."""
    judge: AnyJudge | None = None
    """Judge settings for its checkpoints, if they differ from the recipe's `judge` (for example another base model)."""

    @model_validator(mode="before")
    @classmethod
    def _path_alone(cls, value: object) -> object:
        return {"path": value} if isinstance(value, str | Path) else value


class Selection(_Block):
    """Selection of the best checkpoint; see `eval.checkpoints.selection`."""

    benchmark: str | None = None
    """Name of a benchmark; null: the first one with pairs (or with `figure`), or else the first one."""
    dimension: Dimension | Scale | None = None
    """A dimension, or a scale for ratings; null: `overall`, or else the first one that has labels."""
    figure: FigureName | None = None
    """Null: the main figure of the benchmark's first kind of label; see `eval.metrics.figures`."""
    patience: int = Field(3, ge=1)
    """Checkpoints without a significant gain after which training may stop."""


class Wandb(_Block):
    """Log each checkpoint's figures to Weights & Biases, with one W&B run per training run."""

    project: str = Field("editjudge", min_length=1)
    """Name of the Weights & Biases project."""
    entity: str | None = None
    """User or team that owns the project; null: the default of the account."""
    mode: Literal["offline", "online"] = "offline"
    """Offline writes below `out/wandb`; upload later with `wandb sync`."""
    group: str | None = None
    """Group of the runs in the project."""

    @model_validator(mode="after")
    def _would_log(self, info: ValidationInfo) -> Wandb:
        if about_to_run(info):
            refuse(self._problems())
        return self

    def _problems(self) -> Iterator[InitErrorDetails]:
        """Yield the settings that wandb would reject after the checkpoints were judged."""
        if find_spec("wandb") is None:
            yield mistake("the package wandb is not installed: pip install 'editjudge[train]', or remove this block")
            return
        import wandb

        try:
            wandb.Settings(project=self.project, entity=self.entity, run_group=self.group, mode=self.mode)
        except (wandb.errors.UsageError, ValueError) as error:
            yield mistake(str(error))
        if self.mode == "online":
            try:
                known = wandb.login(prompt=False, verify=False)  # looks for a key; sends nothing
            except (wandb.errors.Error, ValueError) as error:
                yield mistake(str(error), "mode")
            else:
                if not known:
                    text = "online needs an API key: run `wandb login`, set WANDB_API_KEY, or write offline"
                    yield mistake(text, "mode")


class SweepRuntime(_Block):
    """Settings that do not change results."""

    devices: Literal["auto"] | tuple[Device, ...] = ()
    """One process per device, one checkpoint at a time. `auto`: every GPU. Empty: this process, the engine's device."""
    poll_s: float = Field(30, gt=0)
    """With --watch: seconds between checks for new checkpoints."""
    give_up_s: float | None = Field(None, gt=0)
    """With --watch: time-out in seconds without a new checkpoint; null waits until training is finished."""
