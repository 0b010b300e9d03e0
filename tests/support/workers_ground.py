"""Work for the tests of worker processes, which find it by name."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from children import NEVER_S


@dataclass(frozen=True)
class Item:
    """A number with a name."""

    number: int

    def __str__(self) -> str:
        return f"item {self.number}"


def sleep(item: Item, out: Path) -> None:
    (out / "started").touch()
    time.sleep(NEVER_S)
