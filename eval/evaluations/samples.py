"""One figure of several evaluations of a benchmark, with shared resamples for paired comparison."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from editjudge.records.tasks import DIMENSIONS
from editjudge.statistics.arrays import Floats
from editjudge.statistics.bootstrap import draw_weights
from editjudge.statistics.estimate import Samples
from editjudge.statistics.shares import share_samples
from eval.evaluations.evaluation import Evaluation
from eval.labels.types import SCALES
from eval.metrics.comparisons import answer, comparison_shares
from eval.metrics.correlation import averages, resampled_rho
from eval.metrics.figures import FigureKey, FigureName
from eval.metrics.labels import rating_columns
from eval.metrics.multiway import decide, group_shares
from eval.metrics.pairs import Counts, count, measure
from eval.metrics.viescore import viescore_samples


def draw_samples(key: FigureKey, evaluations: Sequence[Evaluation], rounds: int, seed: int) -> Samples:
    """Return the figure of each evaluation, defined and resampled as in results.json; needs at least one evaluation."""
    bench = evaluations[0].bench
    if key.kind == "pairs":
        column = next(place for place, name in enumerate(DIMENSIONS) if name == key.dimension)
        return pair_samples([count(item.table) for item in evaluations], column, key.figure, rounds, seed)
    if key.kind == "comparisons":
        asked = [item for item in bench.comparisons if item.dimension == key.dimension]
        answered = [answer(asked, item.cards(), item.votes) for item in evaluations]
        return share_samples([comparison_shares(asked, each)[key.figure] for each in answered], rounds, seed)
    if key.kind == "multiway":
        decided = [decide(bench.multiways, item.cards(), item.votes) for item in evaluations]
        shares = [group_shares(bench.multiways, each)["overall", key.figure] for each in decided]
        return share_samples(shares, rounds, seed)
    return _rating_samples(key, evaluations, rounds, seed)


def pair_samples(counts: Sequence[Counts], column: int, figure: FigureName, rounds: int, seed: int) -> Samples:
    """Return `pair_mean` or `task_mean` of one dimension, for judges asked about the same pairs."""
    pairs = counts[0].pairs[..., column]
    stacked = np.concatenate([pairs, *(item.right[..., column] for item in counts)], axis=1)

    def read(tallies: Floats) -> Floats:
        parts = [part[..., None] for part in np.split(tallies, 1 + len(counts), axis=-1)]
        return np.stack([getattr(measure(part, parts[0]), figure)[..., 0] for part in parts[1:]], axis=-1)

    drawn = [read(weights @ stacked) for weights in draw_weights(len(stacked), rounds, seed)]
    return Samples(read(stacked.sum(axis=0)), np.concatenate(drawn), int((pairs.sum(axis=1) > 0).sum()))


def _rating_samples(key: FigureKey, evaluations: Sequence[Evaluation], rounds: int, seed: int) -> Samples:
    found = [item.once((key, rounds, seed), partial(_rating_sample, key, item, rounds, seed)) for item in evaluations]
    values, drawn = (np.stack(parts, axis=-1) for parts in zip(*((one.value, one.drawn) for one in found), strict=True))
    return Samples(values, drawn, found[0].n_groups)


def _rating_sample(key: FigureKey, evaluation: Evaluation, rounds: int, seed: int) -> Samples:
    """Return one judge's value and its resamples [rounds]."""
    if key.figure == "viescore":
        scale = next(scale for scale in SCALES if scale == key.dimension)
        return viescore_samples(evaluation.bench.ratings, evaluation.cards(), scale, rounds, seed)
    rated = [rating for rating in evaluation.bench.ratings if rating.scale == key.dimension]
    columns, n_images = rating_columns(rated, evaluation.cards())
    rho, resampled = resampled_rho(columns, n_images, rounds, seed)
    return Samples(averages(rho)[key.figure], averages(resampled)[key.figure], n_images)
