"""How sure a judge is of the scores that it wrote."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import accumulate

_SCORES = re.compile(r'"score"\s*:\s*\[([^\[\]]*)\]')


def score_logprob(tokens: Sequence[tuple[str, float]]) -> float | None:
    """Natural log-probability of the last list of scores in a reply: the sum over the tokens that write its content.

    `tokens`: `Completion.tokens`. None without any, and when no list is in plain JSON.
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
