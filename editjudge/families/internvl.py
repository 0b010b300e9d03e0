"""InternVL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar

from editjudge.errors import EditJudgeError
from editjudge.families.base import Family, Part


class InternVL(Family):
    """InternVL3 and later, as converted for transformers ("-hf"): images in square tiles, plain positions."""

    model_types: ClassVar[tuple[str, ...]] = ("internvl",)
    # The processor writes <img> and </img> around the pads.
    image: ClassVar[str] = "<IMG_CONTEXT>"
    image_pad: ClassVar[str] = "<IMG_CONTEXT>"
    turn_start: ClassVar[str] = "<|im_start|>"
    turn_end: ClassVar[str] = "<|im_end|>"
    token_px: ClassVar[int] = 28
    parts: ClassVar[Mapping[str, Part]] = {
        "multi_modal_projector": "projector",
        "vision_tower": "vision",
        "language_model": "language",
        "lm_head": "language",
    }
    lora_layers: ClassVar[Mapping[Part, str]] = {
        "language": r"(?:.*\.)?language_model\.layers\.\d+\.(?:self_attn\.(?:q|k|v|o)_proj|mlp\.(?:gate|up|down)_proj)",
        "vision": r"(?:.*\.)?vision_tower\.encoder\.layer\.\d+\."
        r"(?:attention\.(?:(?:q|k|v)_proj|projection_layer)|mlp\.fc[12])",
        "projector": r"(?:.*\.)?multi_modal_projector\.linear_[12]",
    }

    def processor_class(self) -> Any:
        """`InternVLProcessor` without video support."""
        return _images_only()

    def bound_pixels(self, processor: Any, max_pixels: int | None, model: str) -> None:
        """Set the maximum number of tiles, at least one. The thumbnail beside two or more of them is not counted."""
        images = processor.image_processor
        tile = images.size["height"] * images.size["width"]
        if max_pixels is None:
            return
        if max_pixels < tile * images.min_patches:
            raise EditJudgeError(
                f"{model}: images cannot have at most {max_pixels} pixels; each becomes at least {images.min_patches} "
                f"tiles of {images.size['width']} x {images.size['height']}"
            )
        images.max_patches = min(images.max_patches, max_pixels // tile)

    def image_tokens(self, processor: Any, size: tuple[int, int]) -> int:
        """Return a fixed number for each tile, plus the marks before and after."""
        # The processor cuts tiles whatever its image processor's own default is.
        tiles = processor.image_processor.get_number_of_image_patches(size[1], size[0], processor.images_kwargs)
        return int(processor.image_seq_length) * int(tiles) + 2


@cache
def _images_only() -> Any:
    from transformers import InternVLProcessor

    class ImagesOnly(InternVLProcessor):  # type: ignore[misc]
        def __init__(
            self,
            image_processor: Any = None,
            tokenizer: Any = None,
            image_seq_length: int = 256,
            chat_template: str | None = None,
        ) -> None:
            # Skip the parent's __init__, which requires a video processor.
            super(InternVLProcessor, self).__init__(image_processor, tokenizer, chat_template=chat_template)
            self.image_seq_length = image_seq_length
            self.start_image_token, self.end_image_token = "<img>", "</img>"
            self.image_token, self.video_token = "<IMG_CONTEXT>", "<video>"
            self.start_image_token_id, self.end_image_token_id, self.image_token_id = tokenizer.convert_tokens_to_ids(
                [self.start_image_token, self.end_image_token, self.image_token]
            )
            self.multimodal_pattern = re.compile(f"(?P<image>{self.image_token})|(?P<video>{self.video_token})")

    # Saved folders name the processor's class; with the publisher's name every other tool can read them.
    ImagesOnly.__name__ = ImagesOnly.__qualname__ = InternVLProcessor.__name__
    return ImagesOnly
