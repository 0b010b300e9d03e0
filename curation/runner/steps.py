"""The steps of a run, and the work on one shard of one step: read, run the stage, write the rows, then the marker.

A step lies in `out/stages/<name>/`: one `<shard>.jsonl` per shard and beside it, written last, `<shard>.done.json`.
A step with scope "dataset" has the same shard files, made in one go, and a single marker `all.done.json`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curation.filters.leakage import CARRIES_SOURCE, Split, source_of
from curation.recipe import CurationRecipe, use_name
from curation.stage import Context, Drop, Fail, Stage, group_id
from editjudge.engines.base import Engine
from editjudge.errors import DataError
from editjudge.files.identity import identity_values
from editjudge.files.io import digest, is_done, read_jsonl, write_jsonl, write_marker
from editjudge.images.pixels import IMAGE_RULES
from editjudge.images.store import ImageStore
from editjudge.records.types import Record

MAX_FAILURES = 200
"""Failed rows a marker lists by id; they are all counted, by error."""
MAX_ERRORS = 1000
"""Different error lines a marker counts one by one; what comes after them is counted as `OTHER_ERRORS`."""
OTHER_ERRORS = "(other errors)"


@dataclass(frozen=True)
class Step:
    """One stage at its place in a run."""

    name: str
    """Name of its folder, such as "03-measure" or "train-01-sft"."""
    stage: Stage
    part: str | None
    """None before the rows are divided."""
    reads: str | None
    """Name of the step whose rows it reads; None for the source."""
    row_type: type[Record]
    """Of the rows it gives."""
    identity: Mapping[str, Any]
    """Everything that can change a byte of its rows; the step before is in it as a digest."""


@dataclass(frozen=True)
class Task:
    """One piece of work."""

    step: str
    shard: int | None
    """None for all shards at once."""

    def __str__(self) -> str:
        return self.step if self.shard is None else f"{self.step} shard {self.shard}"


@dataclass
class Tally:
    """What became of the rows of one task. `rows_in` is 0 for a source."""

    rows_in: int = 0
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    """(row id, error) of the first `MAX_FAILURES`."""
    errors: Counter[str] = field(default_factory=Counter)
    """How often each error line occurred."""
    sources: set[str] = field(default_factory=set)

    def line(self) -> str:
        """Such as "kept 20, dropped 5 (group_std_below_1: 5), failed 1"."""
        reasons = ", ".join(f"{reason}: {count}" for reason, count in sorted(self.dropped.items()))
        dropped = f"{self.dropped.total()}{f' ({reasons})' if reasons else ''}"
        return f"kept {self.kept}, dropped {dropped}, failed {self.failed}"

    def info(self, seconds: float) -> dict[str, Any]:
        """For the marker."""
        return {
            "in": self.rows_in,
            "kept": self.kept,
            "dropped": dict(sorted(self.dropped.items())),
            "failed": self.failed,
            "errors": dict(sorted(self.errors.items())),
            "failures": [{"id": row_id, "error": error} for row_id, error in self.failures],
            "sources": sorted(self.sources),
            "seconds": round(seconds, 3),
        }


def plan_steps(recipe: CurationRecipe) -> list[Step]:
    """The steps in the order in which they run: the common stages, then each part's, split first."""
    sources = {name: part.sources for name, part in recipe.parts.items() if part.sources is not None}
    rest = next(name for name, part in recipe.parts.items() if part.sources is None)
    steps: list[Step] = []
    for index, stage in enumerate(recipe.stages):
        steps.append(_step(recipe, f"{index:02d}-{use_name(stage)}", stage, None, steps[-1] if steps else None))
    common = steps[-1]
    for name, part in recipe.parts.items():
        split = Split(part=name, sources=sources, rest=rest)
        before = _step(recipe, f"{name}-split", split, name, common)
        steps.append(before)
        for index, stage in enumerate(part.stages):
            before = _step(recipe, f"{name}-{index:02d}-{use_name(stage)}", stage, name, before)
            steps.append(before)
    return steps


