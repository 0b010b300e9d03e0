"""Small benchmarks in files and in memory."""

from __future__ import annotations

import io
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from factories import make_image, make_task, make_triplet

from editjudge.images.store import ImageStore
from editjudge.records.types import PreferencePair
from eval.labels.benchmark import Benchmark
from eval.labels.findings import Findings
from eval.labels.types import Comparison
from eval.metrics.pairs import PairTable


def png(seed: int) -> dict:
    buffer = io.BytesIO()
    make_image(seed=seed).save(buffer, "PNG")
    return {"bytes": buffer.getvalue(), "path": f"{seed}.png"}


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Return a function that writes rows as Parquet with `datasets` image features."""
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "hf"))
    import datasets

    def write_rows(rows, file, drop=()):
        kinds = {
            name: datasets.Image() if isinstance(cell, dict) else datasets.Value("string")
            for name, cell in rows[0].items()
        }
        table = datasets.Dataset.from_list(rows, features=datasets.Features(kinds)).remove_columns(list(drop))
        (tmp_path / "bench" / file).parent.mkdir(parents=True, exist_ok=True)
        table.to_parquet(tmp_path / "bench" / file)
        return tmp_path / "bench"

    return write_rows


def genai_row(**changes) -> dict:
    return {
        "source_prompt": "a cat",
        "target_prompt": "a dog",
        "instruct_prompt": "Make it a dog.",
        "source_image": png(0),
        "left_model": "one",
        "left_output_image": png(1),
        "right_model": "two",
        "right_output_image": png(2),
        "vote_type": "leftvote",
    } | changes


def stored_pairs(root: Path, groups: int = 2, inputs: int = 1) -> list[PreferencePair]:
    """Return three pairs per group, with stored images."""
    store = ImageStore(root)
    before = tuple(store.add(make_image(seed=900 + place), f"images/before{place}.png") for place in range(inputs))
    pairs = []
    for number in range(groups):
        task = make_task(id=f"g{number}", inputs=before)
        triplets = [
            make_triplet(
                id=f"g{number}-{place}",
                task=task,
                edited=store.add(make_image(seed=number * 10 + place), f"images/g{number}-{place}.png"),
            )
            for place in range(3)
        ]
        pairs += [
            PreferencePair(
                id=f"{better.id}>{worse.id}",
                task=task,
                better=better,
                worse=worse,
                dimension="overall",
                tier_gap=1,
                n_annotators=1,
                agreement=1.0,
            )
            for better, worse in combinations(triplets, 2)
        ]
    return pairs


def compared(bench: Benchmark) -> Benchmark:
    """Return the benchmark with four comparisons with ids of GenAI-Bench."""
    labels = ("A>B", "B>A", "A=B=Good", "A=B=Bad")
    some = [pair for pair in bench.pairs if pair.dimension == "overall"][::3][:4]
    comparisons = tuple(
        Comparison(
            id=f"genai_bench-{number}",
            task=pair.task,
            first=pair.better,
            second=pair.worse,
            dimension="overall",
            label=label,
        )
        for number, (pair, label) in enumerate(zip(some, labels, strict=True))
    )
    return Benchmark("genai", "g", (), bench.root, Findings(), Findings(), comparisons=comparisons)


def make_table(right, group, task=None, dimension=None) -> PairTable:
    """Return a table of one pair per entry of `right`."""
    right, group = np.asarray(right), np.asarray(group)
    zeros = np.zeros(len(right), dtype=np.int64)
    return PairTable(
        margin=np.where(right, 1.0, -1.0),
        task=zeros if task is None else np.asarray(task),
        dimension=zeros if dimension is None else np.asarray(dimension),
        group=group,
        group_ids=tuple(str(name) for name in range(int(group.max()) + 1)),
    )
