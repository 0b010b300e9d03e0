"""The main figure of every kind of label, and its place in results.json.

One figure per kind and dimension selects the best checkpoint, is drawn as a learning curve and is logged:

- pairs: `pair_mean`, all pairs weigh the same; it has a narrower interval than the published `task_mean`.
- comparisons (GenAI-Bench, AURORA-Bench): `without_ties`, because it needs no tie threshold fitted on the same labels,
  and the judge's ties are wrong, as for pairs. Four labels, printed first by GenAI-Bench, exist only for votes.
- multiway (TIGER's EditReward-Bench): `group_with_ties` over all groups, the printed "overall". People tied some of the
  candidates, and without a threshold a judge with fine scores could never be right about those groups.
- ratings (ImagenHub, AURORA-Bench): `mean`, the plain mean over editing models of Spearman's rho. VIEScore's own figure
  (`metrics.viescore`) is undefined if one model's coefficient is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from editjudge.formats.results.evaluation import DimensionFigures, JudgeOnBenchmark
from editjudge.formats.results.labels import ComparisonFigures, MultiwayFigures, RatingFigures
from editjudge.records.tasks import DIMENSIONS, Dimension
from editjudge.statistics.estimate import Estimate
from eval.labels.benchmark import Benchmark
from eval.labels.types import SCALES, Scale

LabelKind = Literal["pairs", "comparisons", "multiway", "ratings"]
FigureName = Literal[
    "pair_mean",
    "task_mean",
    "without_ties",
    "with_ties",
    "three_class",
    "group_with_ties",
    "group",
    "pairwise",
    "mean",
    "viescore",
    "fisher",
]
FIGURES: dict[LabelKind, tuple[FigureName, ...]] = {
    "pairs": ("pair_mean", "task_mean"),
    "comparisons": ("without_ties", "with_ties", "three_class"),
    "multiway": ("group_with_ties", "group", "pairwise"),
    "ratings": ("mean", "viescore", "fisher"),
}
"""Figures for selection, by kind; the first of a kind is its main figure."""
SAYS: dict[FigureName, str] = {
    "pair_mean": "share of pairs judged right",
    "task_mean": "share of pairs judged right, mean over tasks",
    "without_ties": "accuracy without ties",
    "with_ties": "accuracy with ties",
    "three_class": "accuracy over three classes",
    "group_with_ties": "share of groups with every comparison right, with ties",
    "group": "share of groups with every comparison right",
    "pairwise": "share of single comparisons right",
    "mean": "Spearman's correlation, mean over editing models",
    "viescore": "Spearman's correlation as VIEScore prints it",
    "fisher": "Spearman's correlation, Fisher's mean over editing models",
}
Topic = Dimension | Scale
"""A dimension, or a scale for ratings."""


@dataclass(frozen=True)
class FigureKey:
    """Key of one figure of an evaluation."""

    kind: LabelKind
    dimension: Topic
    figure: FigureName

    @property
    def chance(self) -> float | None:
        """Return the figure of a random judge; None where it depends on the labels."""
        if self.kind == "ratings":
            return 0.0
        return 0.5 if self.figure in ("pair_mean", "task_mean", "without_ties") else None

    @property
    def says(self) -> str:
        """Return the dimension, with the figure's meaning unless it is a share of pairs."""
        name = self.dimension.replace("_", " ")
        return name if self.kind == "pairs" else f"{name}, {SAYS[self.figure]}"


def kind_of(figure: FigureName) -> LabelKind:
    """Return a figure's kind of label."""
    return next(kind for kind, names in FIGURES.items() if figure in names)


def main_keys(bench: Benchmark) -> list[FigureKey]:
    """Return the main figures of a benchmark, in the order of `FIGURES` and of the dimensions."""
    groups: dict[LabelKind, set[str]] = {
        "pairs": {pair.dimension for pair in bench.pairs},
        "comparisons": {item.dimension for item in bench.comparisons},
        "multiway": {"overall"} if bench.multiways else set(),
        "ratings": {rating.scale for rating in bench.ratings},
    }
    return _keys(groups)


def keys_in(found: JudgeOnBenchmark) -> list[FigureKey]:
    """Return the same keys from results.json."""
    labels = found.labels
    return _keys(
        {
            "pairs": {*found.dimensions},
            "comparisons": {*labels.comparisons},
            "multiway": {"overall"} if labels.multiway is not None else set(),
            "ratings": {*labels.ratings},
        }
    )


def _keys(topics: Mapping[LabelKind, set[str]]) -> list[FigureKey]:
    found: list[FigureKey] = []
    for kind, names in FIGURES.items():
        order: tuple[Topic, ...] = SCALES if kind == "ratings" else DIMENSIONS
        found += [FigureKey(kind, topic, names[0]) for topic in order if topic in topics[kind]]
    return found


def read_figure(found: JudgeOnBenchmark, key: FigureKey) -> Estimate | None:
    """Return a figure from results.json; None when there are no such labels."""
    about = _about(found, key)
    if about is None:
        return None
    inner = about.overall if isinstance(about, MultiwayFigures) else about
    figure: Estimate = getattr(inner.spearman if isinstance(inner, RatingFigures) else inner, key.figure)
    return figure


def read_coverage(found: JudgeOnBenchmark, key: FigureKey) -> float | None:
    """Return the share of its labels that the judge answered; None when there are no such labels."""
    about = _about(found, key)
    return None if about is None else about.coverage


def lowest_coverage(found: JudgeOnBenchmark, keys: Iterable[FigureKey]) -> float | None:
    """Return the lowest coverage of these figures; None without figures."""
    return min((known for key in keys if (known := read_coverage(found, key)) is not None), default=None)


def _about(
    found: JudgeOnBenchmark, key: FigureKey
) -> DimensionFigures | ComparisonFigures | MultiwayFigures | RatingFigures | None:
    if key.kind == "multiway":
        return found.labels.multiway
    of_kind: Mapping[Any, Any] = found.dimensions if key.kind == "pairs" else getattr(found.labels, key.kind)
    return of_kind.get(key.dimension)
