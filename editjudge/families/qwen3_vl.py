"""Qwen3-VL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from editjudge.families.base import Part
from editjudge.families.qwen_vl import QwenVL


class Qwen3VL(QwenVL):
    """Qwen3-VL Instruct, dense: no system turn; features of several vision layers enter the language model."""

    model_types: ClassVar[tuple[str, ...]] = ("qwen3_vl",)
    token_px: ClassVar[int] = 32
    parts: ClassVar[Mapping[str, Part]] = {"visual.deepstack_merger_list": "projector", **QwenVL.parts}
    lora_layers: ClassVar[Mapping[Part, str]] = {
        "language": r"(?:.*\.)?language_model\.layers\.\d+\.(?:self_attn\.(?:q|k|v|o)_proj|mlp\.(?:gate|up|down)_proj)",
        "vision": r"(?:.*\.)?visual\.blocks\.\d+\.(?:attn\.(?:qkv|proj)|mlp\.linear_fc[12])",
        "projector": r"(?:.*\.)?visual\.(?:merger|deepstack_merger_list\.\d+)\.linear_fc[12]",
    }

    def parent_processor(self) -> Any:
        """`Qwen3VLProcessor`."""
        from transformers import Qwen3VLProcessor

        return Qwen3VLProcessor
