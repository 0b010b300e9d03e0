"""Qwen2.5-VL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from editjudge.families.base import Part
from editjudge.families.qwen_vl import QwenVL


class Qwen25VL(QwenVL):
    """Qwen2.5-VL Instruct, 3B to 72B: EditScore's first base."""

    model_types: ClassVar[tuple[str, ...]] = ("qwen2_5_vl",)
    system: ClassVar[str] = "You are a helpful assistant."
    token_px: ClassVar[int] = 28
    lora_layers: ClassVar[Mapping[Part, str]] = {
        "language": r"(?:.*\.)?language_model\.layers\.\d+\.(?:self_attn\.(?:q|k|v|o)_proj|mlp\.(?:gate|up|down)_proj)",
        "vision": r"(?:.*\.)?visual\.blocks\.\d+\.(?:attn\.(?:qkv|proj)|mlp\.(?:gate|up|down)_proj)",
        "projector": r"(?:.*\.)?visual\.merger\.mlp\.[02]",
    }

    def parent_processor(self) -> Any:
        """`Qwen2_5_VLProcessor`."""
        from transformers import Qwen2_5_VLProcessor

        return Qwen2_5_VLProcessor
