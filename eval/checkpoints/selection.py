"""Selection of the best checkpoint and early stopping, in the presence of noise.

The highest figure is partly luck, and more so with more checkpoints. Therefore the best checkpoint is *the earliest one
that does not differ significantly from the highest*: the paired 95 % interval of the difference (highest minus it)
includes 0. All checkpoints share the same resamples of groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from editjudge.errors import RecipeError
from editjudge.formats.results.sweep import Advice, Choice, EarlyStop
from editjudge.statistics.arrays import Floats
from editjudge.statistics.estimate import Difference, Samples
from eval.checkpoints.options import Selection
from eval.evaluations.samples import draw_samples
from eval.labels.benchmark import Benchmark
from eval.metrics.figures import FIGURES, FigureKey, kind_of, main_keys
from eval.results import Measured

RULE = "the earliest checkpoint whose paired 95 % interval against the highest one includes 0"


def key_of(options: Selection, benches: Sequence[Benchmark]) -> tuple[Benchmark, FigureKey]:
    """Return the benchmark and the figure used for selection. Raises `RecipeError` for a missing one."""
    named = [bench for bench in benches if options.benchmark in (None, bench.name)]
    if not named:
        known = ", ".join(bench.name for bench in benches)
        raise RecipeError("recipe", [f"select.benchmark: no benchmark {options.benchmark!r} here; known: {known}"])
    wanted = "pairs" if options.figure is None else kind_of(options.figure)
    bench = next((bench for bench in named if wanted in {key.kind for key in main_keys(bench)}), None)
    bench = bench or next((bench for bench in named if main_keys(bench)), named[0])
    main = main_keys(bench)
    if not main:
        raise RecipeError("recipe", [f"bench: {bench.name} has no labels, so no checkpoint can be chosen by it"])
    kind = main[0].kind if options.figure is None else wanted
    of_kind = [key for key in main if key.kind == kind]
    if not of_kind:
        known = ", ".join(name for key in {key.kind: key for key in main}.values() for name in FIGURES[key.kind])
        reason = f"{options.figure!r} is a figure of {kind}, and {bench.name} has none; it has: {known}"
        raise RecipeError("recipe", [f"select.figure: {reason}"])
    topics = [key.dimension for key in of_kind]
    topic = options.dimension
    if topic is None:
        topic = "overall" if "overall" in topics else topics[0]
    if topic not in topics:
        reason = f"the {kind} of {bench.name} are not about {topic!r}; they are about: {', '.join(topics)}"
        raise RecipeError("recipe", [f"select.dimension: {reason}"])
    return bench, FigureKey(kind, topic, of_kind[0].figure if options.figure is None else options.figure)


@dataclass(frozen=True)
class Curve:
    """One figure of the checkpoints of a run, with equal passes, by step."""

    key: FigureKey
    steps: tuple[int, ...]
    labels: tuple[str, ...]
    samples: Samples | None
    """One column per checkpoint; None without checkpoints."""


def curve_of(measured: Sequence[Measured], passes: int, key: FigureKey, rounds: int, seed: int) -> Curve:
    """Build the curve from the evaluations of one run on one benchmark with this number of passes."""
    rows = {item.step: item for item in measured if item.evaluation.judge["passes"] == passes and item.step is not None}
    ordered = [rows[step] for step in sorted(rows)]
    samples = draw_samples(key, [item.evaluation for item in ordered], rounds, seed) if ordered else None
    return Curve(key, tuple(sorted(rows)), tuple(item.label for item in ordered), samples)


def choose(curve: Curve, run: str, benchmark: str) -> Choice:
    """Return the best trained checkpoint by `RULE`.

    A checkpoint with an undefined figure (such as the correlation of a judge whose scores are all equal) is never
    chosen.
    """
    key, samples = curve.key, curve.samples
    about = {"rule": RULE, "kind": key.kind, "dimension": key.dimension, "figure": key.figure}
    bare = partial(Choice, run=run, benchmark=benchmark, **about)
    trained = [place for place, step in enumerate(curve.steps) if step > 0]
    if samples is None or not trained:
        return bare(step=None, words="No checkpoint can be chosen: no trained checkpoint is measured.")
    value = samples.value
    top = max(trained, key=lambda place: (np.nan_to_num(value[place], nan=-np.inf), -place))
    if not value[top] > 0:
        why = f"none judged a single pair about {key.says} right"
        if key.kind != "pairs":
            why = f"of none is the figure ({key.says}) above 0"
        return bare(step=None, words=f"No checkpoint can be chosen: {why}.")
    gaps = {place: samples.difference(top, place) for place in trained}
    enough = gaps[top].low is not None
    tied = [place for place in trained if (low := gaps[place].low) is not None and low <= 0] if enough else trained
    best = tied[0] if enough else top
    base = 0 if curve.steps[0] == 0 else None
    chances = zip(trained, _chances(samples.drawn[:, trained]).tolist(), strict=True)
    found = bare(
        step=curve.steps[best],
        words="",
        label=curve.labels[best],
        value=round(float(value[best]), 6),
        top_step=curve.steps[top],
        top_value=round(float(value[top]), 6),
        n_checkpoints=len(trained),
        n_groups=samples.n_groups,
        tied=[curve.steps[place] for place in tied],
        differences={str(curve.steps[place]): gap for place, gap in gaps.items()},
        chance_top={str(curve.steps[place]): round(share, 4) for place, share in chances},
        against_base=None if base is None else samples.difference(best, base),
    )
    return found.model_copy(update={"words": _words(found, key, enough)})


def _chances(drawn: Floats) -> Floats:
    """[checkpoints]: share of resamples in which each is the highest; ties share equally."""
    known = np.where(np.isnan(drawn), -np.inf, drawn)[~np.isnan(drawn).all(axis=1)]
    if not len(known):
        return np.zeros(drawn.shape[1])
    first = (known == known.max(axis=1, keepdims=True)).astype(np.float64)
    shares: Floats = (first / first.sum(axis=1, keepdims=True)).mean(axis=0)
    return shares


def _above_zero(difference: Difference) -> bool:
    return difference.low is not None and difference.low > 0


def _words(found: Choice, key: FigureKey, enough: bool) -> str:
    if not enough:
        return (
            f"Step {found.step} is the highest ({key.says}: {found.value:.3f}), but only {found.n_groups} "
            "groups stand behind it: too few to tell it from the others."
        )
    text = f"Take step {found.step} ({key.says}: {found.value:.3f})"
    if found.step == found.top_step:
        first = next(iter(found.differences)) == str(found.step)
        text += ": the highest." if first else ": the highest, and every earlier checkpoint is measurably lower."
    else:
        gap = found.differences[str(found.step)]
        text += (
            f": step {found.top_step} is the highest ({found.top_value:.3f}), but the difference of "
            f"{gap.value:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}] may be chance."
        )
    if found.against_base is not None and not _above_zero(found.against_base):
        text += " It is not measurably better than the untrained base."
    return text


def advise(best: Choice, steps: Sequence[int], patience: int, finished: bool) -> EarlyStop:
    """Return whether to continue training, from the result of `choose` and the measured steps.

    "too_early": fewer than two checkpoints, or too few groups. "stop": `patience` checkpoints after the best without
    a significant gain. "falling": the last one is significantly below the highest.
    """
    trained = [step for step in steps if step > 0]
    chosen = best.step
    gap = None if chosen is None or len(trained) < 2 else best.differences[str(chosen)]
    n_after = sum(step > chosen for step in trained) if chosen is not None else 0
    could_miss = None if gap is None or gap.low is None else max(0.0, gap.high or 0.0)
    advice: Advice
    if could_miss is None:
        advice, words = "too_early", "Too early to say: too few checkpoints or too few groups."
    elif _above_zero(best.differences[str(trained[-1])]):
        advice = "falling"
        words = f"Stop: the last checkpoint is measurably worse than step {best.top_step}; training overfits."
    elif n_after >= patience:
        advice = "stop"
        words = f"Stop: the {n_after} checkpoints after step {chosen} brought no gain that can be told from noise"
        words += f" (a gain of up to {could_miss:.3f} could have gone unseen)." if could_miss else "."
    else:
        advice, words = "go_on", "Go on: the last checkpoints are the best ones, or too few have come since the best."
    if finished and advice in ("stop", "falling"):
        words = words.replace("Stop: ", "Training could have stopped earlier: ", 1)
    elif finished and advice == "go_on":
        words = "Training has ended while the figures may still have been rising; more steps could help."
    return EarlyStop(
        run=best.run, advice=advice, n_after=n_after, patience=patience, could_miss=could_miss, words=words
    )
