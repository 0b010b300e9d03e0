"""The recipe's `scores:` block, and the reader that matches a file's rows with a benchmark's candidates."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator

from editjudge.asking.cards import bare_card, make_card
from editjudge.files.paths import InputPath
from editjudge.records.tasks import Aspect
from editjudge.records.types import EditTriplet, Judgment, PreferencePair, ScoreCard
from editjudge.statistics.arrays import TIE_DECIMALS
from eval.external.names import TripletNames
from eval.external.rows import FileRow, PairSaid, RowProblem, Said, ScoresFormat, Voted, as_number
from eval.external.viescore import published_pair, published_score
from eval.external.votes import VoteReader, Votes
from eval.labels.benchmark import Benchmark
from eval.labels.findings import Findings

ReadingName = Literal["published", "ours"]
READINGS: dict[ScoresFormat, tuple[ReadingName, ...]] = {
    "viescore": ("published", "ours"),
    "genai_votes": ("published", "ours"),
    "editscore": ("published", "ours"),
}
"""Formats that their publisher's code and ours read differently; the first reading is the main row."""
SAYS: dict[ReadingName, str] = {"published": "as published", "ours": "ours"}
"""Names of readings in tables."""
SAME = "as published, same as ours"
"""Reading of a file whose readings do not differ."""


class ScoresFile(BaseModel):
    """External scores or votes; in a recipe `scores: FILE` or a block."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: InputPath
    """A JSONL, CSV or JSON file, or a folder of results in its publisher's layout."""
    format: ScoresFormat | None = None
    """Null: detected from the content."""
    name: str | None = None
    """Name of the judge in tables. Default: the name of the file or folder."""
    range: tuple[float, float] = (0, 10)
    """Worst and best possible score, mapped to 0 and 10; scores outside are unscored."""
    reading: Literal["both", "published", "ours"] = "both"
    """For a format that its publisher's code and ours read differently (`READINGS`): as published, ours, or a row for
    each where they differ. Other formats ignore it."""

    @model_validator(mode="before")
    @classmethod
    def _plain_path(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str | Path) else value

    @model_validator(mode="after")
    def _worst_first(self) -> ScoresFile:
        if not self.range[0] < self.range[1]:
            raise ValueError(f"range: the worst score comes first and is lower than the best, not {list(self.range)}")
        return self

    def readings(self, kind: ScoresFormat) -> tuple[ReadingName | None, ...]:
        """Return the requested readings of a file of this format; None for a format with only one."""
        known = READINGS.get(kind)
        if known is None:
            return (None,)
        return known if self.reading == "both" else tuple(name for name in known if name == self.reading)

    @property
    def label(self) -> str:
        """Return the name in tables."""
        return self.path.stem if self.name is None else self.name


