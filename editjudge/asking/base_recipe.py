"""Base class of the recipes of judges, used as a file or as a `judge:` block."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic_core import InitErrorDetails

from editjudge.asking import DEFAULT_JUDGE, JUDGES
from editjudge.asking.base import BaseJudge
from editjudge.engines.base import Sampling
from editjudge.errors import EditJudgeError, RecipeError
from editjudge.files.paths import expand
from editjudge.formats.judge_settings import Trained
from editjudge.recipes.recipe import load_for_run
from editjudge.recipes.recipe_use import Use, did_you_mean
from editjudge.recipes.recipe_yaml import resolve

RecipeT = TypeVar("RecipeT", bound="BaseJudgeRecipe")


class BaseJudgeRecipe(BaseModel, ABC):
    """Base class of `JUDGES`. A subclass adds `use: Literal["its name"]` with that default, and its parameters.

    Sweeps call `with_checkpoint` and `without_weights`; a judge that is not trained keeps the defaults.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    use: str

    @abstractmethod
    def build(self) -> BaseJudge[Any]:
        """Return the judge. Its model is loaded on first use."""

    def resolved(self: RecipeT) -> RecipeT:
        """Return the recipe with omitted values taken from its weights; see `recipe.load_recipe`."""
        return self

    def n_passes(self) -> int:
        """K: the number of answers that each card averages."""
        return 1

    def averaged(self: RecipeT, passes: int, sampling: Sampling | None) -> RecipeT | None:
        """Return the recipe with K passes (`sampling` None: its own), or None when the judge has one answer only."""
        return None

    def problems_with(self, trained: Trained | None) -> Iterator[InitErrorDetails]:
        """Yield values that contradict the training of its checkpoints, for `recipe_use.refuse`."""
        yield from ()

    def as_trained(self: RecipeT, trained: Trained | None) -> RecipeT:
        """Return the recipe for weights of that training, with omitted values filled in. Raises `CheckpointError` when
        they contradict each other."""
        return self

    def waits_for_training(self) -> bool:
        """Whether it omits values that come from a training, so that nothing can be judged before training starts."""
        return False

    def with_checkpoint(self: RecipeT, path: Path) -> RecipeT:
        """Return the recipe with a checkpoint's weights. Raises `CheckpointError` when the folder contains none."""
        raise EditJudgeError(
            f"a judge of kind {self.use!r} cannot load {path}: it has no weights that a checkpoint could replace"
        )

    def without_weights(self: RecipeT, engine: str) -> RecipeT:
        """Return the recipe for removed weights: it has the identity of that engine and cannot be asked."""
        raise EditJudgeError(f"a judge of kind {self.use!r} has no weights")


AnyJudge = Annotated[BaseJudgeRecipe, Use(JUDGES, default=DEFAULT_JUDGE)]
"""A `judge:` block of a recipe."""


def judge_schema(path: Path | str, overrides: Iterable[str] = ()) -> type[BaseJudgeRecipe]:
    """Return the schema of a judge's recipe file, by its key `use`. Raises `RecipeError` for an unknown kind."""
    try:
        name = resolve(expand(path), overrides)[0].get("use", DEFAULT_JUDGE)
    except ValueError as error:
        raise RecipeError(str(path), [str(error)]) from error
    if name not in JUDGES:
        raise RecipeError(str(path), [f"use: unknown name{did_you_mean(name, JUDGES)}"])
    found = Use(JUDGES).load(name)
    assert issubclass(found, BaseJudgeRecipe)
    return found


def load_judge(path: Path | str, overrides: Iterable[str] = ()) -> BaseJudge[Any]:
    """Load the judge of a recipe file, with `key.path=value` overrides. `RecipeError` lists every mistake."""
    overrides = list(overrides)
    return load_for_run(path, judge_schema(path, overrides), overrides).build()
