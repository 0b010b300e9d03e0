"""What results.json says of one judge on one benchmark."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from editjudge.formats.results.labels import LabelFigures
from editjudge.records.tasks import Aspect, Dimension
from editjudge.statistics.estimate import Block, Difference, Estimate


class Finding(Block):
    """Rows of a file with the same fault."""

    count: int
    names: list[str]
    """The first of them."""


class BenchmarkSize(Block):
    """A benchmark: what it holds, and what is wrong with it."""

    source: str
    """Where it was read from, for people."""
    identity: str
    """Digest of everything that is judged and of the labels."""
    labels: str
    """Digest of the labels alone: figures of two files are comparable when it is the same."""
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
    """What decides a score. Besides these keys there is whatever else the kind of judge has, such as `sampling`."""

    model_config = ConfigDict(frozen=True, extra="allow")

    engine: str
    prompts: str | None
    """Name of the prompt set; None for scores made elsewhere."""
    passes: int
    """K of Avg@K."""
    identity: str
    unused: dict[str, Finding] = Field(default_factory=dict)
    """Of a file of scores, what could not be used."""

    @property
    def sampling(self) -> dict[str, Any] | None:
        """How replies were drawn; None for scores made elsewhere."""
        return (self.model_extra or {}).get("sampling")


class Outcomes(Block):
    """Pairs by how they were judged."""

    n_pairs: int
    n_groups: int
    right: int
    wrong: int
    tie: int
    unscored: int
    coverage: float | None
    """Share of the pairs that could be scored."""


class TaskFigures(Estimate, Outcomes):
    """Share of a task's pairs that are judged right."""


class DimensionFigures(Outcomes):
    """Accuracies in one dimension, 0 to 1; ties and unscored pairs are wrong."""

    pair_mean: Estimate
    """Every pair alike."""
    task_mean: Estimate
    """Every task alike: the published headline of EditReward-Bench."""
    categories: dict[str, Estimate]
    """Mean over a category's tasks."""
    tasks: dict[str, TaskFigures]


class AveragedFigures(Block):
    """Accuracies with some number of passes, mean over subsets of the passes."""

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
    """All passes minus one, paired."""

    k: int
    over: int
    dimensions: dict[Dimension, Difference]


class KCurve(Block):
    """What the judge would have reached with fewer passes."""

    points: list[KPoint]
    gain: KGain


class Price(Block):
    """What a measurement cost in money; None where tokens that have a price were not counted."""

    currency: str
    total: float | None
    per_1000_triplets: float | None
    rates: dict[str, float]


class Cost(Block):
    """What a measurement took. Tokens are None where the engine does not count them."""

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
    """How scores on 0 to 10 are spread."""

    n: int
    unscored: int
    mean: float | None
    std: float | None
    """Of the population."""
    distinct: int
    """Different values."""
    counts: list[int]
    """Per bin."""


class ScoreSpreads(Block):
    """How a judge uses its scale."""

    edges: list[float]
    """Of the bins; a bin holds its lower edge, the last one both."""
    dimensions: dict[str, Spread]
    """Per triplet, the values of its card."""
    aspects: dict[Aspect, dict[str, Spread]] | None
    """Every readable pass, the raw scores of each reply; None for scores that came without passes."""
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
    """Whether a wide margin means more than a narrow one. Ties and unscored pairs are left out."""

    n_pairs: int
    bins: list[MarginBin]
    """Equally many pairs each, by margin."""
    slope: float | None
    """a of P(right) = 1 / (1 + exp(-a * margin)) by maximum likelihood; None when right and wrong are separated."""
    error: float | None
    """Expected calibration error of that curve."""
    auc: float | None
    """Chance that a right pair has a wider margin than a wrong one; None without both kinds."""


class CountedElsewhere(Estimate):
    """A figure of the same answers as the code of a publisher counts it."""

    by: str
    """Whose code."""
    kind: Literal["pairs", "comparisons", "multiway"]
    dimension: str
    column: str
    """As in the leaderboard."""
    says: str
    n: int


class Metric(Block):
    """A figure of the table of metrics."""

    says: str
    """What it is, in one sentence."""
    figures: dict[str, Estimate]
    """By what they are about, such as a dimension."""


class JudgeOnBenchmark(Block):
    """All figures of one judge on one benchmark."""

    label: str
    """For tables: "base", "step 120", "judge"."""
    run: str | None
    """Name of the training run; None outside of one."""
    step: int | None
    """Of a checkpoint, 0 for the untrained base; None outside of a run."""
    passes: int
    benchmark: str
    partial: bool
    judge: JudgeDescription
    reading: str | None
    """How a file of scores was read where its publisher's code reads it otherwise than we do."""
    n_triplets: int
    seconds: float
    unreadable: dict[str, int]
    """Replies without usable scores, by reason."""
    triplets_per_second: float | None
    dimensions: dict[Dimension, DimensionFigures]
    """Of pairs."""
    k_curve: KCurve | None
    """None with fewer than two passes, or without pairs."""
    cost: Cost | None
    """None for scores made elsewhere."""
    scores: ScoreSpreads
    calibration: dict[Dimension, Calibration]
    labels: LabelFigures = LabelFigures()
    """Of labels that are no pairs."""
    published: list[CountedElsewhere] = Field(default_factory=list)
    metrics: dict[str, Metric] = Field(default_factory=dict)
    """Further figures, by the name of their metric."""