class Reading:
    """Rows of a file, sorted by candidate, pair or comparison."""

    def __init__(
        self, block: ScoresFile, bench: Benchmark, findings: Findings, reading: ReadingName | None = None
    ) -> None:
        self._block = block
        self._published = reading == "published"
        self._one_number: set[str] = set()
        self._findings = findings
        self._triplets = TripletNames(bench)
        self._votes = VoteReader(bench, findings)
        self._values: dict[str, dict[str, float | None]] = {}
        self._judgments: dict[str, dict[Aspect, Judgment]] = {}
        self._sampled: dict[str, dict[str, list[float]]] = {}
        self.rows: list[tuple[PreferencePair, float | None, float | None]] = []
        """Rows of an EditScore result folder, with their own two scores."""
        self._turns: Counter[tuple[tuple[str, str], str, str]] = Counter()
        self.matched = 0

    def take(self, row: FileRow) -> None:
        """Store a row, or count the reason it is unusable."""
        if isinstance(row, RowProblem):
            self._findings.add(row.kind, f"{row.where}: {row.detail}")
        elif isinstance(row, Voted):
            self.matched += self._votes.take(row)
        elif isinstance(row, PairSaid):
            self._pair(row)
        else:
            self._candidate(row)

    def resampled(self) -> int:
        """Return the number of outputs with more than one score in an EditScore folder; our score is their mean."""
        return sum(any(len({*found}) > 1 for found in dims.values()) for dims in self._sampled.values())

    def votes(self) -> Votes | None:
        """Return the votes; None when no row contains one. A file with unreadable votes is still a file of votes."""
        return self._votes.finish() if self._votes.found.published else None

    def card(self, triplet: EditTriplet) -> ScoreCard:
        """Return the card of a triplet from all rows."""
        judgments = self._judgments.get(triplet.id)
        if judgments is not None:
            card = make_card(triplet, judgments.values())
            if triplet.id in self._one_number:
                # One number for the whole question does not distinguish the two dimensions.
                card = card.model_copy(update={"prompt_following": None, "consistency": None})
            return card
        sampled = self._sampled.get(triplet.id)
        if sampled is not None:
            means = {name: round(sum(found) / len(found), TIE_DECIMALS) for name, found in sampled.items()}
            return bare_card(triplet, means, asked=True)
        values = self._values.get(triplet.id)
        return bare_card(triplet, {} if values is None else values, asked=values is not None)

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
        # Keys may be reused with other images; the file's rows are in the benchmark's order.
        turn = self._turns[row.keys, row.task_type, row.dimension]
        self._turns[row.keys, row.task_type, row.dimension] += 1
        pair = pairs[turn % len(pairs)]
        if pair.pair is not None:
            self.rows.append((pair.pair, self._stretched(row.scores[0]), self._stretched(row.scores[1])))
        unused = Findings() if self._published else self._findings
        for triplet, raw in zip((pair.better, pair.worse), row.scores, strict=True):
            value = self._scaled(raw, f"{row.where}: {row.dimension}", unused)
            if value is not None:
                self._sampled.setdefault(triplet.id, {}).setdefault(row.dimension, []).append(value)

    def _keep(self, triplet_id: str, name: str, raw: object, where: str) -> None:
        """Store a value of a card, on 0..10."""
        value = self._scaled(raw, f"{where}: {name}")
        values = self._values.setdefault(triplet_id, {})
        if name in values and values[name] != value:
            self._findings.add("two_scores", f"{where}: {name}")
            value = None  # ambiguous
        values[name] = value

    def _stretched(self, raw: object) -> float | None:
        """Return a number on 0..10, or beyond if out of range; unrounded, because rounding could change the order."""
        worst, best = self._block.range
        number = as_number(raw)
        return None if number is None else 10 * (number - worst) / (best - worst)

    def _scaled(self, raw: object, where: str, findings: Findings | None = None) -> float | None:
        findings = self._findings if findings is None else findings
        worst, best = self._block.range
        number = as_number(raw)
        if number is None:
            findings.add("unreadable_score", f"{where} {str(raw)[:60]!r}")
            return None
        if not worst <= number <= best:
            findings.add("out_of_range", f"{where} {number:g}")
            return None
        # Not rounded: equal differences of a file's scores stay equal, to the decimals that margins are rounded to.
        return 10 * (number - worst) / (best - worst)

    def _judge(self, triplet_id: str, aspect: Aspect, raw: object, row: Said) -> None:
        """Store the file's answer to one question, as a judgment of one pass."""
        scores, failure = self._as_published(raw, row) if self._published else self._by_our_rules(raw, row)
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
        if known is judgment and aspect == "semantic" and scores is not None and published_pair(raw) is None:
            self._one_number.add(triplet_id)
        if known.scores != judgment.scores:
            self._findings.add("two_scores", f"{row.where}: {aspect}, the first one is kept")

    def _by_our_rules(self, raw: object, row: Said) -> tuple[tuple[float, float] | None, str | None]:
        """Return two scores in range, if not marked as a guess; else None and the reason."""
        if row.guessed:
            self._findings.add("guessed_score", row.where)
            return None, "guessed"
        if not (isinstance(raw, list) and len(raw) == 2):
            self._findings.add("not_two_scores", f"{row.where} {str(raw)[:60]}")
            return None, "incomplete"
        first, second = (self._scaled(one, row.where) for one in raw)
        return (None, "out_of_range") if first is None or second is None else ((first, second), None)

    def _as_published(self, raw: object, row: Said) -> tuple[tuple[float, float] | None, str | None]:
        """Return two scores, or one score twice: their minimum is used."""
        lowest = published_score(raw)
        if lowest is None:
            self._findings.add("unreadable_score", f"{row.where} {str(raw)[:60]!r}")
            return None, "unreadable_score"
        return published_pair(raw) or (lowest, lowest), None
