"""The recipe of a judge that asks a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal, NoReturn

from pydantic import BaseModel, Field, ValidationInfo, model_validator
from pydantic_core import InitErrorDetails

from editjudge.asking.base_recipe import BaseJudgeRecipe
from editjudge.asking.judge import Judge
from editjudge.asking.parameters import JudgeParameters
from editjudge.engines import ENGINES
from editjudge.engines.base import Engine, Problem, Request, Sampling, sampling_mistakes
from editjudge.engines.cache import CachedEngine
from editjudge.errors import CheckpointError, EditJudgeError, EngineError
from editjudge.families import too_few_pixels
from editjudge.files.paths import OutputPath
from editjudge.formats.judge_settings import CHOICES, Trained, place_of, trained_of
from editjudge.recipes.recipe_use import Use, about_to_run, mistake, refuse


class JudgeRecipe(JudgeParameters, BaseJudgeRecipe):
    """A vision-language model that judges both aspects of an edit."""

    use: Literal["vlm"] = "vlm"
    engine: Annotated[Engine, Use(ENGINES)]
    """The model."""
    seed: int = 0
    """Seed from which the seed of every reply is derived."""
    cache: OutputPath | None = None
    """Folder of the reply cache, so that an interrupted or repeated run asks only for missing replies."""
    chunk: int = Field(64, ge=1)
    """Triplets sent to the engine at once. Affects speed and memory only."""

    @model_validator(mode="after")
    def _as_it_was_trained(self) -> JudgeRecipe:
        try:
            trained = trained_of(self.engine)
        except EditJudgeError as error:
            raise ValueError(str(error)) from error
        refuse(self.problems_with(trained))
        return self

    @model_validator(mode="after")
    def _can_be_sampled(self, info: ValidationInfo) -> JudgeRecipe:
        if about_to_run(info):
            refuse(sampling_mistakes(self.engine, self.sampling, "sampling"))
        return self

    @model_validator(mode="after")
    def _shows_something(self, info: ValidationInfo) -> JudgeRecipe:
        family = getattr(self.engine, "family", None)
        if about_to_run(info) and family is not None:
            max_pixels = self.resolved().max_pixels
            text = too_few_pixels(family, max_pixels)
            refuse([] if text is None else [mistake(text, "max_pixels", seen=max_pixels)])
        return self

    def build(self) -> Judge:
        """Return the judge. Its model is loaded on first use."""
        engine = self.engine if self.cache is None else CachedEngine(self.engine, self.cache)
        return self.resolved().make_judge(engine, self.seed, chunk=self.chunk)

    def resolved(self) -> JudgeRecipe:
        """Return the recipe with omitted values taken from the training of its engine's weights."""
        return self.filled_in(trained_of(self.engine))

    def n_passes(self) -> int:
        return self.passes

    def averaged(self, passes: int, sampling: Sampling | None) -> JudgeRecipe:
        """Return the recipe with K passes."""
        return self.model_copy(update={"passes": passes, "sampling": self.sampling if sampling is None else sampling})

    def problems_with(self, trained: Trained | None) -> Iterator[InitErrorDetails]:
        """Yield given values that differ from training."""
        for name, text in self.contradicts(self.engine, trained):
            yield mistake(text, *place_of(name))

    def as_trained(self, trained: Trained | None) -> JudgeRecipe:
        """Return the recipe for weights of that training, with omitted values filled in, the engine's family too: for a
        sweep, whose engine has no weights yet. Raises `CheckpointError` when they contradict each other."""
        for name, text in self.contradicts(self.engine, trained):
            raise CheckpointError(f"judge.{'.'.join(place_of(name))}: {text}")
        engine, filled = self.engine, self.filled_in(trained)
        if trained is None or not isinstance(engine, BaseModel):
            return filled
        if "family" in set(type(engine).model_fields) - engine.model_fields_set:
            named = {name: getattr(engine, name) for name in engine.model_fields_set}
            engine = type(engine).model_validate(named | {"family": trained.settings.family})
            return filled.model_copy(update={"engine": engine})
        return filled

    def waits_for_training(self) -> bool:
        """Whether it omits values that come from training."""
        return not self.model_fields_set.issuperset(CHOICES)

    def with_checkpoint(self, path: Path) -> JudgeRecipe:
        """Return the recipe with these weights, asked as in training and not loaded yet.

        Raises what `Engine.with_adapter` raises, and `CheckpointError` for weights that were trained with other values
        than the recipe's.
        """
        engine = self.engine.with_adapter(path)
        return self.as_trained(trained_of(engine)).model_copy(update={"engine": engine})

    def without_weights(self, engine: str) -> JudgeRecipe:
        """Return the recipe with an engine of that identity in place of its own."""
        return self.model_copy(update={"engine": GoneEngine(engine), "cache": None})


class GoneEngine(Engine):
    """Placeholder for weights that were removed: it has their identity and cannot be asked."""

    def __init__(self, identity: str) -> None:
        """`identity` is that of the engine that had the weights."""
        self._identity = identity

    @property
    def identity(self) -> str:
        """The identity of the removed weights."""
        return self._identity

    def check(self, sampling: Sampling) -> list[Problem]:
        """Return no problems: these weights were asked with this sampling."""
        return []

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> NoReturn:
        """Raise `EngineError`."""
        raise EngineError("the checkpoint is gone and was not measured before; train it again to measure it")
