"""What a model is asked, to the byte: prompt sets, which are the user turn. `families` puts the chat around it."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass

from editjudge.errors import EditJudgeError
from editjudge.files.io import digest
from editjudge.files.text import is_blank, valid_text
from editjudge.records.tasks import Aspect

IMAGE_MARK = "<image>"

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


@dataclass(frozen=True)
class PromptSet:
    """The two questions a judge is asked about a triplet."""

    name: str
    """Names the wording and its version; part of every cache key and every judgment."""
    semantic: str
    """Two images (input, output); `{instruction}` stands for the instruction."""
    quality: str
    """One image: the output only. Quality is judged without knowing what was asked."""
    scale: float
    """Best raw score. 25 was the best of 10/20/25/30 in EditScore's ablation."""

    @property
    def identity(self) -> str:
        """Digest of name, wording and scale."""
        return digest(self.name, self.semantic, self.quality, self.scale)

    def ask_semantic(self, instruction: str) -> str:
        """User turn about editing success and over-editing. What looks like a token is made `harmless`."""
        return self.semantic.replace("{instruction}", harmless(instruction))

    def ask_quality(self) -> str:
        """User turn about naturalness and artefacts."""
        return self.quality

    def lacks_instruction(self, prompt: str) -> bool:
        """Whether a user turn is this set's semantic question with nothing visible in place of the instruction."""
        before, _, after = self.semantic.partition("{instruction}")
        return self.asks("semantic", prompt) and is_blank(prompt[len(before) : len(prompt) - len(after)])

    def asks(self, aspect: Aspect, prompt: str) -> bool:
        """Whether a user turn is this set's question about the aspect, with any instruction."""
        if aspect == "quality":
            return prompt == self.ask_quality()
        before, _, after = self.semantic.partition("{instruction}")
        return prompt.startswith(before) and prompt.endswith(after) and len(prompt) >= len(before) + len(after)


_FULL_FORMAT = """Write one JSON object and nothing else. \
First give your reasoning in one or two sentences, then the two scores:
{"reasoning": "...", "score": [first, second]}"""

PROMPT_SETS: dict[str, PromptSet] = {
    prompt_set.name: prompt_set
    for prompt_set in (
        PromptSet(
            name="editjudge-v1",
            semantic=f"""The first image is a photograph before editing \
and the second is the same photograph after an editing tool was given an instruction.
Before: {IMAGE_MARK}
After: {IMAGE_MARK}
Instruction: {{instruction}}

Compare the two images and give two scores from 0 to 25.
First score, editing success: how completely and how correctly the second image carries out the instruction. \
0 means that nothing asked for was done; 25 means that all of it was done as asked.
Second score, restraint: how well everything that the instruction does not mention was left alone. \
0 means that the second image is a different picture; 25 means that nothing else was changed.
An image that is returned unchanged has no editing success and full restraint.

{_FULL_FORMAT}""",
            quality=f"""This image was produced by an editing tool. Judge only how it looks, not what it shows.
Image: {IMAGE_MARK}

Give two scores from 0 to 25.
First score, naturalness: whether light, shadow, perspective and proportion are believable. \
0 means that the picture looks wrong at first glance; 25 means that it could be a photograph or finished artwork.
Second score, cleanness: whether it is free of artefacts such as noise, blocks, seams, watermarks, smears \
and distorted faces or hands. 0 means that artefacts cover the image; 25 means that there are none.

{_FULL_FORMAT}""",
            scale=25,
        ),
        PromptSet(
            name="brief-v1",
            semantic=f"{IMAGE_MARK}{IMAGE_MARK}{{instruction}}\nScore editing success and restraint, 0 to 25.",
            quality=f"{IMAGE_MARK}Score naturalness and cleanness, 0 to 25.",
            scale=25,
        ),
    )
}


def get_prompts(name: str) -> PromptSet:
    """The prompt set of that name; `EditJudgeError` naming the known ones otherwise."""
    if name not in PROMPT_SETS:
        raise EditJudgeError(f"unknown prompt set {name!r}; known: {', '.join(PROMPT_SETS)}")
    return PROMPT_SETS[name]


def format_completion(reasoning: str, scores: tuple[float, float]) -> str:
    """The reply a judge is trained to write, in the format of EditScore's public data: rationale, then scores."""
    numbers = [int(score) if float(score).is_integer() else score for score in scores]
    return json.dumps({"reasoning": reasoning, "score": numbers}, ensure_ascii=False)
