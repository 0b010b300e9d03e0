"""Match the names in files made elsewhere with the groups of a campaign and their candidates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from annotation.rankings.foreign import ForeignRanking
from editjudge.errors import RowError
from editjudge.files.text import is_blank
from editjudge.formats.groups import Group
from editjudge.records.types import EditTriplet


class GroupNames:
    """The groups of a campaign by each of their names."""

    def __init__(self, groups: Mapping[str, Group], place: Path) -> None:
        self.known = groups
        self._place = place
        self._by_name: dict[str, set[str]] = {}
        for key, group in groups.items():
            for name in _group_names(group):
                self._by_name.setdefault(name, set()).add(key)

    def find(self, said: ForeignRanking) -> Group:
        """Find a group by name, else by candidates if exactly one group has them all; `RowError` otherwise."""
        found = [keys for name in said.group if (keys := self._by_name.get(name))]
        unique = next((keys for keys in found if len(keys) == 1), None)
        if unique is None and said.candidates is not None:
            holding = {key for key, group in self.known.items() if _has_all(group, said.candidates)}
            unique = holding if len(holding) == 1 else None
        if unique is None:
            called = ", ".join(said.group) or "a group without a name"
            kind, why = ("ambiguous_group", "names several groups") if found else ("unknown_group", "no such group")
            raise RowError(kind, f"{called}: {why} in {self._place}")
        group = self.known[next(iter(unique))]
        if is_blank(group.task.instruction):
            raise RowError("no_instruction", f"{group.task.id}: the group has no instruction to rank by")
        if said.instruction is not None and said.instruction.split() != group.task.instruction.split():
            raise RowError("other_instruction", f"{group.task.id}: {said.instruction[:60]!r} is not its instruction")
        return group


def candidate_of(name: str, group: Group) -> str:
    """Return the id of the triplet with a name: its id, SHA-256, file name or editor; `RowError` unless one matches."""
    for form in _path_names(name):
        found = [key for key, triplet in group.triplets.items() if form in _triplet_names(triplet)]
        if len(found) == 1:
            return found[0]
        if found:
            raise RowError("ambiguous_candidate", f"{group.task.id}: {name!r} names several candidates")
    raise RowError("unknown_candidate", f"{group.task.id}: {name!r}: no such candidate")


def _has_all(group: Group, names: Iterable[str]) -> bool:
    known = {form for triplet in group.triplets.values() for form in _triplet_names(triplet)}
    return all(known.intersection(_path_names(name)) for name in names)


def _group_names(group: Group) -> Iterator[str]:
    """Return the task's id, its source, and the file name of its input if it has only one."""
    yield from (group.task.id, group.task.origin.source)
    if len(group.task.inputs) == 1:
        yield from _path_names(group.task.inputs[0].path)


def _triplet_names(triplet: EditTriplet) -> set[str]:
    return {triplet.id, triplet.edited.sha256, triplet.editor, *_path_names(triplet.edited.path)}


def _path_names(name: str) -> tuple[str, ...]:
    """Return a name, its last path component, and that component without its extension."""
    path = PurePosixPath(name.replace("\\", "/"))
    return tuple(dict.fromkeys((name, path.name, path.stem)))
