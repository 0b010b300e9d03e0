"""The part of results.json about labels other than plain preference pairs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from editjudge.records.tasks import Dimension
from editjudge.statistics.estimate import Block, Estimate

AnsweredBy = Literal["scores", "votes"]


class ComparisonFigures(Block):
    """Comparisons of two candidates with ties as answers. Unanswered ones count as wrong.

    A field with a title is a column of the leaderboard, in this order.
    """

    n: int
    n_groups: int
    n_untied: int
    """Comparisons without a human tie."""
    coverage: float
    answered_by: AnsweredBy
    without_ties: Estimate = Field(title="without ties")
    """Accuracy on comparisons without a human tie."""
    with_ties: Estimate = Field(title="with ties")
    """At the tie threshold that fits best (Deutsch et al. 2023)."""
    three_class: Estimate = Field(title="three classes")
    """As `four_label`, with one kind of tie."""
    four_label: Estimate | None = Field(title="four labels")
    """Exact match of A>B, B>A, both good, both bad; None for scores, which do not distinguish good and bad ties."""
    tie_threshold: float | None
    answers: dict[str, dict[str, int]]
    """Human label -> the judge's answer -> count."""


class GroupFigures(Block):
    """Groups of candidates; a group is right only when all its comparisons are."""

    n: int
    n_comparisons: int
    group: Estimate
    group_with_ties: Estimate
    pairwise: Estimate
    """Accuracy of single comparisons."""


class SizedGroupFigures(GroupFigures):
    """Groups with the same number of candidates."""

    tie_threshold: float | None


class MultiwayFigures(Block):
    """Groups of several candidates."""

    n: int
    n_tasks: int
    n_comparisons: int
    coverage: float
    answered_by: AnsweredBy
    k: dict[str, SizedGroupFigures]
    """By number of candidates."""
    overall: GroupFigures
    """All groups pooled, not a mean of the others."""


class ModelCorrelation(Block):
    """Rank correlation on the outputs of one editing model."""

    n: int
    spearman: Estimate
    kendall: Estimate


class SpearmanAverages(Block):
    """Averages of Spearman's rho over editing models."""

    mean: Estimate
    fisher: Estimate
    """tanh of the mean of atanh."""
    pooled: Estimate
    """All ratings of all models pooled."""
    viescore: Estimate
    """VIEScore's average."""


class KendallAverages(Block):
    """Average of Kendall's tau-b over editing models."""

    mean: Estimate


class VIEScoreModel(Block):
    """One editing model of VIEScore's figure."""

    n: int
    spearman: float | None


class VIEScoreModels(Block):
    """The editing models of VIEScore's figure."""

    models: dict[str, VIEScoreModel]
    undefined: list[str]
    """Models with an undefined coefficient, which makes the figure undefined."""


class RaterSpearman(Block):
    """Spearman's rho between raters, averaged over pairs of raters and editing models."""

    mean: Estimate
    fisher: Estimate


class RaterAgreement(Block):
    """Agreement between raters."""

    n_raters: int
    spearman: RaterSpearman
    kendall: KendallAverages
    viescore: Estimate | None
    """Each rater against the mean of the others, on the editing models that this judge scored."""


class RatingFigures(Block):
    """Correlation with people's ratings on one scale."""

    n: int
    n_images: int
    coverage: float
    models: dict[str, ModelCorrelation]
    spearman: SpearmanAverages
    kendall: KendallAverages
    undefined: list[str]
    """Models for which people or the judge gave all outputs equal scores; our averages leave them out."""
    viescore: VIEScoreModels
    human: RaterAgreement | None
    """None without single raters."""


class LabelFigures(Block):
    """Figures by kind of label; empty or None for kinds that the benchmark lacks."""

    comparisons: dict[Dimension, ComparisonFigures] = Field(default_factory=dict)
    multiway: MultiwayFigures | None = None
    ratings: dict[str, RatingFigures] = Field(default_factory=dict)
    """By scale: semantic, quality, overall."""
