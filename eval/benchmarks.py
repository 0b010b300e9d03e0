"""Benchmarks: preference pairs with their images, checked before anything is scored.

A row that cannot be used at all (no such task, no image) is left out and counted: figures of such a benchmark are
marked as partial. A row that is only suspicious (a duplicate, a contradictory label) is kept, because published
figures contain it, and is counted too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from editjudge.errors import DataError
from editjudge.io import digest, read_jsonl
from editjudge.tasks import Dimension
from editjudge.types import EditTask, EditTriplet, PreferencePair
from eval.labels import Comparison, Multiway, Rating

BENCHMARKS: dict[str, str] = {
    "editreward_bench": "eval.editreward_bench:EditRewardBench",
    "pairs": "eval.benchmarks:Pairs",
}
"""What `use:` may name under `bench:`."""

SHOWN = 20
"""Names kept per kind of finding; the count is always complete."""


@dataclass
class Findings:
    """What is wrong with a benchmark, by kind: how often, and the first names."""

    counts: dict[str, int] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, name: str) -> None:
        """Count one finding; `kind` is snake_case, `name` says where."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        names = self.names.setdefault(kind, [])
        if len(names) < SHOWN:
            names.append(name)

    @property
    def total(self) -> int:
        """Findings of all kinds."""
        return sum(self.counts.values())

    def as_json(self) -> dict[str, dict[str, Any]]:
        """`{kind: {"count": ..., "names": [...]}}`, kinds in alphabetical order."""
        return {kind: {"count": self.counts[kind], "names": self.names[kind]} for kind in sorted(self.counts)}


@dataclass(frozen=True)
class Benchmark:
    """Pairs to be judged."""

    name: str
    source: str
    """Where it was read from, for people."""
    pairs: tuple[PreferencePair, ...]
    root: Path
    """The pairs' image references are relative to it."""
    left_out: Findings
    """Rows that could not be used; figures are partial when there are any."""
    notes: Findings
    """Suspicious rows that are kept."""
    comparisons: tuple[Comparison, ...] = ()
    """Two candidates whose label may be a tie."""
    multiways: tuple[Multiway, ...] = ()
    """Groups that are right only when all their comparisons are."""
    ratings: tuple[Rating, ...] = ()
    """Candidates with people's mean rating."""

    @property
    def triplets(self) -> tuple[EditTriplet, ...]:
        """Each distinct triplet once, groups together, in the order in which the labels first mention a group."""
        groups: dict[str, dict[str, EditTriplet]] = {}
        for triplet in self._mentioned():
            groups.setdefault(triplet.task.id, {}).setdefault(triplet.id, triplet)
        return tuple(triplet for group in groups.values() for triplet in group.values())

    def _mentioned(self) -> Iterator[EditTriplet]:
        """The triplet of every label, with repetitions."""
        for pair in self.pairs:
            yield from (pair.better, pair.worse)
        for comparison in self.comparisons:
            yield from (comparison.first, comparison.second)
        for multiway in self.multiways:
            yield from multiway.candidates
        for rating in self.ratings:
            yield rating.triplet

    @property
    def identity(self) -> str:
        """Digest of everything that is judged and of the labels."""
        pairs = [[pair.id, pair.better.id, pair.worse.id, pair.dimension] for pair in self.pairs]
        others = [*map(_label_content, (*self.comparisons, *self.multiways, *self.ratings))]
        # A benchmark of pairs alone keeps the identity under which it was scored before other labels existed.
        return digest(pairs, others) if others else digest(pairs)

    @property
    def partial(self) -> bool:
        """Whether rows of the benchmark are missing from its labels."""
        return self.left_out.total > 0


def _label_content(label: Comparison | Multiway | Rating) -> list[object]:
    """What a label says of which triplets."""
    if isinstance(label, Comparison):
        return [label.id, label.first.id, label.second.id, label.dimension, label.label]
    if isinstance(label, Multiway):
        return [label.id, [triplet.id for triplet in label.candidates], label.dimension, list(label.preferences)]
    return [label.id, label.triplet.id, label.scale, label.value, list(label.raters)]


