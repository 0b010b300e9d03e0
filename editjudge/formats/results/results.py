"""results.json of an evaluation or a sweep: every number of a report.

docs/results.schema.json is its JSON Schema.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from editjudge.errors import DataError
from editjudge.files.io import read_json
from editjudge.formats.results.evaluation import BenchmarkSize, JudgeOnBenchmark
from editjudge.formats.results.human import HumanResults
from editjudge.formats.results.leaderboard import Board
from editjudge.formats.results.sweep import CheckpointSummary, Choice, EarlyStop, Gains, RunResults
from editjudge.statistics.estimate import Block, Estimate

FORMAT: Literal[3] = 3
"""Increased when a key changes its name or meaning."""


class Bootstrap(Block):
    """Parameters of the bootstrap intervals."""

    rounds: int
    seed: int
    level: float
    clusters: str
    """Unit of resampling."""


class ProbeFigures(Block):
    """One probe of a judge's soundness."""

    probe: str
    says: str
    dimension: str | None
    """None: all values."""
    n: int
    passed: int
    rate: Estimate
    """Share that passed, with its exact interval."""
    unscored: int
    """Unscored cases, counted as not passed."""
    skipped: int
    flips: int | None
    """Reversed verdicts; None without verdicts."""
    mean_change: float | None
    failed: list[str]
    """Ids of the first failed triplets or pairs."""


class ProbeResult(ProbeFigures):
    """A probe with its judge and benchmark."""

    label: str
    run: str | None
    step: int | None
    benchmark: str


class Results(Block):
    """The content of results.json."""

    format: Literal[3] = FORMAT
    bootstrap: Bootstrap
    benchmarks: dict[str, BenchmarkSize]
    evaluations: list[JudgeOnBenchmark]
    probes: list[ProbeResult] = Field(default_factory=list)
    human: HumanResults | None = None
    leaderboard: list[Board] = Field(default_factory=list)
    runs: dict[str, RunResults] = Field(default_factory=dict)
    """Sweeps only, as all keys below."""
    checkpoints: list[CheckpointSummary] = Field(default_factory=list)
    """Of the first run, as the next two keys."""
    gain: dict[str, Gains] = Field(default_factory=dict)
    ensemble: CheckpointSummary | None = None
    best: Choice | None = None
    """The highest of the runs' choices."""
    early_stop: list[EarlyStop] = Field(default_factory=list)
    """One per run."""

    def of_benchmark(self, name: str) -> list[JudgeOnBenchmark]:
        """Return the evaluations on one benchmark, in order."""
        return [found for found in self.evaluations if found.benchmark == name]


def read_results(path: Path) -> Results:
    """Read and check a file. Raises `DataError` for another version, and for a file that is not a results.json."""
    content = read_json(path)
    if not isinstance(content, dict) or not {"evaluations", "benchmarks", "format"} <= set(content):
        raise DataError(f"{path}: not the results.json of an evaluation or a sweep; give the file in its `out`")
    if content["format"] != FORMAT:
        raise DataError(
            f"{path}: format {content['format']}, and this version reads {FORMAT}; run its recipe again, which asks no "
            "judge for what is scored"
        )
    try:
        return Results.model_validate(content)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"]))
        raise DataError(f"{path}: {place}: {problem['msg']}; run its recipe again") from error
