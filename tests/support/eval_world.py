"""A small benchmark with labels inside the images, and a judge that can read them, for tests of evaluation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from factories import make_image, make_task
from PIL import Image
from pydantic import BaseModel, ConfigDict

from editjudge.engines.base import Completion, OneByOne, Reply, Request, Sampling
from editjudge.errors import CheckpointError
from editjudge.files.io import digest, rng, write_jsonl
from editjudge.formats.checkpoint import mark_complete
from editjudge.formats.judge_settings import Trained, read_trained
from editjudge.images.store import ImageStore
from editjudge.records.tasks import DIMENSIONS
from editjudge.records.types import EditTriplet, PreferencePair

TASKS = ("color_alter", "subject-add", "compose")


def marked(level: int, seed: int) -> Image.Image:
    """Return an image whose first pixel contains its quality, 0 to 25."""
    pixels = np.array(make_image(seed=seed, width=32, height=24))
    pixels[0, 0] = level * 10
    return Image.fromarray(pixels)


def write_benchmark(folder: Path, groups: int = 12, candidates: int = 3, instruction: str = "Make it pink") -> Path:
    """Write a JSONL file of pairs; in every group candidate 0 is the best in every dimension."""
    store = ImageStore(folder)
    before = store.add(marked(0, 999), "before.png")
    pairs = []
    for group in range(groups):
        task = make_task(
            id=f"task{group:03d}",
            inputs=(before,),
            instruction=f"{instruction} {group}.",
            task_type=TASKS[group % len(TASKS)],
        )
        triplets = []
        for rank in range(candidates):
            ref = store.add(marked(22 - 6 * rank, 10 * group + rank), f"edits/{group}-{rank}.png")
            name = digest(task.id, rank)
            triplets.append(EditTriplet(id=name, task=task, edited=ref, editor=f"editor{rank}", seed=0))
        for dimension in DIMENSIONS:
            for high in range(candidates):
                for low in range(high + 1, candidates):
                    pairs.append(
                        PreferencePair(
                            id=digest(task.id, dimension, high, low),
                            task=task,
                            better=triplets[high],
                            worse=triplets[low],
                            dimension=dimension,
                            tier_gap=low - high,
                            n_annotators=1,
                            agreement=1.0,
                        )
                    )
    write_jsonl(folder / "pairs.jsonl", pairs)
    return folder / "pairs.jsonl"


class PixelEngine(OneByOne, BaseModel):
    """Reads the quality from the last image, with noise that an adapter removes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    adapter: str | None = None
    """Folder with `noise.json`; without one the judge guesses."""
    unreadable: float = 0.0
    """Share of replies that are not JSON."""
    rationale: str = "The sky is pink."

    @property
    def noise(self) -> float:
        return 30.0 if self.adapter is None else json.loads((Path(self.adapter) / "noise.json").read_text())

    @property
    def trained(self) -> Trained | None:
        return None if self.adapter is None else read_trained(Path(self.adapter))

    @property
    def identity(self) -> str:
        return f"pixel:{self.noise}:{self.unreadable}:{digest(self.rationale)}"

    def with_adapter(self, path: Path) -> PixelEngine:
        if not (path / "adapter_config.json").is_file():
            raise CheckpointError(f"{path}: no adapter_config.json in it")
        return self.model_copy(update={"adapter": str(path)})

    def answer(self, request: Request, sampling: Sampling) -> Reply:
        return Reply(tuple(self._say(request, seed) for seed in request.seeds))

    def _say(self, request: Request, seed: int) -> Completion:
        generator = rng(seed, "pixel")
        if generator.random() < self.unreadable:
            return Completion("I would rather not say.", "stop")
        level = request.images[-1].getpixel((0, 0))[0] / 10
        scores = np.clip(level + generator.normal(0, self.noise, 2), 0, 25).round().astype(int).tolist()
        return Completion(json.dumps({"reasoning": self.rationale, "score": scores}), "stop")


def write_checkpoint(run: Path, step: int, noise: float, complete: bool = True) -> Path:
    """Write a checkpoint folder in the state after a training run, or in the state of an incomplete write."""
    folder = run / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text("{}")
    (folder / "noise.json").write_text(json.dumps(noise))
    if complete:
        mark_complete(folder, {}, step, 1)
    return folder


def comparable(results: dict[str, Any]) -> dict[str, Any]:
    """Return results.json without its time-dependent values."""
    rows = [
        {key: value for key, value in row.items() if key not in ("seconds", "triplets_per_second", "cost")}
        for row in results["evaluations"]
    ]
    return results | {"evaluations": rows}
