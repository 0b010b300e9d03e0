"""What a model is asked, to the byte: prompt sets (the user turn) and families (the chat around it).

Training and inference both go through `render_chat`, so their prompts are equal by construction.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from editjudge.errors import EditJudgeError
from editjudge.io import digest

IMAGE_MARK = "<image>"


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
        """User turn about editing success and over-editing. Marks inside the instruction are made harmless."""
        return self.semantic.replace("{instruction}", instruction.replace(IMAGE_MARK, "< image >"))

    def ask_quality(self) -> str:
        """User turn about naturalness and artefacts."""
        return self.quality


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


@dataclass(frozen=True)
class Family:
    """The chat layout of a model family. Sources: the chat templates in the models' own repositories."""

    system: str
    """System turn; "" for none."""
    image: str
    """What one image looks like in the text; the processor repeats the pad token as needed."""
    image_pad: str
    turn_start: str
    turn_end: str

    def chat(self, user_text: str) -> str:
        """The prompt up to where the model begins to write."""
        user = user_text.replace(IMAGE_MARK, self.image)
        head = f"{self.turn_start}system\n{self.system}{self.turn_end}\n" if self.system else ""
        return f"{head}{self.turn_start}user\n{user}{self.turn_end}\n{self.turn_start}assistant\n"


_QWEN_IMAGE = "<|vision_start|><|image_pad|><|vision_end|>"

FAMILIES: dict[str, Family] = {
    "qwen2_5_vl": Family("You are a helpful assistant.", _QWEN_IMAGE, "<|image_pad|>", "<|im_start|>", "<|im_end|>"),
    "qwen3_vl": Family("", _QWEN_IMAGE, "<|image_pad|>", "<|im_start|>", "<|im_end|>"),
}


def render_chat(family: str, user_text: str) -> str:
    """The prompt for a model of `family`, up to where it begins to write.

    Special tokens inside the user's words would change the layout, so they are refused by `EditJudgeError`.
    """
    if family not in FAMILIES:
        raise EditJudgeError(f"unknown model family {family!r}; known: {', '.join(FAMILIES)}")
    if "<|" in user_text:
        raise EditJudgeError(f"the prompt contains a special token: {user_text!r}")
    return FAMILIES[family].chat(user_text)
