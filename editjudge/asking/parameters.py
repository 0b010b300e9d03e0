"""Options of judging with a model, shared by all recipes that have a judge."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from editjudge.asking.judge import Judge
from editjudge.engines.base import Engine, Sampling
from editjudge.errors import EditJudgeError
from editjudge.formats.judge_settings import CHOICES, Trained, contradictions
from editjudge.images.colors import Colors
from editjudge.prompts.prompt_sets import DEFAULT_PROMPTS, get_prompts

ParametersT = TypeVar("ParametersT", bound="JudgeParameters")


class JudgeParameters(BaseModel):
    """Everything that affects a score besides the engine and the seed.

    Omitted `prompts`, `max_pixels` and `colors` default to those of the training of the engine's weights, when these
    have a `judge.yaml` (`formats.judge_settings`). The defaults here are for other weights.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompts: str = DEFAULT_PROMPTS
    """Name of a prompt set."""
    passes: int = Field(1, ge=1)
    """K of Avg@K."""
    sampling: Sampling = Sampling()
    max_pixels: int | None = Field(None, gt=0)
    """Maximum area of each image, in pixels; larger images are reduced. None: unlimited."""
    retries: int = Field(2, ge=0)
    """Retries of an unreadable reply, each with a new seed."""
    colors: Colors = "srgb"
    """"srgb": ICC profiles are applied, as in browsers. "stored": they are ignored, as in most data loaders."""

    @field_validator("prompts")
    @classmethod
    def _known_prompts(cls, value: str) -> str:
        try:
            return get_prompts(value).name
        except EditJudgeError as error:
            raise ValueError(str(error)) from error

    def contradicts(self, engine: object, trained: Trained | None) -> Iterator[tuple[str, str]]:
        """Yield (name, problem) for each given value that differs from training."""
        if trained is not None:
            yield from contradictions(self, engine, trained)

    def filled_in(self: ParametersT, trained: Trained | None) -> ParametersT:
        """Return these parameters with omitted values taken from training."""
        if trained is None:
            return self
        left_out = set(CHOICES) - self.model_fields_set
        return self.model_copy(update={name: getattr(trained.settings, name) for name in left_out})

    def make_judge(self, engine: Engine, seed: int, **speed: Any) -> Judge:
        """Return a judge that asks `engine` with these parameters. `speed`: options that do not affect scores."""
        return Judge(
            engine,
            prompts=self.prompts,
            passes=self.passes,
            sampling=self.sampling,
            seed=seed,
            max_pixels=self.max_pixels,
            retries=self.retries,
            colors=self.colors,
            **speed,
        )
