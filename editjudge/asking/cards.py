"""Computing score cards from judgments, whichever judge wrote them."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence

from editjudge.records.tasks import ASPECTS, Aspect
from editjudge.records.types import EditTriplet, Judgment, ScoreCard


def make_card(triplet: EditTriplet, judgments: Iterable[Judgment]) -> ScoreCard:
    """Return the card of a triplet from at most one judgment per aspect and pass.

    Values are on 0..10 and rounded to 1e-9, so that equal evidence ties exactly in any order. A pass counts as ok when
    both of its aspects are readable. Raises `ValueError` for a judgment of another triplet and for two judgments of the
    same aspect and pass.
    """
    ordered = tuple(sorted(judgments, key=lambda judgment: (judgment.pass_index, ASPECTS.index(judgment.aspect))))
    pairs: dict[tuple[Aspect, int], tuple[float, float] | None] = {}
    for judgment in ordered:
        key = (judgment.aspect, judgment.pass_index)
        if judgment.triplet_id != triplet.id:
            raise ValueError(f"a judgment of triplet {judgment.triplet_id} in the card of {triplet.id}")
        if key in pairs:
            raise ValueError(f"two {key[0]} judgments of pass {key[1]} in the card of {triplet.id}")
        pairs[key] = _normalised(judgment)
    passes = sorted({index for _, index in pairs})
    semantic = [pair for (aspect, _), pair in pairs.items() if aspect == "semantic" and pair is not None]
    quality = [pair for (aspect, _), pair in pairs.items() if aspect == "quality" and pair is not None]
    both = [(pairs.get(("semantic", index)), pairs.get(("quality", index))) for index in passes]
    overalls = [(min(sc) * min(pq)) ** 0.5 for sc, pq in both if sc is not None and pq is not None]
    return ScoreCard(
        triplet=triplet,
        judgments=ordered,
        prompt_following=_mean10([pair[0] for pair in semantic]),
        consistency=_mean10([pair[1] for pair in semantic]),
        perceptual_quality=_mean10([min(pair) for pair in quality]),
        overall=_mean10(overalls),
        n_ok=len(overalls),
        n_failed=len(passes) - len(overalls),
        spread=round(10 * statistics.pstdev(overalls), 9) if len(overalls) > 1 else None,
    )


def bare_card(
    triplet: EditTriplet, values: Mapping[str, float | None], asked: bool, failure: str | None = None
) -> ScoreCard:
    """Return a card without judgments, with the given values on 0 to 10 by field name.

    `asked`: whether a card without values counts as a failed judgment instead of an edit that was not judged; `failure`
    is the reason, in snake_case.
    """
    readable = any(value is not None for value in values.values())
    return ScoreCard(
        triplet=triplet,
        judgments=(),
        prompt_following=values.get("prompt_following"),
        consistency=values.get("consistency"),
        perceptual_quality=values.get("perceptual_quality"),
        overall=values.get("overall"),
        n_ok=int(readable),
        n_failed=int(asked and not readable),
        spread=None,
        failure=failure,
    )


def card_from_passes(card: ScoreCard, passes: Collection[int]) -> ScoreCard:
    """Return the card of these passes only: `card_from_passes(card, range(1))` is K = 1.

    Raises `ValueError` when the card lacks one of them.
    """
    missing = set(passes) - {judgment.pass_index for judgment in card.judgments}
    if missing:
        raise ValueError(f"the card of {card.triplet.id} has no pass {', '.join(map(str, sorted(missing)))}")
    return make_card(card.triplet, (judgment for judgment in card.judgments if judgment.pass_index in passes))


def _normalised(judgment: Judgment) -> tuple[float, float] | None:
    """Return scores on 0..1."""
    if judgment.scores is None:
        return None
    return judgment.scores[0] / judgment.scale, judgment.scores[1] / judgment.scale


def _mean10(values: Sequence[float]) -> float | None:
    return round(10 * statistics.fmean(values), 9) if values else None
