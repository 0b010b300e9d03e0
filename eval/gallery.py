"""Examples for a report: scored pairs with their images inside, wrong ones beside right ones."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from editjudge.errors import ImageError
from editjudge.images import ImageStore
from editjudge.io import digest, read_jsonl
from editjudge.tasks import ASPECTS, Aspect
from editjudge.types import ImageRef, PreferencePair, ScoreCard
from eval.scoring import PAIRS, Evaluation, ScoredPair


@dataclass(frozen=True)
class Candidate:
    """One side of an example."""

    image: str | None
    """Data URI; None when the image could not be read."""
    score: float | None
    """In the pair's dimension, 0 to 10."""
    values: tuple[tuple[str, float | None], ...]
    """Every score of the card, 0 to 10, by name."""
    remarks: tuple[tuple[Aspect, str], ...]
    """What the first pass said or why it was not readable, per aspect."""


@dataclass(frozen=True)
class Example:
    """A pair as the report shows it. The first candidate is the preferred one."""

    row: ScoredPair
    instruction: str
    before: str | None
    """Data URI of the image before the edit."""
    better: Candidate
    worse: Candidate


def build_gallery(evaluation: Evaluation, n: int, image_px: int) -> list[Example]:
    """At most `n` examples, half of them not right where there are enough; always the same ones for the same data."""
    if n == 0:
        return []
    rows = list(read_jsonl(evaluation.folder / PAIRS, ScoredPair))
    places = _pick(rows, n)
    cards = evaluation.cards()
    store = ImageStore(evaluation.bench.root)
    return [_example(rows[place], evaluation.bench.pairs[place], cards, store, image_px) for place in places]


def _pick(rows: Sequence[ScoredPair], n: int) -> list[int]:
    """Places of the rows shown: not right and right in turns, each spread over dimensions and tasks."""
    wrong = _spread([place for place, row in enumerate(rows) if row.outcome != "right"], rows)
    right = _spread([place for place, row in enumerate(rows) if row.outcome == "right"], rows)
    mixed = [place for both in zip_longest(wrong, right) for place in both if place is not None]
    return mixed[:n]


def _spread(places: Sequence[int], rows: Sequence[ScoredPair]) -> list[int]:
    """One of every (dimension, task, outcome), then a second of every one, and so on, in an order fixed by hash."""
    kinds: dict[tuple[str, str, str], list[int]] = {}
    for place in sorted(places, key=lambda place: digest("gallery", rows[place].pair, place)):
        row = rows[place]
        kinds.setdefault((row.dimension, row.task_type, row.outcome), []).append(place)
    rounds: Iterator[tuple[int | None, ...]] = zip_longest(*kinds.values())
    return [place for drawn in rounds for place in drawn if place is not None]


def _example(
    row: ScoredPair, pair: PreferencePair, cards: dict[str, ScoreCard], store: ImageStore, image_px: int
) -> Example:
    def candidate(triplet_id: str, ref: ImageRef, score: float | None) -> Candidate:
        card = cards[triplet_id]
        names = ("prompt_following", "consistency", "perceptual_quality", "overall")
        return Candidate(
            image=_data_uri(ref, store, image_px),
            score=score,
            values=tuple((name.replace("_", " "), getattr(card, name)) for name in names),
            remarks=tuple(_remarks(card)),
        )

    return Example(
        row=row,
        instruction=pair.task.instruction,
        before=_data_uri(pair.task.inputs[0], store, image_px),
        better=candidate(pair.better.id, pair.better.edited, row.better_score),
        worse=candidate(pair.worse.id, pair.worse.edited, row.worse_score),
    )


def _remarks(card: ScoreCard) -> Iterator[tuple[Aspect, str]]:
    for aspect in ASPECTS:
        judgments = [judgment for judgment in card.judgments if judgment.aspect == aspect]
        if not judgments:
            continue
        readable = next((judgment for judgment in judgments if judgment.scores is not None), None)
        if readable is not None:
            yield aspect, readable.rationale
        else:
            yield aspect, f"not readable ({judgments[0].failure}): {judgments[0].raw[:300]}"


def _data_uri(ref: ImageRef, store: ImageStore, image_px: int) -> str | None:
    try:
        image = store.read(ref)
    except ImageError:
        return None  # shown as missing; its card is unscored and counted
    image.thumbnail((image_px, image_px))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=82, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
