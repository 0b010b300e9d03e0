"""Benchmark formats: each is a `use:` block that reads its own files."""

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
"""Names allowed for `use:` under `bench:`."""


class BenchmarkSource(Protocol):
    """A `bench:` block of a recipe."""

    @property
    def title(self) -> str:
        """Return the benchmark's name in files and reports."""
        ...

    def load(self, cache: Path) -> Benchmark:
        """Read, check and return the benchmark; images inside a table are extracted below `cache`.

        Raises `DataError` when the file lacks the format's columns, or when no row can be used.
        """
        ...
