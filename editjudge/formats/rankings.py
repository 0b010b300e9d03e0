"""Rankings with ties: the tier notation, and conversion between candidate numbers and triplet ids.

Candidates are numbered from 1 in the order in which they were shown. The notation has the best tier first, tiers
separated by `|`: in `3|12|45`, 3 is best, 1 and 2 are tied, 4 and 5 are tied last (EditScore, section 3.3). With ten
candidates or more the numbers of a tier are separated by commas, `3|1,12|10`; with fewer they never are. The task
defines the number of candidates, so `12` has one meaning.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import chain

from pydantic import model_validator

from editjudge.errors import DataError
from editjudge.records.tasks import Dimension
from editjudge.records.types import TierRanking

Tiers = tuple[tuple[int, ...], ...]
"""Candidate numbers (from 1), best tier first; within a tier ascending."""

COMMAS_FROM = 10
"""Number of candidates from which commas separate the numbers of a tier."""

_NUMBER = re.compile("[1-9][0-9]*")


class Ranking(TierRanking):
    """A tier ranking with the order in which candidates were shown. One row of `rankings.jsonl`."""

    shown: tuple[str, ...]
    """Triplet ids in the order in which they were shown: candidate 1 first."""
    notation: str
    """The tiers as candidate numbers, `3|12|45`; see this module."""

    @model_validator(mode="after")
    def _notation_says_the_same(self) -> Ranking:
        try:
            expected = _written(numbers_of(self.tiers, self.shown), len(self.shown))
        except DataError as error:
            raise ValueError(str(error)) from error
        if self.notation != expected:
            raise ValueError(f"notation {self.notation!r} does not say what the tiers say: {expected!r}")
        return self


def make_ranking(
    task_id: str,
    dimension: Dimension,
    annotator: str,
    tiers: Sequence[Sequence[int]],
    shown: Sequence[str],
    seconds: float | None = None,
    annotation_id: str | None = None,
) -> Ranking:
    """Return the record of an annotator's tiers. Raises `DataError` unless each candidate number appears once."""
    checked = _checked(tiers, len(shown), f"task {task_id}, {dimension}, {annotator}")
    return Ranking(
        task_id=task_id,
        dimension=dimension,
        annotator=annotator,
        tiers=ids_of(checked, shown),
        seconds=seconds,
        annotation_id=annotation_id,
        shown=tuple(shown),
        notation=_written(checked, len(shown)),
    )


def tier_problems(tiers: Sequence[Sequence[int]], n_candidates: int) -> list[str]:
    """Return why these tiers do not rank each of the candidates 1..n exactly once; empty when they do."""
    if all(tiers) and sorted(chain.from_iterable(tiers)) == [*range(1, n_candidates + 1)]:
        return []  # fast path of the common case, with hundreds of thousands of calls
    counts = Counter(number for tier in tiers for number in tier)
    problems = [f"tier {place} is empty" for place, tier in enumerate(tiers, start=1) if not tier]
    for number in sorted(counts):
        if not 1 <= number <= n_candidates:
            problems.append(f"there is no candidate {number} among {n_candidates}")
        elif counts[number] > 1:
            problems.append(f"candidate {number} stands {counts[number]} times")
    problems += [f"candidate {number} has no tier" for number in range(1, n_candidates + 1) if number not in counts]
    return problems


def parse_tiers(text: str, n_candidates: int) -> Tiers:
    """Parse the notation. Spaces around separators are allowed, as is any order within a tier.

    Raises `DataError` with every problem: a duplicate, missing or unknown candidate, an empty tier, misplaced commas,
    other characters.
    """
    tiers = [_parse_tier(part.strip(), n_candidates, text) for part in text.split("|")]
    return _checked(tiers, n_candidates, f"ranking {text!r}")


def format_tiers(tiers: Sequence[Sequence[int]], n_candidates: int) -> str:
    """Format the notation, numbers ascending within a tier. Raises `DataError` for tiers that are not a ranking."""
    return _written(_checked(tiers, n_candidates, f"tiers {list(tiers)}"), n_candidates)


def ids_of(tiers: Sequence[Sequence[int]], shown: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Convert tiers of candidate numbers to triplet ids. Raises `DataError` for tiers that are not a ranking."""
    checked = _checked(tiers, len(shown), f"tiers {list(tiers)}")
    return tuple(tuple(shown[number - 1] for number in tier) for tier in checked)


def numbers_of(tiers: Sequence[Sequence[str]], shown: Sequence[str]) -> Tiers:
    """Convert tiers of triplet ids to candidate numbers. Raises `DataError` when the ids are not those shown."""
    number = {triplet_id: place for place, triplet_id in enumerate(shown, start=1)}
    if len(number) != len(shown):
        raise DataError(f"a triplet is shown twice: {', '.join(shown)}; every candidate must be another one")
    unknown = [triplet_id for tier in tiers for triplet_id in tier if triplet_id not in number]
    if unknown:
        raise DataError(f"ranked but not shown: {', '.join(unknown)}; shown: {', '.join(shown)}")
    numbers = [[number[triplet_id] for triplet_id in tier] for tier in tiers]
    return _checked(numbers, len(shown), f"tiers {list(tiers)}")


def levels_of(ranking: TierRanking) -> dict[str, int]:
    """Return the tier of each triplet id, 0 for the best."""
    return {triplet_id: level for level, tier in enumerate(ranking.tiers) for triplet_id in tier}


def _parse_tier(part: str, n_candidates: int, text: str) -> list[int]:
    if n_candidates >= COMMAS_FROM:
        found = [piece.strip() for piece in part.split(",")] if part else []
    elif "," in part:
        raise DataError(
            f"ranking {text!r}: with fewer than {COMMAS_FROM} candidates a tier has no commas, as in 3|12|45"
        )
    else:
        found = [*part]
    strange = [piece for piece in found if not _NUMBER.fullmatch(piece)]
    if strange:
        example = "3|1,12|10" if n_candidates >= COMMAS_FROM else "3|12|45"
        raise DataError(f"ranking {text!r}: {strange[0]!r} is no candidate number; write it as in {example}")
    return [int(piece) for piece in found]


def _written(tiers: Tiers, n_candidates: int) -> str:
    separator = "," if n_candidates >= COMMAS_FROM else ""
    return "|".join(separator.join(map(str, tier)) for tier in tiers)


def _checked(tiers: Sequence[Sequence[int]], n_candidates: int, name: str) -> Tiers:
    problems = tier_problems(tiers, n_candidates)
    if problems:
        raise DataError(f"{name}: {'; '.join(problems)}")
    return tuple(tuple(sorted(tier)) for tier in tiers)
