"""A judge as a recipe, or as a block of one: what all kinds in `JUDGES` have in common."""

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
    """Base of what `JUDGES` names. A class adds `use: Literal["its name"]` with that default, and its parameters.

    Sweeps ask for `with_checkpoint` and `without_weights`; a judge that no training makes leaves them as they are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    use: str

    @abstractmethod
    def build(self) -> BaseJudge[Any]:
        """The judge. Its model is loaded when it is first asked."""

    def resolved(self: RecipeT) -> RecipeT:
        """The recipe with what it leaves to its weights; see `recipe.load_recipe`."""
        return self

    def n_passes(self) -> int:
        """K: how many answers each card averages."""
        return 1

    def averaged(self: RecipeT, passes: int, sampling: Sampling | None) -> RecipeT | None:
        """The recipe with K passes (`sampling` None: its own). None: the judge has one answer."""
        return None

    def problems_with(self, trained: Trained | None) -> Iterator[InitErrorDetails]:
        """What the recipe says otherwise than its checkpoints were trained, for `recipe_use.refuse`."""
        yield from ()

    def as_trained(self: RecipeT, trained: Trained | None) -> RecipeT:
        """The recipe for weights of that training, with what it leaves out. `CheckpointError` when they contradict each
        other."""
        return self

    def waits_for_training(self) -> bool:
        """Whether it leaves something to a training, so that nothing can be judged before that has begun."""
        return False

    def with_checkpoint(self: RecipeT, path: Path) -> RecipeT:
        """The recipe with the weights of a checkpoint. `CheckpointError` when the folder does not hold any."""
        raise EditJudgeError(
            f"a judge of kind {self.use!r} cannot load {path}: it has no weights that a checkpoint could replace"
        )

    def without_weights(self: RecipeT, engine: str) -> RecipeT:
        """The recipe of a judge that was asked and is gone: it has the identity of that engine and cannot be asked."""
        raise EditJudgeError(f"a judge of kind {self.use!r} has no weights")


AnyJudge = Annotated[BaseJudgeRecipe, Use(JUDGES, default=DEFAULT_JUDGE)]
"""A `judge:` block of a recipe."""


def judge_schema(path: Path | str, overrides: Iterable[str] = ()) -> type[BaseJudgeRecipe]:
    """What a judge's recipe file is checked against, by its key `use`. `RecipeError` for an unknown kind."""
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
    """The judge of a recipe file, with `key.path=value` overrides. `RecipeError` lists every mistake."""
    overrides = list(overrides)
    return load_for_run(path, judge_schema(path, overrides), overrides).build()
