"""Columns of leaderboards and tables: their figures, per kind of label."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

from editjudge.formats.results.evaluation import JudgeOnBenchmark
from editjudge.formats.results.labels import ComparisonFigures, LabelFigures
from editjudge.formats.results.leaderboard import BoardKind
from editjudge.records.tasks import DIMENSIONS
from editjudge.statistics.estimate import Estimate

LabelBoard = Literal["comparisons", "multiway", "ratings"]
LABEL_BOARDS: tuple[LabelBoard, ...] = get_args(LabelBoard)
SAYS: dict[BoardKind, str] = {
    "pair_mean": "share of all pairs judged right",
    "task_mean": "share of pairs judged right, mean over tasks",
    "comparisons": "share of comparisons answered as people did",
    "multiway": "share of groups with every comparison right, with ties",
    "ratings": "Spearman's correlation with ratings, mean over editing models (ours), and VIEScore's own figure",
}
"""Descriptions of a table's figures."""
_VIESCORE = ".viescore"
"""Suffix of the keys of columns with VIEScore's own figure."""
_COMPARISONS = {name: field.title for name, field in ComparisonFigures.model_fields.items() if field.title is not None}


def label_boards(labels: LabelFigures) -> list[LabelBoard]:
    """Return the existing kinds of labels."""
    return [name for name in LABEL_BOARDS if getattr(labels, name)]


def boards_of(found: JudgeOnBenchmark, of_pairs: BoardKind | None) -> list[BoardKind]:
    """Return a benchmark's tables; `of_pairs` is the published figure; None: the mean over tasks."""
    pairs: BoardKind = "pair_mean" if of_pairs == "pair_mean" else "task_mean"
    return [*([pairs] if found.dimensions else []), *label_boards(found.labels)]


def columns_of(found: JudgeOnBenchmark, which: BoardKind) -> dict[str, str]:
    """Return key and title of each column of a table."""
    labels = found.labels
    if which == "comparisons":
        several = len(labels.comparisons) > 1
        return {
            f"{name}.{key}" if several else key: f"{name.replace('_', ' ')}, {title}" if several else title
            for name in labels.comparisons
            for key, title in _COMPARISONS.items()
        }
    if which == "multiway":
        sizes = () if labels.multiway is None else labels.multiway.k
        return {f"k{k}": f"{k} candidates" for k in sizes} | {"overall": "overall"}
    if which == "ratings":
        titles = {name: f"{name}, Spearman" for name in labels.ratings}
        return titles | {f"{name}{_VIESCORE}": f"{name}, VIEScore" for name in labels.ratings}
    return {name: name.replace("_", " ") for name in DIMENSIONS if name in found.dimensions}


def values_of(found: JudgeOnBenchmark, which: BoardKind) -> dict[str, Estimate | None]:
    """Return the figures of one evaluation by column."""
    labels = found.labels
    if which == "comparisons":
        several = len(labels.comparisons) > 1
        return {
            f"{name}.{key}" if several else key: getattr(figures, key)
            for name, figures in labels.comparisons.items()
            for key in _COMPARISONS
        }
    if which == "multiway":
        if labels.multiway is None:
            return {}
        by_size = {f"k{k}": figures.group_with_ties for k, figures in labels.multiway.k.items()}
        return {**by_size, "overall": labels.multiway.overall.group_with_ties}
    if which == "ratings":
        means = {name: figures.spearman.mean for name, figures in labels.ratings.items()}
        theirs = {f"{name}{_VIESCORE}": figures.spearman.viescore for name, figures in labels.ratings.items()}
        return {**means, **theirs}
    return {name: getattr(figures, which) for name, figures in found.dimensions.items()}


def size_of(found: JudgeOnBenchmark) -> dict[str, int]:
    """Return the number of labels of an evaluation, by kind; published figures are for benchmarks of one size."""
    labels = found.labels
    size: dict[str, int] = {name: figures.n_pairs for name, figures in found.dimensions.items()}
    size |= {f"comparisons of {name}": figures.n for name, figures in labels.comparisons.items()}
    if labels.multiway is not None:
        size |= {f"groups of {k}": figures.n for k, figures in labels.multiway.k.items()}
    return size | {f"ratings of {name}": figures.n for name, figures in labels.ratings.items()}


def board_coverage(found: JudgeOnBenchmark, which: BoardKind) -> float | None:
    """Return the lowest coverage in a row."""
    labels = found.labels
    parts: Mapping[BoardKind, Iterable[float | None]] = {
        "comparisons": [figures.coverage for figures in labels.comparisons.values()],
        "multiway": [None if labels.multiway is None else labels.multiway.coverage],
        "ratings": [figures.coverage for figures in labels.ratings.values()],
    }
    of_pairs = [figures.coverage for figures in found.dimensions.values()]
    return min((part for part in parts.get(which, of_pairs) if part is not None), default=None)
