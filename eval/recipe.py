"""Recipes of evaluations: benchmarks, a judge, and how sure to be."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import InitErrorDetails

from editjudge.asking.base_recipe import AnyJudge, BaseJudgeRecipe
from editjudge.asking.recipe import JudgeRecipe
from editjudge.engines.base import sampling_mistakes
from editjudge.errors import EditJudgeError
from editjudge.files.paths import InputPath
from editjudge.recipes.recipe import Recipe, Use, about_to_run, mistake, refuse
from eval.benchmarks import BENCHMARKS, BenchmarkSource
from eval.checkpoints import trained_in
from eval.checkpoints.options import LastCheckpoint, LeaderboardOptions, Selection, SweepRuntime, SweptRun, Wandb
from eval.external.reading import ScoresFile
from eval.metrics.cost import Prices
from eval.metrics.human import Human
from eval.probes import Probes

RunName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
"""Also the name of a folder."""


class Report(BaseModel):
    """What `report.html` shows besides the figures."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = "How good is this judge?"
    funnel: InputPath | None = None
    """`funnel.json` of the curation run that made the training data."""
    examples: int = Field(150, ge=0)
    """Pairs not judged right that the inspector shows with their images, spread over dimensions and tasks."""
    right_examples: int = Field(10, ge=0)
    """Pairs judged right, for comparison."""
    max_mb: float = Field(18, gt=0)
    """The inspector ends where its pictures would take more, in megabytes of the page."""
    tables: tuple[Literal["latex", "markdown"], ...] = ()
    """Also write the tables beside the report, as tables.tex and tables.md."""
    image_px: int = Field(224, ge=32, le=1024)
    """Longer side of the images shown."""


class MeasureRecipe(Recipe):
    """What every evaluation has. `seed` is the bootstrap's; the judge has its own."""

    bench: tuple[Annotated[BenchmarkSource, Use(BENCHMARKS)], ...] = Field(min_length=1)
    bootstrap_rounds: int = Field(10_000, ge=100)
    shard_triplets: int = Field(64, ge=1)
    """Triplets scored between two points from which an interrupted run can resume."""
    prices: Prices | None = None
    """What tokens and hours cost; null: costs are given in time and tokens only."""
    probes: Probes | None = None
    """Probes of the judge's soundness; `probes: {}` asks all of them."""
    human: Human | None = None
    """Rankings by people that the judge is compared with."""
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
    """`editjudge eval`: one judge, or scores made elsewhere, on one or more benchmarks."""

    judge: AnyJudge | None = None
    scores: tuple[ScoresFile, ...] = ()
    """In place of a judge: a file of scores or votes, a block with its `path`, or a list of them, one per judge."""

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
        """With what the judge leaves to its weights."""
        return self if self.judge is None else self.model_copy(update={"judge": self.judge.resolved()})


class SweepRecipe(MeasureRecipe):
    """`editjudge sweep`: the untrained base and every checkpoint of one or more training runs."""

    judge: AnyJudge
    run: InputPath | None = None
    """Folder of the training run; its complete checkpoints are `checkpoint-<step>/` with a `done.json`."""
    runs: dict[RunName, SweptRun] = Field(default_factory=dict)
    """In its place: several runs by name, each a folder or a block with `path` and `judge`."""
    base: bool = True
    """Measure the base without an adapter too."""
    last: LastCheckpoint | None = LastCheckpoint()
    """Null leaves the additional measurement of the last checkpoint out."""
    select: Selection = Selection()
    wandb: Wandb | None = None
    """Null logs nothing there."""
    runtime: SweepRuntime = SweepRuntime()

    @model_validator(mode="after")
    def _one_kind_of_runs(self) -> SweepRecipe:
        if (self.run is None) == (not self.runs):
            raise ValueError("give either `run` (a folder) or `runs` (name: folder), one of the two")
        return self

    @model_validator(mode="after")
    def _passes_differ(self) -> SweepRecipe:
        for name, run in self.named_runs().items():
            several = self.last_judge(self.judge_of_run(run))
            if isinstance(several, JudgeRecipe) and several.sampling.temperature == 0:
                raise ValueError(
                    f"last: several passes at temperature 0 are all alike (run {name}); "
                    "give last.sampling.temperature above 0, or `last: null`"
                )
        return self

    @model_validator(mode="after")
    def _asked_as_trained(self) -> SweepRecipe:
        """Contradictions can be seen once training has begun."""
        found: list[InitErrorDetails] = []
        for name, run in self.named_runs().items():
            where = ("judge",) if run.judge is None else ("runs", name, "judge")
            try:
                trained = trained_in(run.path)
            except EditJudgeError as error:
                found.append(mistake(str(error), *(("run",) if self.run is not None else ("runs", name))))
                continue
            for problem in self.judge_of_run(run).problems_with(trained):
                found.append(InitErrorDetails(**{**problem, "loc": (*where, *problem["loc"])}))
        refuse(found)
        return self

    @model_validator(mode="after")
    def _last_can_be_sampled(self, info: ValidationInfo) -> SweepRecipe:
        if about_to_run(info) and self.last is not None and self.last.sampling is not None:
            for judge in map(self.judge_of_run, self.named_runs().values()):
                if isinstance(judge, JudgeRecipe):
                    refuse(sampling_mistakes(judge.engine, self.last.sampling, "last", "sampling"))
        return self

    def resolved(self) -> SweepRecipe:
        """With what its judges leave to the training, where that has begun and runs with one judge agree on it."""
        trained = {name: trained_in(run.path) for name, run in self.named_runs().items()}
        runs = {
            name: run if run.judge is None else run.model_copy(update={"judge": run.judge.as_trained(trained[name])})
            for name, run in self.runs.items()
        }
        shared = [trained[name] for name, run in self.named_runs().items() if run.judge is None]
        agree = len({None if found is None else found.settings for found in shared}) == 1
        judge = self.judge.as_trained(shared[0]) if agree else self.judge
        return self.model_copy(update={"judge": judge, "runs": runs})

    def named_runs(self) -> dict[str, SweptRun]:
        """The runs in their order; a single one is called as its folder."""
        if self.run is None:
            return dict(self.runs)
        return {self.run.absolute().name: SweptRun(path=self.run)}

    def judge_of_run(self, run: SweptRun) -> BaseJudgeRecipe:
        """How a run's checkpoints are asked."""
        return self.judge if run.judge is None else run.judge

    def last_judge(self, judge: BaseJudgeRecipe) -> BaseJudgeRecipe | None:
        """The judge of the additional measurement; None when there is none to make."""
        return None if self.last is None else judge.averaged(self.last.passes, self.last.sampling)


def folder_name(benchmark: str) -> str:
    """A benchmark's name as the name of a folder."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", benchmark).strip("-.") or "benchmark"
