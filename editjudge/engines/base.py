"""`Engine`, the interface of all engines. `test_engine_contract.py` tests every engine against it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import InitErrorDetails

from editjudge.errors import EditJudgeError, EngineError
from editjudge.files.identity import Neutral
from editjudge.prompts.parsing import Stop
from editjudge.recipes.recipe_use import mistake


class Sampling(BaseModel):
    """Sampling parameters. Defaults: EditScore's released models."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float = Field(0.7, ge=0)
    """0 is greedy decoding: every pass then gives the same text."""
    top_p: float = Field(0.9, gt=0, le=1)
    """Tokens are drawn from the most likely ones that together have this probability; 1 keeps all."""
    top_k: int = Field(20, ge=0)
    """0 keeps the whole vocabulary."""
    max_new_tokens: int = Field(512, gt=0)
    """Limit of a reply, in tokens; a longer one is cut, and stays unscored when its scores are incomplete."""
    logprobs: Annotated[bool, Neutral(False)] = False
    """Also return the log-probability of every generated token (`Completion.tokens`)."""


@dataclass(frozen=True)
class Request:
    """One prompt, sampled once per seed."""

    text: str
    """User turn with one `<image>` mark per image (`prompt_sets.IMAGE_MARK`)."""
    images: tuple[Image.Image, ...]
    """RGB, already resized by the judge."""
    seeds: tuple[int, ...]
    """One pass per seed. A pass depends on its own seed only; `batch_effect` of the engine says how others in a batch
    can change it."""
    system: str | None = None
    """System turn; None: that of the model's family. "": none."""


@dataclass(frozen=True)
class Completion:
    """The result of one pass."""

    text: str
    stop: Stop
    """"length": cut at max_new_tokens. "error": no text; `error` says why."""
    n_tokens: int = 0
    error: str | None = None
    reason: str = "engine_error"
    """With "error", in snake_case: the `failure` of the judgment. "engine_error": the engine is at fault; any other
    value names a problem of this request."""
    tokens: tuple[tuple[str, float], ...] = ()
    """With `Sampling.logprobs`: text and natural log-probability of each token, from the model itself, before
    temperature, top_k and top_p. The texts add up to `text`, except for characters of several tokens."""


@dataclass(frozen=True)
class Reply:
    """The passes of one request, in the order of its seeds."""

    completions: tuple[Completion, ...]
    prompt_tokens: int = 0

    @classmethod
    def failed(cls, request: Request, error: str, reason: str = "engine_error") -> Reply:
        """Return the reply to a request that cannot be answered, while the rest of the batch can."""
        return cls(tuple(Completion("", "error", 0, error, reason) for _ in request.seeds))


BatchEffect = Literal["none", "rounding", "any"]
"""Effect of the other requests of a batch on a reply; see `Engine.batch_effect`."""


Option = Literal["top_k", "top_p", "seed", "logprobs"]
"""Options that some engines do not support: many servers lack `top_k`, some the seed, many log-probabilities."""


@dataclass(frozen=True)
class Problem:
    """A sampling value that an engine does not support."""

    field: str
    """Name of the field of `Sampling`."""
    text: str
    """The problem with its value, and the value to use."""


EngineT = TypeVar("EngineT", bound="Engine")


