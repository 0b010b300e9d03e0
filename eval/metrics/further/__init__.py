"""Figures beside those of the kinds of labels. `METRICS` names them: a new one is its module and its line."""

from __future__ import annotations

from editjudge.cli.commands import load
from editjudge.formats.results.evaluation import Metric
from eval.labels.benchmark import Benchmark
from eval.metrics.values import Values

METRICS: dict[str, str] = {
    "best_of_group": "eval.metrics.further.best_of_group:best_of_group",
}
"""Name -> "module:function", which takes (bench, values, rounds, seed) and gives an `Estimate` by topic, such as a
dimension; none where the benchmark has nothing to measure it by. The first line of its docstring is its caption."""


def measure_metrics(bench: Benchmark, values: Values, rounds: int, seed: int) -> dict[str, Metric]:
    """The `metrics` of an evaluation in results.json; of the table, those that the benchmark has figures of."""
    functions = {name: load(target) for name, target in METRICS.items()}
    found = {name: function(bench, values, rounds, seed) for name, function in functions.items()}
    return {
        name: Metric(says=functions[name].__doc__.partition("\n")[0], figures=figures)
        for name, figures in found.items()
        if figures
    }
