"""Problems in the rows of a file, by kind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from editjudge.files.text import valid_text
from editjudge.formats.results.evaluation import Finding

SHOWN = 20
"""Names kept per kind of finding; the count is always complete."""


@dataclass
class Findings:
    """Problems of a benchmark, by kind: count and first names."""

    counts: dict[str, int] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, name: str) -> None:
        """Count one finding; `kind` is snake_case, `name` is the place."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        names = self.names.setdefault(kind, [])
        if len(names) < SHOWN:
            names.append(valid_text(name))  # a file's name may be invalid Unicode

    @property
    def total(self) -> int:
        """Return the number of findings of all kinds."""
        return sum(self.counts.values())

    def by_kind(self) -> dict[str, Finding]:
        """Return the findings by kind, in alphabetical order."""
        return {kind: Finding(count=self.counts[kind], names=self.names[kind]) for kind in sorted(self.counts)}

    def as_json(self) -> dict[str, dict[str, Any]]:
        """Return `by_kind` as JSON values."""
        return {kind: found.as_json() for kind, found in self.by_kind().items()}
