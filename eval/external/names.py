"""Names that a file may use for a benchmark's candidates and comparisons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from editjudge.records.tasks import Dimension
from editjudge.records.types import EditTriplet, PreferencePair
from eval.benchmarks.genai_bench import NO_PROMPT
from eval.benchmarks.rows import ABSENT
from eval.labels.benchmark import Benchmark
from eval.labels.types import as_index


@dataclass(frozen=True)
class NamedPair:
    """Two candidates named by the keys of a row."""

    better: EditTriplet
    worse: EditTriplet
    dimension: Dimension
    pair: PreferencePair | None
    """None for a pair of task type "unknown", which is a comparison."""


class TripletNames:
    """The candidates of a benchmark by all their names."""

    def __init__(self, bench: Benchmark) -> None:
        self._by_name: dict[str, dict[str, EditTriplet]] = {}
        for triplet in bench.triplets:
            for name in _names(triplet):
                self._by_name.setdefault(name, {})[triplet.id] = triplet
        self._pairs: dict[tuple[str, str, str, str], list[NamedPair]] = {}
        named = [NamedPair(pair.better, pair.worse, pair.dimension, pair) for pair in bench.pairs]
        named += [NamedPair(item.first, item.second, item.dimension, None) for item in bench.comparisons]
        for item in named:
            better, worse = item.better, item.worse
            # Keys in a file match the benchmark's: names of editors, or ids in a table written by EditJudge.
            for keys in dict.fromkeys(((better.editor, worse.editor), (better.id, worse.id))):
                self._pairs.setdefault((*keys, better.task.task_type, item.dimension), []).append(item)

    def find(
        self, names: Sequence[str], editor: str | None, instruction: str | None
    ) -> tuple[list[EditTriplet], str | None]:
        """Return the candidates of a row, or the reason for none ("not_in_benchmark", "ambiguous_name").

        Several are returned only when they are the same image for the same task.
        """
        for name in (form for full in names for form in _forms(full)):
            found = [*self._by_name.get(name, {}).values()]
            if editor is not None:
                found = [triplet for triplet in found if triplet.editor == editor]
            if instruction is not None:
                found = [triplet for triplet in found if _same_text(triplet.task.instruction, instruction)]
            if found:
                same = {(triplet.task.id, triplet.edited.sha256) for triplet in found}
                return (found, None) if len(same) == 1 else ([], "ambiguous_name")
        return [], "not_in_benchmark"

    def pairs(self, keys: tuple[str, str], task_type: str, dimension: str) -> list[NamedPair]:
        """Return the pairs with two keys, the preferred one first."""
        return self._pairs.get((*keys, task_type, dimension), [])


class ComparisonNames:
    """The comparisons of a benchmark, including those in groups, by id and by the number at the end of an id."""

    def __init__(self, bench: Benchmark) -> None:
        asked = [(item.id, item.task.instruction) for item in bench.comparisons]
        asked += [(item.id, group.task.instruction) for group in bench.multiways for item in group.preferences]
        self._instruction = dict(asked)
        self._by_number: dict[str, list[str]] = {}
        for name in self._instruction:
            self._by_number.setdefault(name.rpartition("-")[2], []).append(name)

    def find(self, name: str, instruction: str | None) -> tuple[str | None, str | None]:
        """Return the comparison's id, or None and the reason ("not_in_benchmark", "ambiguous_name",
        "other_instruction": the row is about another edit, so the two files do not belong together)."""
        number = as_index(name)
        found = (
            [name] if name in self._instruction else self._by_number.get(name if number is None else str(number), [])
        )
        if len(found) != 1:
            return None, "ambiguous_name" if found else "not_in_benchmark"
        known = self._instruction[found[0]]
        if instruction is not None and not known.startswith(NO_PROMPT) and not _same_text(known, instruction):
            return None, "other_instruction"
        return found[0], None


def _names(triplet: EditTriplet) -> Iterator[str]:
    path = PurePosixPath(triplet.edited.path)
    yield from (triplet.id, triplet.edited.sha256, str(path), path.name, path.stem)
    yield str(path).removeprefix(f"{ABSENT}/")
    yield from (triplet.editor, triplet.task.id, triplet.task.origin.source)


def _forms(name: str) -> Iterator[str]:
    """Yield a name unchanged, and as a path's last part with and without its ending."""
    path = PurePosixPath(name.replace("\\", "/"))
    yield from dict.fromkeys((name, str(path), path.name, path.stem))


def _same_text(one: str, other: str) -> bool:
    return " ".join(one.split()) == " ".join(other.split())
