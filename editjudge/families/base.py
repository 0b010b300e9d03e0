"""`Family`, the interface of all model families."""

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
"""Part of a model: the image encoder, the projector to the language model's input, or the language model."""


class Family(ABC):
    """A chat layout on an architecture. The chat's source is the template in the models' own repositories.

    Several families can share an architecture: their `model_types` may overlap. The default methods fit a decoder with
    plain positions, one per token.
    """

    model_types: ClassVar[tuple[str, ...]]
    """The `model_type`s in transformers' `config.json` that this family can load."""
    system: ClassVar[str] = ""
    """System turn; "" for none."""
    image: ClassVar[str]
    """Text of one image; the processor repeats `image_pad` as needed."""
    image_pad: ClassVar[str]
    turn_start: ClassVar[str]
    turn_end: ClassVar[str]
    token_px: ClassVar[int]
    """Side of the square of pixels that becomes one token: patch size times merge size."""
    parts: ClassVar[Mapping[str, Part]]
    """Piece of a module's dotted name -> its part; the first match counts, so specific names come first."""
    lora_layers: ClassVar[Mapping[Part, str]]
    """Regular expressions for the full names of the linear layers that an adapter trains by default."""

    def __init__(self, name: str) -> None:
        self.name = name

    def chat(self, user_text: str, system: str | None = None) -> str:
        """Return the prompt up to the model's turn. `system` replaces the family's; "" for none."""
        user = user_text.replace(IMAGE_MARK, self.image)
        system = self.system if system is None else system
        head = f"{self.turn_start}system\n{system}{self.turn_end}\n" if system else ""
        return f"{head}{self.turn_start}user\n{user}{self.turn_end}\n{self.turn_start}assistant\n"

    def part_of(self, module: str) -> Part:
        """Return the part of a module or weight, by its dotted name, also when PEFT has wrapped it.

        Raises `CheckpointError` for an unknown name: it could be a vision tower, which would train although the recipe
        freezes it.
        """
        for piece, part in self.parts.items():
            if f".{piece}." in f".{module}.":
                return part
        raise CheckpointError(
            f"module {module!r} is in no known part of a {self.name} model ({', '.join(self.parts)}); "
            "EditJudge cannot train this architecture"
        )

    def load_processor(self, model: str | Path, max_pixels: int | None = None, revision: str | None = None) -> Any:
        """Load the processor of a model folder or hub name: the publisher's, or one saved by this class.

        Images only, because video processors need torchvision. Works as TRL's `processing_class`. `max_pixels` bounds
        the area to which it resizes each image; None: the model's own bound.

        Never load such a folder with `AutoProcessor`: without a video processor it silently gives the tokenizer alone.
        Raises `CheckpointError` when there is no processor, `EditJudgeError` when the model cannot keep the bound.
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
            # Without its files, transformers silently makes an empty tokenizer.
            raise CheckpointError(f"{model}: the tokenizer is empty; tokenizer.json is missing or not written whole")
        self.bound_pixels(processor, max_pixels, str(model))
        return processor

    @abstractmethod
    def processor_class(self) -> Any:
        """The image-only processor class; made on first use, because a family must not import transformers."""

    @abstractmethod
    def bound_pixels(self, processor: Any, max_pixels: int | None, model: str) -> None:
        """Set the area to which the processor resizes each image, or raise `EditJudgeError` naming `model`."""

    @abstractmethod
    def image_tokens(self, processor: Any, size: tuple[int, int]) -> int:
        """Return the number of tokens that replace the one `image_pad` of an image of this width and height."""

    def prompt_inputs(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the model's inputs for a left-padded batch: the processor's output, and positions if needed."""
        # Without them transformers would count the padding.
        positions = (inputs["attention_mask"].cumsum(-1) - 1).clamp(min=0)
        return {**inputs, "position_ids": positions}

    def next_positions(self, model: Any, mask: Tensor) -> Tensor:
        """Return (prompts,): the position of the first generated token of each prompt that `model` has just read.

        `mask`: (prompts, tokens), 1 where there is no padding.
        """
        return mask.sum(-1)

    def position_ids(self, positions: Tensor) -> Tensor:
        """Return `positions`, one for each row's next token, in the shape that the model's forward takes."""
        return positions[:, None]
