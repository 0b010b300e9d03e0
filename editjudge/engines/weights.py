"""Model folders and adapters: their digests, and loading them completely or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from editjudge.engines.digests import digest_files
from editjudge.engines.quiet import quiet
from editjudge.errors import CheckpointError, EngineError
from editjudge.families import wrong_family
from editjudge.files.hub_cache import hub_cache_advice
from editjudge.files.io import digest
from editjudge.files.json_text import parse_json
from editjudge.files.text import first_line
from editjudge.system.network import check_network

_MODEL_FILES = (
    "*.safetensors",
    "pytorch_model*.bin",
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "added_tokens.json",
    "special_tokens_map.json",
)
"""Files that can change a reply. Optimizer states, logs and markers cannot."""

_ADAPTER_WEIGHTS = "adapter_model.safetensors"
_ADAPTER_CONFIG = "adapter_config.json"


def model_digest(model: str, revision: str | None) -> str:
    """Return `folder@<digest of its files>` or `<hub name>@<commit>`. Raises `CheckpointError` without a model."""
    folder = Path(model)
    if folder.is_dir():
        files = sorted({path for pattern in _MODEL_FILES for path in folder.glob(pattern)})
        if not any(path.suffix in (".safetensors", ".bin") for path in files):
            raise CheckpointError(f"{model}: the folder has no weights (*.safetensors); is it the right one?")
        return f"folder@{digest_files(files)}"
    from transformers import PretrainedConfig

    check_network()
    try:
        config, _ = PretrainedConfig.get_config_dict(model, revision="main" if revision is None else revision)
    except (OSError, ValueError) as error:
        raise CheckpointError(_not_found(model, error)) from error
    return f"{model}@{config.get('_commit_hash')}"


def model_problem(model: str, family: str) -> tuple[Literal["model", "family"], str] | None:
    """Return why a folder cannot be used as a model of `family`: the parameter at fault and the problem.

    A name on the hub is checked when its configuration is in the local cache; nothing is downloaded.
    """
    folder = Path(model)
    if folder.is_dir():
        if not any(path.suffix in (".safetensors", ".bin") for path in folder.iterdir()):
            return "model", "the folder has no weights (*.safetensors); is it the right one?"
        config: Path | None = folder / "config.json"
    else:
        config = _cached_config(model)
    if config is None:
        return None
    try:
        kind = parse_json(config.read_bytes())["model_type"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return "model", f"{config}: no configuration of a model ({type(error).__name__}); was it written whole?"
    problem = wrong_family(family, kind)
    return None if problem is None else ("family", f"{model} {problem}")


def model_window(model: str) -> int | None:
    """Return the context window of a model in tokens; None when no local configuration has it."""
    folder = Path(model)
    config = folder / "config.json" if folder.is_dir() else _cached_config(model)
    if config is None:
        return None
    try:
        values = parse_json(config.read_bytes())
        found = values.get("text_config", values)["max_position_embeddings"]
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return None  # `model_problem` reports errors in the file
    return found if type(found) is int else None


def _cached_config(model: str) -> Path | None:
    """Return the configuration of a hub model from the local cache; None when it was not downloaded."""
    if find_spec("huggingface_hub") is None:
        return None
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(model, "config.json")
    except HFValidationError:
        return None
    return Path(found) if isinstance(found, str) else None


def adapter_problem(folder: Path) -> str | None:
    """Return why an existing folder cannot be used as an adapter."""
    missing = [name for name in (_ADAPTER_CONFIG, _ADAPTER_WEIGHTS) if not (folder / name).is_file()]
    return f"no adapter there: {missing[0]} is missing; name a folder that PEFT has saved" if missing else None


def adapter_digest(folder: Path) -> str:
    """Return the digest of an adapter's weights and settings, without the path of its base at training time."""
    if (problem := adapter_problem(folder)) is not None:
        raise CheckpointError(f"{folder}: {problem}")
    settings = adapter_settings(folder)
    for name in ("base_model_name_or_path", "revision"):
        settings.pop(name, None)
    return digest(settings, digest_files([folder / _ADAPTER_WEIGHTS]))


def adapter_settings(folder: Path) -> dict[str, Any]:
    """Return PEFT's configuration of an adapter. Raises `CheckpointError` when it is not a JSON object."""
    file = folder / _ADAPTER_CONFIG
    try:
        settings = parse_json(file.read_bytes())
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file}: cannot be read as JSON ({error}); was it written whole?") from error
    if not isinstance(settings, dict):
        raise CheckpointError(f"{file}: not a JSON object; was it written whole?")
    return settings


