"""Prompt sets: the exact text of the questions to a model. `families` adds the chat around them."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Annotated, Literal, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from editjudge.errors import EditJudgeError
from editjudge.files.identity import Neutral
from editjudge.files.io import digest
from editjudge.files.text import is_blank, valid_text
from editjudge.prompts.parsing import PARSERS, PLAIN, Parsed, Stop
from editjudge.records.tasks import ASPECTS, PARTS, Aspect, Part

DEFAULT_PROMPTS = "editjudge-v1"
IMAGE_MARK = "<image>"
INSTRUCTION = "{instruction}"
Image = TypeVar("Image")

# Special tokens of chat models: <|im_end|> and everything with the same opening, and the names that
# Qwen, Llama, Gemma, InternVL, Mistral, DeepSeek, Kimi and T5 write without bars.
_ANGLE_NAMES = (
    "image|images|img|video|audio|image_pad|image_soft_token|audio_soft_token|img_context|im_patch|im_start|im_end"
    "|start_of_turn|end_of_turn|start_of_image|end_of_image|start_of_audio|end_of_audio|box|ref|quad|obj"
    "|think|thinking|thought|seed:think|tool_call|tool_calls|tool_response|tools|function_calls"
    r"|s|unk|pad|bos|eos|cls|sep|mask|sys|unused_?\d+|extra_id_\d+"
)
_SQUARE_NAMES = (
    "inst|img|img_break|img_end|think|system_prompt|available_tools|tool_calls|tool_results|tool_content|audio"
    "|bos|eos|pad|unk|cls|sep|mask|gmask|sop|eop"
)
_TOKEN_LIKE = re.compile(
    rf"<(?=[|｜])|<(?:/?(?:{_ANGLE_NAMES}))>|\[(?:/?(?:{_SQUARE_NAMES}))\]|◁/?think▷",
    re.IGNORECASE,
)


def harmless(text: str, keep: Collection[str] = ()) -> str:
    """Return text without special tokens: `<|im_end|>` becomes `< |im_end|>`, `<image>` `< image >`.

    Data must not be able to end a turn, add an image or close a reasoning block. Invalid Unicode becomes U+FFFD
    (`text.valid_text`). Other text stays byte for byte. `keep`: tokens that are left unchanged.
    """

    def apart(found: re.Match[str]) -> str:
        token = found.group()
        if token in keep:
            return token
        return "< " if token == "<" else f"{token[0]} {token[1:-1]} {token[-1]}"

    return _TOKEN_LIKE.sub(apart, valid_text(text))


Shown = Literal["before", "inputs", "after"]
"""An image in a prompt. "before": the one input of an edit; edits of several inputs are then not judged. "inputs": all
of them in order, each with its own mark. "after": the output."""


class Prompt(BaseModel):
    """A question about one aspect of an edit, and how the reply is parsed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shows: tuple[Shown, ...]
    """In the order of the `<image>` marks; the output is the last one, as in training rows."""
    scores: tuple[Part, ...]
    """The part of the aspect that each number of the reply scores. A part is the mean of its numbers."""
    scale: float = Field(gt=0)
    """Best raw score; the worst is 0. 25 was the best of 10/20/25/30 in EditScore's ablation."""
    parser: Annotated[str, Neutral(PLAIN)] = PLAIN
    """A key of `parsing.PARSERS`."""
    text: str
    """User turn; `{instruction}` is replaced by the instruction."""

    @field_validator("parser")
    @classmethod
    def _known_parser(cls, value: str) -> str:
        if value not in PARSERS:
            raise ValueError(f"unknown parser {value!r}; known: {', '.join(PARSERS)}")
        return value

    @model_validator(mode="after")
    def _shows_what_it_marks(self) -> Prompt:
        if self.shows.count("after") != 1 or self.shows[-1] != "after":
            raise ValueError(f"shows: the output (after) is shown once, as the last image, not {list(self.shows)}")
        if (marks := self.text.count(IMAGE_MARK)) != len(self.shows):
            raise ValueError(f"text: {marks} {IMAGE_MARK} marks for the {len(self.shows)} images of `shows`")
        return self

    def takes(self, inputs: int) -> bool:
        """Return whether the prompt can show an edit with this number of input images."""
        return "before" not in self.shows or inputs == 1

    def shown(self, images: Sequence[Image]) -> tuple[Image, ...]:
        """Return the images that the prompt shows, in its order, from an edit's (its inputs, then its output)."""
        *inputs, output = images
        of = {"before": inputs[:1], "inputs": inputs, "after": [output]}
        return tuple(image for name in self.shows for image in of[name])

    def ask(self, instruction: str = "", inputs: int = 1) -> str:
        """Return the user turn about an edit with this number of inputs. Lookalikes of tokens become `harmless`."""
        return self._marked(inputs).replace(INSTRUCTION, harmless(instruction))

    def asks(self, text: str, n_images: int) -> bool:
        """Return whether a user turn with this number of images is this prompt, with any instruction."""
        return self._instruction_of(text, n_images) is not None

    def lacks_instruction(self, text: str, n_images: int) -> bool:
        """Return whether a user turn is this prompt with a blank instruction."""
        said = self._instruction_of(text, n_images) if INSTRUCTION in self.text else None
        return said is not None and is_blank(said)

    def read(self, reply: str, stop: Stop = "stop") -> Parsed:
        """Parse the two scores of the aspect on 0..`scale`, or why there are none. Never raises."""
        parsed = PARSERS[self.parser](reply, self.scale, stop, len(self.scores))
        if parsed.scores is None:
            return parsed
        given: dict[Part, list[float]] = {}
        for part, score in zip(self.scores, parsed.scores, strict=True):
            given.setdefault(part, []).append(score)
        return replace(parsed, scores=tuple(fmean(given[part]) for part in get_args(Part) if part in given))

    def is_plain(self) -> bool:
        """Whether a reply is one number for each part, in order: the format of `format_completion`."""
        return self.parser == PLAIN and self.scores in PARTS.values()

    def _marked(self, inputs: int) -> str:
        """Return the text with one mark for each image shown."""
        pieces = self.text.split(IMAGE_MARK)
        counts = [inputs if name == "inputs" else 1 for name in self.shows]
        marked = [IMAGE_MARK * count + piece for count, piece in zip(counts, pieces[1:], strict=True)]
        return pieces[0] + "".join(marked)

    def _instruction_of(self, text: str, n_images: int) -> str | None:
        """Return the instruction of a user turn ("" without one); None when it is another prompt."""
        inputs = n_images - len(self.shows) + 1 if "inputs" in self.shows else 1
        before, _, after = self._marked(inputs).partition(INSTRUCTION)
        if not (text.startswith(before) and text.endswith(after) and len(text) >= len(before) + len(after)):
            return None
        said = text[len(before) : len(text) - len(after)]
        return said if INSTRUCTION in self.text or not said else None


