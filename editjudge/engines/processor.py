"""The Qwen-VL processor for images only.

transformers' own processor wants a video processor, and that needs torchvision, which has no CPU build. Judges see no
videos, so this one does without, and gives the same tokens and pixels with and without torchvision.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from editjudge.errors import CheckpointError, EditJudgeError
from editjudge.hub_cache import hub_cache_advice

if TYPE_CHECKING:
    from transformers import Qwen2_5_VLProcessor


def load_processor(
    model: str | Path, max_pixels: int | None = None, min_pixels: int | None = None, revision: str | None = None
) -> Qwen2_5_VLProcessor:
    """The processor of a model folder or hub name: a folder of the publisher's, or one that this class has saved.

    `max_pixels` and `min_pixels` bound the area to which the processor brings each image (it shrinks and enlarges, to
    whole patches); None keeps the model's own bound. Fit for TRL's `processing_class`.

    Never load such a folder with `AutoProcessor`: without a video processor it silently gives the tokenizer alone.
    `CheckpointError` when there is no processor; `EditJudgeError` when the bounds contradict each other.
    """
    try:
        processor = _processor_class().from_pretrained(str(model), revision="main" if revision is None else revision)
    except (OSError, ValueError) as error:
        advice = hub_cache_advice(model)
        if advice is not None:
            raise CheckpointError(f"{model}: cannot be fetched: {advice} ({_first_line(error)})") from error
        raise CheckpointError(
            f"{model}: no tokenizer and image processor can be read there ({_first_line(error)}); a model folder "
            "needs tokenizer.json and preprocessor_config.json beside its weights"
        ) from error
    if processor.tokenizer.decode(processor.tokenizer.encode("score")) != "score":
        # Without its files, transformers makes an empty tokenizer without a word.
        raise CheckpointError(f"{model}: the tokenizer is empty; tokenizer.json is missing or not written whole")
    images = processor.image_processor
    shortest = images.size["shortest_edge"] if min_pixels is None else min_pixels
    longest = images.size["longest_edge"] if max_pixels is None else max_pixels
    if not 0 < shortest <= longest:
        raise EditJudgeError(f"{model}: images cannot have at least {shortest} and at most {longest} pixels")
    # The names are transformers': both "edges" are areas.
    images.size = {"shortest_edge": shortest, "longest_edge": longest}
    return processor


@cache
def _processor_class() -> type[Qwen2_5_VLProcessor]:
    """Made at first use, so that importing this module does not import transformers."""
    from transformers import Qwen2_5_VLProcessor

    class ImagesOnly(Qwen2_5_VLProcessor):  # type: ignore[misc]
        def __init__(
            self, image_processor: Any = None, tokenizer: Any = None, chat_template: str | None = None
        ) -> None:
            self.image_token = "<|image_pad|>"
            self.video_token = "<|video_pad|>"
            self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
            self.video_token_id = tokenizer.convert_tokens_to_ids(self.video_token)
            # Past the parent, whose own __init__ insists on a video processor.
            super(Qwen2_5_VLProcessor, self).__init__(image_processor, tokenizer, chat_template=chat_template)

    # Saved folders name the processor's class; with this name every other tool reads them as the publisher's.
    ImagesOnly.__name__ = ImagesOnly.__qualname__ = Qwen2_5_VLProcessor.__name__
    return ImagesOnly


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
