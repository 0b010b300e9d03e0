"""The number of trained parameters, and whether they get a gradient."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from editjudge.errors import EditJudgeError


class GradientError(EditJudgeError):
    """Trainable weights got no gradient in the first step."""


def trainable(model: Any) -> int:
    """Return the number of trainable parameters."""
    return sum(_elements(weight) for weight in model.parameters() if weight.requires_grad)


def trainable_line(model: Any) -> str:
    """Return a line for the log about the share of trainable parameters."""
    learns, total = trainable(model), sum(_elements(weight) for weight in model.parameters())
    return f"training {learns:,} of {total:,} weights ({learns / total:.2%})"


def _elements(weight: Any) -> int:
    """Return the size of the whole weight, also when ZeRO-3 has partitioned it."""
    return int(getattr(weight, "ds_numel", weight.numel()))


class GradientWatch:
    """Records which weights get a gradient, until `stop`."""

    def __init__(self, model: Any) -> None:
        self._gradients: dict[str, bool] = {}
        weights = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
        self._names = [name for name, _ in weights]
        self._hooks = [weight.register_hook(partial(self._note, name)) for name, weight in weights]

    def _note(self, name: str, gradient: Any) -> None:
        self._gradients[name] = self._gradients.get(name, False) or bool(gradient.any())

    def stop(self) -> None:
        """Stop watching, and raise `GradientError` naming the modules that got no gradient.

        The A half of a new adapter gets zeros, because its B half is still zero; the B half must get more.
        """
        for hook in self._hooks:
            hook.remove()
        starved = [name for name in self._names if not self._reached(name)]
        if starved:
            modules = sorted({_module(name) for name in starved})
            raise GradientError(
                f"{len(modules)} modules got no gradient in the first step, so they would not learn:\n"
                f"{_listed(modules)}\n"
                "Their part is outside the loss, or checkpointing cut it off. Freeze it, or change lora.target "
                "or train.gradient_checkpointing."
            )

    def _reached(self, name: str) -> bool:
        if name not in self._gradients:
            return False
        return self._gradients[name] or "lora_B" not in name.split(".")


def _module(name: str) -> str:
    """`layers.0.q_proj.lora_A.default.weight` -> `layers.0.q_proj`."""
    parts = name.split(".")
    ends = [parts.index(mark) for mark in ("lora_A", "lora_B") if mark in parts]
    return ".".join(parts[: ends[0]] if ends else parts[:-1])


def _listed(modules: Iterable[str], most: int = 10) -> str:
    names = list(modules)
    more = [f"  and {len(names) - most} more"] if len(names) > most else []
    return "\n".join([*(f"  {name}" for name in names[:most]), *more])
