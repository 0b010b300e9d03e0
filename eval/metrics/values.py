"""A judge's scores of a benchmark's triplets as arrays: cards contain texts, so they are slow to read again."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from editjudge.errors import DataError
from editjudge.files.io import atomic_write
from editjudge.records.tasks import ASPECTS, PARTS
from editjudge.records.types import PreferencePair, ScoreCard
from editjudge.statistics.arrays import TIE_DECIMALS, mean_of_known

Floats = NDArray[np.float64]

CARD_VALUES = ("prompt_following", "consistency", "perceptual_quality", "overall")
PASS_SCORES = (*PARTS["semantic"], *PARTS["quality"])
"""The raw scores of one pass: two of the semantic reply, then two of the quality reply."""


@dataclass(frozen=True)
class Values:
    """Scores by triplet; NaN where there is none."""

    ids: tuple[str, ...]
    """Triplet ids, in the order of the first axes."""
    cards: Floats
    """[triplets, 4]: `CARD_VALUES`, 0 to 10."""
    passes: Floats
    """[triplets, K, 4]: `PASS_SCORES` of each pass, 0 to 1; K is 0 for scores without passes."""

    @property
    def n_passes(self) -> int:
        """Return the number of passes K."""
        return int(self.passes.shape[1])

    def of_passes(self, passes: Sequence[int]) -> Floats:
        """[triplets, 4]: the card values from only these passes (`cards.card_from_passes`)."""
        chosen = self.passes[:, list(passes), :]
        quality = chosen[:, :, 2:].min(axis=2)  # NaN when the reply is unreadable
        overall = np.sqrt(chosen[:, :, :2].min(axis=2) * quality)
        means = [mean_of_known(part) for part in (chosen[:, :, 0], chosen[:, :, 1], quality, overall)]
        return np.round(10 * np.stack(means, 1), TIE_DECIMALS)  # as in `cards.make_card`

    def save(self, path: Path) -> None:
        """Write the scores; equal values give equal bytes."""
        buffer = io.BytesIO()
        np.savez(buffer, ids=np.array(self.ids, dtype=np.str_), cards=self.cards, passes=self.passes)
        atomic_write(path, buffer.getvalue())

    @classmethod
    def load(cls, path: Path) -> Values:
        """Read the scores; raises `DataError` for another kind of file."""
        try:
            with np.load(path, allow_pickle=False) as found:
                return cls(tuple(found["ids"].tolist()), found["cards"], found["passes"])
        except (OSError, ValueError, KeyError) as error:
            raise DataError(f"{path}: not an array file of scores ({error}); remove it and run again") from error


def values_of(cards: Sequence[ScoreCard]) -> Values:
    """Return the scores of these cards, in their order."""
    n_passes = max((row.pass_index + 1 for card in cards for row in card.judgments), default=0)
    passes = np.full((len(cards), n_passes, len(PASS_SCORES)), np.nan)
    values = np.full((len(cards), len(CARD_VALUES)), np.nan)
    for place, card in enumerate(cards):
        given = [card.prompt_following, card.consistency, card.perceptual_quality, card.overall]
        values[place] = [np.nan if value is None else value for value in given]
        for row in card.judgments:
            if row.scores is not None:
                start = 2 * ASPECTS.index(row.aspect)
                passes[place, row.pass_index, start : start + 2] = np.array(row.scores) / row.scale
    return Values(tuple(card.triplet.id for card in cards), values, passes)


@dataclass(frozen=True)
class PairPlaces:
    """Indices of a benchmark's pairs and candidates in the arrays of `Values`."""

    better: NDArray[np.int64]
    """Row of the preferred candidate; -1 when it has no card."""
    worse: NDArray[np.int64]
    column: NDArray[np.int64]
    """Column of the pair's dimension in `CARD_VALUES`."""

    @classmethod
    def of(cls, pairs: Sequence[PreferencePair], values: Values) -> PairPlaces:
        """Return the places of these pairs."""
        row = {name: place for place, name in enumerate(values.ids)}
        return cls(
            np.array([row.get(pair.better.id, -1) for pair in pairs], dtype=np.int64),
            np.array([row.get(pair.worse.id, -1) for pair in pairs], dtype=np.int64),
            np.array([CARD_VALUES.index(pair.dimension) for pair in pairs], dtype=np.int64),
        )

    def margins(self, cards: Floats) -> Floats:
        """Return preferred minus other, 0 to 10 scale, rounded as in `pairs.build_table`; NaN when one is unscored."""
        padded = np.vstack([cards, np.full((1, cards.shape[1]), np.nan)])  # row -1
        margins: Floats = np.round(padded[self.better, self.column] - padded[self.worse, self.column], TIE_DECIMALS)
        return margins
