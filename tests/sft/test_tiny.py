"""The tiny judge and the base that ships with EditJudge."""

from __future__ import annotations

import pytest
from places import ROOT

from editjudge.engines.base import Request, Sampling
from editjudge.engines.hf import HFEngine
from editjudge.families import render_chat
from editjudge.files.io import read_json
from editjudge.prompts.parsing import parse_reply
from editjudge.prompts.prompt_sets import get_prompts
from sft.tiny import SPECIAL_TOKENS, build_model, build_tokenizer

BASE = ROOT / "sft" / "tiny_base"


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer(["Make the sky pink.", "The edit is done and the rest is kept."] * 3, vocab_size=320)


@pytest.mark.parametrize("text", ["Make the sky pink.", "naïve 日本語 🙂 \t\n  x", '{"score": [12, 3]}', ""])
def test_any_text_survives_the_tokenizer(tokenizer, text):
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.decode(ids) == text


def test_special_tokens_are_single_and_digits_stand_alone(tokenizer):
    for token in SPECIAL_TOKENS:
        assert len(tokenizer(token)["input_ids"]) == 1
    assert len(tokenizer("2025")["input_ids"]) == 4


def test_the_same_seed_gives_the_same_weights(tokenizer):
    first, again, other = (build_model(tokenizer, seed=seed) for seed in (1, 1, 2))
    assert all((a == b).all() for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert any((a != b).any() for a, b in zip(first.parameters(), other.parameters(), strict=True))


def test_the_base_is_small_and_says_where_it_comes_from():
    assert sum(file.stat().st_size for file in BASE.iterdir()) <= 4_000_000
    provenance = read_json(BASE / "provenance.json")
    assert provenance["made_by"] == "scripts/make_tiny_base.py"
    assert provenance["steps"] > 0
    assert all(provenance["photographs"].values())


def test_the_base_describes_and_does_not_score():
    """It answers its own questions in words; what a judge must write, SFT has to teach it."""
    from PIL import Image

    engine = HFEngine(model=str(BASE), dtype="float32", device="cpu")
    picture = Image.new("RGB", (56, 56), (200, 60, 60))
    prompts = get_prompts("brief-v1")
    asked = Request(prompts.semantic.ask("Make the photo darker."), (picture, picture), (0,))
    (reply,) = engine.answer_all([asked], Sampling(temperature=0, max_new_tokens=40))
    text = reply.completions[0].text
    assert text
    assert parse_reply(text, prompts.semantic.scale).scores is None


def test_the_base_knows_the_words_of_its_prompts():
    """One token for each word of an instruction: a tokenizer made from other text would need many more."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(BASE)
    chat = render_chat("qwen2_5_vl", get_prompts("brief-v1").semantic.ask("Make the photo darker and add a red disc."))
    assert len(tokenizer(chat)["input_ids"]) < 60
