"""What a model family must say about itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from editjudge.errors import CheckpointError
from editjudge.files.hub_cache import hub_cache_advice
from editjudge.files.text import first_line
from editjudge.prompts.prompt_sets import IMAGE_MARK

if TYPE_CHECKING:
    from torch import Tensor

Part = Literal["vision", "projector", "language"]
"""Of a model: the image encoder, what maps its output to the language model's input, and the language model."""


class Family(ABC):
    """A chat layout on an architecture. The chat's source is the template in the models' own repositories.

    Several families can share an architecture: their `model_types` may overlap. The defaults of the methods are those
    of a decoder with plain positions, one per token.
    """

    model_types: ClassVar[tuple[str, ...]]
    """The `model_type`s in transformers' `config.json` that this family can load."""
    system: ClassVar[str] = ""
    """System turn; "" for none."""
    image: ClassVar[str]
    """What one image looks like in the text; the processor repeats `image_pad` as needed."""
    image_pad: ClassVar[str]
    turn_start: ClassVar[str]
    turn_end: ClassVar[str]
    token_px: ClassVar[int]
    """Side of the square of pixels that becomes one token: the patch size times the merge size."""
    parts: ClassVar[Mapping[str, Part]]
    """Piece of a module's dotted name -> the part it marks; the first that matches counts, so details come first."""
    lora_layers: ClassVar[Mapping[Part, str]]
    """Regular expressions for the full names of the linear layers that an adapter goes to by default."""

    def __init__(self, name: str) -> None:
        self.name = name

    def chat(self, user_text: str, system: str | None = None) -> str:
        """The prompt up to where the model begins to write. `system`: in place of the family's; "" for none."""
        user = user_text.replace(IMAGE_MARK, self.image)
        system = self.system if system is None else system
        head = f"{self.turn_start}system\n{system}{self.turn_end}\n" if system else ""
        return f"{head}{self.turn_start}user\n{user}{self.turn_end}\n{self.turn_start}assistant\n"

    def part_of(self, module: str) -> Part:
        """The part that a module or weight belongs to, by its dotted name, also where PEFT has wrapped it.

        `CheckpointError` for a name that belongs to none of them: what is not known could be a vision tower, which
        would train although the recipe freezes it.
        """
        for piece, part in self.parts.items():
            if f".{piece}." in f".{module}.":
                return part
        raise CheckpointError(
            f"module {module!r} is in no known part of a {self.name} model ({', '.join(self.parts)}); "
            "EditJudge cannot train this architecture"
        )

    def load_processor(self, model: str | Path, max_pixels: int | None = None, revision: str | None = None) -> Any:
        """The processor of a model folder or hub name: a folder of the publisher's, or one that it has saved itself.

        For images only, so that no video processor is needed, which needs torchvision. Fit for TRL's
        `processing_class`. `max_pixels` bounds the area to which it brings each image; None: the model's own bound.

        Never load such a folder with `AutoProcessor`: without a video processor it silently gives the tokenizer alone.
        `CheckpointError` when there is no processor; `EditJudgeError` when the model cannot keep to the bound.
        """
        try:
            processor = self.processor_class().from_pretrained(
                str(model), revision="main" if revision is None else revision
            )
        except (OSError, ValueError) as error:
            advice = hub_cache_advice(model)
            if advice is not None:
                raise CheckpointError(f"{model}: cannot be fetched: {advice} ({first_line(error)})") from error
            raise CheckpointError(
                f"{model}: no tokenizer and image processor can be read there ({first_line(error)}); a model folder "
                "needs tokenizer.json and preprocessor_config.json beside its weights"
            ) from error
        if processor.tokenizer.decode(processor.tokenizer.encode("score")) != "score":
            # Without its files, transformers makes an empty tokenizer without a word.
            raise CheckpointError(f"{model}: the tokenizer is empty; tokenizer.json is missing or not written whole")
        self.bound_pixels(processor, max_pixels, str(model))
        return processor

    @abstractmethod
    def processor_class(self) -> Any:
        """The image-only processor class; made at first use, so that importing a family imports no transformers."""

    @abstractmethod
    def bound_pixels(self, processor: Any, max_pixels: int | None, model: str) -> None:
        """Set the area to which the processor brings each image. `EditJudgeError`, naming `model`, if it cannot be."""

    @abstractmethod
    def image_tokens(self, processor: Any, size: tuple[int, int]) -> int:
        """Tokens that stand for an image of this width and height in place of its one `image_pad`."""

    def prompt_inputs(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """What the model takes to read a left-padded batch: the processor's output, and positions if it needs them."""
        # Without them transformers would count the padding.
        positions = (inputs["attention_mask"].cumsum(-1) - 1).clamp(min=0)
        return {**inputs, "position_ids": positions}

    def next_positions(self, model: Any, mask: Tensor) -> Tensor:
        """(prompts,): the position of the first token written after each prompt that `model` has just read.

        `mask`: (prompts, tokens), 1 where there is no padding.
        """
        return mask.sum(-1)

    def position_ids(self, positions: Tensor) -> Tensor:
        """`positions`, one for each row's next token, in the shape that the model's forward takes."""
        return positions[:, None]
