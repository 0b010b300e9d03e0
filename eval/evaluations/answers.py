"""Answers by which two evaluations are compared: whether the judge answered each question of a benchmark right.

In an evaluation's folder `answers.jsonl` contains the comparisons and groups of several candidates, and pairs.jsonl the
pairs; `ratings.jsonl` contains people's and the judge's values of each output, which are not right or wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from editjudge.files.io import write_jsonl
from editjudge.records.tasks import Dimension
from editjudge.records.types import ScoreCard
from eval.evaluations.evaluation import Evaluation
from eval.labels.benchmark import Benchmark
from eval.labels.types import SIGN, Comparison, Label, Multiway, Rating, Scale, card_value
from eval.metrics.comparisons import answer
from eval.metrics.multiway import Flags, decide
from eval.metrics.ties import UNREADABLE, right_with_ties

ANSWERS, RATINGS = "answers.jsonl", "ratings.jsonl"
AnswerKind = Literal["with_ties", "without_ties", "group", "group_with_ties"]


class Answer(BaseModel):
    """One question of a benchmark other than a plain pair."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    task_id: str
    task_type: str
    dimension: Dimension
    kind: AnswerKind
    """A comparison with ties at the judge's best threshold, a comparison that people did not tie, or a whole group
    with ties between equal scores or at the best threshold."""
    right: bool
    unscored: bool = False
    """The judge gave no answer, or only part of a group's; counts as wrong."""


class RatedOutput(BaseModel):
    """A row of `ratings.jsonl`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    task_id: str
    model: str
    """Name of the editing model."""
    scale: Scale
    human: float
    """Mean of people's ratings, on their scale."""
    judge: float | None
    """0 to 10; None when unscored."""


def write_answers(evaluation: Evaluation) -> None:
    """Write `answers.jsonl` and `ratings.jsonl`, whichever the benchmark has labels for."""
    bench = evaluation.bench
    if bench.has_other_labels:
        cards = evaluation.cards()
        if bench.comparisons or bench.multiways:
            write_jsonl(evaluation.folder / ANSWERS, answers_of(bench, cards, evaluation.votes))
        if bench.ratings:
            write_jsonl(evaluation.folder / RATINGS, (_rated(rating, cards) for rating in bench.ratings))


def _rated(rating: Rating, cards: Mapping[str, ScoreCard]) -> RatedOutput:
    return RatedOutput(
        id=rating.id,
        task_id=rating.triplet.task.id,
        model=rating.triplet.editor,
        scale=rating.scale,
        human=rating.value,
        judge=card_value(cards.get(rating.triplet.id), rating.scale),
    )


def answers_of(bench: Benchmark, cards: Mapping[str, ScoreCard], votes: Mapping[str, Label] | None) -> Iterator[Answer]:
    """Yield a row per question and kind, see `metrics.comparisons` and `.multiway`; a missing answer is wrong."""
    for dimension in dict.fromkeys(item.dimension for item in bench.comparisons):
        yield from _of_comparisons([item for item in bench.comparisons if item.dimension == dimension], cards, votes)
    found = decide(bench.multiways, cards, votes)
    kinds: tuple[tuple[AnswerKind, Flags], ...] = (("group", found.exact), ("group_with_ties", found.fitted))
    answered = found.all_right(found.answered).tolist()
    for kind, right in kinds:
        for group, whole, known in zip(bench.multiways, found.all_right(right).tolist(), answered, strict=True):
            yield _answer(group, kind, whole, known)


def _of_comparisons(
    items: Sequence[Comparison], cards: Mapping[str, ScoreCard], votes: Mapping[str, Label] | None
) -> Iterator[Answer]:
    found = answer(items, cards, votes)
    answered = (found.judged != UNREADABLE).tolist()
    for item, right, known in zip(items, right_with_ties(found.human, found.fitted).tolist(), answered, strict=True):
        yield _answer(item, "with_ties", right, known)
    for item, right, known in zip(items, right_with_ties(found.human, found.judged).tolist(), answered, strict=True):
        if SIGN[item.label] != 0:
            yield _answer(item, "without_ties", right, known)


def _answer(item: Comparison | Multiway, kind: AnswerKind, right: bool, answered: bool) -> Answer:
    return Answer(
        id=item.id,
        task_id=item.task.id,
        task_type=item.task.task_type,
        dimension=item.dimension,
        kind=kind,
        right=right,
        unscored=not answered,
    )
