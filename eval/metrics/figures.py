"""The main figure of every kind of label, and where it stands in results.json.

One figure per kind and dimension decides which checkpoint is best, is drawn as a learning curve and is logged:

- pairs: `pair_mean`, every pair alike; it has a narrower interval than the published `task_mean`.
- comparisons (GenAI-Bench, AURORA-Bench): `without_ties`, since it needs no tie threshold fitted on the very labels,
  and ties of the judge are wrong, as for pairs. Four labels, printed first by GenAI-Bench, exist for votes only.
- multiway (TIGER's EditReward-Bench): `group_with_ties` over all groups, the printed "overall". People tied some of the
  candidates, and without a threshold a judge with fine scores could never be right about those groups.
- ratings (ImagenHub, AURORA-Bench): `mean`, the plain mean over editing models of Spearman's rho. VIEScore's own figure
  (`metrics.viescore`) is undefined as soon as one model's coefficient is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from editjudge.records.tasks import DIMENSIONS, Dimension
from editjudge.statistics.bootstrap import Figure
from eval.labels.benchmark import Benchmark
from eval.labels.types import SCALES, Scale

Kind = Literal["pairs", "comparisons", "multiway", "ratings"]
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
FIGURES: dict[Kind, tuple[FigureName, ...]] = {
    "pairs": ("pair_mean", "task_mean"),
    "comparisons": ("without_ties", "with_ties", "three_class"),
    "multiway": ("group_with_ties", "group", "pairwise"),
    "ratings": ("mean", "viescore", "fisher"),
}
"""What may be chosen by; the first of a kind is its main figure."""
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
"""What a figure is about: a dimension, or of ratings a scale."""


@dataclass(frozen=True)
class Key:
    """Names one figure of an evaluation."""

    kind: Kind
    dimension: Topic
    figure: FigureName

    @property
    def chance(self) -> float | None:
        """What guessing gives; None where that depends on the labels."""
        if self.kind == "ratings":
            return 0.0
        return 0.5 if self.figure in ("pair_mean", "task_mean", "without_ties") else None

    @property
    def says(self) -> str:
        """Its dimension, and what it is unless that is a share of pairs."""
        name = self.dimension.replace("_", " ")
        return name if self.kind == "pairs" else f"{name}, {SAYS[self.figure]}"


def kind_of(figure: FigureName) -> Kind:
    """The kind of label a figure is of."""
    return next(kind for kind, names in FIGURES.items() if figure in names)


def main_keys(bench: Benchmark) -> list[Key]:
    """The main figures of a benchmark, in the order of `FIGURES` and of the dimensions."""
    groups: dict[Kind, set[str]] = {
        "pairs": {pair.dimension for pair in bench.pairs},
        "comparisons": {item.dimension for item in bench.comparisons},
        "multiway": {"overall"} if bench.multiways else set(),
        "ratings": {rating.scale for rating in bench.ratings},
    }
    return _keys(groups)


def keys_in(row: Mapping[str, Any]) -> list[Key]:
    """The same from an evaluation in results.json."""
    labels = row.get("labels") or {}
    return _keys(
        {
            "pairs": set(row["dimensions"]),
            "comparisons": set(labels.get("comparisons", {})),
            "multiway": {"overall"} if labels.get("multiway") else set(),
            "ratings": set(labels.get("ratings", {})),
        }
    )


def _keys(topics: Mapping[Kind, set[str]]) -> list[Key]:
    found: list[Key] = []
    for kind, names in FIGURES.items():
        order: tuple[Topic, ...] = SCALES if kind == "ratings" else DIMENSIONS
        found += [Key(kind, topic, names[0]) for topic in order if topic in topics[kind]]
    return found


def read_figure(row: Mapping[str, Any], key: Key) -> Figure | None:
    """A figure of an evaluation in results.json; None when it has no such labels."""
    about = _about(row, key)
    if about is None:
        return None
    inner = {"multiway": "overall", "ratings": "spearman"}.get(key.kind)
    found: Figure = (about if inner is None else about[inner])[key.figure]
    return found


def read_coverage(row: Mapping[str, Any], key: Key) -> float | None:
    """The share of its labels that the judge answered; None when it has no such labels."""
    about = _about(row, key)
    return None if about is None else about["coverage"]


def _about(row: Mapping[str, Any], key: Key) -> Mapping[str, Any] | None:
    if key.kind == "pairs":
        found = row["dimensions"].get(key.dimension)
    else:
        of_kind = (row.get("labels") or {}).get(key.kind)
        found = of_kind if of_kind is None or key.kind == "multiway" else of_kind.get(key.dimension)
    return found if found is None else dict(found)
