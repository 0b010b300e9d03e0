"""Time to parse hostile replies of 1 MB: processor time, median of nine runs, slowest first.

python scripts/bench/parsing.py [characters]
"""

from __future__ import annotations

import platform
import statistics
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from hostile_replies import HOSTILE, hostile

from editjudge.prompts.parsing import parse_reply

_REPEAT = 9


def seconds(text: str) -> float:
    """Return the median time of one run."""
    times = []
    for _ in range(_REPEAT):
        start = time.process_time()
        parse_reply(text, 25)
        times.append(time.process_time() - start)
    return statistics.median(times)


def main() -> None:
    """Print a line for each kind of reply."""
    length = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    print(f"{datetime.now(timezone.utc):%d %B %Y}, Python {platform.python_version()}, {platform.processor()}")
    rows = [(seconds(hostile(name, length)), name) for name in HOSTILE]
    for took, name in sorted(rows, reverse=True):
        print(f"{1000 * took:8.1f} ms  {name}")


if __name__ == "__main__":
    main()
