"""The recipe of a sweep."""

from __future__ import annotations

from pydantic import Field, ValidationInfo, model_validator
from pydantic_core import InitErrorDetails

from editjudge.asking.judge import JudgeRecipe
from editjudge.engines.base import Sampling, sampling_mistakes
from editjudge.errors import EditJudgeError
from editjudge.files.paths import InputPath
from editjudge.formats.judge_settings import Trained, contradictions, place_of
from editjudge.recipes.recipe import about_to_run, mistake, refuse
from eval.checkpoints import trained_in
from eval.checkpoints.options import LastCheckpoint, Selection, SweepRuntime, SweptRun, Wandb
from eval.recipe import MeasureRecipe, RunName


class SweepRecipe(MeasureRecipe):
    """`editjudge sweep`: the untrained base and every checkpoint of one or more training runs."""

    judge: JudgeRecipe
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
            sampling = self.last_sampling(self.judge_of_run(run))
            if sampling is not None and sampling.temperature == 0:
                raise ValueError(
                    f"last: several passes at temperature 0 are all alike (run {name}); "
                    "give last.sampling.temperature above 0, or `last: null`"
                )
        return self

    @model_validator(mode="after")
    def _asked_as_trained(self) -> SweepRecipe:
        """What is left out of `judge` is known once training has begun, and contradictions can be seen."""
        found: list[InitErrorDetails] = []
        shared: list[Trained | None] = []
        for name, run in self.named_runs().items():
            where = ("judge",) if run.judge is None else ("runs", name, "judge")
            try:
                trained = trained_in(run.path)
            except EditJudgeError as error:
                found.append(mistake(str(error), *(("run",) if self.run is not None else ("runs", name))))
                continue
            judge = self.judge_of_run(run)
            problems = () if trained is None else contradictions(judge, judge.engine, trained)
            found += [mistake(text, *where, *place_of(key)) for key, text in problems]
            if run.judge is None:
                shared.append(trained)
            elif not found:
                object.__setattr__(run, "judge", run.judge.as_trained(trained))
        refuse(found)
        if len({None if trained is None else trained.settings for trained in shared}) == 1:
            object.__setattr__(self, "judge", self.judge.as_trained(shared[0]))
        return self

    @model_validator(mode="after")
    def _last_can_be_sampled(self, info: ValidationInfo) -> SweepRecipe:
        if about_to_run(info) and self.last is not None and self.last.sampling is not None:
            for run in self.named_runs().values():
                refuse(sampling_mistakes(self.judge_of_run(run).engine, self.last.sampling, "last", "sampling"))
        return self

    def named_runs(self) -> dict[str, SweptRun]:
        """The runs in their order; a single one is called as its folder."""
        if self.run is None:
            return dict(self.runs)
        return {self.run.absolute().name: SweptRun(path=self.run)}

    def judge_of_run(self, run: SweptRun) -> JudgeRecipe:
        """How a run's checkpoints are asked."""
        return self.judge if run.judge is None else run.judge

    def last_sampling(self, judge: JudgeRecipe) -> Sampling | None:
        """Sampling of the additional measurement; None when there is none to make."""
        if self.last is None:
            return None
        return judge.sampling if self.last.sampling is None else self.last.sampling
