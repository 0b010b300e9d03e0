"""The recipe of a sweep."""

from __future__ import annotations

from pydantic import Field, ValidationInfo, model_validator
from pydantic_core import InitErrorDetails

from editjudge.asking.base_recipe import AnyJudge, BaseJudgeRecipe
from editjudge.asking.recipe import JudgeRecipe
from editjudge.engines.base import sampling_mistakes
from editjudge.errors import EditJudgeError
from editjudge.files.paths import InputPath
from editjudge.recipes.recipe_use import about_to_run, mistake, refuse
from eval.checkpoints import trained_in
from eval.checkpoints.options import LastCheckpoint, Selection, SweepRuntime, SweptRun, Wandb
from eval.recipe import MeasureRecipe, RunName


class SweepRecipe(MeasureRecipe):
    """`editjudge sweep`: the untrained base and every checkpoint of one or more training runs."""

    judge: AnyJudge
    """Judge settings for checkpoints; its engine names the base and loads the weights of each checkpoint in turn."""
    run: InputPath | None = None
    """Folder of the training run; complete checkpoints are `checkpoint-<step>/` with a `done.json`."""
    runs: dict[RunName, SweptRun] = Field(default_factory=dict)
    """Instead of `run`: several runs by name, each a folder or a block with `path` and `judge`."""
    base: bool = True
    """Also measure the base without an adapter."""
    last: LastCheckpoint | None = LastCheckpoint()
    """Additional measurement of the last checkpoint; null: none."""
    select: Selection = Selection()
    wandb: Wandb | None = None
    """Logging to Weights & Biases; null: none."""
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
        """Check for contradictions with the training, which are visible once it has started."""
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
        """Return the recipe with the settings that its judges leave to the training.

        They are known once it has started, and used where runs with one judge agree.
        """
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
        """Return the runs in their order; a single run is named after its folder."""
        if self.run is None:
            return dict(self.runs)
        return {self.run.absolute().name: SweptRun(path=self.run)}

    def judge_of_run(self, run: SweptRun) -> BaseJudgeRecipe:
        """Return the judge settings for a run's checkpoints."""
        return self.judge if run.judge is None else run.judge

    def last_judge(self, judge: BaseJudgeRecipe) -> BaseJudgeRecipe | None:
        """Return the judge of the additional measurement; None when there is none."""
        return None if self.last is None else judge.averaged(self.last.passes, self.last.sampling)
