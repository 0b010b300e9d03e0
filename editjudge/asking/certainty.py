"""Log-probability of the scores that a judge wrote."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import accumulate

_SCORES = re.compile(r'"score"\s*:\s*\[([^\[\]]*)\]')


def score_logprob(tokens: Sequence[tuple[str, float]]) -> float | None:
    """Return the natural log-probability of the last list of scores in a reply: the sum over its tokens.

    `tokens`: `Completion.tokens`. Returns None without tokens, and when no list is plain JSON.
    """
    lists = [*_SCORES.finditer("".join(piece for piece, _ in tokens))]
    if not lists:
        return None
    start, end = lists[-1].span(1)
    ends = [*accumulate(len(piece) for piece, _ in tokens)]
    inside = [
        logprob for (piece, logprob), last in zip(tokens, ends, strict=True) if last - len(piece) < end and last > start
    ]
    return sum(inside)
