"""Probes of a judge: does it use the images and the instruction, and nothing else?

A judge may score well on a benchmark without looking (by the style of an editor, by the wording of an instruction).
Each probe changes one thing about already scored edits and states the expected result in advance. The seeds are those
of the first scoring, because otherwise a difference could come from sampling.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from editjudge.asking.base import BaseJudge
from editjudge.engines.base import BatchEffect
from editjudge.files.identity import identity_values
from editjudge.files.io import is_done, read_jsonl, write_jsonl, write_marker
from editjudge.formats.results.results import ProbeFigures
from editjudge.records.types import ScoreCard
from editjudge.statistics.arrays import TIE_DECIMALS
from editjudge.statistics.shares import exact_share
from editjudge.system.progress import bar
from eval.evaluations.evaluation import Evaluation
from eval.labels.preferences import Preferred
from eval.metrics.values import CARD_VALUES, values_of
from eval.probes.questions import Altered, ask_about, couples_of

Probe = Literal["identical", "other_instruction", "black", "swapped", "jpeg", "resize", "batch_position"]

MUST_FALL: dict[str, str] = {
    "identical": "prompt_following",
    "other_instruction": "prompt_following",
    "black": "overall",
    "swapped": "prompt_following",
}
"""Probes that pass when this value of a preferred edit is lower than for the real edit."""

SAYS: dict[str, str] = {
    "identical": "the input is returned as the output: it follows the instruction less than the edit",
    "other_instruction": "the instruction is another task's: the edit follows it less than its own",
    "black": "the output is a black image: it is worse than the edit",
    "swapped": "before and after are exchanged: the instruction is followed less than in the right order",
    "jpeg": "both outputs are saved as JPEG and read again: the verdict stays",
    "resize": "both outputs are made smaller and large again: the verdict stays",
    "batch_position": "the same edits in reverse order and other batches: the scores stay",
}
"""Description and expectation of each probe."""

PROMISES: dict[BatchEffect, str] = {
    "none": "the engine promises that a batch changes nothing",
    "rounding": "the engine promises it up to rounding, which can turn a close choice between two tokens",
    "any": "the engine does not promise it",
}
"""The engine's guarantee for `batch_position`."""

VERSION = 1
"""Increased when a probe changes its questions."""
SHOWN = 20
"""Names of failures kept per probe."""
_BATCH = 3
"""Edits per batch in `batch_position`."""


class Probes(BaseModel):
    """The `probes:` block of a recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    groups: int = Field(64, ge=5)
    """Number of groups, each probed on one pair, drawn by hash; all groups when there are fewer."""
    seed: int = 0
    """Seed of the draw of groups and pairs."""
    use: tuple[Probe, ...] = Field(get_args(Probe), min_length=1)
    """Probes to run."""
    jpeg_quality: int = Field(75, ge=1, le=95)
    """Quality for the probe `jpeg`, on Pillow's scale."""
    resize: float = Field(0.5, gt=0, lt=1)
    """Scale factor of each side for the probe that resizes images down and up again."""

    def altered(self) -> Altered:
        """Return the image alterations."""
        return Altered(self.jpeg_quality, self.resize)


def run_probes(judge: BaseJudge[Any], evaluation: Evaluation, probes: Probes) -> list[ProbeFigures]:
    """Run missing probes, below `probes/` in the evaluation's folder; return one row of results.json per probe.

    Raises `StaleOutputError` when the folder contains other probes than the recipe's.
    """
    couples = couples_of(evaluation.bench, probes.groups, probes.seed)
    values = evaluation.values()
    before = dict(zip(values.ids, values.cards, strict=True))
    rows = []
    for name in dict.fromkeys(probes.use):
        cards = _cards(judge, evaluation, probes, name, couples)
        found = values_of(cards)
        after = dict(zip(found.ids, found.cards, strict=True))
        if name in MUST_FALL:
            rows.append(_fallen(name, couples, before, after))
        else:
            promise = judge.batch_effect if name == "batch_position" else None
            rows.append(_unmoved(name, couples, before, after, promise))
    return rows


