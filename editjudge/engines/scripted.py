"""Engine with fixed replies, for tests and dry runs."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from editjudge.engines.base import Completion, OneByOne, Option, Problem, Reply, Request, Sampling, unknown_options
from editjudge.files.io import derive_seed, digest
from editjudge.images.pixels import pixel_digest

Script = Callable[[Request, int], "str | Completion"]


class ScriptedEngine(OneByOne, BaseModel):
    """Fixed replies without a model. Deterministic: a pass depends on its request and seed, never on the order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    replies: Annotated[tuple[str, ...], Field(min_length=1)] | Script
    """Possible replies, one selected per pass by hash; or, from Python, a function of a request and a seed."""
    name: str = "scripted"
    """Part of the identity. Two functions that answer differently need two names."""
    fail: tuple[str, ...] = ()
    """Regular expressions: a request whose text matches one fails instead of being answered."""
    without: tuple[Option, ...] = ()
    """Sampling options that it rejects, like a server that does not support them."""
    latency_s: float = Field(0, ge=0)
    """Duration of a batch, in seconds."""

    @field_validator("fail")
    @classmethod
    def _valid_patterns(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in value:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
        return value

    @property
    def identity(self) -> str:
        """The name and the replies."""
        said = digest(self.replies) if isinstance(self.replies, tuple) else "function"
        return f"scripted:{self.name}:{said}:{digest(self.fail)}"

    def check(self, sampling: Sampling) -> list[Problem]:
        """Return the options of `without` that are in use; texts have no log-probabilities, functions may."""
        silent: tuple[Option, ...] = ("logprobs",) if isinstance(self.replies, tuple) else ()
        unknown = {*self.without, *silent}
        return unknown_options(sampling, unknown, f"the engine {self.name!r}")

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[tuple[int, Reply]]:
        """Yield the replies one by one, the first after `latency_s`."""
        time.sleep(self.latency_s)
        return super().generate(requests, sampling)

    def answer(self, request: Request, sampling: Sampling) -> Reply:
        """Return the reply to a request; at temperature 0 it does not depend on the seed."""
        for pattern in self.fail:
            if re.search(pattern, request.text):
                return Reply.failed(request, f"scripted failure: the text matches {pattern!r}")
        completions = []
        for seed in request.seeds:
            if isinstance(self.replies, tuple):
                seen = [request.text, [pixel_digest(image) for image in request.images]]
                drawn = derive_seed(seed if sampling.temperature > 0 else 0, *seen)
                said: str | Completion = self.replies[drawn % len(self.replies)]
            else:
                said = self.replies(request, seed)
            completions.append(said if isinstance(said, Completion) else Completion(said, "stop", len(said.split())))
        return Reply(tuple(completions), len(request.text.split()))
