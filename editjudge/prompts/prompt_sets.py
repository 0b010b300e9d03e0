"""What a model is asked, to the byte: prompt sets. `families` puts the chat around them."""

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

# What the tokenizers of chat models take for one token: <|im_end|> and all that begins like it, and the names that
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
    """Text in which a tokenizer finds no special token: `<|im_end|>` becomes `< |im_end|>`, `<image>` `< image >`.

    Data must not be able to end a turn, add an image or close a reasoning block. What is no Unicode becomes U+FFFD
    (`text.valid_text`). All other text stays as it is, byte for byte. `keep`: what looks like a token and is meant.
    """

    def apart(found: re.Match[str]) -> str:
        token = found.group()
        if token in keep:
            return token
        return "< " if token == "<" else f"{token[0]} {token[1:-1]} {token[-1]}"

    return _TOKEN_LIKE.sub(apart, valid_text(text))


Shown = Literal["before", "inputs", "after"]
"""An image in a prompt. "before": the one input of an edit; edits of several inputs are then not asked about. "inputs":
all of them in order, each with a mark of its own. "after": the output."""


class Prompt(BaseModel):
    """What is asked about one aspect of an edit, and how the reply is read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shows: tuple[Shown, ...]
    """In the order of the `<image>` marks; the output is the last one, as in training rows."""
    scores: tuple[Part, ...]
    """Which part of the aspect each number of the reply is about. A part is the mean of its numbers."""
    scale: float = Field(gt=0)
    """Best raw score; the worst is 0. 25 was the best of 10/20/25/30 in EditScore's ablation."""
    parser: Annotated[str, Neutral(PLAIN)] = PLAIN
    """A row of `parsing.PARSERS`."""
    text: str
    """User turn; `{instruction}` stands for the instruction."""

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
        """Whether an edit of so many input images can be asked about."""
        return "before" not in self.shows or inputs == 1

    def shown(self, images: Sequence[Image]) -> tuple[Image, ...]:
        """Of the images of an edit (its inputs, then its output) those that the prompt shows, in its order."""
        *inputs, output = images
        of = {"before": inputs[:1], "inputs": inputs, "after": [output]}
        return tuple(image for name in self.shows for image in of[name])

    def ask(self, instruction: str = "", inputs: int = 1) -> str:
        """The user turn about an edit of so many inputs. What looks like a token is made `harmless`."""
        return self._marked(inputs).replace(INSTRUCTION, harmless(instruction))

    def asks(self, text: str, n_images: int) -> bool:
        """Whether a user turn that shows so many images is this prompt, with any instruction."""
        return self._instruction_of(text, n_images) is not None

    def lacks_instruction(self, text: str, n_images: int) -> bool:
        """Whether a user turn is this prompt with nothing visible in place of the instruction."""
        said = self._instruction_of(text, n_images) if INSTRUCTION in self.text else None
        return said is not None and is_blank(said)

    def read(self, reply: str, stop: Stop = "stop") -> Parsed:
        """The two scores of the aspect on 0..`scale`, or why there are none. Never raises, whatever the reply."""
        parsed = PARSERS[self.parser](reply, self.scale, stop, len(self.scores))
        if parsed.scores is None:
            return parsed
        given: dict[Part, list[float]] = {}
        for part, score in zip(self.scores, parsed.scores, strict=True):
            given.setdefault(part, []).append(score)
        return replace(parsed, scores=tuple(fmean(given[part]) for part in get_args(Part) if part in given))

    def is_plain(self) -> bool:
        """Whether a reply is one number for each part, in order: what `format_completion` writes."""
        return self.parser == PLAIN and self.scores in PARTS.values()

    def _marked(self, inputs: int) -> str:
        """The text with one mark for each image that is shown."""
        pieces = self.text.split(IMAGE_MARK)
        counts = [inputs if name == "inputs" else 1 for name in self.shows]
        marked = [IMAGE_MARK * count + piece for count, piece in zip(counts, pieces[1:], strict=True)]
        return pieces[0] + "".join(marked)

    def _instruction_of(self, text: str, n_images: int) -> str | None:
        """What a user turn says in place of `{instruction}` ("" without one); None when it is not this prompt."""
        inputs = n_images - len(self.shows) + 1 if "inputs" in self.shows else 1
        before, _, after = self._marked(inputs).partition(INSTRUCTION)
        if not (text.startswith(before) and text.endswith(after) and len(text) >= len(before) + len(after)):
            return None
        said = text[len(before) : len(text) - len(after)]
        return said if INSTRUCTION in self.text or not said else None


class PromptSet(BaseModel):
    """What a judge is asked about a triplet: a file of `prompts/sets/`, whose name is the set's.

    Both aspects are asked about, each with two scores, and every judge's card is made of these by one rule
    (`cards.make_card`), so that judges with other prompts can be compared.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """Names the wording and its version; part of every judgment."""
    system: Annotated[str | None, Neutral(None)] = None
    """System turn; null: that of the model's family. "": none."""
    semantic: Prompt
    quality: Prompt
    """Shows the output only and does not say what was asked for."""

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
        """What is asked about an aspect."""
        return self.semantic if aspect == "semantic" else self.quality

    def takes(self, inputs: int) -> bool:
        """Whether an edit of so many input images can be asked about."""
        return self.semantic.takes(inputs)


def _shipped() -> Iterator[PromptSet]:
    for path in sorted((Path(__file__).parent / "sets").glob("*.yaml")):
        yield read_prompts(path)


def read_prompts(path: Path) -> PromptSet:
    """The prompt set that a file holds."""
    return PromptSet.model_validate({"name": path.stem, **yaml.safe_load(path.read_text(encoding="utf-8"))})


PROMPT_SETS: dict[str, PromptSet] = {prompt_set.name: prompt_set for prompt_set in _shipped()}


def get_prompts(name: str) -> PromptSet:
    """The prompt set of that name; `EditJudgeError` naming the known ones otherwise."""
    if name not in PROMPT_SETS:
        raise EditJudgeError(f"unknown prompt set {name!r}; known: {', '.join(PROMPT_SETS)}")
    return PROMPT_SETS[name]


def format_completion(reasoning: str, scores: tuple[float, float]) -> str:
    """The reply a judge is trained to write, in the format of EditScore's public data: rationale, then scores."""
    numbers = [int(score) if float(score).is_integer() else score for score in scores]
    return json.dumps({"reasoning": reasoning, "score": numbers}, ensure_ascii=False)
