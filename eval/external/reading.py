"""The recipe's `scores:` block, and what the rows of such a file say of the candidates of a benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from editjudge.cards import make_card
from editjudge.tasks import Aspect
from editjudge.types import EditTriplet, Judgment, PreferencePair, ScoreCard
from eval.benchmarks import Benchmark
from eval.benchmarks.lint import Findings
from eval.external.names import TripletNames
from eval.external.rows import Format, PairSaid, Problem, Row, Said, Voted, as_number
from eval.external.votes import VoteReader, Votes
from eval.metrics.pairs import TIE_DECIMALS


class ScoresFile(BaseModel):
    """Scores or votes that were made elsewhere; in a recipe `scores: FILE` or a block."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    """A JSONL, CSV or JSON file, or a folder of results as its publisher lays it out."""
    format: Format | None = None
    """Null: told from the content."""
    name: str | None = None
    """How tables call the judge; the name of the file or folder when it is not given."""
    range: tuple[float, float] = (0, 10)
    """Worst and best possible score; they become 0 and 10, and what lies outside is unscored."""
    keep_guesses: bool = False
    """Keep the scores that VIEScore guessed when it could not read a reply, as its published tables do."""

    @model_validator(mode="before")
    @classmethod
    def _plain_path(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str | Path) else value

    @model_validator(mode="after")
    def _worst_first(self) -> ScoresFile:
        if not self.range[0] < self.range[1]:
            raise ValueError(f"range: the worst score comes first and is lower than the best, not {list(self.range)}")
        return self

    @property
    def label(self) -> str:
        """For tables."""
        return self.path.stem if self.name is None else self.name


def bare_card(triplet: EditTriplet, values: Mapping[str, float | None], n_rows: int) -> ScoreCard:
    """A card without passes: only its values are known."""
    readable = any(value is not None for value in values.values())
    return ScoreCard(
        triplet=triplet,
        judgments=(),
        prompt_following=values.get("prompt_following"),
        consistency=values.get("consistency"),
        perceptual_quality=values.get("perceptual_quality"),
        overall=values.get("overall"),
        n_ok=int(readable),
        n_failed=int(n_rows > 0 and not readable),
        spread=None,
    )


class Reading:
    """Rows of a file, sorted by what they are about."""

    def __init__(self, block: ScoresFile, bench: Benchmark, findings: Findings) -> None:
        self._block = block
        self._findings = findings
        self._triplets = TripletNames(bench)
        self._votes = VoteReader(bench, findings)
        self._values: dict[str, dict[str, float | None]] = {}
        self._judgments: dict[str, dict[Aspect, Judgment]] = {}
        self._sampled: dict[str, dict[str, list[float]]] = {}
        self.rows: list[tuple[PreferencePair, float | None, float | None]] = []
        """Rows of an EditScore result folder, with their scores as they are in the file."""
        self.matched = 0

    def take(self, row: Row) -> None:
        """Keep what a row says, or count why it cannot be used."""
        if isinstance(row, Problem):
            self._findings.add(row.kind, f"{row.where}: {row.detail}")
        elif isinstance(row, Voted):
            self.matched += self._votes.take(row)
        elif isinstance(row, PairSaid):
            self._pair(row)
        else:
            self._candidate(row)

    def resampled(self) -> int:
        """Outputs to which the rows of an EditScore folder give more than one score; ours is their mean."""
        return sum(any(len({*found}) > 1 for found in dims.values()) for dims in self._sampled.values())

    def votes(self) -> Votes | None:
        """The votes; None when no row holds one. A file of votes that cannot be read is no file of scores."""
        return self._votes.finish() if self._votes.found.published else None

    def card(self, triplet: EditTriplet) -> ScoreCard:
        """What all rows together say of a triplet."""
        judgments = self._judgments.get(triplet.id)
        if judgments is not None:
            return make_card(triplet, judgments.values())
        sampled = self._sampled.get(triplet.id)
        if sampled is not None:
            means = {name: round(sum(found) / len(found), TIE_DECIMALS) for name, found in sampled.items()}
            return bare_card(triplet, means, 1)
        values = self._values.get(triplet.id)
        return bare_card(triplet, {}, 0) if values is None else bare_card(triplet, values, 1)

    def _candidate(self, row: Said) -> None:
        found, problem = self._triplets.find(row.names, row.editor, row.instruction)
        if problem is not None:
            self._findings.add(problem, f"{row.where}: {row.names[0]}")
            return
        self.matched += 1
        for triplet in found:
            for name, raw in row.values.items():
                self._keep(triplet.id, name, raw, row.where)
            for aspect, raw in row.aspects.items():
                self._judge(triplet.id, aspect, raw, row)

    def _pair(self, row: PairSaid) -> None:
        pairs = self._triplets.pairs(row.keys, row.task_type, row.dimension)
        if not pairs:
            self._findings.add("not_in_benchmark", f"{row.where}: {row.keys[0]} and {row.keys[1]}")
            return
        self.matched += 1
        self.rows.append((pairs[0], as_number(row.scores[0]), as_number(row.scores[1])))
        # The pairs of two keys in one task and dimension are the same two images.
        for triplet, raw in zip((pairs[0].better, pairs[0].worse), row.scores, strict=True):
            value = self._scaled(raw, f"{row.where}: {row.dimension}")
            if value is not None:
                self._sampled.setdefault(triplet.id, {}).setdefault(row.dimension, []).append(value)

    def _keep(self, triplet_id: str, name: str, raw: object, where: str) -> None:
        """A value of a card, on 0..10."""
        value = self._scaled(raw, f"{where}: {name}")
        values = self._values.setdefault(triplet_id, {})
        if name in values and values[name] != value:
            self._findings.add("two_scores", f"{where}: {name}")
            value = None  # nobody can say which of them is meant
        values[name] = value

    def _scaled(self, raw: object, where: str) -> float | None:
        worst, best = self._block.range
        number = as_number(raw)
        if number is None:
            self._findings.add("unreadable_score", f"{where} {str(raw)[:60]!r}")
            return None
        if not worst <= number <= best:
            self._findings.add("out_of_range", f"{where} {number:g}")
            return None
        return round(10 * (number - worst) / (best - worst), 9)

    def _judge(self, triplet_id: str, aspect: Aspect, raw: object, row: Said) -> None:
        """A list of two scores, as a judgment of one pass."""
        failure, scores = None, None
        if row.guessed and not self._block.keep_guesses:
            failure = "guessed"
            self._findings.add("guessed_score", row.where)
        elif not (isinstance(raw, list) and len(raw) == 2):
            failure = "incomplete"
            self._findings.add("not_two_scores", f"{row.where} {str(raw)[:60]}")
        else:
            values = [self._scaled(one, row.where) for one in raw]
            if values[0] is None or values[1] is None:
                failure = "out_of_range"
            else:
                scores = (values[0], values[1])
        judgment = Judgment(
            triplet_id=triplet_id,
            aspect=aspect,
            scores=scores,
            scale=10,
            rationale=row.rationale,
            raw=str(raw),
            parsed_by="none" if scores is None else "json",
            failure=failure,
            pass_index=0,
            seed=0,
            engine=f"scores: {self._block.label}",
            prompt_version="unknown",
        )
        known = self._judgments.setdefault(triplet_id, {}).setdefault(aspect, judgment)
        if known.scores != judgment.scores:
            self._findings.add("two_scores", f"{row.where}: {aspect}, the first one is kept")
