"""Stage `measure`: a teacher that scores programmatic edits from their pixels, without a model.

It replaces the teacher model of a real recipe (stage `judge`). It can only judge the output of the programmatic
editors, because it needs the target and a perfect edit. All scores are whole numbers on 0..25.

Semantic scores:
- *editing success*: for each part of the target, how much nearer the output is to the perfect edit than the input:
  `1 - |output - perfect| / |input - perfect|`, mean absolute differences over the part's pixels, at least 0; the mean
  over the parts. Half of the change is half of the success; a change to something else is none.
- *little over-editing*: `1 - sqrt(d / 0.16)`, at least 0, where `d` is the larger of two mean absolute differences:
  outside the target, to the input; and over the whole image, to the editor's result before it added unrequested
  changes and artefacts. The second detects changes on a target that fills the image; the square root is there because
  people see small unrequested changes.

Both are measured on slightly blurred images, because people see an edit through grain.

Quality scores, from the output and the output without its artefact:
- *no artefacts*: `1 - sqrt(a / 0.2)`, at least 0, where `a` is the mean absolute difference caused by the artefact;
- *naturalness*: artefacts that break the image's geometry (seams, blocks) cost as much naturalness as cleanness,
  artefacts on top of it (noise, watermark) cost half.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from curation.judging import SCALE, StandInScorer, recorded
from curation.stage import Context, Drop, Fail, Stage, describe_error
from curation.synthetic.artefacts import Artefact
from curation.synthetic.drawing import Array, blur
from curation.synthetic.programmatic import Outcome, Programmatic
from editjudge.asking.cards import make_card
from editjudge.errors import FATAL, DataError
from editjudge.records.types import EditTriplet, Record, ScoreCard

ENGINE = "measured-v2"
_OUTSIDE_WORST = 0.16
"""Mean absolute difference outside the target, on 0..1, at which restraint is 0."""
_ARTEFACT_WORST = 0.2
_GREY_LEVEL = 1 / 255
_BLUR_PX = 1.2
"""Radius of the blur on an image of 112 pixels."""
_BREAKS_GEOMETRY: tuple[Artefact, ...] = ("seams", "blocks")


def difference(a: Array, b: Array, mask: Array) -> float:
    """Return the mean absolute difference on 0..1 over the pixels of a mask; 0 for an empty mask."""
    weight = float(mask.sum())
    return float((np.abs(a - b).mean(axis=2) * mask).sum()) / weight if weight > 0 else 0.0


def _seen(picture: Array) -> Array:
    return blur(picture, _BLUR_PX * picture.shape[0] / 112)


def _shrink(mask: Array) -> Array:
    """Return the mask without the rim that the blurred change of the target reaches."""
    return mask * (blur(np.repeat(mask[..., None], 3, axis=2), 3 * _BLUR_PX * mask.shape[0] / 112)[..., 0] > 0.98)


def success(outcome: Outcome) -> float:
    """Return editing success, 0..1, over the parts that a perfect edit changes."""
    before, after, output = (_seen(picture) for picture in (outcome.scene.before, outcome.scene.after, outcome.output))
    shares = []
    for part in outcome.scene.targets:
        asked = difference(before, after, part)
        if asked > 0.005:
            shares.append(max(0.0, 1 - difference(output, after, part) / asked))
    return float(np.mean(shares)) if shares else 1.0


def restraint(outcome: Outcome) -> float:
    """Return little over-editing, 0..1."""
    output = _seen(outcome.output)
    # Only pixels outside the (soft) target: its edge may change.
    rest = _shrink((outcome.scene.target <= 0).astype(np.float32))
    outside = difference(output, _seen(outcome.scene.before), rest)
    unasked = difference(output, _seen(outcome.intended), np.ones_like(rest))
    changed = max(outside, unasked)
    if changed <= _GREY_LEVEL:  # the square root would amplify rounding errors
        return 1.0
    return max(0.0, 1 - (changed / _OUTSIDE_WORST) ** 0.5)


def cleanness(outcome: Outcome) -> float:
    """Return absence of artefacts, 0..1."""
    visible = difference(outcome.output, outcome.clean, np.ones(outcome.output.shape[:2], dtype=np.float32))
    return max(0.0, 1 - (visible / _ARTEFACT_WORST) ** 0.5)


def semantic_scores(outcome: Outcome) -> tuple[int, int]:
    """Return (editing success, little over-editing) on 0..25."""
    return round(success(outcome) * SCALE), round(restraint(outcome) * SCALE)


def quality_scores(outcome: Outcome, artefact: Artefact) -> tuple[int, int]:
    """Return (naturalness, no artefacts) on 0..25."""
    clean = cleanness(outcome)
    natural = clean if artefact in _BREAKS_GEOMETRY else (1 + clean) / 2
    return round(natural * SCALE), round(clean * SCALE)


def _degree(score: int, words: Sequence[str]) -> str:
    """Return one of six words, from nothing (below 4) to all (from 23)."""
    return words[bisect_right((4, 9, 14, 19, 23), score)]


_DONE = ("Not", "Barely", "Half", "Mostly", "Nearly", "Fully")
_KEPT = ("lost", "changed a lot", "changed", "changed a little", "nearly kept", "kept")
_MARRED = ("Ruined by", "Full of", "Marred by", "Touched by", "Almost free of", "A trace of")


def semantic_rationale(seen: str, scores: tuple[int, int]) -> str:
    """Describe the edit and how well it follows the instruction."""
    return f"Seen: {seen}. {_degree(scores[0], _DONE)} done, the rest {_degree(scores[1], _KEPT)}."


def quality_rationale(scores: tuple[int, int], artefact: Artefact) -> str:
    """Name the artefact and its strength in one sentence."""
    return "Clean." if artefact == "none" else f"{_degree(scores[1], _MARRED)} {artefact}."


class Measure(Stage):
    """Score programmatic edits from their pixels; see the module's docstring for the formulas."""

    version: ClassVar[int] = 2
    takes: ClassVar[type[Record] | None] = EditTriplet
    gives: ClassVar[type[Record]] = ScoreCard

    def stand_in(self) -> Stage:
        """Return a stand-in that needs no plan: the editors are stand-ins too."""
        return StandInScorer()

    def run(self, rows: Iterable[Any], ctx: Context) -> Iterator[Record | Drop | Fail]:
        """Yield one card per triplet; a triplet that no programmatic editor made fails."""
        for triplet in rows:
            try:
                yield self.card(triplet, ctx)
            except FATAL:
                raise
            except Exception as error:
                yield Fail(triplet.id, describe_error(error), triplet)

    def card(self, triplet: EditTriplet, ctx: Context) -> ScoreCard:
        """Return the teacher's card of one triplet."""
        editor = Programmatic.from_identity(triplet.editor)
        if editor is None:
            raise DataError(f"{triplet.editor!r} is not a programmatic editor: use the stage `judge` for its outputs")
        ctx.images.read(triplet.edited)  # a damaged output must fail, although it could be drawn again
        outcome = editor.outcome(triplet.task, ctx.images, triplet.seed)
        semantic = semantic_scores(outcome)
        quality = quality_scores(outcome, editor.artefact)
        return make_card(
            triplet,
            (
                recorded(triplet, "semantic", semantic, semantic_rationale(outcome.seen, semantic), ENGINE),
                recorded(triplet, "quality", quality, quality_rationale(quality, editor.artefact), ENGINE),
            ),
        )
