"""Score cards that were made before, as a judge: nothing is asked, and no image is read."""

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
    """Gives each triplet the card that was recorded of it, by its id and the hash of its output.

    A triplet without a card is not judged ("not_recorded"), nor is one whose output is now another image
    ("other_image").
    """

    reads_images: ClassVar[bool] = False

    def __init__(self, cards: Mapping[str, ScoreCard], identity: str, label: str) -> None:
        """`cards` by triplet id; `identity`: digest of where they come from; `label`: how people call the judge."""
        self.cards = cards
        self.label = label
        self._identity = identity

    @property
    def identity(self) -> str:
        """Digest of the file."""
        return self._identity

    def describe(self) -> dict[str, Any]:
        """`passes` is the largest number in a card."""
        passes = max((len(card.judgments) // len(ASPECTS) for card in self.cards.values()), default=1)
        engine = f"scores made elsewhere: {self.label}"
        return super().describe() | {"engine": engine, "passes": max(1, passes)}

    def takes(self, inputs: int) -> bool:
        """Any number: a card is there or not."""
        return True

    def prepare(self, triplet: EditTriplet, images: Sequence[Image.Image]) -> ScoreCard | str:
        """The card."""
        card = self.cards.get(triplet.id)
        if card is None:
            return "not_recorded"
        if card.triplet.edited.sha256 != triplet.edited.sha256:
            return "other_image"
        return card.model_copy(update={"triplet": triplet})

    def judge(self, edits: Sequence[tuple[EditTriplet, ScoreCard]]) -> list[ScoreCard]:
        """The cards."""
        return [card for _, card in edits]


class RecordedRecipe(BaseJudgeRecipe):
    """Score cards that were made before (`cards.jsonl` of an evaluation), in the place of a model."""

    use: Literal["recorded"] = "recorded"
    path: InputPath
    """JSONL of score cards."""
    name: str | None = None
    """How tables call the judge; null: the name of the file's folder."""

    def build(self) -> RecordedJudge:
        """Reads the file. `DataError` when it holds something else, or two different cards of a triplet."""
        cards: dict[str, ScoreCard] = {}
        for card in read_jsonl(self.path, ScoreCard):
            if cards.setdefault(card.triplet.id, card) != card:
                raise DataError(f"{self.path}: two different cards of triplet {card.triplet.id}; keep one of them")
        content = hashlib.sha256(self.path.read_bytes()).hexdigest()
        label = self.path.absolute().parent.name if self.name is None else self.name
        return RecordedJudge(cards, digest("recorded", content), label)