def load_model(
    model: str, adapter: Path | None, *, revision: str | None, family: str, dtype: str, device: str, attention: str
) -> Any:
    """Load a conditional-generation model in evaluation mode on `device`, with the adapter's layers in place.

    The adapter stays beside the weights instead of being merged into them: in bf16, merging rounds the sum, so the
    judge would differ from the trained one. `editjudge merge` writes a merged folder where speed matters more. Raises
    `CheckpointError` when something is missing, incomplete, not finite or does not fit; `EngineError` when the device
    is out of memory.
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoConfig, AutoModelForImageTextToText

    quiet(main=True)
    branch = "main" if revision is None else revision
    try:
        config = AutoConfig.from_pretrained(model, revision=branch)
        if (problem := wrong_family(family, config.model_type)) is not None:
            raise CheckpointError(f"{model} {problem}")
        loaded, info = AutoModelForImageTextToText.from_pretrained(
            model, revision=branch, dtype=getattr(torch, dtype), attn_implementation=attention, output_loading_info=True
        )
        # transformers fills missing weights with random numbers and a warning.
        if info["missing_keys"]:
            missing = sorted(info["missing_keys"])
            raise CheckpointError(f"{model}: {len(missing)} weights are not in the files, {missing[0]} first")
        if adapter is not None:
            loaded = _add_adapter(loaded, adapter)
        loaded = loaded.to(device).eval()
        require_finite(model, loaded.named_parameters())
        return loaded
    except torch.OutOfMemoryError as error:
        raise EngineError(f"{model}: its weights do not fit on {device} ({error}); use a smaller dtype") from error
    except ModuleNotFoundError:
        raise  # an extra is not installed
    except ImportError as error:  # for example a version of flash-attn that is too old
        raise EngineError(f"{model}: cannot be loaded here ({first_line(error)})") from error
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        if not Path(model).is_dir():
            raise CheckpointError(_not_found(model, error)) from error
        raise CheckpointError(
            f"{model}{'' if adapter is None else f' with adapter {adapter}'}: cannot be loaded "
            f"({type(error).__name__}: {first_line(error)}); were all files written whole?"
        ) from error


def _add_adapter(model: Any, folder: Path) -> Any:
    from peft import PeftModel, get_peft_model_state_dict
    from safetensors import safe_open

    adapted = PeftModel.from_pretrained(model, str(folder), is_trainable=False)
    expected = set(get_peft_model_state_dict(adapted, save_embedding_layers=False))
    with safe_open(str(folder / _ADAPTER_WEIGHTS), framework="pt") as file:
        saved = set(file.keys())
    # PEFT only warns about unexpected and missing weights.
    if saved != expected:
        odd = sorted(saved ^ expected)
        raise CheckpointError(
            f"{folder}: the adapter does not fit its base: {len(odd)} of its weights, {odd[0]} first, are on one side "
            "only; name the base it was trained on"
        )
    with safe_open(str(folder / _ADAPTER_WEIGHTS), framework="pt") as file:
        require_finite(folder, ((name, file.get_tensor(name)) for name in sorted(saved)))
    return adapted.get_base_model()


def load_config(model: str) -> Any:
    """Return the configuration of a model folder or hub name. Raises `CheckpointError` when there is none."""
    from transformers import AutoConfig

    if not Path(model).is_dir():
        check_network()
    try:
        return AutoConfig.from_pretrained(model)
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(_not_found(model, error)) from error


def not_finite(weights: Iterable[tuple[str, Any]]) -> list[str]:
    """Return the names of the weights (name, tensor) that contain NaN or an infinity. Each is read once, in place.

    Diverged training leaves such weights. A model with them repeats one token until the limit, which looks like a
    truncated reply.
    """
    import torch

    def is_finite(weight: Any) -> bool:
        if weight.is_meta or not weight.is_floating_point() or not weight.numel():
            return True
        # Both propagate NaN, and unlike a sum cannot overflow; the weight is not copied.
        low, high = torch.aminmax(weight.detach())
        return bool((low.isfinite() & high.isfinite()).item())

    return [name for name, weight in weights if not is_finite(weight)]


def require_finite(place: str | Path, weights: Iterable[tuple[str, Any]]) -> None:
    """Raise `CheckpointError` naming `place` and the first of the weights that contain NaN or an infinity."""
    bad = not_finite(weights)
    if bad:
        shown = ", ".join(bad[:3]) + (", ..." if len(bad) > 3 else "")
        raise CheckpointError(
            f"{place}: {len(bad)} weights hold NaN or infinity: {shown}; the training that wrote them diverged, the "
            "file is damaged, or the weights do not fit into float16: use an earlier checkpoint or another dtype"
        )


def _not_found(model: str, error: Exception) -> str:
    advice = hub_cache_advice(model)
    if advice is not None:
        return f"{model}: no such folder, and it cannot be fetched: {advice} ({first_line(error)})"
    if Path(model).is_dir():
        return f"{model}: no model can be read there ({first_line(error)}); were all files written whole?"
    return (
        f"{model}: neither a folder nor a model that can be fetched ({first_line(error)}); check the name, the "
        "network, and for private models the token in HF_TOKEN"
    )
