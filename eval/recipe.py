"""What an evaluation is told: benchmarks, a judge, and how sure to be."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from editjudge.engines.base import Sampling
from editjudge.judge import JudgeRecipe
from editjudge.recipe import Recipe, Use
from eval.benchmarks import BENCHMARKS, BenchmarkSource


class Report(BaseModel):
    """What `report.html` shows besides the figures."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = "How good is this judge?"
    funnel: Path | None = None
    """`funnel.json` of the curation run that made the training data."""
    examples: int = Field(24, ge=0)
    """Scored pairs shown with their images, right ones and wrong ones."""
    image_px: int = Field(224, ge=32, le=1024)
    """Longer side of the images shown."""


class EvalRecipe(Recipe):
    """`editjudge eval`: one judge on one or more benchmarks. `seed` is the bootstrap's; the judge has its own."""

    bench: tuple[Annotated[BenchmarkSource, Use(BENCHMARKS)], ...] = Field(min_length=1)
    judge: JudgeRecipe
    bootstrap_rounds: int = Field(10_000, ge=100)
    shard_triplets: int = Field(64, ge=1)
    """Triplets scored between two points from which an interrupted run can go on."""
    report: Report = Report()


class LastCheckpoint(BaseModel):
    """The last checkpoint is also measured with several passes, averaged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    passes: int = Field(4, ge=2)
    sampling: Sampling | None = None
    """Null: as the judge's own. Greedy passes are all alike, so it must then be sampled here."""


class SweepRecipe(EvalRecipe):
    """`editjudge sweep`: the untrained base and every checkpoint of a training run."""

    run: Path
    """Folder of the training run; its complete checkpoints are `checkpoint-<step>/` with a `done.json`."""
    base: bool = True
    """Measure the base without an adapter too."""
    last: LastCheckpoint | None = LastCheckpoint()
    """Null leaves the additional measurement of the last checkpoint out."""

    @model_validator(mode="after")
    def _passes_differ(self) -> SweepRecipe:
        sampling = self.last_sampling()
        if sampling is not None and sampling.temperature == 0:
            raise ValueError(
                "last: several passes at temperature 0 are all alike; "
                "give last.sampling.temperature above 0, or `last: null`"
            )
        return self

    def last_sampling(self) -> Sampling | None:
        """Sampling of the additional measurement; None when there is none to make."""
        if self.last is None:
            return None
        return self.judge.sampling if self.last.sampling is None else self.last.sampling


def folder_name(benchmark: str) -> str:
    """A benchmark's name as the name of a folder."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", benchmark).strip("-.") or "benchmark"