def _step(recipe: CurationRecipe, name: str, stage: Stage, part: str | None, before: Step | None) -> Step:
    identity = {
        "stage": use_name(stage),
        "version": stage.version,
        "params": identity_values(stage),
        "seed": recipe.seed,
        "shards": recipe.shards,
        "engines": {role: recipe.engines[role].identity for role in stage.samplings()},
        "depends_on": stage.depends_on(),
        "image_rules": IMAGE_RULES,
        "reads": None if before is None else digest(before.identity),
    }
    gives = before.row_type if isinstance(stage, Split) and before is not None else stage.gives
    return Step(name, stage, part, None if before is None else before.name, gives, identity)


@dataclass(frozen=True)
class Work:
    """Does tasks; holds all that a worker process needs to know."""

    out: Path
    seed: int
    shards: int
    steps: Mapping[str, Step]
    engines: Mapping[str, Engine]
    """Empty in worker processes."""

    def folder(self, step: str) -> Path:
        """Where a step's files lie."""
        return self.out / "stages" / step

    def rows_path(self, step: str, shard: int) -> Path:
        """The rows of one shard."""
        return self.folder(step) / f"{shard:05d}.jsonl"

    def marker_path(self, task: Task) -> Path:
        """The marker that says the task is complete."""
        return self.folder(task.step) / ("all.done.json" if task.shard is None else f"{task.shard:05d}.done.json")

    def tasks(self, step: str) -> list[Task]:
        """All tasks of a step."""
        if self.steps[step].stage.scope == "dataset":
            return [Task(step, None)]
        return [Task(step, shard) for shard in range(self.shards)]

    def is_done(self, task: Task) -> bool:
        """Whether the task is complete; `StaleOutputError` when it was done by another recipe."""
        return is_done(self.marker_path(task), self.steps[task.step].identity)

    def read(self, step: str, shards: Iterable[int]) -> Iterator[Record]:
        """The rows of some shards of a step, in order."""
        for shard in shards:
            yield from read_jsonl(self.rows_path(step, shard), self.steps[step].row_type)

    def __call__(self, task: Task) -> Tally:
        """Do the task: rows first, the marker last."""
        started = time.monotonic()
        step = self.steps[task.step]
        tally = Tally()
        single = task.shard is not None
        context = Context(
            root=self.out,
            seed=self.seed,
            shard=task.shard if task.shard is not None else 0,
            shards=self.shards if single else 1,
            images=ImageStore(self.out),
            engines=self.engines,
        )
        shards = range(self.shards) if task.shard is None else [task.shard]
        read = iter(()) if step.reads is None else self.read(step.reads, shards)
        kept = _kept(step, step.stage.run(_counted(read, tally), context), tally)
        if task.shard is not None:
            write_jsonl(self.rows_path(step.name, task.shard), kept)
        else:
            self._write_all(step.name, kept)
        write_marker(self.marker_path(task), step.identity, tally.info(time.monotonic() - started))
        return tally

    def _write_all(self, step: str, rows: Iterable[Record]) -> None:
        """Divide rows among the shards, by a hash of their group."""
        buckets: list[list[Record]] = [[] for _ in range(self.shards)]
        for row in rows:
            buckets[int(digest("shard", group_id(row)), 16) % self.shards].append(row)
        for shard, bucket in enumerate(buckets):
            write_jsonl(self.rows_path(step, shard), bucket)


def _counted(rows: Iterator[Record], tally: Tally) -> Iterator[Record]:
    for row in rows:
        tally.rows_in += 1
        yield row


def _kept(step: Step, outcomes: Iterator[Record | Drop | Fail], tally: Tally) -> Iterator[Record]:
    """The rows to write; drops and failures are counted on the way."""
    for outcome in outcomes:
        if isinstance(outcome, Drop):
            tally.dropped[outcome.reason] += 1
        elif isinstance(outcome, Fail):
            tally.failed += 1
            known = outcome.error in tally.errors or len(tally.errors) < MAX_ERRORS
            tally.errors[outcome.error if known else OTHER_ERRORS] += 1
            if len(tally.failures) < MAX_FAILURES:
                tally.failures.append((outcome.row_id, outcome.error))
        elif isinstance(outcome, step.row_type):
            tally.kept += 1
            if step.reads is None and isinstance(outcome, CARRIES_SOURCE):
                tally.sources.add(source_of(outcome))
            yield outcome
        else:
            raise DataError(f"{step.name} gave a {type(outcome).__name__}; it should give {step.row_type.__name__}")
