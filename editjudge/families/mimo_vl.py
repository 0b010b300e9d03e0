"""MiMo-VL."""

from __future__ import annotations

from typing import ClassVar

from editjudge.families.qwen2_5_vl import Qwen25VL


class MiMoVL(Qwen25VL):
    """MiMo-VL 7B, SFT and RL: Qwen2.5-VL's architecture and tokens with its own system turn."""

    system: ClassVar[str] = "You are MiMo, an AI assistant developed by Xiaomi."