def _cards(
    judge: BaseJudge[Any], evaluation: Evaluation, probes: Probes, name: str, couples: Sequence[Preferred]
) -> list[ScoreCard]:
    """Return the cards of one probe, from the folder if they exist."""
    folder: Path = evaluation.folder / "probes"
    data, marker = folder / f"{name}.jsonl", folder / f"{name}.done.json"
    settings = {key: value for key, value in identity_values(probes).items() if key != "use"}
    identity = {
        "judge": judge.describe(),
        "benchmark": evaluation.bench.identity,
        "probe": {"version": VERSION, **settings},
    }
    if not is_done(marker, identity):
        questions = list(ask_about(name, couples, evaluation.bench.root, probes.altered(), judge.colors))
        asked = judge
        if name == "batch_position":
            questions.reverse()
            asked = judge.without_cache()
        cards: list[ScoreCard] = []
        size = _BATCH if name == "batch_position" else judge.chunk
        with bar(f"probe {name}", len(questions)) as advance:
            for start in range(0, len(questions), size):
                batch = questions[start : start + size]
                cards += asked.score_images([(question.triplet, question.images()) for question in batch])
                advance(len(batch))
        write_jsonl(data, cards)
        write_marker(marker, identity, {"triplets": len(cards)})
    return list(read_jsonl(data, ScoreCard))


Cards = Mapping[str, Any]
"""Card values by triplet id, in the order of `CARD_VALUES`."""


def _fallen(name: str, couples: Sequence[Preferred], before: Cards, after: Cards) -> ProbeFigures:
    """Return the result of a probe whose value must be lower than before."""
    column = CARD_VALUES.index(MUST_FALL[name])
    changes: list[float] = []
    skipped, failed = 0, []
    for couple in couples:
        subject = couple.better.id
        had = before[subject][column]
        if subject not in after or had == 0:
            skipped += 1
            continue
        changes.append(float(after[subject][column] - had))
        if not changes[-1] < 0:
            failed.append(subject)
    return _figures(name, MUST_FALL[name], changes, failed, skipped, None)


def _unmoved(
    name: str, couples: Sequence[Preferred], before: Cards, after: Cards, promise: BatchEffect | None
) -> ProbeFigures:
    """Return the result of a probe that must keep a pair's verdict, or in `batch_position` every value."""
    changes: list[float] = []
    skipped, flips, failed = 0, 0, []
    for couple in couples:
        ids = (couple.better.id, couple.worse.id)
        if not all(triplet_id in after for triplet_id in ids):
            skipped += 1
            continue
        column = CARD_VALUES.index(couple.dimension)
        margins = [cards[ids[0]][column] - cards[ids[1]][column] for cards in (before, after)]
        was, now = (float(round(margin, TIE_DECIMALS)) for margin in margins)
        changes.append(now - was)
        flips += bool(was * now < 0)
        if name == "batch_position":
            kept = all(np.array_equal(before[each], after[each], equal_nan=True) for each in ids)
            changes[-1] = max(float(np.nan_to_num(abs(after[each] - before[each])).max()) for each in ids)
        else:
            kept = bool(np.sign(was) == np.sign(now))
        if not kept:
            failed.append(couple.id)
    return _figures(name, None, changes, failed, skipped, flips, promise)


def _figures(
    name: str,
    dimension: str | None,
    changes: list[float],
    failed: list[str],
    skipped: int,
    flips: int | None,
    promise: BatchEffect | None = None,
) -> ProbeFigures:
    n, known = len(changes), [change for change in changes if not np.isnan(change)]
    passed = n - len(failed)
    return ProbeFigures(
        probe=name,
        says=SAYS[name] + ("" if promise is None else f"; {PROMISES[promise]}"),
        dimension=dimension,
        n=n,
        passed=passed,
        rate=exact_share(passed, n),
        unscored=n - len(known),
        skipped=skipped,
        flips=flips,
        mean_change=round(float(np.mean(known)), 6) if known else None,
        failed=failed[:SHOWN],
    )
