"""Recipes of evaluations: benchmarks, a judge, and bootstrap settings."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from editjudge.asking.base_recipe import AnyJudge
from editjudge.recipes.recipe import Recipe
from editjudge.recipes.recipe_use import Use, mistake, refuse
from eval.benchmarks import BENCHMARKS, BenchmarkSource
from eval.evaluations.cost import Prices
from eval.external.reading import ScoresFile
from eval.human.rankings import Human
from eval.labels.benchmark import folder_name
from eval.probes import Probes
from eval.report.options import LeaderboardOptions, Report

RunName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
"""Also used as a folder name."""


class MeasureRecipe(Recipe):
    """Common keys of evaluations. `seed` is the bootstrap's; the judge has its own."""

    bench: tuple[Annotated[BenchmarkSource, Use(BENCHMARKS)], ...] = Field(min_length=1)
    """Benchmarks to evaluate on."""
    bootstrap_rounds: int = Field(10_000, ge=100)
    """Number of bootstrap resamples of groups for the intervals."""
    shard_triplets: int = Field(64, ge=1)
    """Triplets scored between two saves; an interrupted run resumes from the last save."""
    prices: Prices | None = None
    """Rates for tokens and hours; null: costs are given only in time and tokens."""
    probes: Probes | None = None
    """Probes of the judge; `probes: {}` runs all of them."""
    human: Human | None = None
    """Human rankings to compare the judge with."""
    leaderboard: LeaderboardOptions = LeaderboardOptions()
    report: Report = Report()

    @field_validator("bench")
    @classmethod
    def _folders_differ(cls, value: tuple[BenchmarkSource, ...]) -> tuple[BenchmarkSource, ...]:
        folders: dict[str, str] = {}
        for place, source in enumerate(value):
            other = folders.setdefault(folder_name(source.title), source.title)
            if len(folders) <= place:
                refuse([mistake(f"{source.title!r} is taken by {other!r}; give another", place, "name")])
        return value


class EvalRecipe(MeasureRecipe):
    """`editjudge eval`: one judge, or external scores, on one or more benchmarks."""

    judge: AnyJudge | None = None
    """Judge to evaluate."""
    scores: tuple[ScoresFile, ...] = ()
    """Instead of a judge: a file of scores or votes, a block with its `path`, or a list of them, one per judge."""

    @field_validator("scores", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return value if isinstance(value, list | tuple) else [] if value is None else [value]

    @field_validator("scores")
    @classmethod
    def _distinct(cls, value: tuple[ScoresFile, ...]) -> tuple[ScoresFile, ...]:
        labels = [folder_name(block.label) for block in value]
        twice = next((label for label in labels if labels.count(label) > 1), None)
        if twice is not None:
            raise ValueError(f"two judges are called {twice!r}; give each a `name` of its own")
        return value

    @model_validator(mode="after")
    def _one_source_of_scores(self) -> EvalRecipe:
        if (self.judge is None) == (not self.scores):
            raise ValueError("give either `judge` (a model to ask) or `scores` (a file made elsewhere), one of the two")
        return self

    @model_validator(mode="after")
    def _some_options_need_a_judge(self) -> EvalRecipe:
        if self.judge is None:
            for name in ("probes", "prices", "shard_triplets"):
                if name in self.model_fields_set and getattr(self, name) is not None:
                    raise ValueError(f"{name}: belongs to a judge that is asked, and `scores` has none; leave it out")
        return self

    def resolved(self) -> EvalRecipe:
        """Return the recipe with settings that the judge leaves to its weights."""
        return self if self.judge is None else self.model_copy(update={"judge": self.judge.resolved()})
