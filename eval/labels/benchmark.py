"""A benchmark as the metrics use it: triplets and human labels.

An unusable row (an invalid task, no image) is left out and counted: figures of such a benchmark are marked as
partial. A suspicious row (a duplicate, a contradictory label) is kept, because published figures contain it, and is
counted too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from editjudge.errors import DataError
from editjudge.files.io import digest
from editjudge.records.types import EditTriplet, PreferencePair
from eval.labels.findings import Findings
from eval.labels.lint import note_labels, note_texts, refuse_changed_ids, statements
from eval.labels.types import Comparison, Multiway, Rating


@dataclass(frozen=True)
class Benchmark:
    """Edits to judge, and their human labels."""

    name: str
    source: str
    """Path or name of the data, for people."""
    pairs: tuple[PreferencePair, ...]
    root: Path
    """Base folder of the pairs' image references."""
    left_out: Findings
    """Unusable rows; figures are partial when there are any."""
    notes: Findings
    """Suspicious rows that are kept."""
    comparisons: tuple[Comparison, ...] = ()
    """Two candidates whose label may be a tie."""
    multiways: tuple[Multiway, ...] = ()
    """Groups that are right only when all their comparisons are."""
    ratings: tuple[Rating, ...] = ()
    """Candidates with people's mean rating."""
    unlabelled: tuple[EditTriplet, ...] = ()
    """Edits without a label; they are scored too."""
    has_images: bool = True
    """Whether a judge can be asked; without images only external scores can be measured."""

    @property
    def triplets(self) -> tuple[EditTriplet, ...]:
        """Return each distinct triplet once, grouped, in the order in which the labels first mention a group."""
        groups: dict[str, dict[str, EditTriplet]] = {}
        for triplet in self.mentioned():
            groups.setdefault(triplet.task.id, {}).setdefault(triplet.id, triplet)
        return tuple(triplet for group in groups.values() for triplet in group.values())

    def mentioned(self) -> Iterator[EditTriplet]:
        """Yield the triplet of every label, with repetitions, and unlabelled ones."""
        for pair in self.pairs:
            yield from (pair.better, pair.worse)
        for comparison in self.comparisons:
            yield from (comparison.first, comparison.second)
        for multiway in self.multiways:
            yield from multiway.candidates
        for rating in self.ratings:
            yield rating.triplet
        yield from self.unlabelled

    @property
    def identity(self) -> str:
        """Return a digest of all edits and labels."""
        pairs = [[pair.id, pair.better.id, pair.worse.id, pair.dimension] for pair in self.pairs]
        labels: list[Comparison | Multiway | Rating] = [*self.comparisons, *self.multiways, *self.ratings]
        others = [_label_content(label) for label in labels]
        others += [[triplet.id, triplet.edited.sha256] for triplet in self.unlabelled]
        # A benchmark of only pairs keeps its identity from before other labels existed.
        return digest(pairs, others) if others else digest(pairs)

    @property
    def label_identity(self) -> str:
        """Return a digest of the labels alone, with the ids by which results are compared.

        It is the same with and without images, and with and without instructions in a file of labels.
        """
        said: list[object] = [[pair.id, pair.dimension] for pair in self.pairs]
        said += [[item.id, item.dimension, item.label] for item in self.comparisons]
        said += [[item.id, item.label] for group in self.multiways for item in group.preferences]
        said += [[rating.id, rating.scale, rating.value] for rating in self.ratings]
        return digest("labels", said)

    @property
    def has_other_labels(self) -> bool:
        """Return whether there are labels besides pairs."""
        return bool(self.comparisons or self.multiways or self.ratings)

    @property
    def partial(self) -> bool:
        """Return whether rows of the benchmark are missing from its labels."""
        return self.left_out.total > 0


def _label_content(label: Comparison | Multiway | Rating) -> list[object]:
    """Return a label's answers and triplets."""
    if isinstance(label, Comparison):
        return [label.id, label.first.id, label.second.id, label.dimension, label.label]
    if isinstance(label, Multiway):
        return [label.id, [triplet.id for triplet in label.candidates], label.dimension, list(label.preferences)]
    return [label.id, label.triplet.id, label.scale, label.value, list(label.raters)]


def checked(
    name: str,
    source: str,
    pairs: Sequence[PreferencePair],
    root: Path,
    left_out: Findings,
    notes: Findings,
    *,
    comparisons: Sequence[Comparison] = (),
    multiways: Sequence[Multiway] = (),
    ratings: Sequence[Rating] = (),
    unlabelled: Sequence[EditTriplet] = (),
    has_images: bool = True,
) -> Benchmark:
    """Return the benchmark after the checks for every format; raises `DataError` when nothing is left of it."""
    bench = Benchmark(
        name,
        source,
        tuple(pairs),
        root,
        left_out,
        notes,
        tuple(comparisons),
        tuple(multiways),
        tuple(ratings),
        tuple(unlabelled),
        has_images,
    )
    if not any(True for _ in bench.mentioned()):
        reasons = ", ".join(
            f"{count} x {kind}, as {left_out.names[kind][0]}" for kind, count in left_out.counts.items()
        )
        raise DataError(f"{source}: no usable row ({reasons or 'the file is empty'})")
    sides: list[tuple[str, str, tuple[EditTriplet, ...]]] = []
    sides += [(pair.id, pair.task.id, (pair.better, pair.worse)) for pair in pairs]
    sides += [(item.id, item.task.id, (item.first, item.second)) for item in comparisons]
    sides += [(group.id, group.task.id, group.candidates) for group in multiways]
    for label_id, task_id, triplets in sides:
        if {triplet.task.id for triplet in triplets} != {task_id}:
            raise DataError(f"{source}: pair {label_id}: its candidates belong to other tasks than the pair")
    refuse_changed_ids(source, bench.mentioned())
    note_labels(statements(pairs, comparisons, multiways), ratings, notes)
    note_texts(bench.mentioned(), notes)
    return bench


def folder_name(benchmark: str) -> str:
    """Return a benchmark's name as the name of a folder."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", benchmark).strip("-.") or "benchmark"
