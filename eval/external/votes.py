"""Votes made elsewhere on the comparisons of a benchmark: read in our way, and as the publisher's own code does."""

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
"""The only votes that GenAI-Bench's code knows, letter by letter; "[[A=B]]" is right about either tie
(`parse_response` in inference.py of TIGER-AI-Lab/GenAI-Bench)."""
_VOTE = re.compile(r"([A-D])(>>?|<<?|=)([A-D])(=good|=bad)?", re.IGNORECASE)
_LETTERS = "ABCD"


@dataclass
class Votes:
    """What a file says of the comparisons of a benchmark."""

    ours: dict[str, Label] = field(default_factory=dict)
    """By comparison id; what cannot be read is not in it."""
    published: dict[str, list[Label | None]] = field(default_factory=dict)
    """By comparison id, one entry per row of the file: the vote as the publisher's code takes it, None where it takes
    none."""
    otherwise: Findings = field(default_factory=Findings)
    """Votes that the publisher's code takes otherwise than we do, under `vote`."""


class VoteReader:
    """Rows with votes, matched with the comparisons of a benchmark. "A>B" is about the two candidates of a comparison,
    the first being A; inside a group of several, letters that name these two candidates are read as such."""

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
        """Keep a vote, or count why it cannot be used; whether the row is about this benchmark."""
        name, problem = self._names.find(row.name, row.instruction)
        if name is None:
            self._findings.add(problem or "not_in_benchmark", f"{row.where}: {row.name} {row.vote!r}")
            return False
        label = read_vote(row.vote, self._letters[name])
        exact = _exact(row.vote, self._letters[name]) if name in self._in_group else _genai(row.vote)
        self.found.published.setdefault(name, []).append(exact)
        if label is None:
            # An answer to a question of this benchmark, only a useless one.
            self._findings.add("unreadable_vote", f"{row.where}: {row.name} {row.vote!r}")
        elif self.found.ours.setdefault(name, label) != label:
            self._findings.add("two_votes", f"{row.where}: {name}, the first one is kept")
        if label != exact:
            self.found.otherwise.add("vote", f"{row.where}: {row.name} {row.vote!r}: {label} here, {exact} there")
        return True

    def finish(self) -> Votes:
        """All votes, after counting the comparisons that no row is about."""
        for name in self._letters:
            if name not in self.found.published:
                self._findings.add("no_vote", name)
        return self.found


def read_vote(vote: object, letters: tuple[str, str] = ("A", "B")) -> Label | None:
    """The label that a vote such as "[[A>B]]", "[[ B < A ]]" or "A=B=Good" stands for; None for what is none."""
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
    """A vote that EditReward's scripts compare with the ranking as a string: "A>C", "C>A", and of two a tie."""
    known: dict[str, Label] = {
        f"{letters[0]}>{letters[1]}": "A>B",
        f"{letters[1]}>{letters[0]}": "B>A",
        f"{letters[0]}={letters[1]}": "A=B",
        f"{letters[0]}={letters[1]}=Good": "A=B=Good",
        f"{letters[0]}={letters[1]}=Bad": "A=B=Bad",
    }
    return known.get(vote) if isinstance(vote, str) else None
