"""The result of a judge on a benchmark, and its files.

Folder of one evaluation:
    cards.jsonl      all cards, in the benchmark's order; see `editjudge.asking.score_set`
    pairs.jsonl      every pair with both values and its outcome
    values.npz       the scores of every pass and card as arrays
    done.json        marker, written last
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from editjudge.asking.score_set import CARDS, unreadable_of
from editjudge.files.io import read_jsonl
from editjudge.records.tasks import Dimension
from editjudge.records.types import ScoreCard
from eval.labels.benchmark import Benchmark
from eval.labels.types import Label
from eval.metrics.pairs import OUTCOMES, PairTable, build_table
from eval.metrics.published import AsPublished
from eval.metrics.values import Values, values_of

Result = TypeVar("Result")
PAIRS, VALUES, DONE = "pairs.jsonl", "values.npz", "done.json"


class ScoredPair(BaseModel):
    """A row of `pairs.jsonl`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pair: str
    task_id: str
    task_type: str
    dimension: Dimension
    better: str
    """Triplet id of the preferred candidate."""
    worse: str
    better_score: float | None
    """0 to 10, in the pair's dimension; None when unscored."""
    worse_score: float | None
    outcome: Literal["right", "wrong", "tie", "unscored"]


@dataclass(frozen=True)
class Evaluation:
    """The result of a judge on a benchmark."""

    folder: Path
    bench: Benchmark
    judge: dict[str, Any]
    """Everything that affects scores, for people and for results.json."""
    table: PairTable
    n_triplets: int
    seconds: float
    """Time of judging, summed over the shards; the first shard includes loading the model."""
    votes: dict[str, Label] | None = None
    """Labels by comparison id, from an external judge that voted without scores."""
    published: AsPublished = field(default_factory=AsPublished)
    """Content of a file of scores or votes, read as its publisher's code does."""
    cost: dict[str, Any] = field(default_factory=dict)
    """`score_set.usage_of` the cards; empty for external scores."""
    unreadable: dict[str, int] = field(default_factory=dict)
    """Replies without usable scores, by reason."""
    reading: str | None = None
    """Reading of a score file whose publisher's code and ours differ: "as published" or "ours"."""
    _found: dict[tuple[object, ...], Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def once(self, key: tuple[object, ...], compute: Callable[[], Result]) -> Result:
        """Return the result of `compute`, cached under this key.

        A watched sweep rewrites its report after every checkpoint; the results of other checkpoints are reused.
        """
        if key not in self._found:
            self._found[key] = compute()
        found: Result = self._found[key]
        return found

    def cards(self) -> dict[str, ScoreCard]:
        """Return the cards by triplet id, read from the folder."""
        return {card.triplet.id: card for card in read_jsonl(self.folder / CARDS, ScoreCard)}

    def values(self) -> Values:
        """Return the scores as arrays; computed from the cards when the file is missing."""
        path = self.folder / VALUES
        return Values.load(path) if path.is_file() else values_of(list(read_jsonl(self.folder / CARDS, ScoreCard)))


def describe_content(bench: Benchmark, cards: Mapping[str, ScoreCard]) -> dict[str, Any]:
    """Return an evaluation's marker content: sizes, left-out rows of the benchmark, unreadable replies."""
    return {
        "triplets": len(cards),
        "pairs": len(bench.pairs),
        "left_out": bench.left_out.total,
        "unreadable": unreadable_of(cards.values()),
    }


def scored_pairs(bench: Benchmark, values: Sequence[tuple[float | None, float | None]]) -> Iterator[ScoredPair]:
    """Yield the benchmark's pairs in order, with the scores of the preferred candidate and the other."""
    outcomes = build_table(bench.pairs, values).outcomes().tolist()
    for pair, (better, worse), outcome in zip(bench.pairs, values, outcomes, strict=True):
        yield ScoredPair(
            pair=pair.id,
            task_id=pair.task.id,
            task_type=pair.task.task_type,
            dimension=pair.dimension,
            better=pair.better.id,
            worse=pair.worse.id,
            better_score=better,
            worse_score=worse,
            outcome=OUTCOMES[outcome],
        )
