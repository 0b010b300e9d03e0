"""What VIEScore's own code reads from a score that a judge wrote.

Source: `preprocess`, `combine_gpt4v_human_scores` and `map_to_nearest_higher` of `analyze_json.ipynb`, and what writes
the files, `write_entry_to_json_file`, both of TIGER-AI-Lab/VIEScore at aeb1f18.
"""

from __future__ import annotations

from math import isnan
from typing import Any

BEST = 10.0


def published_score(raw: Any) -> float | None:
    """The score of one question, 0 to 10; None where VIEScore's code stops with an exception, or gets NaN.

    A bare number is taken as it is. Of anything else every item is cut to a whole number and the lowest counts, however
    many there are: text-to-image asks for one, so does an output identical to its input, several concepts give three, a
    guess is one. So `["7", 9.9]` is 7 and the text "10", item by item, is 0. What lies outside 0 to 10 becomes the end.
    It stops at null, at an empty list, at a list with null, with a list or with text that is no whole number.
    """
    try:
        lowest = float(raw if isinstance(raw, int | float) else min(int(item) for item in raw))
    except (TypeError, ValueError, OverflowError):
        return None
    return None if isnan(lowest) else min(max(lowest, 0.0), BEST)


def published_pair(raw: Any) -> tuple[float, float] | None:
    """The two scores of a list of two, each as `published_score` takes it; None for anything else."""
    if not isinstance(raw, list) or len(raw) != 2:
        return None
    first, second = (published_score([item]) for item in raw)
    return None if first is None or second is None else (first, second)
