"""A tiny Qwen2.5-VL folder with random weights, for tests that load and run a model."""

from __future__ import annotations

from pathlib import Path

from editjudge.prompts.prompt_sets import PROMPT_SETS
from sft.tiny import build_model, build_tokenizer, save_tiny


def tiny_folder(folder: Path, seed: int = 0) -> Path:
    """Write a base model of two small layers; another seed gives other weights."""
    texts = [text for prompts in PROMPT_SETS.values() for text in (prompts.semantic.text, prompts.quality.text)]
    tokenizer = build_tokenizer(texts, vocab_size=400)
    save_tiny(folder, build_model(tokenizer, hidden=48, layers=2, seed=seed), tokenizer)
    return folder


def tiny_adapter(base: Path, folder: Path, seed: int = 0) -> Path:
    """Write a LoRA adapter for a `tiny_folder`, with weights large enough to change the model's output."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import Qwen2_5_VLForConditionalGeneration

    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(base)
    target = r".*language_model\.layers\.\d+\.self_attn\.(?:q|v)_proj"
    adapted = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules=target))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_" in name:
                weight.copy_(0.5 * torch.randn(weight.shape, generator=generator))
    adapted.save_pretrained(folder)
    return folder
