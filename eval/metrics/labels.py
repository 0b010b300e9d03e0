"""Every figure of the labels that are no plain preference pair, as results.json holds it under `labels`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from editjudge.records.tasks import DIMENSIONS
from editjudge.records.types import ScoreCard
from editjudge.statistics.arrays import Floats
from editjudge.statistics.shares import group_index
from eval.labels.benchmark import Benchmark
from eval.labels.types import SCALES, Label, Rating, card_value
from eval.metrics.comparisons import measure_comparisons
from eval.metrics.correlation import Column, Correlations, correlate, make_columns
from eval.metrics.multiway import measure_multiways
from eval.metrics.viescore import measure_viescore


def measure_labels(
    bench: Benchmark, cards: Mapping[str, ScoreCard], votes: Mapping[str, Label] | None, rounds: int, seed: int
) -> dict[str, Any]:
    """The figures of a benchmark's comparisons, groups of several candidates and ratings; of the kinds it has.

    `cards` by triplet id; a triplet without one is unscored. `votes` by the id of a comparison or of a preference in
    a group: labels that a rival gave without scores; when there are any, scores are not looked at.
    `comparisons`: dimension -> `measure_comparisons`. `multiway`: `measure_multiways`. `ratings`: scale ->
    `measure_ratings`. Empty for a benchmark of pairs alone. Every figure is {"value", "low", "high"}.
    """
    found: dict[str, Any] = {}
    if bench.comparisons:
        found["comparisons"] = {
            dimension: measure_comparisons(mine, cards, votes, rounds, seed)
            for dimension in DIMENSIONS
            if (mine := [item for item in bench.comparisons if item.dimension == dimension])
        }
    if bench.multiways:
        found["multiway"] = measure_multiways(bench.multiways, cards, votes, rounds, seed)
    if bench.ratings:
        found["ratings"] = {
            scale: measure_ratings(rated, cards, rounds, seed, bench.ratings)
            for scale in SCALES
            if (rated := [rating for rating in bench.ratings if rating.scale == scale])
        }
    return found


def measure_ratings(
    ratings: Sequence[Rating],
    cards: Mapping[str, ScoreCard],
    rounds: int,
    seed: int,
    all_scales: Sequence[Rating] | None = None,
) -> dict[str, Any]:
    """Correlation of a judge with the ratings of one scale; unscored outputs are left out of it and in `coverage`.

    `models`: per editing model. `spearman` and `kendall`: over models, see `correlation.Correlations`; `viescore` among
    them is VIEScore's figure by its own formula, and the key `viescore` says of which `models` it is and which are
    `undefined` there (`viescore.measure_viescore`; `all_scales` are the benchmark's ratings, for its SC and PQ).
    `undefined`: models where people or the judge gave every output the same. `human`: how far the raters agree with
    each other, by our averages over all models and pairs of raters, and `viescore`, as VIEScore has it: each rater
    against the mean of the others, of the editing models that this judge scored. None without single raters. A judge
    may come further than two raters do, as it is held against the mean of the raters, which is steadier.
    """
    columns, n_clusters = rating_columns(ratings, cards)
    found = correlate(columns, n_clusters, rounds, seed)
    theirs = measure_viescore(ratings if all_scales is None else all_scales, cards, ratings[0].scale, rounds, seed)
    human = _between_raters(ratings, rounds, seed)
    return {
        "n": len(ratings),
        "n_images": n_clusters,
        "coverage": round(sum(len(column.human) for column in columns) / len(ratings), 6),
        "models": {column.model: {"n": len(column.human), **found.models[column.model]} for column in columns},
        "spearman": found.spearman | {"viescore": theirs["judge"]},
        "kendall": found.kendall,
        "undefined": [name for name, figures in found.models.items() if figures["spearman"]["value"] is None],
        "viescore": {"models": theirs["models"], "undefined": theirs["undefined"]},
        "human": None if human is None else human | {"viescore": theirs["people"]},
    }


def rating_columns(ratings: Sequence[Rating], cards: Mapping[str, ScoreCard]) -> tuple[list[Column], int]:
    """What people and the judge gave on one scale, per editing model, and the number of images of all ratings."""
    cluster, n_clusters = group_index([rating.triplet.task.id for rating in ratings])
    values = [card_value(cards.get(rating.triplet.id), rating.scale) for rating in ratings]
    judge = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    human = np.array([rating.value for rating in ratings], dtype=np.float64)
    return make_columns([rating.triplet.editor for rating in ratings], human, judge, cluster), n_clusters


def _between_raters(ratings: Sequence[Rating], rounds: int, seed: int) -> dict[str, Any] | None:
    """The mean over pairs of raters and models; None with fewer than two raters."""
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
    averages = {name: figure for name, figure in found.spearman.items() if name != "pooled"}
    return {"n_raters": n_raters, "spearman": averages, "kendall": found.kendall}
