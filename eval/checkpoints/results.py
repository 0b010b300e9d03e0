"""A sweep's part of results.json: curves and gains per run, the best checkpoint, advice, the leaderboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from editjudge.formats.results.results import Results
from editjudge.formats.results.sweep import CheckpointSummary, Gains, LabelDifference, RunResults, RunState
from editjudge.records.tasks import DIMENSIONS, Dimension
from editjudge.statistics.estimate import Difference
from eval.checkpoints.recipe import SweepRecipe
from eval.checkpoints.selection import advise, choose, curve_of, key_of
from eval.evaluations.samples import draw_samples
from eval.labels.benchmark import Benchmark
from eval.metrics.figures import main_keys
from eval.report.leaderboard import build_leaderboard, kinds_of
from eval.results import Measured, build_results, human_results, summarise, summary


def build_sweep_results(
    recipe: SweepRecipe, benches: Sequence[Benchmark], measured: Sequence[Measured], states: Mapping[str, RunState]
) -> Results:
    """Return the content of a sweep's results.json; `states` are the states of the runs' folders."""
    results = build_results(measured, recipe.bootstrap_rounds, recipe.seed, recipe.prices)
    runs = {name: _run_results(recipe, name, state, benches, measured, results) for name, state in states.items()}
    first = next(iter(runs.values()))
    chosen = [run.best for run in runs.values() if run.best.step is not None]
    human = None
    if recipe.human is not None:
        human = human_results(recipe.human, _notable(measured, runs), recipe.bootstrap_rounds, recipe.seed)
    results = results.model_copy(
        update={
            "human": human,
            "runs": runs,
            "checkpoints": first.checkpoints,
            "gain": first.gain,
            "ensemble": first.ensemble,
            "best": max(chosen, key=lambda best: best.value or 0.0, default=None),
            "early_stop": [run.early_stop for run in runs.values()],
        }
    )
    board = build_leaderboard(
        results,
        recipe.out.name,
        kinds_of(recipe.bench, benches),
        recipe.leaderboard.results,
        recipe.leaderboard.published,
    )
    return results.model_copy(update={"leaderboard": board})


def _run_results(
    recipe: SweepRecipe,
    name: str,
    state: RunState,
    benches: Sequence[Benchmark],
    measured: Sequence[Measured],
    results: Results,
) -> RunResults:
    """Return the results of one run: its curve and its best checkpoint."""
    of_run = [item for item in measured if item.run == name]
    passes = recipe.judge_of_run(recipe.named_runs()[name]).n_passes()
    bench, key = key_of(recipe.select, benches)
    of_choice = [item for item in of_run if item.evaluation.bench.name == bench.name]
    curve = curve_of(of_choice, passes, key, recipe.bootstrap_rounds, recipe.seed)
    best = choose(curve, name, bench.name)
    return RunResults(
        **dict(state),
        checkpoints=summarise(results, run=name),
        gain=gains([item for item in of_run if item.evaluation.judge["passes"] == passes], recipe),
        ensemble=_ensemble(results, name, passes),
        best=best,
        early_stop=advise(best, curve.steps, recipe.select.patience, state.finished),
    )


def _notable(measured: Sequence[Measured], runs: Mapping[str, RunResults]) -> list[Measured]:
    """Return the base, best and last checkpoint of each run, for comparison with people."""
    wanted = set()
    for name, run in runs.items():
        last = max((item.step or 0 for item in measured if item.run == name), default=0)
        wanted |= {(name, 0), (name, last), (name, run.best.step)}
    return [item for item in measured if (item.run, item.step) in wanted]


def _ensemble(results: Results, run: str, passes: int) -> CheckpointSummary | None:
    """Return the last entry with more passes than usual, on the first benchmark."""
    of_bench = results.of_benchmark(next(iter(results.benchmarks)))
    more = [found for found in of_bench if found.run == run and found.passes > passes]
    return summary(more[-1]) if more else None


def gains(measured: Sequence[Measured], recipe: SweepRecipe) -> dict[str, Gains]:
    """Return last checkpoint minus untrained base, with equal passes: the main figures of each benchmark, by name."""
    found: dict[str, Gains] = {}
    for name in dict.fromkeys(item.evaluation.bench.name for item in measured):
        of_bench = [item for item in measured if item.evaluation.bench.name == name]
        first, last = of_bench[0], of_bench[-1]
        if first.step != 0 or first is last:
            continue
        of_pairs: dict[Dimension, Difference] = {}
        of_labels: dict[str, dict[str, LabelDifference]] = {}
        for key in main_keys(first.evaluation.bench):
            both = [last.evaluation, first.evaluation]
            difference = draw_samples(key, both, recipe.bootstrap_rounds, recipe.seed).difference(0, 1)
            if key.kind == "pairs":
                of_pairs |= {name: difference for name in DIMENSIONS if name == key.dimension}
            else:
                of_kind = of_labels.setdefault(key.kind, {})
                of_kind[key.dimension] = LabelDifference(figure=key.figure, **dict(difference))
        found[name] = Gains(dimensions=of_pairs, labels=of_labels)
    return found
