"""The columns of a leaderboard and of the tables: which figures stand there, per kind of label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from editjudge.records.tasks import DIMENSIONS
from eval.report.published import Figure

Row = Mapping[str, Any]
LABEL_FIGURES: tuple[Figure, ...] = ("comparisons", "multiway", "ratings")
SAYS: dict[Figure, str] = {
    "pair_mean": "share of all pairs judged right",
    "task_mean": "share of pairs judged right, mean over tasks",
    "comparisons": "share of comparisons answered as people did",
    "multiway": "share of groups with every comparison right, with ties",
    "ratings": "Spearman's correlation with ratings, mean over editing models (ours), and VIEScore's own figure",
}
"""What the figures of a table are."""
VIESCORE = ".viescore"
"""Ends the keys of columns with VIEScore's own figure."""
_COMPARISONS = {
    "without_ties": "without ties",
    "with_ties": "with ties",
    "three_class": "three classes",
    "four_label": "four labels",
}


def figures_of(row: Row, of_pairs: Figure | None) -> list[Figure]:
    """Which tables a benchmark gets; `of_pairs` is the published figure, the mean over tasks where there is none."""
    found: list[Figure] = []
    if row["dimensions"]:
        found.append("pair_mean" if of_pairs == "pair_mean" else "task_mean")
    labels = row.get("labels", {})
    return found + [name for name in LABEL_FIGURES if labels.get(name)]


def columns_of(row: Row, which: Figure) -> dict[str, str]:
    """Key and title of each column of a table."""
    labels = row.get("labels", {})
    if which == "comparisons":
        several = len(labels[which]) > 1
        return {
            f"{name}.{key}" if several else key: f"{name.replace('_', ' ')}, {title}" if several else title
            for name in labels[which]
            for key, title in _COMPARISONS.items()
        }
    if which == "multiway":
        return {f"k{k}": f"{k} candidates" for k in labels[which]["k"]} | {"overall": "overall"}
    if which == "ratings":
        titles = {name: f"{name}, Spearman" for name in labels[which]}
        return titles | {f"{name}{VIESCORE}": f"{name}, VIEScore" for name in labels[which]}
    return {name: name.replace("_", " ") for name in DIMENSIONS if name in row["dimensions"]}


def values_of(row: Row, which: Figure) -> dict[str, Any]:
    """The figures of one evaluation by column."""
    labels = row.get("labels", {})
    if which == "comparisons":
        several = len(labels[which]) > 1
        return {
            f"{name}.{key}" if several else key: found[key]
            for name, found in labels[which].items()
            for key in _COMPARISONS
        }
    if which == "multiway":
        by_size = {f"k{k}": found["group_with_ties"] for k, found in labels[which]["k"].items()}
        return by_size | {"overall": labels[which]["overall"]["group_with_ties"]}
    if which == "ratings":
        means = {name: found["spearman"]["mean"] for name, found in labels[which].items()}
        return means | {f"{name}{VIESCORE}": found["spearman"]["viescore"] for name, found in labels[which].items()}
    return {name: found[which] for name, found in row["dimensions"].items()}


def size_of(row: Row) -> dict[str, int]:
    """How many labels stand behind an evaluation, by kind; published figures are of benchmarks of one size."""
    size = {name: found["n_pairs"] for name, found in row["dimensions"].items()}
    labels = row.get("labels", {})
    size |= {f"comparisons of {name}": found["n"] for name, found in labels.get("comparisons", {}).items()}
    if labels.get("multiway"):
        size |= {f"groups of {k}": found["n"] for k, found in labels["multiway"]["k"].items()}
    return size | {f"ratings of {name}": found["n"] for name, found in labels.get("ratings", {}).items()}


def lowest_coverage(row: Row, which: Figure) -> float | None:
    """The lowest of what stands in a row."""
    found = row["dimensions"] if which in ("task_mean", "pair_mean") else row["labels"][which]
    parts = [found] if which == "multiway" else found.values()
    return min((part["coverage"] for part in parts if part["coverage"] is not None), default=None)
