"""Find suspicious labels and texts in a benchmark, and ids that would mix scores up. Nothing is removed here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from editjudge.errors import DataError
from editjudge.files.text import REPLACEMENT
from editjudge.prompts.prompt_sets import harmless
from editjudge.records.types import EditTask, EditTriplet, PreferencePair
from editjudge.statistics.graphs import circles
from eval.labels.findings import Findings
from eval.labels.types import SIGN, Comparison, Multiway, Rating, Sign


@dataclass(frozen=True)
class Statement:
    """A human answer about two candidates, from any kind of label."""

    def __str__(self) -> str:
        """Return its id and the text to look it up by in the benchmark's own file."""
        return f"{self.name} ({self.first.editor} and {self.second.editor}, {self.dimension})"

    name: str
    task_id: str
    dimension: str
    first: EditTriplet
    second: EditTriplet
    sign: Sign


def statements(
    pairs: Iterable[PreferencePair], comparisons: Iterable[Comparison], multiways: Iterable[Multiway]
) -> Iterator[Statement]:
    """Yield every human answer about two candidates."""
    for pair in pairs:
        yield Statement(pair.id, pair.task.id, pair.dimension, pair.better, pair.worse, 1)
    for item in comparisons:
        yield Statement(item.id, item.task.id, item.dimension, item.first, item.second, SIGN[item.label])
    for group in multiways:
        for preference in group.preferences:
            first, second = group.candidates[preference.first], group.candidates[preference.second]
            sign = SIGN[preference.label]
            # A group's own comparisons belong together even when another group has the same instruction and image.
            yield Statement(preference.id, f"{group.task.id} {group.id}", group.dimension, first, second, sign)


def note_labels(said: Iterable[Statement], ratings: Iterable[Rating], notes: Findings) -> None:
    """Add duplicates, contradictions, identical outputs and cycles to `notes`."""
    known: dict[tuple[str, str, str], set[int]] = {}
    groups: dict[tuple[str, str], list[Statement]] = {}
    for statement in said:
        first, second, sign = statement.first.id, statement.second.id, int(statement.sign)
        if first > second:
            first, second, sign = second, first, -sign
        signs = known.setdefault((first, second, statement.dimension), set())
        if statement.first.edited.sha256 == statement.second.edited.sha256:
            notes.add("identical_outputs", str(statement))
        elif signs - {sign}:
            notes.add("contradictory_labels", str(statement))
        if sign in signs:
            notes.add("duplicate_pair", str(statement))
        signs.add(sign)
        groups.setdefault((statement.task_id, statement.dimension), []).append(statement)
    for (task_id, dimension), group in groups.items():
        for cycle in cycles(group):
            notes.add("preference_cycle", f"{task_id}, {dimension}: {', '.join(cycle)}")
    rated: dict[tuple[str, str, str], float] = {}
    for rating in ratings:
        key = (rating.triplet.id, rating.triplet.editor, rating.scale)
        if key in rated:
            notes.add("duplicate_rating" if rated[key] == rating.value else "contradictory_ratings", rating.id)
        rated.setdefault(key, rating.value)


def note_texts(triplets: Iterable[EditTriplet], notes: Findings) -> None:
    """Add instructions that a judge sees differently than written, each task once."""
    seen: set[str] = set()
    for triplet in triplets:
        task = triplet.task
        if task.id in seen:
            continue
        seen.add(task.id)
        if harmless(task.instruction) != task.instruction:
            notes.add("token_like_text", f"{task.id}: {task.instruction[:80]!r}")
        if REPLACEMENT in task.instruction:
            notes.add("replaced_characters", f"{task.id}: {task.instruction[:80]!r}")


def cycles(group: Sequence[Statement]) -> list[list[str]]:
    """Return sets of three or more candidates of one group that are each preferred to each other along some path.

    A tie is an edge in both directions: A > B, B = C, C = A is a cycle, but a set of ties alone is none. Two
    contradicting labels of the same two candidates are not a cycle. Editors are named, in alphabetical order.
    """
    names = {triplet.id: triplet.editor for said in group for triplet in (said.first, said.second)}
    edges = [(said.first.id, said.second.id) for said in group if said.sign >= 0]
    edges += [(said.second.id, said.first.id) for said in group if said.sign <= 0]
    preferred = [(said.first.id, said.second.id) for said in group if said.sign != 0]
    return [
        sorted(names[member] for member in members)
        for members in circles(edges)
        if len(members) > 2 and any(one in members and other in members for one, other in preferred)
    ]


def refuse_changed_ids(source: str, triplets: Iterable[EditTriplet]) -> None:
    """Raise `DataError` if one id has two contents: scores are kept by triplet id and resampled by task id."""
    seen: dict[str, tuple[object, ...]] = {}
    for triplet in triplets:
        for record in (triplet.task, triplet):
            name = f"{type(record).__name__} {record.id}"
            if seen.setdefault(name, content(record)) != content(record):
                raise DataError(f"{source}: {name} has two contents; give every content an id of its own")


def content(record: EditTriplet | EditTask) -> tuple[object, ...]:
    """Return the parts of a record that a judge sees."""
    if isinstance(record, EditTask):
        return (record.instruction, record.task_type, *(ref.sha256 for ref in record.inputs))
    return (record.task.id, record.edited.sha256)
