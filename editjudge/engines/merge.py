"""Merging an adapter and its base into one folder of full weights, with verification."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path
from typing import Any

from editjudge.engines.weights import (
    adapter_digest,
    adapter_settings,
    load_config,
    load_model,
    model_digest,
    model_problem,
)
from editjudge.errors import CheckpointError, StorageError
from editjudge.families import FAMILIES, families_for, get_family, render_chat
from editjudge.families.base import Family
from editjudge.files.io import write_marker
from editjudge.formats.checkpoint import DONE, require_complete
from editjudge.formats.judge_settings import read_trained
from editjudge.prompts.prompt_sets import IMAGE_MARK, get_prompts

TOLERANCE = {"float32": 1e-4, "bfloat16": 0.05, "float16": 0.01}
"""Largest difference of a logit allowed between adapter and merged weights, as a share of the largest logit.

In half precision the merged sum is rounded once more; the tolerance allows about ten roundings.
"""


def merge(checkpoint: Path, out: Path, base: str | None = None, dtype: str | None = None) -> float:
    """Write base + adapter to `out`, and return the largest difference of a logit, as a share of the largest logit.

    The folder appears only after its weights were loaded again and gave the adapter's logits within `TOLERANCE`. The
    checkpoint's `judge.yaml` is copied. Raises `CheckpointError` when the logits differ, when the checkpoint is
    incomplete or was trained on another family than the base's; `StorageError` when `out` exists.
    """
    if out.exists():
        raise StorageError(f"{out}: exists already; remove it or choose another folder")
    require_complete(checkpoint)
    digests = {"adapter": adapter_digest(checkpoint)}
    base = _base_of(checkpoint) if base is None else base
    trained = read_trained(checkpoint)
    if trained is not None and (problem := model_problem(base, trained.settings.family)) is not None:
        raise CheckpointError(
            f"{problem[1]}, but the checkpoint was trained as {trained.settings.family!r} ({trained.path})"
        )
    digests["base"] = model_digest(base, None)
    dtype = _dtype_of(base) if dtype is None else dtype
    family = _family_of(base) if trained is None else get_family(trained.settings.family)
    processor = family.load_processor(base)
    probe = _probe(processor, family)
    wanted = _logits(_load(base, checkpoint, dtype, family), probe)
    temporary = out.with_name(f".{out.name}-{uuid.uuid4().hex[:8]}")
    try:
        _write_merged(_load(base, None, dtype, family), checkpoint, temporary)
        processor.save_pretrained(temporary)
        difference = _difference(_logits(_load(str(temporary), None, dtype, family), probe), wanted)
        if not difference <= TOLERANCE[dtype]:
            raise CheckpointError(
                f"{checkpoint}: merged weights give other logits than the adapter: {difference:.1e} of the largest "
                f"logit, allowed is {TOLERANCE[dtype]:g} in {dtype}; nothing was written"
            )
        if trained is not None:
            trained.settings.write(temporary)
        write_marker(temporary / DONE, {**digests, "dtype": dtype}, {"logit_difference": difference})
        os.replace(temporary, out)
    except OSError as error:
        raise StorageError(f"{out}: cannot be written ({error.strerror or error}); check the disk") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return difference


def _base_of(checkpoint: Path) -> str:
    """Return the base model that an adapter names."""
    base = adapter_settings(checkpoint).get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        raise CheckpointError(f"{checkpoint}: the adapter does not name its base; give it with --base")
    return base


def _dtype_of(base: str) -> str:
    """Return the dtype of a model's stored weights."""
    name = str(load_config(base).dtype).removeprefix("torch.")
    return name if name in TOLERANCE else "float32"


def _family_of(base: str) -> Family:
    """Return a family that fits the base. Any of several works: the chat layout does not affect weights."""
    kind = load_config(base).model_type
    fitting = families_for(kind)
    if not fitting:
        raise CheckpointError(f"{base}: no family fits a {kind!r} model; known: {', '.join(FAMILIES)}")
    return fitting[0]


def _load(model: str, adapter: Path | None, dtype: str, family: Family) -> Any:
    """Load a model as the engines do, but on the CPU, where memory for the weights suffices to check them."""
    return load_model(model, adapter, revision=None, family=family.name, dtype=dtype, device="cpu", attention="sdpa")


def _write_merged(base: Any, checkpoint: Path, folder: Path) -> None:
    from peft import PeftModel

    merged = PeftModel.from_pretrained(base, str(checkpoint)).merge_and_unload()
    merged.save_pretrained(folder)


def _probe(processor: Any, family: Family) -> dict[str, Any]:
    """Return a prompt with one image, so that every part of the model contributes to the logits."""
    import numpy as np
    from PIL import Image

    across, down = np.meshgrid(np.arange(112), np.arange(84))
    image = Image.fromarray(np.stack([across * 2, down * 3, (across * down) % 256], axis=2).astype(np.uint8))
    prompt = get_prompts("editjudge-v1").quality.ask()
    assert prompt.count(IMAGE_MARK) == 1
    return dict(processor(text=[render_chat(family.name, prompt)], images=[image], return_tensors="pt"))


def _logits(model: Any, probe: dict[str, Any]) -> Any:
    import torch

    with torch.no_grad():
        return model(**probe).logits.float()


def _difference(found: Any, wanted: Any) -> float:
    """Return the largest difference as a share of the largest wanted logit; NaN when any logit is."""
    return float((found - wanted).abs().max() / wanted.abs().max())
