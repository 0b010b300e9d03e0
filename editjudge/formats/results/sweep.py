"""The part of results.json that a sweep adds."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from editjudge.records.tasks import Dimension
from editjudge.statistics.estimate import Block, Difference, Estimate

Advice = Literal["too_early", "go_on", "stop", "falling"]


class MainFigure(Estimate):
    """The main figure of a kind of label."""

    figure: str
    coverage: float | None


class CheckpointSummary(Block):
    """One checkpoint on one benchmark. The first groups of keys are accuracies of pairs, None without pairs."""

    step: int
    label: str
    passes: int
    partial: bool
    prompt_following: float | None
    """Mean over pairs, as the next two keys."""
    consistency: float | None
    overall: float | None
    coverage: dict[Dimension, float | None]
    low: dict[Dimension, float | None]
    high: dict[Dimension, float | None]
    task_mean: dict[Dimension, float | None]
    task_mean_low: dict[Dimension, float | None]
    task_mean_high: dict[Dimension, float | None]
    figures: dict[str, dict[str, MainFigure]]
    """Main figures: kind of label -> dimension or scale."""


class LabelDifference(Difference):
    """Difference of a main figure of labels other than pairs."""

    figure: str


class Gains(Block):
    """Last checkpoint minus untrained base on one benchmark, paired."""

    dimensions: dict[Dimension, Difference] = Field(default_factory=dict)
    """Differences of the means over pairs."""
    labels: dict[str, dict[str, LabelDifference]] = Field(default_factory=dict)
    """Main figures of other labels: kind -> dimension or scale."""


class Choice(Block):
    """The best trained checkpoint of a run by `rule`, on one figure of one benchmark."""

    run: str
    benchmark: str
    rule: str
    kind: str
    dimension: str
    figure: str
    step: int | None
    """None without candidates; `words` says why, and the following keys are None or empty."""
    words: str
    label: str | None = None
    value: float | None = None
    top_step: int | None = None
    """Step with the highest figure; the earlier of equals."""
    top_value: float | None = None
    n_checkpoints: int = 0
    n_groups: int = 0
    tied: list[int] = Field(default_factory=list)
    """Steps not distinguishable from the highest."""
    differences: dict[str, Difference] = Field(default_factory=dict)
    """By step: the highest minus this step."""
    chance_top: dict[str, float] = Field(default_factory=dict)
    """By step: share of resamples in which it is the highest."""
    against_base: Difference | None = None
    """Best minus base."""


class EarlyStop(Block):
    """Advice on whether to continue training."""

    run: str
    advice: Advice
    n_after: int
    """Checkpoints after the best."""
    patience: int
    could_miss: float | None
    """The largest gain that the benchmark could have missed."""
    words: str


class FailedCheckpoint(Block):
    """A checkpoint that could not be measured."""

    step: int
    error: str


class RunState(Block):
    """State of a training run's folder."""

    path: str
    finished: bool
    incomplete: list[str]
    """Incomplete checkpoints."""
    missed: list[int]
    """Steps that training removed before they were measured."""
    failed: list[FailedCheckpoint]


class RunResults(RunState):
    """A training run and its checkpoints."""

    checkpoints: list[CheckpointSummary]
    """Checkpoints on the first benchmark, by step, the base first."""
    gain: dict[str, Gains]
    """By benchmark."""
    ensemble: CheckpointSummary | None
    """The last checkpoint with several passes."""
    best: Choice
    early_stop: EarlyStop
