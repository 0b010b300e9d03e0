"""Judge of existing score cards: no model is asked, and no image is read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from PIL import Image

from editjudge.asking.base import BaseJudge
from editjudge.asking.base_recipe import BaseJudgeRecipe
from editjudge.errors import DataError
from editjudge.files.io import digest, read_jsonl
from editjudge.files.paths import InputPath
from editjudge.records.tasks import ASPECTS
from editjudge.records.types import EditTriplet, ScoreCard


class RecordedJudge(BaseJudge[ScoreCard]):
    """Judge that returns the recorded card of each triplet, by its id and the hash of its output.

    A triplet without a card ("not_recorded") or with another output image ("other_image") is not judged.
    """

    reads_images: ClassVar[bool] = False

    def __init__(self, cards: Mapping[str, ScoreCard], identity: str, label: str) -> None:
        """`cards` by triplet id; `identity`: digest of their source; `label`: the judge's name in tables."""
        self.cards = cards
        self.label = label
        self._identity = identity

    @property
    def identity(self) -> str:
        return self._identity

    def describe(self) -> dict[str, Any]:
        """Return the description; `passes` is the largest number in a card."""
        passes = max((len(card.judgments) // len(ASPECTS) for card in self.cards.values()), default=1)
        engine = f"scores made elsewhere: {self.label}"
        return super().describe() | {"engine": engine, "passes": max(1, passes)}

    def takes(self, inputs: int) -> bool:
        """Return True: recorded cards need no images."""
        return True

    def prepare(self, triplet: EditTriplet, images: Sequence[Image.Image]) -> ScoreCard | str:
        """Return the recorded card, or the reason why there is none."""
        card = self.cards.get(triplet.id)
        if card is None:
            return "not_recorded"
        if card.triplet.edited.sha256 != triplet.edited.sha256:
            return "other_image"
        return card.model_copy(update={"triplet": triplet})

    def judge(self, edits: Sequence[tuple[EditTriplet, ScoreCard]]) -> list[ScoreCard]:
        """Return the recorded cards."""
        return [card for _, card in edits]


class RecordedRecipe(BaseJudgeRecipe):
    """Existing score cards (`cards.jsonl` of an evaluation), in place of a model."""

    use: Literal["recorded"] = "recorded"
    path: InputPath
    """JSONL of score cards."""
    name: str | None = None
    """Name of the judge in tables; null: the name of the file's folder."""

    def build(self) -> RecordedJudge:
        """Read the file. Raises `DataError` when it contains anything else, or two different cards of a triplet."""
        cards: dict[str, ScoreCard] = {}
        for card in read_jsonl(self.path, ScoreCard):
            if cards.setdefault(card.triplet.id, card) != card:
                raise DataError(f"{self.path}: two different cards of triplet {card.triplet.id}; keep one of them")
        content = hashlib.sha256(self.path.read_bytes()).hexdigest()
        label = self.path.absolute().parent.name if self.name is None else self.name
        return RecordedJudge(cards, digest("recorded", content), label)
