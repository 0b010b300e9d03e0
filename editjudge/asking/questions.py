"""What an engine is asked about a triplet: both aspects, with the images as the judge shows them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from editjudge.errors import ImageError
from editjudge.files.text import is_blank
from editjudge.images.store import MAX_RATIO, ImageStore, show_images, unfit
from editjudge.prompts.prompt_sets import PromptSet
from editjudge.records.tasks import Aspect
from editjudge.records.types import EditTriplet

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Question:
    """What an engine is asked about one aspect of one triplet."""

    triplet: EditTriplet
    aspect: Aspect
    text: str
    images: tuple[Image.Image, ...]


Row = tuple[EditTriplet, list[Question] | str]
"""A triplet with what is asked about it, or in snake_case why nothing can be."""


@dataclass(frozen=True)
class Asker:
    """Puts triplets into questions."""

    prompts: PromptSet
    max_pixels: int | None
    """Bounds the area of each image; None: as they are."""

    def ask(self, triplet: EditTriplet, before: Image.Image, after: Image.Image) -> Row:
        """Both aspects, or why there is nothing to ask. As in the benchmark, the output is brought to the input's size
        first."""
        if is_blank(triplet.task.instruction):
            return triplet, "no_instruction"
        before, after = show_images((before, after), before.size, self.max_pixels)
        if (reason := unfit(before.size)) is not None:
            logger.warning(
                "triplet %s: the input is %d x %d pixels as it is shown; no side may be more than %d times the other",
                triplet.id,
                *before.size,
                MAX_RATIO,
            )
            return triplet, reason
        return triplet, [
            Question(triplet, "semantic", self.prompts.ask_semantic(triplet.task.instruction), (before, after)),
            Question(triplet, "quality", self.prompts.ask_quality(), (after,)),
        ]

    def load(self, triplets: Sequence[EditTriplet], store: ImageStore) -> list[Row]:
        """Triplets of one input, which is read once."""
        inputs = triplets[0].task.inputs
        if len(inputs) != 1:
            # The prompts show one image before the edit; which one that is must not be guessed.
            return [(triplet, "several_inputs") for triplet in triplets]
        before: Image.Image | None = None
        rows: list[Row] = []
        for triplet in triplets:
            try:
                if before is None:
                    before = store.read(inputs[0])
                rows.append(self.ask(triplet, before, store.read(triplet.edited)))
            except ImageError as error:
                logger.warning("triplet %s: %s", triplet.id, error)
                rows.append((triplet, error.reason))
        return rows
