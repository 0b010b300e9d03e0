"""A judge that asks a model: K passes about both aspects; unreadable replies are retried, never guessed."""

from __future__ import annotations

import copy
import itertools
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

from PIL import Image

from editjudge.asking.base import BaseJudge
from editjudge.asking.base_recipe import load_judge
from editjudge.asking.cards import make_card
from editjudge.asking.certainty import score_logprob
from editjudge.asking.questions import Question, make_questions
from editjudge.engines.base import BatchEffect, Completion, Engine, Request, Sampling, each_once
from editjudge.engines.cache import CachedEngine
from editjudge.files.identity import identity_values
from editjudge.files.io import derive_seed, digest
from editjudge.files.text import valid_text
from editjudge.formats.judge_settings import LEFT_OUT, LeftOut, settings_for
from editjudge.images.colors import Colors
from editjudge.images.pixels import IMAGE_RULES
from editjudge.prompts.parsing import READING
from editjudge.prompts.prompt_sets import DEFAULT_PROMPTS, PromptSet, get_prompts
from editjudge.records.tasks import ASPECTS, Aspect
from editjudge.records.types import EditTriplet, Judgment, ScoreCard

logger = logging.getLogger(__name__)


class Judge(BaseJudge[list[Question]]):
    """Judge with an engine, prompts, passes, sampling, seed and image size."""

    def __init__(
        self,
        engine: Engine,
        prompts: str | PromptSet | None = None,
        passes: int = 1,
        sampling: Sampling | None = None,
        seed: int = 0,
        max_pixels: int | LeftOut | None = LEFT_OUT,
        retries: int = 2,
        chunk: int = 64,
        colors: Colors | None = None,
    ) -> None:
        """`passes` is K of Avg@K; `max_pixels` (None: unlimited) bounds the area of each image; `colors` sets how ICC
        profiles are handled, see `images.pixels.load_image`.

        Omitted `prompts`, `max_pixels` and `colors` default to those of the training of the engine's weights
        (`judge.yaml`), or without that file to editjudge-v1, unlimited and "srgb". Raises `CheckpointError` when a
        value contradicts the file.

        `retries`: retries of an unreadable reply, each with a new seed. `chunk`: triplets sent to the engine at once;
        affects speed and memory only.
        """
        for name, value, least in (("passes", passes, 1), ("retries", retries, 0), ("chunk", chunk, 1)):
            if value < least:
                raise ValueError(f"{name} must be at least {least}, not {value}")
        if isinstance(max_pixels, int) and max_pixels < 1:
            raise ValueError(f"max_pixels must be at least 1, or None, not {max_pixels}")
        if colors is not None and colors not in get_args(Colors):
            raise ValueError(f"colors must be one of {', '.join(get_args(Colors))}, not {colors!r}")
        sampling = Sampling() if sampling is None else sampling
        if problems := engine.check(sampling):
            raise ValueError("; ".join(f"sampling.{problem.field}: {problem.text}" for problem in problems))
        self.engine = engine
        if isinstance(prompts, str):
            prompts = get_prompts(prompts)
        known = settings_for(engine, {"prompts": prompts, "max_pixels": max_pixels, "colors": colors})
        if prompts is None:
            prompts = get_prompts(DEFAULT_PROMPTS if known is None else known.prompts)
        self.prompts = prompts
        self.passes = passes
        self.sampling = sampling
        self.seed = seed
        if isinstance(max_pixels, LeftOut):
            max_pixels = None if known is None else known.max_pixels
        self.max_pixels = max_pixels
        self.retries = retries
        self.chunk = chunk
        if colors is None:
            colors = "srgb" if known is None else known.colors
        self.colors: Colors = colors

    @classmethod
    def from_recipe(cls, path: Path | str, overrides: Iterable[str] = ()) -> BaseJudge[Any]:
        """Load the judge of a recipe file, of any kind, with `key.path=value` overrides.

        `RecipeError` lists every mistake.
        """
        return load_judge(path, overrides)

    @property
    def identity(self) -> str:
        """Digest of everything that can change a card, used in markers and file names."""
        return digest(
            self.engine.identity,
            self.prompts.identity,
            self.sampling,
            [self.passes, self.seed, self.max_pixels, self.retries],
            [IMAGE_RULES, self.colors, READING],
        )

    def describe(self) -> dict[str, Any]:
        """Return everything that can change a card; `identity` also covers the wording of the prompts."""
        return {
            "engine": self.engine.identity,
            "prompts": self.prompts.name,
            "passes": self.passes,
            "sampling": identity_values(self.sampling),
            "seed": self.seed,
            "max_pixels": self.max_pixels,
            "colors": self.colors,
            "retries": self.retries,
            "identity": self.identity,
        }

    @property
    def batch_effect(self) -> BatchEffect:
        """The `batch_effect` of the engine."""
        return self.engine.batch_effect

    def without_cache(self) -> Judge:
        """Return the judge without its reply cache."""
        fresh = copy.copy(self)
        if isinstance(self.engine, CachedEngine):
            fresh.engine = self.engine.inner
        return fresh

    def close(self) -> None:
        """Free the engine's model; it is loaded again on the next use."""
        self.engine.close()

    def takes(self, inputs: int) -> bool:
        """Return whether the prompts can show this number of input images."""
        return self.prompts.takes(inputs)

    def prepare(self, triplet: EditTriplet, images: Sequence[Image.Image]) -> list[Question] | str:
        """Return the questions about both aspects, or the reason why the images cannot be shown."""
        return make_questions(triplet, images, self.prompts, self.max_pixels)

    def unscored(self, triplet: EditTriplet, reason: str) -> ScoreCard:
        """Return a card whose judgments, one per aspect and pass, failed with the reason."""
        return make_card(
            triplet,
            (
                self._judgment(triplet, aspect, index, self._seed(triplet, aspect, index, 0), reason)
                for aspect in ASPECTS
                for index in range(self.passes)
            ),
        )

    def judge(self, edits: Sequence[tuple[EditTriplet, list[Question]]]) -> list[ScoreCard]:
        """Send the questions of all edits to the engine at once."""
        answers = self._ask([question for _, questions in edits for question in questions])
        return [make_card(triplet, itertools.islice(answers, len(ASPECTS) * self.passes)) for triplet, _ in edits]

    def _ask(self, questions: list[Question]) -> Iterator[Judgment]:
        """Yield judgments of all questions and passes, in that order, after the retries."""
        judgments: dict[tuple[int, int], Judgment] = {}
        # At temperature 0 a new seed gives the same text, so retries are useless.
        attempts = 1 + (self.retries if self.sampling.temperature > 0 else 0)
        wanted = [(number, tuple(range(self.passes))) for number in range(len(questions))]
        for attempt in range(attempts):
            if not wanted:
                break
            requests = []
            for number, indices in wanted:
                question = questions[number]
                seeds = tuple(self._seed(question.triplet, question.aspect, index, attempt) for index in indices)
                requests.append(Request(question.text, question.images, seeds, self.prompts.system))
            again = []
            for place, reply in each_once(self.engine.generate(requests, self.sampling), requests):
                (number, indices), request = wanted[place], requests[place]
                question = questions[number]
                read = reply.prompt_tokens  # once for all passes of the reply
                for index, seed, completion in zip(indices, request.seeds, reply.completions, strict=True):
                    tokens = (read, completion.n_tokens)
                    if (earlier := judgments.get((number, index))) is not None:
                        tokens = (tokens[0] + earlier.prompt_tokens, tokens[1] + earlier.completion_tokens)
                    judgment = self._judgment(question.triplet, question.aspect, index, seed, completion, tokens)
                    judgments[number, index] = judgment
                    read = 0
                # A request that the engine rejects is rejected with any seed: no retry.
                answered = [
                    index
                    for index, completion in zip(indices, reply.completions, strict=True)
                    if completion.stop != "error"
                ]
                unread = tuple(index for index in answered if judgments[number, index].scores is None)
                if unread:
                    again.append((number, unread))
            wanted = sorted(again)  # replies arrive in any order; retries must not depend on it
        return iter([judgments[key] for key in sorted(judgments)])

    def _judgment(
        self,
        triplet: EditTriplet,
        aspect: Aspect,
        index: int,
        seed: int,
        outcome: Completion | str,
        tokens: tuple[int, int] = (0, 0),
    ) -> Judgment:
        """Return the judgment of a pass; a string as `outcome`: why nothing was asked. `tokens`: read, written."""
        if isinstance(outcome, str):
            failure: str | None = outcome
            raw, scores, rationale, parsed_by, logprob = "", None, "", "none", None
        else:
            if outcome.stop == "error":
                logger.warning("triplet %s, %s, pass %d: %s", triplet.id, aspect, index, outcome.error)
            raw = valid_text(outcome.text)  # a cut reply of a server may end with half of a surrogate pair
            parsed = self.prompts.prompt(aspect).read(raw, outcome.stop)
            failure = outcome.reason if outcome.stop == "error" else parsed.failure
            scores = parsed.scores
            rationale, parsed_by = parsed.rationale, parsed.parsed_by
            logprob = None if scores is None else score_logprob(outcome.tokens)
        return Judgment(
            triplet_id=triplet.id,
            aspect=aspect,
            scores=scores,
            scale=self.prompts.prompt(aspect).scale,
            rationale=rationale,
            raw=raw,
            score_logprob=logprob,
            parsed_by=parsed_by,
            failure=failure,
            pass_index=index,
            seed=seed,
            engine=self.engine.identity,
            prompt_version=self.prompts.name,
            prompt_tokens=tokens[0],
            completion_tokens=tokens[1],
        )

    def _seed(self, triplet: EditTriplet, aspect: Aspect, index: int, attempt: int) -> int:
        return derive_seed(self.seed, triplet.id, aspect, index, attempt)
