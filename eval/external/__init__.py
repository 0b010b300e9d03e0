"""External scores and votes on a benchmark: other judges and APIs get the same figures as our own judges.

Nothing is guessed: rows with an unknown candidate, scores out of range, and candidates with two different scores
are left unscored and counted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from editjudge.asking.cards import bare_card
from editjudge.asking.recorded import RecordedJudge
from editjudge.asking.score_set import CARDS
from editjudge.errors import DataError
from editjudge.files.io import digest, is_done, read_jsonl, write_jsonl, write_marker
from editjudge.records.types import PreferencePair, ScoreCard
from editjudge.statistics.arrays import TIE_DECIMALS
from eval.evaluations.evaluation import DONE, PAIRS, VALUES, Evaluation, describe_content, scored_pairs
from eval.external.folders import folder_files, folder_format
from eval.external.reading import SAME, SAYS, Reading, ReadingName, ScoresFile
from eval.external.rows import ScoresFormat, file_format, read_rows
from eval.external.votes import Votes
from eval.labels.benchmark import Benchmark
from eval.labels.findings import Findings
from eval.labels.types import Label, card_value
from eval.metrics.pairs import build_table, pair_values
from eval.metrics.published import AsPublished
from eval.metrics.values import values_of


@dataclass(frozen=True)
class ExternalScores:
    """Content of a file about a benchmark."""

    cards: dict[str, ScoreCard]
    """One per triplet of the benchmark, by its id; without values where the file has no usable score."""
    votes: Votes | None
    """None when the file contains no votes."""
    findings: Findings
    """Rows and candidates without a usable score."""
    identity: str
    """Digest of the files and of their reading."""
    format: ScoresFormat
    rows: tuple[tuple[PreferencePair, float | None, float | None], ...] = ()
    """Each row's pair and its two scores, from an EditScore result folder."""
    resampled: int = 0
    """Outputs with more than one score in these rows; a card has their mean."""
    reading: ReadingName | None = None
    """Reading used, for a format with several readings."""

    def judge(self, label: str) -> RecordedJudge:
        """Return the scores as a judge of the benchmark's candidates, without votes."""
        return RecordedJudge(self.cards, self.identity, label)

    def says(self, bench: Benchmark) -> object:
        """Return all data that figures are computed from."""
        names = ("prompt_following", "consistency", "perceptual_quality", "overall")
        values = [[getattr(card, name) for name in names] for card in self.cards.values()]
        semantic = [card_value(card, "semantic") for card in self.cards.values()]
        pairs = [
            [None if value is None else round(value, TIE_DECIMALS) for value in both]
            for both in _pair_values(bench, self)
        ]
        return values, semantic, self.labels(), pairs

    def labels(self) -> dict[str, Label] | None:
        """Return the votes by comparison id in this reading; None when the file contains no votes."""
        if self.votes is None or self.reading != "published":
            return None if self.votes is None else self.votes.ours
        return {name: votes[0] for name, votes in self.votes.published.items() if votes[0] is not None}

    def by_row(self) -> dict[str, tuple[float | None, float | None]] | None:
        """Return the scores of each pair's first row, by pair id, as in EditScore's code; None in other readings."""
        if self.format != "editscore" or self.reading != "published":
            return None
        return {pair.id: (one, other) for pair, one, other in reversed(self.rows)}

    def as_published(self) -> AsPublished:
        """Return the content for the figures of the publisher's code."""
        return AsPublished({} if self.votes is None else self.votes.published, self.rows)

    def otherwise(self) -> dict[str, Any]:
        """Return differences between the publisher's reading and ours: kind -> `count` and `names`; empty for none."""
        found = {} if self.votes is None else self.votes.otherwise.as_json()
        return found | ({"scores_per_row": {"count": self.resampled, "names": []}} if self.resampled else {})


def format_of(block: ScoresFile) -> ScoresFormat:
    """Return the file's format; raises `DataError` for a missing file or an unknown format."""
    if not block.path.exists():
        raise DataError(f"{block.path}: no such file or folder; check `scores`")
    if block.format is not None:
        return block.format
    return folder_format(block.path) if block.path.is_dir() else file_format(block.path)