class BenchmarkSource(Protocol):
    """A `bench:` block of a recipe."""

    def load(self, cache: Path) -> Benchmark:
        """Read, check and return it; images that lie inside a table are extracted below `cache`.

        Raises `DataError` when the file does not have the format's columns, or when no row can be used.
        """
        ...


class Pairs(BaseModel):
    """Any JSONL file of `PreferencePair`, as curation and annotation write them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    """JSONL file."""
    root: Path | None = None
    """Folder the image references are relative to; the file's own folder when it is not given."""
    name: str | None = None
    """How reports call it; the file's name without ending when it is not given."""

    def load(self, cache: Path) -> Benchmark:
        """See `BenchmarkSource.load`. Pairs whose image file is missing are left out."""
        root = self.path.parent if self.root is None else self.root
        left_out = Findings()
        pairs = []
        for pair in read_jsonl(self.path, PreferencePair):
            missing = _first_missing(pair, root)
            if missing is None:
                pairs.append(pair)
            else:
                left_out.add("missing_image", f"{pair.id}: {missing}")
        name = self.path.stem if self.name is None else self.name
        return checked(name, str(self.path), pairs, root, left_out, Findings())


def _first_missing(pair: PreferencePair, root: Path) -> str | None:
    for ref in (*pair.task.inputs, pair.better.edited, pair.worse.edited):
        archive, tar, _ = ref.path.partition(".tar/")
        if not (root / (archive + ".tar" if tar else ref.path)).is_file():
            return ref.path
    return None


def checked(
    name: str, source: str, pairs: list[PreferencePair], root: Path, left_out: Findings, notes: Findings
) -> Benchmark:
    """The benchmark, after the checks that every format needs; `DataError` when nothing is left of it."""
    if not pairs:
        reasons = ", ".join(f"{count} x {kind}" for kind, count in left_out.counts.items())
        raise DataError(f"{source}: no usable pair ({reasons or 'the file is empty'})")
    _refuse_changed_ids(source, pairs)
    _note_labels(pairs, notes)
    return Benchmark(name, source, tuple(pairs), root, left_out, notes)


def _refuse_changed_ids(source: str, pairs: Iterable[PreferencePair]) -> None:
    """One id must mean one thing: scores are kept by triplet id and resampled by task id."""
    seen: dict[str, EditTriplet | EditTask] = {}
    for pair in pairs:
        for record in (pair.task, pair.better, pair.worse):
            known = seen.setdefault(f"{type(record).__name__} {record.id}", record)
            if _content(known) != _content(record):
                raise DataError(f"{source}: pair {pair.id}: {type(record).__name__} {record.id} has two contents")
        if {pair.better.task.id, pair.worse.task.id} != {pair.task.id}:
            raise DataError(f"{source}: pair {pair.id}: its candidates belong to other tasks than the pair")


def _content(record: EditTriplet | EditTask) -> tuple[object, ...]:
    """What a judge sees of a record."""
    if isinstance(record, EditTask):
        return (record.instruction, record.task_type, *(ref.sha256 for ref in record.inputs))
    return (record.task.id, record.edited.sha256)


def _note_labels(pairs: Iterable[PreferencePair], notes: Findings) -> None:
    labels: set[tuple[str, str, Dimension]] = set()
    for pair in pairs:
        label = (pair.better.id, pair.worse.id, pair.dimension)
        if pair.better.edited.sha256 == pair.worse.edited.sha256:
            notes.add("identical_outputs", pair.id)
        elif (pair.worse.id, pair.better.id, pair.dimension) in labels:
            notes.add("contradictory_labels", pair.id)
        if label in labels:
            notes.add("duplicate_pair", pair.id)
        labels.add(label)