class PromptSet(BaseModel):
    """A judge's questions about a triplet: a file of `prompts/sets/`, with the set's name.

    Each of the two aspects has two scores, from which one rule (`cards.make_card`) makes every judge's card, so that
    judges with different prompts are comparable.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """Name of the wording and its version; part of every judgment."""
    system: Annotated[str | None, Neutral(None)] = None
    """System turn; null: the family's default. "": none."""
    semantic: Prompt
    quality: Prompt
    """Shows the output only, without the instruction."""

    @model_validator(mode="after")
    def _about_its_aspect(self) -> PromptSet:
        for aspect in ASPECTS:
            if {*self.prompt(aspect).scores} != {*PARTS[aspect]}:
                raise ValueError(f"{aspect}.scores: each is one of {' and '.join(PARTS[aspect])}, and both are there")
        if self.semantic.text.count(INSTRUCTION) != 1:
            raise ValueError(f"semantic.text: {INSTRUCTION} stands in it once")
        if self.quality.shows != ("after",) or INSTRUCTION in self.quality.text:
            raise ValueError("quality: is judged from the output alone, without input or instruction")
        return self

    @property
    def identity(self) -> str:
        """Digest of the whole set."""
        return digest(self)

    def prompt(self, aspect: Aspect) -> Prompt:
        """Return the prompt of an aspect."""
        return self.semantic if aspect == "semantic" else self.quality

    def takes(self, inputs: int) -> bool:
        """Return whether the prompts can show an edit with this number of input images."""
        return self.semantic.takes(inputs)


def _shipped() -> Iterator[PromptSet]:
    for path in sorted((Path(__file__).parent / "sets").glob("*.yaml")):
        yield read_prompts(path)


def read_prompts(path: Path) -> PromptSet:
    """Read a prompt set from a file."""
    return PromptSet.model_validate({"name": path.stem, **yaml.safe_load(path.read_text(encoding="utf-8"))})


PROMPT_SETS: dict[str, PromptSet] = {prompt_set.name: prompt_set for prompt_set in _shipped()}


def get_prompts(name: str) -> PromptSet:
    """Return the prompt set of that name. Raises `EditJudgeError` naming the known ones otherwise."""
    if name not in PROMPT_SETS:
        raise EditJudgeError(f"unknown prompt set {name!r}; known: {', '.join(PROMPT_SETS)}")
    return PROMPT_SETS[name]


def format_completion(reasoning: str, scores: tuple[float, float]) -> str:
    """Return the reply that a judge is trained to write: rationale, then scores, as in EditScore's public data."""
    numbers = [int(score) if float(score).is_integer() else score for score in scores]
    return json.dumps({"reasoning": reasoning, "score": numbers}, ensure_ascii=False)