def read_scores(block: ScoresFile, bench: Benchmark, reading: ReadingName | None = None) -> ExternalScores:
    """Read the file for a benchmark, by default in the first reading that `block` asks for.

    Raises `DataError` when its format is unknown or it contains nothing about the benchmark.
    """
    kind = format_of(block)
    reading = block.readings(kind)[0] if reading is None else reading
    files = folder_files(block.path, kind) if block.path.is_dir() else [block.path]
    # Use relative names, because a moved folder must keep its identity.
    names = [file.relative_to(block.path).as_posix() if block.path.is_dir() else file.name for file in files]
    hashes = [[name, hashlib.sha256(file.read_bytes()).hexdigest()] for name, file in zip(names, files, strict=True)]
    identity = digest("scores", kind, block.range, reading, hashes, bench.identity)
    findings = Findings()
    if kind == "cards":
        cards = _own_cards(files, bench, findings)
        return ExternalScores(cards, None, findings, identity, kind, reading=reading)
    rows = Reading(block, bench, findings, reading)
    n_rows = 0
    for row in read_rows(files, kind):
        n_rows += 1
        rows.take(row)
    if not rows.matched:
        shown = "; ".join(f"{name}: {places[0]}" for name, places in findings.names.items())
        raise DataError(
            f"{block.path}: none of its {n_rows} rows is about {bench.name} ({shown}); a candidate is named by its "
            f"id, key, image file or sha256, there for example {bench.triplets[0].id} or "
            f"{bench.triplets[0].edited.path}"
        )
    cards = {triplet.id: rows.card(triplet) for triplet in bench.triplets}
    votes = rows.votes()
    if votes is None:
        _note_unscored(cards, findings)
    return ExternalScores(cards, votes, findings, identity, kind, tuple(rows.rows), rows.resampled(), reading)


def _own_cards(files: list[Path], bench: Benchmark, findings: Findings) -> dict[str, ScoreCard]:
    """Return EditJudge's own cards.jsonl, by triplet id."""
    wanted = {triplet.id: triplet for triplet in bench.triplets}
    found: dict[str, ScoreCard] = {}
    for file in files:
        for card in read_jsonl(file, ScoreCard):
            known = wanted.get(card.triplet.id)
            if known is None:
                findings.add("not_in_benchmark", card.triplet.id)
            elif known.edited.sha256 != card.triplet.edited.sha256:
                findings.add("other_image", card.triplet.id)
            elif card.triplet.id in found and found[card.triplet.id] != card:
                raise DataError(f"{file}: two different cards of triplet {card.triplet.id}; keep one of them")
            else:
                found[card.triplet.id] = card
    if not found:
        raise DataError(f"{files[0]}: none of its cards is of a triplet of {bench.name}")
    cards = {
        name: found[name] if name in found else bare_card(triplet, {}, asked=False) for name, triplet in wanted.items()
    }
    _note_unscored(cards, findings)
    return cards


def _note_unscored(cards: Mapping[str, ScoreCard], findings: Findings) -> None:
    for name, card in cards.items():
        if not card.judgments and card.n_ok == card.n_failed == 0:
            findings.add("no_score", name)


def evaluate_scores(block: ScoresFile, bench: Benchmark, folder: Path) -> list[Evaluation]:
    """Evaluate a file like `scoring.evaluate`, with the same files in `folder`.

    Returns one evaluation per requested reading, where they differ; the second one is in `folder/<reading>`. Raises
    `StaleOutputError` when a folder was made from other scores.
    """
    found = [read_scores(block, bench, reading) for reading in block.readings(format_of(block))]
    first = found[0]
    alike = len(found) > 1 and all(other.says(bench) == first.says(bench) for other in found[1:])
    if alike or first.reading is None:
        return [_evaluate(block, bench, folder, first, None if first.reading is None else SAME)]
    folders = [folder, *(folder / other.reading for other in found[1:] if other.reading is not None)]
    return [
        _evaluate(block, bench, place, one, SAYS[one.reading])
        for place, one in zip(folders, found, strict=True)
        if one.reading is not None
    ]


def _evaluate(
    block: ScoresFile, bench: Benchmark, folder: Path, found: ExternalScores, reading: str | None
) -> Evaluation:
    described = found.judge(block.label).describe() | {
        "scores": str(block.path),
        "format": found.format,
        "range": list(block.range),
        "unused": found.findings.as_json(),
        "otherwise": found.otherwise(),
    }
    identity = {"scores": found.identity, "benchmark": bench.identity}
    content = describe_content(bench, found.cards)
    values = _pair_values(bench, found)
    if not is_done(folder / DONE, identity):
        write_jsonl(folder / CARDS, found.cards.values())
        values_of([*found.cards.values()]).save(folder / VALUES)
        write_jsonl(folder / PAIRS, scored_pairs(bench, values))
        write_marker(folder / DONE, identity, content | {"seconds": 0.0, "reading": reading})
    table = build_table(bench.pairs, values)
    return Evaluation(
        folder,
        bench,
        described,
        table,
        len(found.cards),
        0.0,
        votes=found.labels(),
        published=AsPublished() if found.reading == "ours" else found.as_published(),
        unreadable=content["unreadable"],
        reading=reading,
    )


def _pair_values(bench: Benchmark, found: ExternalScores) -> list[tuple[float | None, float | None]]:
    by_row = found.by_row()
    if by_row is None:
        return [pair_values(pair, found.cards) for pair in bench.pairs]
    return [by_row.get(pair.id, (None, None)) for pair in bench.pairs]
