"""Base of the Qwen-VL architectures."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from editjudge.errors import EditJudgeError
from editjudge.families.base import Family, Part

if TYPE_CHECKING:
    from torch import Tensor


class QwenVL(Family):
    """Images of any size as tokens of merged patches, positions along time, height and width (M-RoPE)."""

    image: ClassVar[str] = "<|vision_start|><|image_pad|><|vision_end|>"
    image_pad: ClassVar[str] = "<|image_pad|>"
    turn_start: ClassVar[str] = "<|im_start|>"
    turn_end: ClassVar[str] = "<|im_end|>"
    parts: ClassVar[Mapping[str, Part]] = {
        "visual.merger": "projector",
        "visual": "vision",
        "language_model": "language",
        "lm_head": "language",
    }

    @abstractmethod
    def parent_processor(self) -> Any:
        """The processor class of this architecture in transformers."""

    def processor_class(self) -> Any:
        """The parent's processor without video support."""
        return _images_only(self.parent_processor())

    def bound_pixels(self, processor: Any, max_pixels: int | None, model: str) -> None:
        """Set the upper bound; the processor resizes to an area between its two bounds, in whole patches."""
        images = processor.image_processor
        shortest = images.size["shortest_edge"]
        longest = images.size["longest_edge"] if max_pixels is None else max_pixels
        if not 0 < shortest <= longest:
            raise EditJudgeError(f"{model}: images cannot have at least {shortest} and at most {longest} pixels")
        # transformers' names: both "edges" are areas.
        images.size = {"shortest_edge": shortest, "longest_edge": longest}

    def image_tokens(self, processor: Any, size: tuple[int, int]) -> int:
        """Return one token for each square of merged patches."""
        images = processor.image_processor
        return int(images.get_number_of_image_patches(size[1], size[0])) // int(images.merge_size) ** 2

    def prompt_inputs(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the inputs unchanged: the model computes positions from the images' grids."""
        return dict(inputs)

    def next_positions(self, model: Any, mask: Tensor) -> Tensor:
        """Return the next positions. Images take fewer positions than tokens; `rope_deltas` is the difference."""
        deltas: Tensor = model.model.rope_deltas.to(mask.device)
        return mask.sum(-1) + deltas.squeeze(-1)

    def position_ids(self, positions: Tensor) -> Tensor:
        """Return equal positions along all three axes: (3, rows, 1)."""
        return positions[None, :, None].expand(3, -1, 1)


@cache
def _images_only(parent: Any) -> Any:
    """Return a subclass of a Qwen-VL processor without its video processor: the same tokens and pixels for images."""

    class ImagesOnly(parent):  # type: ignore[misc]
        def __init__(
            self, image_processor: Any = None, tokenizer: Any = None, chat_template: str | None = None
        ) -> None:
            self.image_token = "<|image_pad|>"
            self.video_token = "<|video_pad|>"
            self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
            self.video_token_id = tokenizer.convert_tokens_to_ids(self.video_token)
            # Skip the parent's __init__, which requires a video processor.
            super(parent, self).__init__(image_processor, tokenizer, chat_template=chat_template)

    # Saved folders name the processor's class; with the publisher's name every other tool can read them.
    ImagesOnly.__name__ = ImagesOnly.__qualname__ = parent.__name__
    return ImagesOnly
