"""The inspector of a report: pairs that a judge did not get right, with images, scores and rationales.

Pairs here are all labels that prefer one candidate: from pairs, from comparisons, and inside groups of several
candidates. Tied labels are not shown, because whether they are right depends on a threshold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

from editjudge.files.io import digest
from editjudge.records.tasks import ASPECTS, Aspect, Dimension
from editjudge.records.types import EditTriplet, ScoreCard
from eval.evaluations.evaluation import Evaluation
from eval.labels.preferences import Preferred, preferences
from eval.metrics.pairs import Outcome
from eval.metrics.ties import outcome_of, score_of
from eval.report.pictures import Pictures


@dataclass(frozen=True)
class Candidate:
    """One side of an example."""

    picture: str | None
    """Key in the report's pictures; None when the image could not be read."""
    editor: str
    score: float | None
    """In the pair's dimension, 0 to 10."""
    values: tuple[tuple[str, float | None], ...]
    """Every score of the card, 0 to 10, by name; empty without a card."""
    remarks: tuple[tuple[Aspect, str], ...]
    """The first pass's rationale or the reason it was unreadable, per aspect."""


@dataclass(frozen=True)
class Example:
    """A pair in the report."""

    id: str
    outcome: Outcome
    dimension: Dimension
    task_type: str
    instruction: str
    before: str | None
    """Picture before the edit."""
    better: Candidate
    worse: Candidate


@dataclass(frozen=True)
class Gallery:
    """The examples shown for one evaluation."""

    examples: tuple[Example, ...]
    n_not_right: int
    """Number of all pairs not judged right."""
    shown_not_right: int
    voted: bool = False
    """The judge compared both candidates and voted, without scores."""


def build_gallery(
    evaluation: Evaluation, cards: Mapping[str, ScoreCard], pictures: Pictures, wrong: int, right: int, room: int
) -> Gallery:
    """Return at most `wrong` pairs not judged right and `right` that are, the same for the same data.

    They are spread over dimensions, tasks and outcomes, and end where the pictures would exceed `room` characters in
    total. Labels without images give none.
    """
    if not cards or wrong + right == 0 or not evaluation.bench.has_images:
        return Gallery((), 0, 0)
    pairs = preferences(evaluation.bench)
    outcomes = [outcome_of(pair, cards, evaluation.votes) for pair in pairs]
    not_right = [place for place, outcome in enumerate(outcomes) if outcome != "right"]
    contrast = [place for place, outcome in enumerate(outcomes) if outcome == "right"]
    chosen = [*_spread(contrast, pairs, outcomes)[:right], *_spread(not_right, pairs, outcomes)[:wrong]]
    fitting = _fitting([pairs[place] for place in chosen], pictures, evaluation, room)
    examples = [_example(pairs[place], outcomes[place], cards, pictures) for place in chosen[:fitting]]
    # Wrong examples come first; the right ones follow for comparison.
    examples.sort(key=lambda example: example.outcome == "right")
    shown = sum(example.outcome != "right" for example in examples)
    return Gallery(tuple(examples), len(not_right), shown, evaluation.votes is not None)


def _fitting(chosen: Sequence[Preferred], pictures: Pictures, evaluation: Evaluation, room: int) -> int:
    """Return how many of the first examples' pictures fit; they are loaded by the dozen."""
    for start in range(0, len(chosen), 12):
        part = chosen[start : start + 12]
        refs = chain.from_iterable((pair.task.inputs[0], pair.better.edited, pair.worse.edited) for pair in part)
        if pictures.size > room:
            return start
        pictures.load(refs, evaluation.bench.root)
    return len(chosen)


def _spread(places: Sequence[int], pairs: Sequence[Preferred], outcomes: Sequence[Outcome]) -> list[int]:
    """Return one pair of every (dimension, task, outcome), then a second of each, and so on, in a hashed order."""
    kinds: dict[tuple[str, str, str], list[int]] = {}
    for place in sorted(places, key=lambda place: digest("gallery", pairs[place].id, place)):
        pair = pairs[place]
        kinds.setdefault((pair.dimension, pair.task.task_type, outcomes[place]), []).append(place)
    rounds: Iterator[tuple[int | None, ...]] = zip_longest(*kinds.values())
    return [place for drawn in rounds for place in drawn if place is not None]


def _example(pair: Preferred, outcome: Outcome, cards: Mapping[str, ScoreCard], pictures: Pictures) -> Example:
    return Example(
        id=pair.id,
        outcome=outcome,
        dimension=pair.dimension,
        task_type=pair.task.task_type,
        instruction=pair.task.instruction,
        before=pictures.key(pair.task.inputs[0]),
        better=_candidate(pair.better, pair, cards, pictures),
        worse=_candidate(pair.worse, pair, cards, pictures),
    )


def _candidate(triplet: EditTriplet, pair: Preferred, cards: Mapping[str, ScoreCard], pictures: Pictures) -> Candidate:
    card = cards.get(triplet.id)
    names = ("prompt_following", "consistency", "perceptual_quality", "overall")
    return Candidate(
        picture=pictures.key(triplet.edited),
        editor=triplet.editor,
        score=score_of(triplet, pair, cards),
        values=() if card is None else tuple((name.replace("_", " "), getattr(card, name)) for name in names),
        remarks=() if card is None else tuple(_remarks(card)),
    )


def _remarks(card: ScoreCard) -> Iterator[tuple[Aspect, str]]:
    for aspect in ASPECTS:
        judgments = [judgment for judgment in card.judgments if judgment.aspect == aspect]
        if not judgments:
            continue
        readable = next((judgment for judgment in judgments if judgment.scores is not None), None)
        if readable is not None:
            yield aspect, readable.rationale
        else:
            yield aspect, f"not readable ({judgments[0].failure}): {judgments[0].raw[:300]}"
