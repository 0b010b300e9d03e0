"""What every engine promises: `identity`, and `generate` with the same length and order as its requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

Stop = Literal["stop", "length", "error"]


class Sampling(BaseModel):
    """What changes the text a model writes, apart from the seed. Defaults: EditScore's released models."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float = Field(0.7, ge=0)
    """0 is greedy: every pass then gives the same text."""
    top_p: float = Field(0.9, gt=0, le=1)
    top_k: int = Field(20, ge=0)
    """0 keeps the whole vocabulary."""
    max_new_tokens: int = Field(512, gt=0)


@dataclass(frozen=True)
class Request:
    """One prompt, sampled once per seed."""

    text: str
    """User turn with one `<image>` mark per image (`prompts.IMAGE_MARK`)."""
    images: tuple[Image.Image, ...]
    """RGB, already at the size the judge wants."""
    seeds: tuple[int, ...]
    """One pass per seed; a pass depends on its own seed only, not on its neighbours in the batch."""


@dataclass(frozen=True)
class Completion:
    """What came back for one pass."""

    text: str
    stop: Stop
    """"length": cut at max_new_tokens. "error": no text; `error` says why."""
    n_tokens: int = 0
    error: str | None = None
    reason: str = "engine_error"
    """With "error", in snake_case: what a judgment's `failure` becomes. "engine_error": the engine is at fault;
    anything else names what is odd about this one request."""


@dataclass(frozen=True)
class Reply:
    """The passes of one request, in the order of its seeds."""

    completions: tuple[Completion, ...]
    prompt_tokens: int = 0

    @classmethod
    def failed(cls, request: Request, error: str, reason: str = "engine_error") -> Reply:
        """The reply to a request that cannot be answered, while the rest of the batch can."""
        return cls(tuple(Completion("", "error", 0, error, reason) for _ in request.seeds))


class Engine(Protocol):
    """A model that reads images and text and writes text."""

    @property
    def identity(self) -> str:
        """Everything that can change a reply: model, revision, adapter content, dtype."""
        ...

    def generate(self, requests: list[Request], sampling: Sampling) -> list[Reply]:
        """Answer every request, same length, same order.

        A request that cannot be answered becomes `Reply.failed`; a batch that cannot be answered at all
        raises `EngineError`.
        """
        ...
