"""Preference pairs in a file written by curation or annotation."""

from __future__ import annotations

from pathlib import Path

from editjudge.records.types import PreferencePair
from eval.benchmarks.jsonl import JsonlFile
from eval.benchmarks.rows import split_unknown
from eval.labels.benchmark import Benchmark, checked
from eval.labels.findings import Findings


class Pairs(JsonlFile):
    """A JSONL file of `PreferencePair`, as curation and annotation write it.

    Pairs whose task type is "unknown" become comparisons.
    """

    labels_only: bool = False
    """Read no image files: enough to measure external scores."""

    def load(self, cache: Path) -> Benchmark:
        """Read the pairs, see `BenchmarkSource.load`. Invalid rows and rows with an unusable image are left out."""
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
