"""Tasks for tests of worker processes, which import them by name."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from children import NEVER_S


@dataclass(frozen=True)
class Item:
    number: int

    def __str__(self) -> str:
        return f"item {self.number}"


def sleep(item: Item, out: Path) -> None:
    (out / "started").touch()
    time.sleep(NEVER_S)
