"""One task: read a shard's rows, run them through the stages of a pass, write the output, then the markers.

Files of a step in `out/stages/<name>/`:
```
00002.jsonl           the kept rows of a shard, if the step is the last of its pass
dropped/00002.jsonl   {"id", "reason", "record", "row"} of every dropped row; no file without any
failed/00002.jsonl    {"id", "error", "record", "row"} of every failure; `row` is the row that could not be processed
00002.done.json       its marker, written last
```
A step with scope "dataset" has the same shard files, made together; its other files have `all` in place of the shard.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curation.filters.leakage import CARRIES_SOURCE, source_of
from curation.runner.steps import Pass, Step
from curation.stage import Context, Drop, Fail, group_id
from editjudge.engines.base import Engine
from editjudge.errors import DataError
from editjudge.files.io import digest, is_done, jsonl_writer, read_jsonl, write_jsonl, write_marker
from editjudge.images.store import ImageStore
from editjudge.records.types import Record

MAX_ERRORS = 1000
"""Different errors that a marker counts separately; later ones are counted as `OTHER_ERRORS`."""
OTHER_ERRORS = "(other errors)"


@dataclass(frozen=True)
class Task:
    """A unit of work: one pass over one shard or over all of them."""

    work: str
    """Name of the pass."""
    shard: int | None
    """Number of the shard; None for all shards at once."""

    @property
    def label(self) -> str:
        """Return the stem of its file names."""
        return "all" if self.shard is None else f"{self.shard:05d}"

    def __str__(self) -> str:
        return self.work if self.shard is None else f"{self.work} shard {self.shard}"


@dataclass
class Tally:
    """Counts of the rows of one step. `rows_in` is 0 for a source."""

    rows_in: int = 0
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    """Number of occurrences of each error."""
    sources: set[str] = field(default_factory=set)

    def line(self) -> str:
        """Return, for example, "kept 20, dropped 5 (group_std_below_1: 5), failed 1"."""
        reasons = ", ".join(f"{reason}: {count}" for reason, count in sorted(self.dropped.items()))
        dropped = f"{self.dropped.total()}{f' ({reasons})' if reasons else ''}"
        return f"kept {self.kept}, dropped {dropped}, failed {self.failed}"

    def info(self, seconds: float) -> dict[str, Any]:
        """Return the counts for the marker."""
        return {
            "in": self.rows_in,
            "kept": self.kept,
            "dropped": dict(sorted(self.dropped.items())),
            "failed": self.failed,
            "errors": dict(sorted(self.errors.items())),
            "sources": sorted(self.sources),
            "seconds": round(seconds, 3),
        }

    def fail(self, error: str) -> None:
        """Count a failure."""
        self.failed += 1
        known = error in self.errors or len(self.errors) < MAX_ERRORS
        self.errors[error if known else OTHER_ERRORS] += 1


class Outcomes:
    """Outcomes of one step in one task: yields the kept rows; counts and writes the others."""

    def __init__(self, step: Step, folder: Path, label: str, files: ExitStack) -> None:
        """`files` closes the files written here."""
        self.step = step
        self.tally = Tally()
        self._files = files
        self._paths = {kind: folder / kind / f"{label}.jsonl" for kind in ("dropped", "failed")}
        self._writers: dict[str, Callable[[Mapping[str, Any]], None]] = {}
        for path in self._paths.values():
            path.unlink(missing_ok=True)

    def kept(self, rows: Iterable[Record], context: Context) -> Iterator[Record]:
        """Yield the kept rows."""
        for outcome in self.step.stage.run(self._counted(rows), context):
            if isinstance(outcome, Drop):
                self.tally.dropped[outcome.reason] += 1
                self._write("dropped", outcome, reason=outcome.reason)
            elif isinstance(outcome, Fail):
                self.tally.fail(outcome.error)
                self._write("failed", outcome, error=outcome.error)
            else:
                yield self._keep(outcome)

    def _counted(self, rows: Iterable[Record]) -> Iterator[Record]:
        for row in rows:
            self.tally.rows_in += 1
            yield row

    def _keep(self, row: Record) -> Record:
        step = self.step
        if not isinstance(row, step.row_type):
            raise DataError(f"{step.name} gave a {type(row).__name__}; it should give {step.row_type.__name__}")
        self.tally.kept += 1
        if step.reads is None and isinstance(row, CARRIES_SOURCE):
            self.tally.sources.add(source_of(row))
        return row

    def _write(self, kind: str, outcome: Drop | Fail, **why: str) -> None:
        if kind not in self._writers:
            self._writers[kind] = self._files.enter_context(jsonl_writer(self._paths[kind]))
        record = None if outcome.row is None else type(outcome.row).__name__
        self._writers[kind]({"id": outcome.row_id, **why, "record": record, "row": outcome.row})


@dataclass
class Work:
    """Does tasks; contains everything a worker process needs.

    The stages of a pass are set up at its first task, and torn down when another pass starts or the work is closed.
    """

    out: Path
    seed: int
    shards: int
    passes: Mapping[str, Pass]
    engines: Mapping[str, Engine]
    """Engines by role; only needed for stages that use one."""
    _ready: str | None = field(default=None, init=False)
    """The pass whose stages are set up."""

    def folder(self, step: Step) -> Path:
        return self.out / "stages" / step.name

    def tasks(self, name: str) -> list[Task]:
        """Return all tasks of a pass."""
        if self.passes[name][0].stage.scope == "dataset":
            return [Task(name, None)]
        return [Task(name, shard) for shard in range(self.shards)]

    def markers(self, step: Step) -> list[Path]:
        """Return the paths of a step's markers, which exist when it is complete."""
        name = next(name for name, steps in self.passes.items() if step in steps)
        return [self._marker(step, task) for task in self.tasks(name)]

    def is_done(self, task: Task) -> bool:
        """Return whether the task is complete; `StaleOutputError` when another recipe did any of its steps."""
        steps = self.passes[task.work]
        marked = [is_done(self._marker(step, task), step.identity) for step in steps][-1]
        # A pass that was extended by a later step has only written the rows of that step.
        shards = range(self.shards) if task.shard is None else [task.shard]
        return marked and all(self._rows(steps[-1], shard).is_file() for shard in shards)

    def read(self, name: str, shards: Iterable[int] | None = None) -> Iterator[Record]:
        """Yield the rows that a pass has written, in order; of all shards by default."""
        last = self.passes[name][-1]
        for shard in range(self.shards) if shards is None else shards:
            yield from read_jsonl(self._rows(last, shard), last.row_type)

    def __call__(self, task: Task) -> dict[str, Tally]:
        """Do the task: rows first, markers last. Return the counts by step."""
        started = time.monotonic()
        steps, context = self.passes[task.work], self._context(task)
        self._prepare(task.work, context)
        rows = self._input(task)
        with ExitStack() as files:
            outcomes = [Outcomes(step, self.folder(step), task.label, files) for step in steps]
            for outcome in outcomes:
                rows = outcome.kept(rows, context)
            self._write(steps[-1], task, rows)
        context.images.sync()  # before the markers, which say that the images are on disk
        for outcome in outcomes:
            marker = self._marker(outcome.step, task)
            if not is_done(marker, outcome.step.identity):  # an earlier, longer pass may have made it
                write_marker(marker, outcome.step.identity, outcome.tally.info(time.monotonic() - started))
        return {outcome.step.name: outcome.tally for outcome in outcomes}

    def close(self) -> None:
        """Tear down the stages that are set up."""
        if self._ready is not None:
            for step in self.passes[self._ready]:
                step.stage.teardown()
        self._ready = None

    def _prepare(self, name: str, context: Context) -> None:
        if self._ready == name:
            return
        self.close()
        self._ready = name
        for step in self.passes[name]:
            step.stage.setup(context)

    def _context(self, task: Task) -> Context:
        return Context(
            root=self.out,
            seed=self.seed,
            shard=task.shard if task.shard is not None else 0,
            shards=self.shards if task.shard is not None else 1,
            images=ImageStore(self.out),
            engines=self.engines,
        )

    def _input(self, task: Task) -> Iterator[Record]:
        source = self.passes[task.work][0].reads
        if source is None:
            return iter(())
        return self.read(source, None if task.shard is None else [task.shard])

    def _write(self, step: Step, task: Task, rows: Iterable[Record]) -> None:
        if task.shard is not None:
            write_jsonl(self._rows(step, task.shard), rows)
            return
        # By a hash of the group: its rows stay together, whatever their order.
        buckets: list[list[Record]] = [[] for _ in range(self.shards)]
        for row in rows:
            buckets[int(digest("shard", group_id(row)), 16) % self.shards].append(row)
        for shard, bucket in enumerate(buckets):
            write_jsonl(self._rows(step, shard), bucket)

    def _rows(self, step: Step, shard: int) -> Path:
        return self.folder(step) / f"{shard:05d}.jsonl"

    def _marker(self, step: Step, task: Task) -> Path:
        return self.folder(step) / f"{task.label}.done.json"
