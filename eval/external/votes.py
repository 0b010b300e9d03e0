"""External votes on the comparisons of a benchmark, in our reading and in that of the publisher's own code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from eval.external.names import ComparisonNames
from eval.external.rows import Voted
from eval.labels.benchmark import Benchmark
from eval.labels.findings import Findings
from eval.labels.types import Label

GENAI_VOTES: Mapping[str, Label] = {
    "[[A>B]]": "A>B",
    "[[A>>B]]": "A>B",
    "[[B>A]]": "B>A",
    "[[B>>A]]": "B>A",
    "[[A=B=Good]]": "A=B=Good",
    "[[A=B=Bad]]": "A=B=Bad",
    "[[A=B]]": "A=B",
}
"""The only votes that GenAI-Bench's code accepts, by exact match; "[[A=B]]" is right for either tie
(`parse_response` in inference.py of TIGER-AI-Lab/GenAI-Bench)."""
_VOTE = re.compile(r"([A-D])(>>?|<<?|=)([A-D])(=good|=bad)?", re.IGNORECASE)
_LETTERS = "ABCD"


@dataclass
class Votes:
    """A file's votes on the comparisons of a benchmark."""

    ours: dict[str, Label] = field(default_factory=dict)
    """By comparison id, without unreadable votes."""
    published: dict[str, list[Label | None]] = field(default_factory=dict)
    """By comparison id, one entry per row of the file: the vote as the publisher's code reads it, None where it reads
    none."""
    otherwise: Findings = field(default_factory=Findings)
    """Votes that the publisher's code reads differently, under `vote`."""


class VoteReader:
    """Matches rows of votes with the comparisons of a benchmark. "A>B" is about the two candidates of a comparison,
    the first being A; in a group of several, letters that name these two candidates are read as such."""

    def __init__(self, bench: Benchmark, findings: Findings) -> None:
        self._names = ComparisonNames(bench)
        self._findings = findings
        self._letters = {item.id: ("A", "B") for item in bench.comparisons}
        self._in_group: set[str] = set()
        for group in bench.multiways:
            for item in group.preferences:
                self._letters[item.id] = (_LETTERS[item.first], _LETTERS[item.second])
                self._in_group.add(item.id)
        self.found = Votes()

    def take(self, row: Voted) -> bool:
        """Store a vote, or count the reason it is unusable; return whether the row is about this benchmark."""
        name, problem = self._names.find(row.name, row.instruction)
        if name is None:
            self._findings.add(problem or "not_in_benchmark", f"{row.where}: {row.name} {row.vote!r}")
            return False
        label = read_vote(row.vote, self._letters[name])
        exact = _exact(row.vote, self._letters[name]) if name in self._in_group else _genai(row.vote)
        self.found.published.setdefault(name, []).append(exact)
        if label is None:
            # An unreadable vote still answers a question of this benchmark.
            self._findings.add("unreadable_vote", f"{row.where}: {row.name} {row.vote!r}")
        elif self.found.ours.setdefault(name, label) != label:
            self._findings.add("two_votes", f"{row.where}: {name}, the first one is kept")
        if label != exact:
            self.found.otherwise.add("vote", f"{row.where}: {row.name} {row.vote!r}: {label} here, {exact} there")
        return True

    def finish(self) -> Votes:
        """Return all votes, after counting the comparisons without a row."""
        for name in self._letters:
            if name not in self.found.published:
                self._findings.add("no_vote", name)
        return self.found


def read_vote(vote: object, letters: tuple[str, str] = ("A", "B")) -> Label | None:
    """Return the label of a vote such as "[[A>B]]", "[[ B < A ]]" or "A=B=Good"; None for anything else."""
    text = "".join(vote.split()).strip("[]") if isinstance(vote, str) else ""
    match = _VOTE.fullmatch(text)
    if match is None:
        return None
    one, sign, other, quality = match[1].upper(), match[2][0], match[3].upper(), match[4]
    named = letters if {one, other} == {*letters} else ("A", "B")
    if {one, other} != {*named} or (quality is not None and sign != "="):
        return None
    if sign == "=":
        return "A=B" if quality is None else "A=B=Good" if quality.lower() == "=good" else "A=B=Bad"
    return "A>B" if (one if sign == ">" else other) == named[0] else "B>A"


def _genai(vote: object) -> Label | None:
    return GENAI_VOTES.get(vote) if isinstance(vote, str) else None


def _exact(vote: object, letters: tuple[str, str]) -> Label | None:
    """Return a vote that EditReward's scripts compare with the ranking as a string: "A>C", "C>A", or a tie for two."""
    known: dict[str, Label] = {
        f"{letters[0]}>{letters[1]}": "A>B",
        f"{letters[1]}>{letters[0]}": "B>A",
        f"{letters[0]}={letters[1]}": "A=B",
        f"{letters[0]}={letters[1]}=Good": "A=B=Good",
        f"{letters[0]}={letters[1]}=Bad": "A=B=Bad",
    }
    return known.get(vote) if isinstance(vote, str) else None
