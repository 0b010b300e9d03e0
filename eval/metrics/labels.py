"""All figures of labels other than plain preference pairs, as `labels` in results.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from editjudge.formats.results.labels import (
    LabelFigures,
    RaterAgreement,
    RaterSpearman,
    RatingFigures,
    SpearmanAverages,
)
from editjudge.records.tasks import DIMENSIONS
from editjudge.records.types import ScoreCard
from editjudge.statistics.arrays import Floats
from editjudge.statistics.estimate import Estimate
from editjudge.statistics.shares import group_index
from eval.labels.benchmark import Benchmark
from eval.labels.types import SCALES, Label, Rating, card_value
from eval.metrics.comparisons import measure_comparisons
from eval.metrics.correlation import Column, Correlations, correlate, make_columns
from eval.metrics.multiway import measure_multiways
from eval.metrics.viescore import measure_viescore


def measure_labels(
    bench: Benchmark, cards: Mapping[str, ScoreCard], votes: Mapping[str, Label] | None, rounds: int, seed: int
) -> LabelFigures:
    """Return the figures of a benchmark's comparisons, groups of several candidates and ratings, for the kinds it has.

    `cards` by triplet id; a triplet without one is unscored. `votes` by the id of a comparison or of a preference in
    a group: labels of an external judge without scores; with any votes, scores are ignored.
    """
    multiways = bench.multiways
    return LabelFigures(
        comparisons={
            dimension: measure_comparisons(mine, cards, votes, rounds, seed)
            for dimension in DIMENSIONS
            if (mine := [item for item in bench.comparisons if item.dimension == dimension])
        },
        multiway=measure_multiways(multiways, cards, votes, rounds, seed) if multiways else None,
        ratings={
            scale: measure_ratings(rated, cards, rounds, seed, bench.ratings)
            for scale in SCALES
            if (rated := [rating for rating in bench.ratings if rating.scale == scale])
        },
    )


def measure_ratings(
    ratings: Sequence[Rating],
    cards: Mapping[str, ScoreCard],
    rounds: int,
    seed: int,
    all_scales: Sequence[Rating] | None = None,
) -> RatingFigures:
    """Return the correlation of a judge with the ratings of one scale; unscored outputs only count in `coverage`.

    `all_scales` are the benchmark's ratings, for VIEScore's SC and PQ (`viescore.measure_viescore`). A judge may exceed
    the agreement of two raters, because it is compared with the mean of the raters, which has less noise.
    """
    columns, n_clusters = rating_columns(ratings, cards)
    found = correlate(columns, n_clusters, rounds, seed)
    theirs = measure_viescore(ratings if all_scales is None else all_scales, cards, ratings[0].scale, rounds, seed)
    return RatingFigures(
        n=len(ratings),
        n_images=n_clusters,
        coverage=round(sum(len(column.human) for column in columns) / len(ratings), 6),
        models=found.models,
        spearman=SpearmanAverages(**found.spearman, viescore=theirs.judge),
        kendall=found.kendall,
        undefined=[name for name, figures in found.models.items() if figures.spearman.value is None],
        viescore=theirs.of,
        human=_between_raters(ratings, theirs.people, rounds, seed),
    )


def rating_columns(ratings: Sequence[Rating], cards: Mapping[str, ScoreCard]) -> tuple[list[Column], int]:
    """Return people's and the judge's values on one scale, per editing model, and the number of rated images."""
    cluster, n_clusters = group_index([rating.triplet.task.id for rating in ratings])
    values = [card_value(cards.get(rating.triplet.id), rating.scale) for rating in ratings]
    judge = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    human = np.array([rating.value for rating in ratings], dtype=np.float64)
    return make_columns([rating.triplet.editor for rating in ratings], human, judge, cluster), n_clusters


def _between_raters(
    ratings: Sequence[Rating], viescore: Estimate | None, rounds: int, seed: int
) -> RaterAgreement | None:
    """Return the mean over pairs of raters and models; None with fewer than two raters."""
    n_raters = min(len(rating.raters) for rating in ratings)
    if n_raters < 2:
        return None
    cluster, n_clusters = group_index([rating.triplet.task.id for rating in ratings])
    given: Floats = np.array([rating.raters[:n_raters] for rating in ratings], dtype=np.float64)
    editors = [rating.triplet.editor for rating in ratings]
    columns = [
        column
        for one, other in combinations(range(n_raters), 2)
        for column in make_columns(editors, given[:, one], given[:, other], cluster)
    ]
    found: Correlations = correlate(columns, n_clusters, rounds, seed)
    spearman = RaterSpearman(mean=found.spearman["mean"], fisher=found.spearman["fisher"])
    return RaterAgreement(n_raters=n_raters, spearman=spearman, kendall=found.kendall, viescore=viescore)
