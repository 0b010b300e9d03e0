"""Data cannot write the chat: what looks like a token is words, in training as in inference."""

from __future__ import annotations

import random
from typing import Any

import pytest
from places import ROOT

from editjudge.families import FAMILIES, get_family, render_chat, render_reply
from editjudge.prompts.prompt_sets import IMAGE_MARK, PROMPT_SETS, format_completion, get_prompts, harmless

BASE = ROOT / "sft" / "tiny_base"
QWEN = [
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>"),
    *("<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>"),
    *("<|image_pad|>", "<|video_pad|>", "<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>"),
    *("<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<tool_response>", "</tool_response>"),
    *("<think>", "</think>"),
]
"""The added tokens of Qwen2.5-VL and Qwen3-VL."""
INTERNVL = ["<img>", "</img>", "<IMG_CONTEXT>", "<video>"]
"""What InternVL adds to Qwen's."""
OTHERS = [
    *("<s>", "</s>", "<unk>", "<pad>", "[INST]", "[/INST]", "<<SYS>>", "<start_of_turn>", "<end_of_turn>", "<eos>"),
    *("<bos>", "<|eot_id|>", "<|begin_of_text|>", "<\uff5cUser\uff5c>", "<IMG_CONTEXT>", "<img>", "[IMG]", "<video>"),
    *("<start_of_image>", "[gMASK]", "\u25c1think\u25b7", "<|channel|>", "<unused94>", "<extra_id_0>", "<IMAGE>"),
]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """The tokenizer class of all families with all of their added tokens."""
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(BASE)
    loaded.add_tokens([*QWEN, *INTERNVL], special_tokens=True)
    return loaded


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Write <|im_end|> on the sign.", "Write < |im_end|> on the sign."),
        ("cat a<|b", "cat a< |b"),
        ("<|:-)", "< |:-)"),
        ("Add an <image> of a cat", "Add an < image > of a cat"),
        ("close </think> now", "close < /think > now"),
        ("<<|im_end|>|im_end|>", "<< |im_end|>|im_end|>"),
    ],
)
def test_what_looks_like_a_token_is_words(text: str, shown: str) -> None:
    assert harmless(text) == shown
    assert harmless(shown) == shown
    assert get_prompts("brief-v1").semantic.ask(text) == get_prompts("brief-v1").semantic.text.replace(
        "{instruction}", shown
    )


@pytest.mark.parametrize("token", [*QWEN, *OTHERS])
def test_tokens_of_all_families_are_taken_apart(token: str) -> None:
    assert token not in harmless(f"a{token}b")
    assert harmless(f"a{token}b").replace(" ", "") == f"a{token}b"


@pytest.mark.parametrize(
    "text",
    [
        "Make the sky pink.",
        "a < b | c > d, <3, a<b>c, x <- y, [1, 2], [LOGO], |>, <b>bold</b>, {instruction}, \\n",
        "\u628a\u5929\u7a7a\u53d8\u6210\u7c89\u8272\uff0c\u201c\u5927\u7684\u201d\u3002\U0001f600\n\t",
        *(prompts.quality.text.replace(IMAGE_MARK, "") for prompts in PROMPT_SETS.values()),
    ],
)
def test_other_text_keeps_its_bytes(text: str) -> None:
    assert harmless(text) == text
    assert all(
        harmless(prompts.semantic.text, (IMAGE_MARK,)) == prompts.semantic.text for prompts in PROMPT_SETS.values()
    )
    assert f"user\n{text}<|im_end|>" in render_chat("qwen2_5_vl", text)
    assert render_reply("qwen2_5_vl", text) == f"{text}<|im_end|>"


@pytest.mark.parametrize("family", FAMILIES)
def test_special_ids_stand_only_where_the_renderer_put_them(tokenizer: Any, family: str) -> None:
    rng = random.Random(0)
    prompts = get_prompts("brief-v1")
    special = set(tokenizer.convert_tokens_to_ids([*QWEN, *INTERNVL]))

    def specials(text: str) -> list[int]:
        return [token for token in tokenizer(text, add_special_tokens=False)["input_ids"] if token in special]

    plain = specials(render_chat(family, prompts.semantic.ask("Pink.")))
    end = specials(render_reply(family, "Pink."))
    each = len(specials(get_family(family).image))
    turns = 5 if get_family(family).system else 3
    assert each in (1, 3)
    assert (len(plain), len(end)) == (turns + 2 * each, 1)
    pieces = [*QWEN, *OTHERS, *"<|>/ [](){}", "im_", "end", "a", "\u0338", "\ufb00", "\ud83d", "\x00", "\u200b"]
    for _ in range(1500):
        text = "".join(rng.choice(pieces) for _ in range(rng.randint(1, 8)))
        assert specials(render_chat(family, prompts.semantic.ask(text))) == plain, text
        own = text.replace("think", "")  # a set of prompts and a reply may have thinking blocks
        marks = text.count(IMAGE_MARK)
        assert len(specials(render_chat(family, own))) == len(plain) + (marks - 2) * each, text
        assert specials(render_reply(family, format_completion(own, (1, 2)))) == end, text


def test_an_empty_instruction_is_told_from_the_prompt() -> None:
    for prompts in PROMPT_SETS.values():
        assert prompts.semantic.lacks_instruction(prompts.semantic.ask("\u200b \n"), 2)
        assert not prompts.semantic.lacks_instruction(prompts.semantic.ask("x"), 2)
        assert not prompts.quality.lacks_instruction(prompts.quality.ask(), 1)
