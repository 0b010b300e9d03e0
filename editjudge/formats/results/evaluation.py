"""The part of results.json about one judge on one benchmark."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from editjudge.formats.results.labels import LabelFigures
from editjudge.records.tasks import Aspect, Dimension
from editjudge.statistics.estimate import Block, Difference, Estimate


class Finding(Block):
    """Rows of a file with the same problem."""

    count: int
    names: list[str]
    """Names of the first ones."""


class BenchmarkSize(Block):
    """Size and identity of a benchmark, and problems of its rows."""

    source: str
    """Source of the data, for people."""
    identity: str
    """Digest of the judged data and of the labels."""
    labels: str
    """Digest of the labels alone: figures of two files are comparable when it is equal."""
    n_pairs: int
    n_comparisons: int
    n_multiways: int
    n_ratings: int
    n_groups: int
    n_triplets: int
    partial: bool
    """Rows are missing from every figure."""
    left_out: dict[str, Finding]
    """Rows that could not be used, by kind."""
    notes: dict[str, Finding]
    """Suspicious rows that are kept, by kind."""


class JudgeDescription(Block):
    """Everything that affects a score. Each kind of judge adds keys, such as `sampling`."""

    model_config = ConfigDict(frozen=True, extra="allow")

    engine: str
    prompts: str | None
    """Name of the prompt set; None for scores made elsewhere."""
    passes: int
    """K of Avg@K."""
    identity: str
    unused: dict[str, Finding] = Field(default_factory=dict)
    """Unused rows of a file of scores."""

    @property
    def sampling(self) -> dict[str, Any] | None:
        """Sampling of the replies; None for scores made elsewhere."""
        return (self.model_extra or {}).get("sampling")


class Outcomes(Block):
    """Pairs by outcome."""

    n_pairs: int
    n_groups: int
    right: int
    wrong: int
    tie: int
    unscored: int
    coverage: float | None
    """Share of the pairs that could be scored."""


class TaskFigures(Estimate, Outcomes):
    """Accuracy on the pairs of a task."""


class DimensionFigures(Outcomes):
    """Accuracies in one dimension, 0 to 1; ties and unscored pairs are wrong."""

    pair_mean: Estimate
    """Mean over pairs."""
    task_mean: Estimate
    """Mean over tasks: the published headline of EditReward-Bench."""
    categories: dict[str, Estimate]
    """Mean over a category's tasks."""
    tasks: dict[str, TaskFigures]


class AveragedFigures(Block):
    """Accuracies with a number of passes, averaged over subsets of the passes."""

    pair_mean: Estimate
    task_mean: Estimate
    coverage: float
    ties: float
    """Share of the pairs."""
    sd: float | None
    """Standard deviation of the pair mean between subsets; None for one subset."""


class KPoint(Block):
    """One number of passes."""

    k: int
    subsets: int
    dimensions: dict[Dimension, AveragedFigures]


class KGain(Block):
    """All passes minus one pass, paired."""

    k: int
    over: int
    dimensions: dict[Dimension, Difference]


class KCurve(Block):
    """Accuracies with fewer passes."""

    points: list[KPoint]
    gain: KGain


class Price(Block):
    """Cost of a measurement in money; None where tokens with a price were not counted."""

    currency: str
    total: float | None
    per_1000_triplets: float | None
    rates: dict[str, float]


class Cost(Block):
    """Cost of a measurement. Tokens are None where the engine does not count them."""

    seconds: float
    triplets_per_second: float | None
    judgments: int
    prompt_tokens: int | None
    completion_tokens: int | None
    prompt_tokens_per_triplet: float | None
    completion_tokens_per_triplet: float | None
    completion_tokens_per_second: float | None
    price: Price | None


class Spread(Block):
    """Distribution of scores on 0 to 10."""

    n: int
    unscored: int
    mean: float | None
    std: float | None
    """Population standard deviation."""
    distinct: int
    """Number of different values."""
    counts: list[int]
    """Count per bin."""


class ScoreSpreads(Block):
    """Distribution of a judge's scores over its scale."""

    edges: list[float]
    """Edges of the bins; a bin contains its lower edge, the last one both."""
    dimensions: dict[str, Spread]
    """Values of the cards, per triplet."""
    aspects: dict[Aspect, dict[str, Spread]] | None
    """Raw scores of every readable pass; None for scores without passes."""
    spread: float | None
    """Mean over triplets of the standard deviation of `overall` between passes; None for one pass."""


class MarginBin(Block):
    """Pairs with similar margins, in points of 10."""

    low: float
    high: float
    mean: float
    n_pairs: int
    n_groups: int
    right: Estimate


class Calibration(Block):
    """Whether wider margins are more often right. Ties and unscored pairs are left out."""

    n_pairs: int
    bins: list[MarginBin]
    """Bins with equally many pairs, by margin."""
    slope: float | None
    """a of P(right) = 1 / (1 + exp(-a * margin)) by maximum likelihood; None when right and wrong are separated."""
    error: float | None
    """Expected calibration error of that curve."""
    auc: float | None
    """Probability that a right pair has a wider margin than a wrong one; None without both kinds."""


class CountedElsewhere(Estimate):
    """A figure of the same answers, counted by a publisher's code."""

    by: str
    """Name of the publisher."""
    kind: Literal["pairs", "comparisons", "multiway"]
    dimension: str
    column: str
    """Column of the leaderboard."""
    says: str
    n: int


class Metric(Block):
    """A figure of the table of metrics."""

    says: str
    """Description in one sentence."""
    figures: dict[str, Estimate]
    """Figures by subject, such as a dimension."""


class JudgeOnBenchmark(Block):
    """All figures of one judge on one benchmark."""

    label: str
    """Label in tables: "base", "step 120", "judge"."""
    run: str | None
    """Name of the training run; None without one."""
    step: int | None
    """Step of the checkpoint, 0 for the untrained base; None without a run."""
    passes: int
    benchmark: str
    partial: bool
    judge: JudgeDescription
    reading: str | None
    """How a file of scores was read, where this differs from its publisher's code."""
    n_triplets: int
    seconds: float
    unreadable: dict[str, int]
    """Replies without usable scores, by reason."""
    triplets_per_second: float | None
    dimensions: dict[Dimension, DimensionFigures]
    """Figures of pairs."""
    k_curve: KCurve | None
    """None with fewer than two passes, or without pairs."""
    cost: Cost | None
    """None for scores made elsewhere."""
    scores: ScoreSpreads
    calibration: dict[Dimension, Calibration]
    labels: LabelFigures = LabelFigures()
    """Figures of labels other than pairs."""
    published: list[CountedElsewhere] = Field(default_factory=list)
    metrics: dict[str, Metric] = Field(default_factory=dict)
    """Further figures, by name of the metric."""
