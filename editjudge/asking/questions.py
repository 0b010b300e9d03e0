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
from editjudge.records.tasks import ASPECTS, Aspect
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

    def ask(self, triplet: EditTriplet, images: Sequence[Image.Image]) -> Row:
        """Both aspects of an edit with these images (its inputs, then its output), or why there is nothing to ask.

        As in the benchmark, the output is brought to the size of the first input before anything else.
        """
        inputs, instruction = len(images) - 1, triplet.task.instruction
        if is_blank(instruction):
            return triplet, "no_instruction"
        if not self.prompts.takes(inputs):
            return triplet, "several_inputs"  # which one the prompts mean must not be guessed
        shown = show_images(images, images[0].size, self.max_pixels)
        for image in shown[:-1]:
            if (reason := unfit(image.size)) is not None:
                logger.warning(
                    "triplet %s: the input is %d x %d pixels as it is shown; no side may be more than %d times the "
                    "other",
                    triplet.id,
                    *image.size,
                    MAX_RATIO,
                )
                return triplet, reason
        prompts = {aspect: self.prompts.prompt(aspect) for aspect in ASPECTS}
        return triplet, [
            Question(triplet, aspect, prompt.ask(instruction, inputs), prompt.shown(shown))
            for aspect, prompt in prompts.items()
        ]

    def load(self, triplets: Sequence[EditTriplet], store: ImageStore) -> list[Row]:
        """Triplets with the same inputs, which are read once."""
        refs = triplets[0].task.inputs
        if not self.prompts.takes(len(refs)):
            return [(triplet, "several_inputs") for triplet in triplets]
        inputs: list[Image.Image] = []
        rows: list[Row] = []
        for triplet in triplets:
            try:
                inputs = inputs or [store.read(ref) for ref in refs]
                rows.append(self.ask(triplet, [*inputs, store.read(triplet.edited)]))
            except ImageError as error:
                logger.warning("triplet %s: %s", triplet.id, error)
                rows.append((triplet, error.reason))
        return rows
