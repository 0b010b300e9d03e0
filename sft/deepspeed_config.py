"""DeepSpeed's JSON: the shipped configurations, and checks for values that DeepSpeed and transformers refuse."""

from __future__ import annotations

import copy
from collections.abc import Iterator, KeysView, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from editjudge.files.json_text import parse_json
from editjudge.files.text import first_line
from editjudge.recipes.recipe_use import did_you_mean
from sft.settings import probe

SHIPPED = {path.stem: path for path in sorted((Path(__file__).parent / "deepspeed_configs").glob("*.json"))}
"""Name in a recipe -> file."""

_HIDDEN_SIZE = 1024
"""Placeholder for the model's hidden size, from which transformers computes bucket sizes."""


def deepspeed_file(value: str) -> Path:
    """Return the file that a recipe's `deepspeed:` names: a shipped configuration or a path."""
    return SHIPPED.get(value, Path(value))


def read_deepspeed(value: str) -> dict[str, Any]:
    """Read the file. Raises `ValueError` when it does not exist or is not a JSON object."""
    path = deepspeed_file(value)
    if not path.is_file():
        raise ValueError(f"neither a file nor a shipped configuration{did_you_mean(value, SHIPPED)}")
    try:
        content = parse_json(path.read_bytes(), finite=True)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"not valid JSON: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"must hold a JSON object, not {type(content).__name__}")
    return content


def deepspeed_problems(
    content: Mapping[str, Any], train: Mapping[str, Any], world_size: int, accumulation: int
) -> Iterator[str]:
    """Yield the errors of a configuration, alone and combined with `train`, each with its key in the JSON.

    `accumulation`: batches per optimizer step and process.
    """
    known = _keys_read()
    problems = [problem for key in content for problem in _block_problems(key, content[key])]
    for key in content:
        if key not in known:
            problems.append(f"{key}: DeepSpeed does not know this key{did_you_mean(key, known, listed=False)}")
    yield from problems or _contradictions(content, train, world_size, accumulation)


def _block_problems(key: str, value: object) -> Iterator[str]:
    """Yield DeepSpeed's errors for one top-level key alone: one mistake does not hide another."""
    if value == "auto" or key in _BATCH:
        return
    try:
        _build({key: _without_auto(value)})
    except ValidationError as error:
        for problem in error.errors(include_url=False):
            where = ".".join(str(part) for part in (key, *problem["loc"]))
            yield f"{where}: {problem['msg']}, got {problem['input']!r}"
    except Exception as error:  # DeepSpeed raises AssertionError, TypeError, KeyError and its own types
        yield f"{key}: {first_line(error)}"


_BATCH = {"train_batch_size": 1, "train_micro_batch_size_per_gpu": 1, "gradient_accumulation_steps": 1}


def _build(config: Mapping[str, Any]) -> None:
    from deepspeed.runtime.config import DeepSpeedConfig

    DeepSpeedConfig({**_BATCH, **copy.deepcopy(dict(config))})


class _Recorded(dict[str, Any]):
    """A mapping that records the keys that are read; copies share the record."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        super().__init__(content)
        self.asked: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        self.asked.add(key)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self.asked.add(str(key))
        return super().__contains__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add(key)
        return super().get(key, default)

    def keys(self) -> KeysView[str]:  # type: ignore[override]
        return KeysView(self)


def _keys_read() -> set[str]:
    """Return the top-level keys that DeepSpeed reads. It ignores all others silently."""
    from deepspeed.runtime.config import DeepSpeedConfig

    recorded = _Recorded(_BATCH)
    DeepSpeedConfig(recorded)
    return recorded.asked


def _contradictions(
    content: Mapping[str, Any], train: Mapping[str, Any], world_size: int, accumulation: int
) -> Iterator[str]:
    """Yield values that are set here and in the recipe, and differ."""
    from types import SimpleNamespace

    from transformers.integrations.deepspeed import HfTrainerDeepSpeedConfig

    filled = copy.deepcopy(dict(content))
    steps = filled.get("scheduler", {}).get("params", {}).get("total_num_steps", 1)
    settings = dict(train)
    if "bf16" not in settings and "fp16" not in settings:  # depends on the machine of the run
        for name in ("bf16", "fp16"):
            settings[name] = filled.get(name, {}).get("enabled") is True
    try:
        config = HfTrainerDeepSpeedConfig(filled)
        arguments = probe(settings, world_size, accumulation)
        config.trainer_config_process(arguments)
        model = SimpleNamespace(config=SimpleNamespace(hidden_size=_HIDDEN_SIZE))
        config.trainer_config_finalize(arguments, model, steps if isinstance(steps, int) else 1)
    except Exception as error:
        found = [line.removeprefix("- ds ") for line in str(error).splitlines() if line.startswith("- ds ")]
        for line in found:
            here, _, there = line.partition(" vs hf ")
            yield f'{here.replace("=", ": ", 1)} here, but {there} in the recipe; write "auto" here'
        if not found:
            yield first_line(error)


def _without_auto(value: object) -> Any:
    """Return a block without the values that transformers fills in."""
    if isinstance(value, Mapping):
        return {key: _without_auto(item) for key, item in value.items() if item != "auto"}
    return value
