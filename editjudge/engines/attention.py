"""Attention implementations: whether transformers knows one, and whether its requirements are met."""

from __future__ import annotations

from importlib.util import find_spec

from editjudge.recipes.recipe_use import did_you_mean

_PACKAGES = {
    "flash_attention_2": ("flash_attn", "flash-attn"),
    "flash_attention_3": ("flash_attn_interface", "flash-attn-3"),
    "flash_attention_4": ("flash_attn", "flash-attn-4"),
}
"""Implementation -> its package, by import name and by pip name."""


def needs_gpu(attention: str) -> bool:
    """Return whether an implementation needs a GPU."""
    return attention in _PACKAGES


def attention_problem(attention: object) -> str | None:
    """Return why transformers cannot use an implementation, apart from the device; None when it can."""
    if find_spec("transformers") is None:
        return None
    from transformers import AttentionInterface

    if isinstance(attention, str) and "/" in attention:  # a kernel on the hub
        return None
    known = ("eager", *AttentionInterface().valid_keys())
    if not isinstance(attention, str) or attention not in known:
        return f"unknown value{did_you_mean(str(attention), known)}"
    module, package = _PACKAGES.get(attention, ("", ""))
    # transformers loads the same kernel from the hub when the package `kernels` is installed.
    if module and find_spec(module) is None and find_spec("kernels") is None:
        return f"needs the package {package}, which is not installed; install it, or choose sdpa"
    return None
