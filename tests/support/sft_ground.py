"""Shared helpers for tests of `sft/`: a tiny base with random weights, a training set with images, and a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from factories import make_image

from editjudge.files.io import write_jsonl
from editjudge.images.store import ImageStore
from editjudge.prompts.prompt_sets import format_completion, get_prompts
from editjudge.records.types import SFTExample

PROMPTS = get_prompts("brief-v1")
REASONS = ("The sky is pink now.", "Nothing was done.", "The whole picture changed.", "The sea is pink too.")


def make_base(folder: Path) -> Path:
    """Write a Qwen2.5-VL folder of about 0.1 M random weights."""
    from sft.tiny import build_model, build_tokenizer, save_tiny

    texts = [PROMPTS.semantic.ask("Make the sky pink."), PROMPTS.quality.ask()]
    texts += [format_completion(reason, (20, 15)) for reason in REASONS]
    tokenizer = build_tokenizer(texts * 4, vocab_size=400)
    save_tiny(folder, build_model(tokenizer, hidden=48, layers=2), tokenizer)
    return folder


def make_examples(root: Path, triplets: int = 8) -> list[SFTExample]:
    """Return a semantic and a quality row for each triplet; input and output differ in size."""
    store, rows = ImageStore(root), []
    for n in range(triplets):
        before = store.add(make_image(64, 48, seed=2 * n), f"images/{n}-before.png")
        after = store.add(make_image(80, 50, seed=2 * n + 1), f"images/{n}-after.png")
        completion = format_completion(REASONS[n % len(REASONS)], (n % 26, 25 - n % 26))
        common: dict[str, Any] = {
            "triplet_id": f"triplet{n}",
            "group_id": f"task{n}",
            "task_type": "color_alter",
            "source": f"photo{n}",
            "shown_width": before.width,
            "shown_height": before.height,
            "completion": completion,
            "scale": PROMPTS.semantic.scale,
            "score_bin": 0,
            "prompt_version": PROMPTS.name,
        }
        semantic = PROMPTS.semantic.ask(f"Make the sky number {n} pink.")
        rows.append(SFTExample(id=f"{n}s", aspect="semantic", images=(before, after), prompt=semantic, **common))
        rows.append(SFTExample(id=f"{n}q", aspect="quality", images=(after,), prompt=PROMPTS.quality.ask(), **common))
    return rows


def make_run(folder: Path, base: Path, **changes: Any) -> Path:
    """Write a recipe with its data in `folder`; return the recipe's path. Its run writes to `folder/out`."""
    data = folder / "data" / "train.jsonl"
    if not data.exists():
        write_jsonl(data, make_examples(data.parent))
    train = {
        "per_device_train_batch_size": 2,
        "max_steps": 6,
        "save_steps": 2,
        "logging_steps": 1,
        "learning_rate": 5e-3,
        "gradient_checkpointing": False,
    }
    recipe: dict[str, Any] = {
        "out": str(folder / "out"),
        "seed": 3,
        "model": str(base),
        "family": "qwen2_5_vl",
        "data": str(data),
        "max_pixels": 56 * 56,
        "lora": {"rank": 4, "alpha": 8, "dropout": 0.1},
        "global_batch_size": 4,
        "processes": 1,
    } | {key: value for key, value in changes.items() if key != "train"}
    recipe["train"] = train | changes.get("train", {})
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path
