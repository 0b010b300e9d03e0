"""Cost of a measurement: time, tokens and, if the recipe gives rates, money."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from editjudge.formats.results.evaluation import Cost, Price


class Prices(BaseModel):
    """Rates of the provider or of the machine's owner."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    currency: str = "USD"
    """Currency shown with the costs."""
    per_million_prompt_tokens: float = Field(0, ge=0)
    """Price of a million input tokens, including image tokens."""
    per_million_completion_tokens: float = Field(0, ge=0)
    """Price of a million generated tokens."""
    per_hour: float = Field(0, ge=0)
    """Price per hour of the judge's machine, all devices together."""

    @model_validator(mode="after")
    def _some_rate(self) -> Prices:
        if not (self.per_million_prompt_tokens or self.per_million_completion_tokens or self.per_hour):
            raise ValueError("prices: every rate is 0; give at least one, or leave `prices` out")
        return self


def describe_cost(used: Mapping[str, Any], seconds: float, n_triplets: int, prices: Prices | None) -> Cost | None:
    """Return the `cost` of an evaluation in results.json, from the cards' usage (`score_set.usage_of`).

    None for scores made without a judge. Tokens are None where the engine does not report them; a price that needs
    them is then None too.
    """
    if not used:
        return None
    # Every reply has input tokens, so a total of 0 means that the engine did not count.
    read = used.get("prompt_tokens") or None
    wrote = used.get("completion_tokens") or None
    return Cost(
        seconds=round(seconds, 3),
        triplets_per_second=_per(n_triplets, seconds),
        judgments=used["judgments"],
        prompt_tokens=read,
        completion_tokens=wrote,
        prompt_tokens_per_triplet=None if read is None else _per(read, n_triplets),
        completion_tokens_per_triplet=None if wrote is None else _per(wrote, n_triplets),
        completion_tokens_per_second=None if wrote is None else _per(wrote, seconds),
        price=None if prices is None else _price(prices, read, wrote, seconds, n_triplets),
    )


def _price(prices: Prices, read: int | None, wrote: int | None, seconds: float, n_triplets: int) -> Price:
    total: float | None = prices.per_hour * seconds / 3600
    for rate, tokens in ((prices.per_million_prompt_tokens, read), (prices.per_million_completion_tokens, wrote)):
        if rate > 0:
            total = None if total is None or tokens is None else total + rate * tokens / 1e6
    return Price(
        currency=prices.currency,
        total=None if total is None else round(total, 6),
        per_1000_triplets=None if total is None else _per(1000 * total, n_triplets),
        rates=prices.model_dump(mode="json", exclude={"currency"}),
    )


def _per(amount: float, of: float) -> float | None:
    return round(amount / of, 3) if of > 0 else None
