"""What every engine promises: see `Engine`. `test_engine_contract.py` holds all engines to it."""

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
    """What changes the text a model writes, apart from the seed. Defaults: EditScore's released models."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float = Field(0.7, ge=0)
    """0 is greedy: every pass then gives the same text."""
    top_p: float = Field(0.9, gt=0, le=1)
    """Tokens are drawn from the most likely ones that together have this probability; 1 keeps all."""
    top_k: int = Field(20, ge=0)
    """0 keeps the whole vocabulary."""
    max_new_tokens: int = Field(512, gt=0)
    """A longer reply is cut there, and stays unscored when its scores are not complete."""
    logprobs: Annotated[bool, Neutral(False)] = False
    """Also give the log-probability of every token that is written (`Completion.tokens`)."""


@dataclass(frozen=True)
class Request:
    """One prompt, sampled once per seed."""

    text: str
    """User turn with one `<image>` mark per image (`prompt_sets.IMAGE_MARK`)."""
    images: tuple[Image.Image, ...]
    """RGB, already at the size the judge wants."""
    seeds: tuple[int, ...]
    """One pass per seed. A pass depends on its own seed only; what its neighbours in a batch can change is the engine's
    `batch_effect`."""
    system: str | None = None
    """System turn; None: that of the model's family. "": none."""


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
    tokens: tuple[tuple[str, float], ...] = ()
    """With `Sampling.logprobs`: each token as text with its natural log-probability, that of the model itself, before
    temperature, top_k and top_p. Together the texts are `text`, but for characters of several tokens."""


@dataclass(frozen=True)
class Reply:
    """The passes of one request, in the order of its seeds."""

    completions: tuple[Completion, ...]
    prompt_tokens: int = 0

    @classmethod
    def failed(cls, request: Request, error: str, reason: str = "engine_error") -> Reply:
        """The reply to a request that cannot be answered, while the rest of the batch can."""
        return cls(tuple(Completion("", "error", 0, error, reason) for _ in request.seeds))


BatchEffect = Literal["none", "rounding", "any"]
"""What the other requests of a batch can change in a reply; see `Engine.batch_effect`."""


Option = Literal["top_k", "top_p", "seed", "logprobs"]
"""What some engines do not take: many servers know no `top_k`, some no seed, and many give no log-probabilities."""


@dataclass(frozen=True)
class Problem:
    """What an engine cannot honour."""

    field: str
    """Name of the field of `Sampling`."""
    text: str
    """What is wrong with its value, and which value to use."""


EngineT = TypeVar("EngineT", bound="Engine")


class Engine(ABC):
    """A model that reads images and text and writes text.

    Engines of recipes are also frozen pydantic models: their fields are the recipe's parameters. An engine loads what
    it needs when it is first asked, and `close` frees it; as a context manager it is closed at the end.
    """

    @property
    @abstractmethod
    def identity(self) -> str:
        """Everything that can change a reply: model, revision, adapter content, dtype."""

    @abstractmethod
    def generate(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[tuple[int, Reply]]:
        """Yield (index of the request, its reply) as replies come, in any order, each index once.

        A request that cannot be answered becomes `Reply.failed`. When nothing more can be answered, `EngineError` is
        raised, at the call or from the iterator; replies that were yielded before stay valid.
        """

    @property
    def batch_effect(self) -> BatchEffect:
        """What the other requests of a batch can change in a reply.

        "none": a pass depends on its request and seed only. "rounding": the same, up to the rounding of floating-point
        sums, which can turn a close choice between two tokens. "any": nothing is promised.
        """
        return "any"

    def check(self, sampling: Sampling) -> list[Problem]:
        """What of `sampling` the engine cannot honour; asked before a run, without loading a model.

        An engine that gives log-probabilities says so here, in its own `check`.
        """
        unknown: tuple[Option, ...] = ("logprobs",)
        return unknown_options(sampling, unknown, f"the engine {type(self).__name__}")

    def with_adapter(self, path: Path) -> Engine:
        """An engine of its own, not loaded yet, with the weights of a checkpoint: an adapter or full weights.

        `CheckpointError` when the folder holds neither, `EditJudgeError` when the engine cannot load checkpoints.
        """
        raise EditJudgeError(
            f"{type(self).__name__} cannot load {path}: it has no weights that a checkpoint could replace; "
            "use an engine for local models, such as hf"
        )

    def close(self) -> None:
        """Free the model and connections. May be called again; an engine that is asked after it loads again."""
        return

    def __enter__(self: EngineT) -> EngineT:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def answer_all(self, requests: Sequence[Request], sampling: Sampling) -> list[Reply]:
        """The replies of `generate` in the order of the requests, when all are there."""
        replies = dict(each_once(self.generate(requests, sampling), requests))
        return [replies[index] for index in range(len(requests))]


class OneByOne(Engine):
    """Base of engines that answer one request at a time."""

    @abstractmethod
    def answer(self, request: Request, sampling: Sampling) -> Reply:
        """The reply to one request; it does not depend on other requests."""

    @property
    def batch_effect(self) -> BatchEffect:
        """There is no batch."""
        return "none"

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[tuple[int, Reply]]:
        """One reply after the other, in order."""
        for index, request in enumerate(requests):
            yield index, self.answer(request, sampling)


def unknown_options(sampling: Sampling, unknown: Collection[Option], engine: str) -> list[Problem]:
    """For `Engine.check`: the options of `unknown` that are in use. `engine` names it in the messages."""
    problems: list[Problem] = []
    if "logprobs" in unknown and sampling.logprobs:
        problems.append(Problem("logprobs", f"{engine} gives no log-probabilities; leave it out"))
    if sampling.temperature == 0:  # greedy: nothing is drawn
        return problems
    for name, value, neutral in (("top_k", sampling.top_k, 0), ("top_p", sampling.top_p, 1)):
        if name in unknown and value != neutral:
            problems.append(Problem(name, f"{engine} takes no {name}; set it to {neutral}, which leaves it out"))
    if "seed" in unknown:
        text = f"{engine} takes no seed, so passes above temperature 0 cannot be repeated; set it to 0"
        problems.append(Problem("temperature", text))
    return problems


def sampling_mistakes(engine: Engine, sampling: Sampling, *where: str | int) -> list[InitErrorDetails]:
    """What `engine.check` finds, for `recipe_use.refuse`; `where` is the place of `sampling` in the block."""
    return [
        mistake(problem.text, *where, problem.field, seen=getattr(sampling, problem.field))
        for problem in engine.check(sampling)
    ]


def each_once(replies: Iterable[tuple[int, Reply]], requests: Sequence[Request]) -> Iterator[tuple[int, Reply]]:
    """What an engine yields for `requests`, checked: every request once, a completion for each of its seeds.

    `EngineError` at the first reply that is wrong, and at the end when one is missing.
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
