"""Unlabelled edits: a judge scores them, and reports show the distribution of its scores."""

from __future__ import annotations

from pathlib import Path

from editjudge.records.types import EditTriplet
from eval.benchmarks.jsonl import JsonlFile
from eval.labels.benchmark import Benchmark, checked
from eval.labels.findings import Findings


class Edits(JsonlFile):
    """A JSONL file of `EditTriplet`, as curation writes it. It has no labels, so no figure rates the judge."""

    def load(self, cache: Path) -> Benchmark:
        """Read the edits, see `BenchmarkSource.load`. Invalid rows and rows with an unusable image are left out."""
        left_out = Findings()
        edits = self.read(EditTriplet, left_out)
        return checked(self.title, str(self.path), (), self.images, left_out, Findings(), unlabelled=edits)
