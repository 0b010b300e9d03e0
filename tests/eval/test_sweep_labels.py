"""A sweep over benchmarks without a single pair: curves, gains, the best checkpoint and advice all the same."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from eval_world import PixelEngine, marked, write_checkpoint
from rich.console import Console

from editjudge.asking.recipe import JudgeRecipe
from editjudge.errors import RecipeError
from editjudge.formats.results.sweep import MainFigure
from eval.checkpoints.recipe import SweepRecipe
from eval.checkpoints.tracking import metrics
from eval.compare.verdict import compare_folders
from eval.metrics.figures import FigureKey, read_figure
from eval.sweep import run_sweep, show
from eval.terminal import print_results

MEAN = FigureKey("ratings", "overall", "mean")


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    """Ratings and comparisons whose truth is in the pixels, and a run whose judges see it better and better."""
    return make_world(tmp_path_factory.mktemp("labels"))


def make_world(folder: Path) -> Path:
    images = folder / "images"
    images.mkdir()
    for level in range(26):
        marked(level, 7).save(images / f"{level}.png")
    generator = np.random.default_rng(0)
    rated = [
        {"prompt": f"Edit {number}.", "input": "0.png", "gen": f"{level}.png", "score": level, "model": model}
        for model in ("Alpha", "Beta")
        for number, level in enumerate(generator.permutation(26).tolist())
    ]
    compared = [
        {"prompt": f"Edit {number}.", "path_src": "0.png", "path1": f"{one}.png", "path2": f"{two}.png"}
        | {"model1_dim1_score": one // 4, "model2_dim1_score": two // 4}
        for number, (one, two) in enumerate(generator.integers(0, 26, (24, 2)).tolist())
    ]
    (images / "rated.json").write_text(json.dumps(rated))
    (images / "compared.json").write_text(json.dumps(compared))
    for step, noise in ((10, 12.0), (20, 1.0), (30, 1.5), (40, 1.2)):
        write_checkpoint(folder / "run", step, noise=noise)
    return folder


def make_recipe(world: Path, **changes) -> SweepRecipe:
    bench = [
        {"use": "aurora", "path": world / "images" / f"{name}.json", "name": name} for name in ("rated", "compared")
    ]
    values = {
        "out": world / "sweep",
        "run": world / "run",
        "bench": bench,
        "judge": JudgeRecipe(engine=PixelEngine(), prompts="brief-v1", retries=0),
        "bootstrap_rounds": 400,
        "last": None,
        "report": {"examples": 2},
    }
    return SweepRecipe(**(values | changes))


@pytest.fixture(scope="module")
def results(world):
    return run_sweep(make_recipe(world))


def test_the_best_checkpoint_and_advice_come_from_the_first_benchmarks_main_figure(world, results, tmp_path):
    best = results.best.as_json()
    assert {key: best[key] for key in ("benchmark", "kind", "dimension", "figure", "step")} == {
        "benchmark": "rated",
        "kind": "ratings",
        "dimension": "overall",
        "figure": "mean",
        "step": 20,
    }
    rows = {row.step: row for row in results.evaluations if row.benchmark == "rated"}
    assert best["value"] == read_figure(rows[20], MEAN).value
    assert best["differences"]["10"]["low"] > 0
    assert best["against_base"]["low"] > 0
    assert results.early_stop[0].n_after == 2
    assert results.early_stop[0].advice == "go_on"
    chosen = run_sweep(make_recipe(world, out=tmp_path, select={"figure": "with_ties", "patience": 2})).as_json()
    assert (chosen["best"]["benchmark"], chosen["best"]["step"]) == ("compared", 20)
    assert chosen["early_stop"][0]["advice"] == "stop"
    assert [row["best"] for row in chosen["leaderboard"][0]["rows"]].count(True) == 1


def test_gains_and_checkpoints_hold_the_main_figures(results):
    rows = {(row.benchmark, row.step): row for row in results.evaluations}
    assert [entry.step for entry in results.checkpoints] == [0, 10, 20, 30, 40]
    for entry in results.checkpoints:
        assert entry.overall is None
        figure = read_figure(rows["rated", entry.step], MEAN)
        main = MainFigure(figure="mean", **dict(figure), coverage=1.0)
        assert entry.figures == {"ratings": {"overall": main}}
    for bench, key in (("rated", MEAN), ("compared", FigureKey("comparisons", "overall", "without_ties"))):
        gain = results.gain[bench].labels[key.kind]["overall"]
        last, base = (read_figure(rows[bench, step], key).value for step in (40, 0))
        assert gain.figure == key.figure
        assert gain.value == pytest.approx(last - base, abs=2e-6)
        assert 0 < gain.low < gain.value < gain.high
        assert gain.p < 0.05


def test_the_report_draws_a_curve_per_benchmark(world, results):
    page = (world / "sweep" / "report.html").read_text()
    assert page.count("<h2>Learning curve</h2>") == 2
    assert "Spearman&#39;s correlation, mean over editing models after each training step" in page
    assert "Accuracy without ties after each training step" in page
    assert page.count("Last minus base: +") == 2
    value = read_figure(results.evaluations[0], MEAN).value
    assert f"training step base: {value:.2f} (" in page
    assert page.count('<polygon class="band"') == 2
    assert "Take step 20 (overall, Spearman&#39;s" in page


def test_the_terminal_and_the_log_have_every_checkpoint(results, capsys):
    print_results(results, Console(width=160))
    printed = capsys.readouterr().out
    for row in results.evaluations:
        key = MEAN if row.benchmark == "rated" else FigureKey("comparisons", "overall", "without_ties")
        figure = read_figure(row, key)
        assert f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]" in printed
        logged = metrics(row)
        prefix = f"{row.benchmark}/k1/{key.kind}/overall"
        assert logged[f"{prefix}/{key.figure}"] == figure.value
        assert (logged[f"{prefix}/{key.figure}_low"], logged[f"{prefix}/coverage"]) == (figure.low, 1)
    show(results)
    assert "Take step 20" in capsys.readouterr().out


def test_two_checkpoints_of_a_sweep_can_be_compared(world, results):
    folders = [world / "sweep" / f"step-{step:06d}-k1" for step in (40, 0)]
    verdicts = {verdict.benchmark: verdict for verdict in compare_folders(*folders, 400)}
    rated = verdicts["rated"].differences[0]
    gain = results.gain["rated"].labels["ratings"]["overall"]
    assert (rated.value, rated.low, rated.high) == pytest.approx((gain.value, gain.low, gain.high), abs=1e-6)


def test_a_figure_that_is_not_there_is_told_before_anything_is_judged(world, tmp_path):
    recipe = make_recipe(world, out=tmp_path / "out", select={"figure": "pair_mean"})
    with pytest.raises(RecipeError, match=r"select\.figure: 'pair_mean' .*rated"):
        run_sweep(recipe)
    assert not (tmp_path / "out" / "step-000000-k1").exists()


def test_runs_and_passes_are_told_apart_in_the_tables_of_labels(world, tmp_path):
    runs = {"small": world / "run", "large": world / "run"}
    results = run_sweep(make_recipe(world, out=tmp_path, run=None, runs=runs, last={"passes": 2})).as_json()
    assert results["ensemble"]["passes"] == 2
    page = (tmp_path / "report.html").read_text()
    for name in ("small base", "small step 40", "large step 40", "large step 40, K = 2"):
        assert page.count(f"<th>{name}</th>") == 2  # one table per benchmark
    assert 'class="ring"' in page
    assert "One pass or several" not in page  # that part is about pairs
