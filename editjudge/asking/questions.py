"""Questions to a model about an edit: both aspects, with the images as the judge shows them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from editjudge.images.pixels import MAX_RATIO, show_images, unfit
from editjudge.prompts.prompt_sets import PromptSet
from editjudge.records.tasks import ASPECTS, Aspect
from editjudge.records.types import EditTriplet

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Question:
    """A question to an engine about one aspect of one triplet."""

    triplet: EditTriplet
    aspect: Aspect
    text: str
    images: tuple[Image.Image, ...]


def make_questions(
    triplet: EditTriplet, images: Sequence[Image.Image], prompts: PromptSet, max_pixels: int | None
) -> list[Question] | str:
    """Return both questions about an edit with these images (inputs, then output), or why it cannot be shown.

    As in the benchmark, the output is resized to the size of the first input; then `max_pixels` (None: unlimited)
    bounds the area of each image.
    """
    shown = show_images(images, images[0].size, max_pixels)
    for image in shown[:-1]:
        if (reason := unfit(image.size)) is not None:
            logger.warning(
                "triplet %s: the input is %d x %d pixels as it is shown; no side may be more than %d times the other",
                triplet.id,
                *image.size,
                MAX_RATIO,
            )
            return reason
    asked = {aspect: prompts.prompt(aspect) for aspect in ASPECTS}
    return [
        Question(triplet, aspect, prompt.ask(triplet.task.instruction, len(images) - 1), prompt.shown(shown))
        for aspect, prompt in asked.items()
    ]
