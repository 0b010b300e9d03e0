"""The figures of `METRICS`: by hand, in results.json and in the report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from bench_ground import stored_pairs
from eval_recipes import eval_recipe
from eval_world import write_benchmark

from eval.labels.benchmark import Benchmark
from eval.labels.findings import Findings
from eval.metrics.further import measure_metrics
from eval.metrics.further.best_of_group import best_of_group
from eval.metrics.values import CARD_VALUES, Values
from eval.run import run_eval

NAN = float("nan")


def share(folder: Path, scores: list[float], keep: slice = slice(None)) -> float | None:
    """Of one group, whose candidates 0, 1, 2 are preferred in this order, with these overall scores."""
    pairs = tuple(stored_pairs(folder, groups=1)[keep])
    bench = Benchmark("b", "b", pairs, folder, Findings(), Findings())
    cards = np.full((3, len(CARD_VALUES)), NAN)
    cards[:, CARD_VALUES.index("overall")] = scores
    found = best_of_group(bench, Values(("g0-0", "g0-1", "g0-2"), cards, np.zeros((3, 0, 4))), 50, 0)
    return found["overall"].value if found else None


@pytest.mark.parametrize(
    ("scores", "value"),
    [
        ([9, 5, 1], 1),
        ([9, 1, 5], 1),  # only the first place counts
        ([5, 9, 1], 0),
        ([5, 5, 1], 0.5),
        ([5, 5, 5], 1 / 3),
        ([NAN, 5, 1], 0),
        ([5, NAN, NAN], 1),
        ([NAN, NAN, NAN], 0),
    ],
)
def test_the_share_of_groups_whose_choice_loses_no_pair(tmp_path: Path, scores: list[float], value: float) -> None:
    assert share(tmp_path, scores) == pytest.approx(value, abs=1e-6)


def test_a_candidate_of_no_lost_pair_may_be_chosen(tmp_path: Path) -> None:
    """Without the pair of the first two, both are unbeaten."""
    assert share(tmp_path, [1, 9, 1], slice(1, 3)) == 1
    assert share(tmp_path, [1, 9, 1], slice(1, 2)) is None, "two candidates"


def test_metrics_stand_in_results_and_report(tmp_path: Path) -> None:
    pairs = write_benchmark(tmp_path / "bench", groups=6)
    recipe = eval_recipe(tmp_path / "out", pairs, report={"examples": 0, "tables": ["markdown"]})
    run_eval(recipe)
    [row] = json.loads((tmp_path / "out" / "results.json").read_text())["evaluations"]
    metric = row["metrics"]["best_of_group"]
    assert [*metric["figures"]] == ["prompt_following", "consistency", "overall"]
    value = metric["figures"]["overall"]["value"]
    for name in ("report.html", "tables.md"):
        text = (tmp_path / "out" / name).read_text()
        assert metric["says"] in text
        assert f"{value:.3f}" in text


def test_a_metric_without_labels_of_its_kind_is_left_out(tmp_path: Path) -> None:
    bench = Benchmark("b", "b", (), tmp_path, Findings(), Findings())
    values = Values((), np.zeros((0, len(CARD_VALUES))), np.zeros((0, 0, 4)))
    assert measure_metrics(bench, values, 50, 0) == {}
