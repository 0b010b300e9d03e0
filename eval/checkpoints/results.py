"""What a sweep adds to results.json: curves and gains per run, the best checkpoint, advice, the leaderboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eval.checkpoints.recipe import SweepRecipe
from eval.checkpoints.selection import advise, choose, curve_of, key_of
from eval.evaluations.samples import draw_samples
from eval.labels.benchmark import Benchmark
from eval.metrics.figures import main_keys
from eval.report.leaderboard import build_leaderboard, kinds_of
from eval.results import Measured, build_results, human_results, summarise, summary


def build_sweep_results(
    recipe: SweepRecipe,
    benches: Sequence[Benchmark],
    measured: Sequence[Measured],
    states: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """The content of a sweep's results.json.

    `runs` holds per run what `states` says of it (`path`, `finished`, `incomplete`, `missed`, `failed`) and its
    `checkpoints`, `gain`, `ensemble`, `best` (what `choose` found) and `early_stop` (what `advise` says). The first
    three of the first run also stand at the top, and so does the highest of the runs' `best` (with its `run`, or None).
    `early_stop` at the top has one entry per run, `leaderboard` one per benchmark.
    """
    results = build_results(measured, recipe.bootstrap_rounds, recipe.seed, recipe.prices)
    passes = {name: recipe.judge_of_run(run).n_passes() for name, run in recipe.named_runs().items()}
    runs: dict[str, dict[str, Any]] = {}
    for name, state in states.items():
        of_run = [item for item in measured if item.run == name]
        runs[name] = {
            **state,
            "checkpoints": summarise(results, run=name),
            "gain": gains([item for item in of_run if item.evaluation.judge["passes"] == passes[name]], recipe),
            "ensemble": _ensemble(results, name, passes[name]),
        }
    first = next(iter(runs.values()))
    results |= {key: first[key] for key in ("checkpoints", "gain", "ensemble")}
    results["runs"] = runs
    bench, key = key_of(recipe.select, benches)
    for name, about in runs.items():
        of_choice = [item for item in measured if item.run == name and item.evaluation.bench.name == bench.name]
        curve = curve_of(of_choice, passes[name], key, recipe.bootstrap_rounds, recipe.seed)
        best = choose(curve)
        advice = advise(best, curve.steps, recipe.select.patience, about["finished"])
        about["best"] = {"run": name, "benchmark": bench.name, **best}
        about["early_stop"] = {"run": name, **advice}
    chosen = [about["best"] for about in runs.values() if about["best"]["step"] is not None]
    results["best"] = max(chosen, key=lambda best: best["value"], default=None)
    results["early_stop"] = [about["early_stop"] for about in runs.values()]
    if recipe.human is not None:
        results["human"] = human_results(recipe.human, _notable(measured, runs), recipe.bootstrap_rounds, recipe.seed)
    results["leaderboard"] = build_leaderboard(
        results,
        recipe.out.name,
        kinds_of(recipe.bench, benches),
        recipe.leaderboard.results,
        recipe.leaderboard.published,
    )
    return results


def _notable(measured: Sequence[Measured], runs: Mapping[str, Mapping[str, Any]]) -> list[Measured]:
    """Of each run the base, the best and the last checkpoint: what is worth a comparison with people."""
    wanted = set()
    for name, about in runs.items():
        last = max((item.step or 0 for item in measured if item.run == name), default=0)
        wanted |= {(name, 0), (name, last), (name, about["best"]["step"])}
    return [item for item in measured if (item.run, item.step) in wanted]


def _ensemble(results: Mapping[str, Any], run: str, passes: int) -> dict[str, Any] | None:
    """The last entry with more passes than usual, on the first benchmark."""
    bench = next(iter(results["benchmarks"]))
    rows = [row for row in results["evaluations"] if row["run"] == run and row["benchmark"] == bench]
    more = [row for row in rows if row["passes"] > passes]
    return summary(more[-1]) if more else None


def gains(measured: Sequence[Measured], recipe: SweepRecipe) -> dict[str, Any]:
    """Last checkpoint minus untrained base, asked the same way: the main figures of every benchmark.

    By benchmark: of pairs by dimension, and of other labels under `labels`, by kind and dimension, with the name of
    the `figure`. `value`, `low`, `high` are differences; `p` is one-sided, the share of resamples without a gain.
    """
    found: dict[str, Any] = {}
    for name in dict.fromkeys(item.evaluation.bench.name for item in measured):
        of_bench = [item for item in measured if item.evaluation.bench.name == name]
        first, last = of_bench[0], of_bench[-1]
        if first.step != 0 or first is last:
            continue
        gain: dict[str, Any] = {}
        for key in main_keys(first.evaluation.bench):
            both = [last.evaluation, first.evaluation]
            difference = draw_samples(key, both, recipe.bootstrap_rounds, recipe.seed).difference(0, 1)
            if key.kind == "pairs":
                gain[key.dimension] = difference
            else:
                of_kind = gain.setdefault("labels", {}).setdefault(key.kind, {})
                of_kind[key.dimension] = {"figure": key.figure, **difference}
        found[name] = gain
    return found
