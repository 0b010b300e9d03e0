"""What two evaluations are compared by: which of a benchmark's questions each judge answered right.

`answers.jsonl` in the folder of an evaluation holds the comparisons and groups of several candidates, as pairs.jsonl
holds the pairs. Ratings are no right or wrong; they are not compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from editjudge.io import write_jsonl
from editjudge.tasks import Dimension
from editjudge.types import ScoreCard
from eval.benchmarks import Benchmark
from eval.labels import SIGN, Label
from eval.scoring import Evaluation
from eval.ties import best_threshold, right_with_ties, signs

ANSWERS = "answers.jsonl"
UNREADABLE = 9
"""Equals no label."""
Kind = Literal["with_ties", "without_ties", "group"]


class Answer(BaseModel):
    """One question of a benchmark that is no plain pair."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    task_id: str
    task_type: str
    dimension: Dimension
    kind: Kind
    """A comparison with its ties at the judge's best threshold, one that people did not tie, or a whole group."""
    right: bool


def write_answers(evaluation: Evaluation) -> None:
    """Write `answers.jsonl` where the benchmark has such labels."""
    bench = evaluation.bench
    if bench.comparisons or bench.multiways:
        write_jsonl(evaluation.folder / ANSWERS, answers_of(bench, evaluation.cards(), evaluation.votes))


def answers_of(bench: Benchmark, cards: Mapping[str, ScoreCard], votes: Mapping[str, Label] | None) -> Iterator[Answer]:
    """One row per question and kind, by the definitions of `labels_metrics`; what is unanswered is wrong."""
    for dimension in dict.fromkeys(item.dimension for item in bench.comparisons):
        items = [item for item in bench.comparisons if item.dimension == dimension]
        human = np.array([SIGN[item.label] for item in items], dtype=np.int64)
        asked = [(item.id, item.first.id, item.second.id) for item in items]
        exact, margins = _judged(asked, dimension, cards, votes)
        threshold = best_threshold(human, margins) if votes is None else None
        fitted = exact.copy()
        if threshold is not None:
            known = ~np.isnan(margins)
            fitted[known] = signs(margins[known], threshold.value)
        for kind, judged in (("with_ties", fitted), ("without_ties", exact)):
            for item, right in zip(items, right_with_ties(human, judged).tolist(), strict=True):
                if kind == "with_ties" or SIGN[item.label] != 0:
                    yield Answer(
                        id=item.id,
                        task_id=item.task.id,
                        task_type=item.task.task_type,
                        dimension=dimension,
                        kind="with_ties" if kind == "with_ties" else "without_ties",
                        right=right,
                    )
    for group in bench.multiways:
        ids = [triplet.id for triplet in group.candidates]
        asked = [(item.id, ids[item.first], ids[item.second]) for item in group.preferences]
        exact, _ = _judged(asked, group.dimension, cards, votes)
        wanted = [SIGN[item.label] for item in group.preferences]
        yield Answer(
            id=group.id,
            task_id=group.task.id,
            task_type=group.task.task_type,
            dimension=group.dimension,
            kind="group",
            right=exact.tolist() == wanted,
        )


def _judged(
    asked: list[tuple[str, str, str]],
    dimension: Dimension,
    cards: Mapping[str, ScoreCard],
    votes: Mapping[str, Label] | None,
) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """The judge's sign per (id, first, second), ties only between equal scores, and the margins behind them."""
    margins = np.full(len(asked), np.nan)
    judged = np.full(len(asked), UNREADABLE, dtype=np.int64)
    for place, (name, first, second) in enumerate(asked):
        if votes is not None:
            judged[place] = SIGN[votes[name]] if name in votes else UNREADABLE
            continue
        one, other = (
            card.value(dimension) if (card := cards.get(key)) is not None else None for key in (first, second)
        )
        if one is not None and other is not None:
            margins[place] = round(one - other, 9)
            judged[place] = int(np.sign(margins[place]))
    return judged, margins
