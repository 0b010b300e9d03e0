"""Any file of preference pairs, as curation and annotation write them."""

from __future__ import annotations

from pathlib import Path

from editjudge.records.types import PreferencePair
from eval.benchmarks.jsonl import JsonlFile
from eval.benchmarks.rows import split_unknown
from eval.labels.benchmark import Benchmark, checked
from eval.labels.findings import Findings


class Pairs(JsonlFile):
    """Any JSONL file of `PreferencePair`, as curation and annotation write them.

    Pairs whose task type is "unknown" become comparisons.
    """

    labels_only: bool = False
    """Look at no image file: enough to measure scores made elsewhere."""

    def load(self, cache: Path) -> Benchmark:
        """See `BenchmarkSource.load`. Rows that are no pair, or with an image that cannot be used, are left out."""
        left_out, notes = Findings(), Findings()
        pairs, comparisons = split_unknown(self.read(PreferencePair, left_out, self.labels_only), notes)
        return checked(
            self.title,
            str(self.path),
            pairs,
            self.images,
            left_out,
            notes,
            comparisons=comparisons,
            has_images=not self.labels_only,
        )