class Engine(ABC):
    """Base class of engines: models that read images and text and write text.

    Engines of recipes are also frozen pydantic models: their fields are the recipe's parameters. An engine loads its
    model on first use; `close`, or the end of a `with` block, frees it.
    """

    @property
    @abstractmethod
    def identity(self) -> str:
        """Everything that can change a reply: model, revision, adapter content, dtype."""

    @abstractmethod
    def generate(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[tuple[int, Reply]]:
        """Yield (index of the request, its reply) as replies arrive, in any order, each index once.

        A request that cannot be answered becomes `Reply.failed`. When nothing more can be answered, raises
        `EngineError`, at the call or from the iterator; replies that were yielded before stay valid.
        """

    @property
    def batch_effect(self) -> BatchEffect:
        """Effect of the other requests of a batch on a reply.

        "none": a pass depends on its request and seed only. "rounding": the same up to floating-point rounding, which
        can flip a close choice between two tokens. "any": no guarantee.
        """
        return "any"

    def check(self, sampling: Sampling) -> list[Problem]:
        """Return values of `sampling` that the engine does not support; called before a run, without loading a model.

        The default reports log-probabilities as unsupported; an engine that returns them overrides this method.
        """
        unknown: tuple[Option, ...] = ("logprobs",)
        return unknown_options(sampling, unknown, f"the engine {type(self).__name__}")

    def with_adapter(self, path: Path) -> Engine:
        """Return a separate engine, not loaded yet, with the weights of a checkpoint: an adapter or full weights.

        Raises `CheckpointError` when the folder contains neither, `EditJudgeError` when the engine cannot load
        checkpoints.
        """
        raise EditJudgeError(
            f"{type(self).__name__} cannot load {path}: it has no weights that a checkpoint could replace; "
            "use an engine for local models, such as hf"
        )

    def close(self) -> None:
        """Free the model and connections. May be called again; the next use loads the model again."""
        return

    def __enter__(self: EngineT) -> EngineT:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def answer_all(self, requests: Sequence[Request], sampling: Sampling) -> list[Reply]:
        """Return the replies of `generate` in the order of the requests, once all are there."""
        replies = dict(each_once(self.generate(requests, sampling), requests))
        return [replies[index] for index in range(len(requests))]


class OneByOne(Engine):
    """Base class of engines that answer one request at a time."""

    @abstractmethod
    def answer(self, request: Request, sampling: Sampling) -> Reply:
        """Return the reply to one request; it does not depend on other requests."""

    @property
    def batch_effect(self) -> BatchEffect:
        """Return "none": there is no batch."""
        return "none"

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[tuple[int, Reply]]:
        """Yield the replies one by one, in order."""
        for index, request in enumerate(requests):
            yield index, self.answer(request, sampling)


def unknown_options(sampling: Sampling, unknown: Collection[Option], engine: str) -> list[Problem]:
    """Return problems for `Engine.check`: the used options of `unknown`. `engine` names it in the messages."""
    problems: list[Problem] = []
    if "logprobs" in unknown and sampling.logprobs:
        problems.append(Problem("logprobs", f"{engine} gives no log-probabilities; leave it out"))
    if sampling.temperature == 0:  # greedy: nothing is sampled
        return problems
    for name, value, neutral in (("top_k", sampling.top_k, 0), ("top_p", sampling.top_p, 1)):
        if name in unknown and value != neutral:
            problems.append(Problem(name, f"{engine} takes no {name}; set it to {neutral}, which leaves it out"))
    if "seed" in unknown:
        text = f"{engine} takes no seed, so passes above temperature 0 cannot be repeated; set it to 0"
        problems.append(Problem("temperature", text))
    return problems


def sampling_mistakes(engine: Engine, sampling: Sampling, *where: str | int) -> list[InitErrorDetails]:
    """Return the problems of `engine.check` for `recipe_use.refuse`; `where`: place of `sampling` in the block."""
    return [
        mistake(problem.text, *where, problem.field, seen=getattr(sampling, problem.field))
        for problem in engine.check(sampling)
    ]


def each_once(replies: Iterable[tuple[int, Reply]], requests: Sequence[Request]) -> Iterator[tuple[int, Reply]]:
    """Yield an engine's replies to `requests`, checked: every request once, a completion for each seed.

    Raises `EngineError` at the first wrong reply, and at the end when one is missing.
    """
    waiting = set(range(len(requests)))
    for index, reply in replies:
        if index not in waiting:
            problem = "twice" if index in range(len(requests)) else f"of {len(requests)}"
            raise EngineError(f"the engine answered request {index} {problem}; this is a bug of the engine")
        wanted = len(requests[index].seeds)
        if len(reply.completions) != wanted:
            raise EngineError(
                f"the engine gave {len(reply.completions)} completions for the {wanted} seeds of request {index}; "
                "this is a bug of the engine"
            )
        waiting.remove(index)
        yield index, reply
    if waiting:
        raise EngineError(
            f"the engine gave no reply to {len(waiting)} of {len(requests)} requests, {min(waiting)} first"
        )
