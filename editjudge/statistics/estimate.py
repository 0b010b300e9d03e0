"""A figure with its 95 % interval, as stored in files."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from editjudge.statistics.arrays import Floats
from editjudge.statistics.bootstrap import ZERO_DECIMALS, gaps_of, shows_spread, spread_ends


class Block(BaseModel):
    """Base class of the blocks of result files."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def as_json(self) -> dict[str, Any]:
        """Return the content as JSON values."""
        return self.model_dump(mode="json")


class Estimate(Block):
    """A figure with its 95 % interval, six decimals."""

    value: float | None
    """None where the figure is undefined."""
    low: float | None
    """None where the value is None, and where there are too few groups for an interval."""
    high: float | None


class Difference(Estimate):
    """One figure minus another of the same items, from the same resamples."""

    p: float | None
    """One-sided: share of resamples in which the difference is not above 0."""


def rounded(number: float) -> float | None:
    """Round to six decimals, None for NaN, without negative zero."""
    return None if math.isnan(number) else round(float(number), 6) + 0.0


def estimate(value: float, low: float = math.nan, high: float = math.nan) -> Estimate:
    """Return an estimate from floats; NaN becomes None."""
    return Estimate(value=rounded(value), low=rounded(low), high=rounded(high))


def sampled(value: float, samples: Floats, n_groups: int) -> Estimate:
    """Return a figure with the ends of its resamples [rounds], or none as in `shows_spread` and `spread_ends`."""
    if np.isnan(value) or not shows_spread(samples, n_groups):
        return estimate(value)
    low, high = spread_ends(samples[:, None])
    return estimate(value, float(low[0]), float(high[0]))


@dataclass(frozen=True)
class Samples:
    """A figure of several judges on the same labels. NaN where undefined."""

    value: Floats
    """[judges]"""
    drawn: Floats
    """[rounds, judges]: values in resamples shared by all judges."""
    n_groups: int
    """Number of groups of the figure."""

    def difference(self, one: int, other: int) -> Difference:
        """Return judge `one` minus judge `other`."""
        samples = self.drawn[:, one] - self.drawn[:, other]
        value = round(float(self.value[one] - self.value[other]), ZERO_DECIMALS)
        if np.isnan(value) or not shows_spread(samples, self.n_groups):
            return Difference(value=rounded(value), low=None, high=None, p=None)
        gaps = gaps_of(samples[:, None])
        low, high, p = (rounded(float(part[0])) for part in (gaps.low, gaps.high, gaps.p))
        return Difference(value=rounded(value), low=low, high=high, p=p)
