"""Edits that nobody has labelled: a judge scores them, and reports show how its scores are spread."""

from __future__ import annotations

from pathlib import Path

from editjudge.records.types import EditTriplet
from eval.benchmarks.jsonl import JsonlFile
from eval.labels.benchmark import Benchmark, checked
from eval.labels.findings import Findings


class Edits(JsonlFile):
    """A JSONL file of `EditTriplet`, as curation writes them; no labels, so no figure says how good a judge is."""

    def load(self, cache: Path) -> Benchmark:
        """See `BenchmarkSource.load`. Rows that are no edit, or with an image that cannot be used, are left out."""
        left_out = Findings()
        edits = self.read(EditTriplet, left_out)
        return checked(self.title, str(self.path), (), self.images, left_out, Findings(), unlabelled=edits)
