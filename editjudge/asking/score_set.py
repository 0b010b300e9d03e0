"""Scoring a set of edits into a folder: an interrupted run resumes. Labels are not used here.

Folder:
    shards/00000.jsonl, 00000.done.json   cards of some edits, and the marker that they are complete
    cards.jsonl                           all cards, in the order of the edits
    cards.done.json                       marker, written last; the shards are removed then
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from editjudge.asking.base import BaseJudge
from editjudge.files.io import digest, is_done, read_jsonl, read_marker, write_jsonl, write_marker
from editjudge.records.types import EditTriplet, ScoreCard
from editjudge.system.progress import bar

CARDS, CARDS_DONE = "cards.jsonl", "cards.done.json"


@dataclass(frozen=True)
class ScoredSet:
    """The score cards in a folder, and their cost."""

    folder: Path
    seconds: float
    """Judging time, summed over the shards; the first includes loading the model."""
    usage: dict[str, int] = field(default_factory=dict)
    """See `usage_of`."""
    unreadable: dict[str, int] = field(default_factory=dict)
    """Replies without usable scores, by reason."""

    def cards(self) -> Iterator[ScoreCard]:
        """Iterate over the cards, in the order of the edits."""
        return read_jsonl(self.folder / CARDS, ScoreCard)


def score_set(
    judge: BaseJudge[Any],
    triplets: Iterable[EditTriplet],
    root: Path,
    folder: Path,
    shard_triplets: int = 64,
    label: str = "judge",
) -> ScoredSet:
    """Score the edits that have no score yet. Images are relative to `root`; `label` names the set in the progress bar.

    Each edit appears once in `triplets`. An interrupted run resumes after the last complete shard of `shard_triplets`
    edits. Raises `StaleOutputError` when the folder contains cards of another judge or other edits, `EngineError` when
    the judge cannot work; finished shards stay and are not scored again.
    """
    wanted = list(triplets)
    identity = {"judge": judge.describe(), "triplets": _content(wanted), "shard_triplets": shard_triplets}
    if not is_done(folder / CARDS_DONE, identity):
        shards = [wanted[start : start + shard_triplets] for start in range(0, len(wanted), shard_triplets)]
        with bar(label, len(wanted)) as advance:
            _score_shards(judge, shards, root, folder, advance)
        _join(folder, identity, len(shards))
    shutil.rmtree(folder / "shards", ignore_errors=True)
    marker = read_marker(folder / CARDS_DONE)
    info = {} if marker is None else marker["info"]
    return ScoredSet(folder, float(info["seconds"]), info["usage"], info["unreadable"])


def _content(triplets: Sequence[EditTriplet]) -> str:
    return digest([[triplet.id, triplet.edited.sha256] for triplet in triplets])


def _score_shards(
    judge: BaseJudge[Any],
    shards: Sequence[Sequence[EditTriplet]],
    root: Path,
    folder: Path,
    advance: Callable[[int], None],
) -> None:
    """Score the shards that are not marked complete.

    The judge gets them as one stream, so that images of the next shard are read while this one is judged. A chunk never
    contains triplets of two shards, so a resumed run sends the same batches to the engine.
    """
    waiting = []
    for number, shard in enumerate(shards):
        identity = {"judge": judge.describe(), "triplets": _content(shard)}
        if is_done(_shard_files(folder, number)[1], identity):
            advance(len(shard))
        else:
            waiting.append((number, shard, identity))
    chunks = (
        shard[start : start + judge.chunk] for _, shard, _ in waiting for start in range(0, len(shard), judge.chunk)
    )
    with closing(judge.score_chunks(chunks, root)) as scored:
        for number, shard, identity in waiting:
            data, marker = _shard_files(folder, number)
            start = time.monotonic()
            cards: list[ScoreCard] = []
            while len(cards) < len(shard):
                found = next(scored)
                cards += found
                advance(len(found))
            write_jsonl(data, cards)
            write_marker(marker, identity, {"triplets": len(shard), "seconds": time.monotonic() - start})


def _shard_files(folder: Path, number: int) -> tuple[Path, Path]:
    stem = folder / "shards" / f"{number:05d}"
    return stem.with_suffix(".jsonl"), stem.with_suffix(".done.json")


def _join(folder: Path, identity: dict[str, Any], n_shards: int) -> None:
    """Join the shards and mark the cards as complete."""
    files = [_shard_files(folder, number) for number in range(n_shards)]
    cards = [card for data, _ in files for card in read_jsonl(data, ScoreCard)]
    write_jsonl(folder / CARDS, cards)
    markers = [read_marker(marker) for _, marker in files]
    seconds = sum(float(marker["info"]["seconds"]) for marker in markers if marker is not None)
    info = {"triplets": len(cards), "seconds": seconds, "usage": usage_of(cards), "unreadable": unreadable_of(cards)}
    write_marker(folder / CARDS_DONE, identity, info)


def usage_of(cards: Iterable[ScoreCard]) -> dict[str, int]:
    """Return `judgments` (replies that were kept), `prompt_tokens` and `completion_tokens` of these cards.

    Replies from a reply cache count as when they were written.
    """
    found = {"judgments": 0, "prompt_tokens": 0, "completion_tokens": 0}
    for card in cards:
        found["judgments"] += len(card.judgments)
        found["prompt_tokens"] += sum(row.prompt_tokens for row in card.judgments)
        found["completion_tokens"] += sum(row.completion_tokens for row in card.judgments)
    return found


def unreadable_of(cards: Iterable[ScoreCard]) -> dict[str, int]:
    """Count replies without usable scores, by reason."""
    return dict(sorted(Counter(reason for card in cards for reason in card.failures).items()))
