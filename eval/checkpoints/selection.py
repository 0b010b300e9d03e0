"""Which checkpoint to take and whether to train on, in the presence of noise.

The checkpoint with the highest figure is the highest partly by luck, and the more checkpoints, the more luck. So the
best checkpoint is *the earliest one that cannot be told from the highest*: the paired 95 % interval of the difference
(highest minus it) includes 0. All checkpoints are resampled with the same draws of groups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from editjudge.tasks import DIMENSIONS
from eval.checkpoints.options import Selection
from eval.metrics.pairs import Counts, Floats, count, measure
from eval.metrics.statistics import MIN_GROUPS, draw_weights
from eval.results import Measured

RULE = "the earliest checkpoint whose paired 95 % interval against the highest one includes 0"
Advice = Literal["too_early", "go_on", "stop", "falling"]


@dataclass(frozen=True)
class Curve:
    """The checkpoints of one run, asked the same way, in the order of their steps."""

    steps: tuple[int, ...]
    labels: tuple[str, ...]
    counts: tuple[Counts, ...]
    """The benchmark as each of them saw it."""


def curve_of(measured: Sequence[Measured], passes: int) -> Curve:
    """From the evaluations of one run on one benchmark; those with another number of passes are left out."""
    rows = {item.step: item for item in measured if item.evaluation.judge["passes"] == passes and item.step is not None}
    ordered = [rows[step] for step in sorted(rows)]
    return Curve(
        tuple(sorted(rows)),
        tuple(item.label for item in ordered),
        tuple(count(item.evaluation.table) for item in ordered),
    )


def choose(curve: Curve, options: Selection, rounds: int, seed: int) -> dict[str, Any]:
    """The best trained checkpoint by `RULE`.

    `step` and `top_step` (the highest; the earlier of equals), `value` of `step`, `differences` (per step: highest
    minus it, `{value, low, high}`), `tied` (steps that cannot be told from the highest), `chance_top` (per step: share
    of resamples in which it is the highest), `against_base` (best minus base with one-sided `p`, or None) and `words`.
    `step` is None, with the reason in `words`, when there is nothing to choose from.
    """
    column = DIMENSIONS.index(options.dimension)
    about = {"rule": RULE, "dimension": options.dimension, "figure": options.figure}
    trained = [place for place, step in enumerate(curve.steps) if step > 0]
    pairs = curve.counts[0].pairs[:, :, column] if curve.counts else np.zeros((0, 1))
    n_groups = int((pairs.sum(axis=1) > 0).sum())
    if not trained or n_groups == 0:
        why = "no trained checkpoint is measured" if not trained else f"no pair is about {options.dimension}"
        return {**about, "step": None, "words": f"No checkpoint can be chosen: {why}."}
    value, drawn = _figures(curve.counts, column, options.figure, rounds, seed)
    top = max(trained, key=lambda place: (value[place], -place))
    if value[top] == 0:
        words = f"No checkpoint can be chosen: none judged a single pair about {options.dimension} right."
        return {**about, "step": None, "words": words}
    enough = n_groups >= MIN_GROUPS
    gaps = [_difference(value[top] - value[place], drawn[:, top] - drawn[:, place], enough) for place in trained]
    tied = [place for place, gap in zip(trained, gaps, strict=True) if not _above_zero(gap)] if enough else trained
    best = tied[0] if enough else top
    first = (drawn[:, trained] == drawn[:, trained].max(axis=1, keepdims=True)).astype(np.float64)
    chances = (first / first.sum(axis=1, keepdims=True)).mean(axis=0)
    base = 0 if curve.steps[0] == 0 else None
    found = {
        **about,
        "step": curve.steps[best],
        "label": curve.labels[best],
        "value": round(float(value[best]), 6),
        "top_step": curve.steps[top],
        "top_value": round(float(value[top]), 6),
        "n_checkpoints": len(trained),
        "n_groups": n_groups,
        "tied": [curve.steps[place] for place in tied],
        "differences": {str(curve.steps[place]): gap for place, gap in zip(trained, gaps, strict=True)},
        "chance_top": {
            str(curve.steps[place]): round(float(share), 4) for place, share in zip(trained, chances, strict=True)
        },
        "against_base": None
        if base is None
        else _difference(value[best] - value[base], drawn[:, best] - drawn[:, base], enough),
    }
    return {**found, "words": _words(found, enough)}


def _figures(counts: Sequence[Counts], column: int, figure: str, rounds: int, seed: int) -> tuple[Floats, Floats]:
    """One figure of one dimension: [judges] of the sample, [rounds, judges] of the resamples."""
    stacked = np.concatenate([counts[0].pairs[..., column], *(item.right[..., column] for item in counts)], axis=1)
    n = 1 + len(counts)

    def read(tallies: Floats) -> Floats:
        parts = [part[..., None] for part in np.split(tallies, n, axis=-1)]
        return np.stack([getattr(measure(part, parts[0]), figure)[..., 0] for part in parts[1:]], axis=-1)

    chunks = [read(weights @ stacked) for weights in draw_weights(len(stacked), rounds, seed)]
    drawn = np.concatenate(chunks)
    # A resample in which the dimension has no pair at all says nothing.
    return read(stacked.sum(axis=0)), drawn[~np.isnan(drawn).any(axis=1)]


def _difference(value: float, drawn: Floats, enough: bool) -> dict[str, float | None]:
    """`value`, its interval (None from too few groups), and `p`: share of resamples in which it is not above 0."""
    low, high = (float(part) for part in np.quantile(drawn, (0.025, 0.975))) if enough else (None, None)
    return {
        "value": round(float(value), 6),
        "low": None if low is None else round(low, 6),
        "high": None if high is None else round(high, 6),
        "p": round(float((drawn <= 0).mean()), 6) if enough else None,
    }


def _above_zero(difference: Mapping[str, float | None]) -> bool:
    low = difference["low"]
    return low is not None and low > 0


def _words(found: Mapping[str, Any], enough: bool) -> str:
    name = found["dimension"].replace("_", " ")
    if not enough:
        return (
            f"Step {found['step']} has the highest accuracy in {name} ({found['value']:.3f}), but only "
            f"{found['n_groups']} groups stand behind it: too few to tell it from the others."
        )
    text = f"Take step {found['step']} ({name}: {found['value']:.3f})"
    if found["step"] == found["top_step"]:
        first = next(iter(found["differences"])) == str(found["step"])
        text += ": the highest." if first else ": the highest, and every earlier checkpoint is measurably lower."
    else:
        gap = found["differences"][str(found["step"])]
        text += (
            f": step {found['top_step']} is the highest ({found['top_value']:.3f}), but the difference of "
            f"{gap['value']:+.3f} [{gap['low']:+.3f}, {gap['high']:+.3f}] may be chance."
        )
    against = found["against_base"]
    if against is not None and not _above_zero(against):
        text += " It is not measurably better than the untrained base."
    return text


def advise(best: Mapping[str, Any], steps: Sequence[int], patience: int, finished: bool) -> dict[str, Any]:
    """Whether to train on, from what `choose` found and the measured steps.

    `advice`: "too_early" (fewer than two checkpoints, or too few groups), "go_on", "stop" (`patience` checkpoints after
    the best brought nothing that can be told from noise), "falling" (the last one is measurably below the highest).
    `n_after` is the number of checkpoints after the best; `could_miss` the largest gain that the benchmark would not
    have shown, the upper end of the interval of highest minus best.
    """
    trained = [step for step in steps if step > 0]
    chosen = best["step"]
    known = chosen is not None and len(trained) > 1 and best["differences"][str(chosen)]["low"] is not None
    n_after = sum(step > chosen for step in trained) if chosen is not None else 0
    could_miss = max(0.0, best["differences"][str(chosen)]["high"]) if known else None
    advice: Advice
    if not known:
        advice, words = "too_early", "Too early to say: too few checkpoints or too few groups."
    elif _above_zero(best["differences"][str(trained[-1])]):
        advice = "falling"
        words = f"Stop: the last checkpoint is measurably worse than step {best['top_step']}; training overfits."
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
    return {"advice": advice, "n_after": n_after, "patience": patience, "could_miss": could_miss, "words": words}
