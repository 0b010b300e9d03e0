"""VIEScore's own reading of a score written by a judge.

Source: `preprocess`, `combine_gpt4v_human_scores` and `map_to_nearest_higher` of `analyze_json.ipynb`, and the writer
of the files, `write_entry_to_json_file`, both in TIGER-AI-Lab/VIEScore at aeb1f18.
"""

from __future__ import annotations

from math import isnan
from typing import Any

BEST = 10.0


def published_score(raw: Any) -> float | None:
    """Return the score of one question, 0 to 10; None where VIEScore's code raises an exception, or gets NaN.

    A bare number is used unchanged. Otherwise every item is truncated to a whole number and the lowest counts. The
    number of items varies: text-to-image asks for one, so does an output identical to its input, several concepts give
    three, a guess is one. Thus `["7", 9.9]` is 7 and the text "10", item by item, is 0. Values outside 0 to 10 are
    clipped. The code raises for null, an empty list, and a list with null, with a list or with text that is not a whole
    number.
    """
    try:
        lowest = float(raw if isinstance(raw, int | float) else min(int(item) for item in raw))
    except (TypeError, ValueError, OverflowError):
        return None
    return None if isnan(lowest) else min(max(lowest, 0.0), BEST)


def published_pair(raw: Any) -> tuple[float, float] | None:
    """Return the two scores of a list of two, each as in `published_score`; None for anything else."""
    if not isinstance(raw, list) or len(raw) != 2:
        return None
    first, second = (published_score([item]) for item in raw)
    return None if first is None or second is None else (first, second)
