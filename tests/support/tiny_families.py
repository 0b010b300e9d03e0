"""Tiny folders with random weights for every family, from transformers' own classes and the publishers' settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tiny_model import tiny_folder

from editjudge.families import get_family
from editjudge.prompts.prompt_sets import PROMPT_SETS
from sft.tiny import build_tokenizer

HIDDEN, HEADS, LAYERS = 48, 3, 2


def family_folder(family: str, folder: Path) -> Path:
    """Write a base of that family's architecture of about 0.1 M random weights."""
    return BUILDERS[get_family(family).model_types[0]](folder)


def qwen3_vl_folder(folder: Path) -> Path:
    """Write a model of two vision layers, of which the first feeds a deepstack merger. The image processor's file is as
    Qwen writes it, with smaller bounds."""
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    tokenizer = _tokenizer()
    token_id = tokenizer.convert_tokens_to_ids
    config = Qwen3VLConfig(
        text_config={
            **_text_settings(tokenizer),
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 100.0,
                "mrope_section": [4, 2, 2],
                "mrope_interleaved": True,
            },
        },
        vision_config={
            "depth": 2,
            "hidden_size": HIDDEN,
            "intermediate_size": 2 * HIDDEN,
            "num_heads": HEADS,
            "out_hidden_size": HIDDEN,
            "patch_size": 16,
            "num_position_embeddings": 64,
            "deepstack_visual_indexes": [0],
            "initializer_range": 0.08,
        },
        image_token_id=token_id("<|image_pad|>"),
        video_token_id=token_id("<|video_pad|>"),
        vision_start_token_id=token_id("<|vision_start|>"),
        vision_end_token_id=token_id("<|vision_end|>"),
        tie_word_embeddings=True,
    )
    _save(folder, Qwen3VLForConditionalGeneration, config, tokenizer)
    settings = {
        "size": {"longest_edge": 128 * 128, "shortest_edge": 32 * 32},
        "patch_size": 16,
        "temporal_patch_size": 2,
        "merge_size": 2,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
        "processor_class": "Qwen3VLProcessor",
        "image_processor_type": "Qwen2VLImageProcessorFast",
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return folder


def internvl_folder(folder: Path) -> Path:
    """Write a model with tiles of 56 x 56 pixels and four tokens. Processor files match the converted repositories'."""
    from transformers import InternVLConfig, InternVLForConditionalGeneration

    tokenizer = _tokenizer()
    tokenizer.add_tokens(["<img>", "</img>", "<IMG_CONTEXT>"], special_tokens=True)
    config = InternVLConfig(
        text_config={
            **_text_settings(tokenizer),
            "model_type": "qwen2",
            "rope_parameters": {"rope_type": "default", "rope_theta": 100.0},
        },
        vision_config={
            "hidden_size": HIDDEN,
            "intermediate_size": 2 * HIDDEN,
            "num_hidden_layers": 2,
            "num_attention_heads": HEADS,
            "image_size": [56, 56],
            "patch_size": [14, 14],
            "attention_bias": True,
            "initializer_range": 0.08,
        },
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4,
        tie_word_embeddings=True,
    )
    _save(folder, InternVLForConditionalGeneration, config, tokenizer)
    settings = {
        "crop_to_patches": False,
        "max_patches": 12,
        "min_patches": 1,
        "size": {"height": 56, "width": 56},
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
        "image_processor_type": "GotOcr2ImageProcessorFast",
        "processor_class": "InternVLProcessor",
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    whole = {"image_seq_length": 4, "processor_class": "InternVLProcessor"}
    (folder / "processor_config.json").write_text(json.dumps(whole))
    return folder


BUILDERS = {"qwen2_5_vl": tiny_folder, "qwen3_vl": qwen3_vl_folder, "internvl": internvl_folder}
"""Builders by `model_type`: a family on one of these architectures needs no builder of its own."""


def _tokenizer() -> Any:
    texts = [text for prompts in PROMPT_SETS.values() for text in (prompts.semantic.text, prompts.quality.text)]
    return build_tokenizer(texts, vocab_size=400)


def _text_settings(tokenizer: Any) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": HIDDEN,
        "intermediate_size": 2 * HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": 1,
        "head_dim": HIDDEN // HEADS,
        "max_position_embeddings": 4096,
        "initializer_range": 0.08,
        "tie_word_embeddings": True,
        "bos_token_id": tokenizer.convert_tokens_to_ids("<|endoftext|>"),
        "eos_token_id": tokenizer.convert_tokens_to_ids("<|im_end|>"),
        "pad_token_id": tokenizer.convert_tokens_to_ids("<|endoftext|>"),
    }


def _save(folder: Path, kind: Any, config: Any, tokenizer: Any) -> None:
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = kind(config)
    model.generation_config.eos_token_id = tokenizer.convert_tokens_to_ids("<|im_end|>")
    model.generation_config.pad_token_id = tokenizer.convert_tokens_to_ids("<|endoftext|>")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
