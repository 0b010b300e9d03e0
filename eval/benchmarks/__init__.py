"""The formats of benchmarks: each is a `use:` block that reads its own files."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from eval.labels.benchmark import Benchmark

BENCHMARKS: dict[str, str] = {
    "aurora": "eval.benchmarks.aurora:Aurora",
    "edits": "eval.benchmarks.edits:Edits",
    "editreward_bench": "eval.benchmarks.editreward_bench:EditRewardBench",
    "genai_bench": "eval.benchmarks.genai_bench:GenAIBench",
    "imagenhub": "eval.benchmarks.imagenhub:ImagenHub",
    "pairs": "eval.benchmarks.pairs:Pairs",
    "tiger_editreward_bench": "eval.benchmarks.tiger_editreward_bench:TigerEditRewardBench",
}
"""What `use:` may name under `bench:`."""


class BenchmarkSource(Protocol):
    """A `bench:` block of a recipe."""

    @property
    def title(self) -> str:
        """What the benchmark is called in files and reports."""
        ...

    def load(self, cache: Path) -> Benchmark:
        """Read, check and return it; images that lie inside a table are extracted below `cache`.

        Raises `DataError` when the file does not have the format's columns, or when no row can be used.
        """
        ...
