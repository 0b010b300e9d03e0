"""Triplets in, score cards out: K passes about both aspects, unreadable replies asked again and never guessed."""

from __future__ import annotations

import hashlib
import itertools
import logging
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, get_args

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from editjudge.asking.cards import card_from_passes, make_card
from editjudge.asking.questions import Asker, Question, Row
from editjudge.engines import ENGINES
from editjudge.engines.base import Completion, Engine, Request, Sampling, each_once, sampling_mistakes
from editjudge.engines.cache import CachedEngine
from editjudge.errors import CheckpointError, EditJudgeError
from editjudge.families import too_few_pixels
from editjudge.files.io import derive_seed, digest
from editjudge.files.paths import OutputPath
from editjudge.files.text import valid_text
from editjudge.formats.judge_settings import (
    CHOICES,
    LEFT_OUT,
    LeftOut,
    Trained,
    contradictions,
    fill_in,
    place_of,
    settings_for,
    trained_of,
)
from editjudge.images.colors import Colors
from editjudge.images.store import IMAGE_RULES, ImageStore, load_image, pixel_digest
from editjudge.prompts.parsing import READING
from editjudge.prompts.prompt_sets import PromptSet, get_prompts
from editjudge.recipes.recipe import Use, about_to_run, load_for_run, mistake, refuse
from editjudge.records.tasks import ASPECTS, UNKNOWN_TASK, Aspect
from editjudge.records.types import EditTask, EditTriplet, ImageRef, Judgment, Origin, ScoreCard
from editjudge.system.provenance import cores

__all__ = ["Judge", "JudgeRecipe", "card_from_passes", "make_card"]

logger = logging.getLogger(__name__)

DEFAULT_PROMPTS = "editjudge-v1"

_READERS = max(4, min(16, cores()))
"""Threads that decode and resize images while the engine works; it waits for the first chunk only."""


class Judge:
    """An engine with everything else that decides a score: prompts, passes, sampling, seed, image size."""

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
        """`passes` is K of Avg@K; `max_pixels` (None: as they are) bounds the area of each image; `colors` says what
        becomes of their ICC profiles, see `images.load_image`.

        `prompts`, `max_pixels` and `colors` that are left out are those that the engine's weights were trained with
        (`judge.yaml`); weights that do not say so are asked with editjudge-v1, images as they are, and "srgb".
        `CheckpointError` when a value contradicts the file.

        `retries` is how often an unreadable reply is asked again with a new seed. `chunk` triplets are put to the
        engine at once; it changes speed and memory only.
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
        self._asker = Asker(self.prompts, max_pixels)

    @classmethod
    def from_recipe(cls, path: Path | str, overrides: Iterable[str] = ()) -> Judge:
        """The judge of a recipe file, with `key.path=value` overrides. `RecipeError` lists every mistake."""
        return load_for_run(path, JudgeRecipe, overrides).build()

    @property
    def identity(self) -> str:
        """Digest of everything that can change a card, for markers and file names."""
        return digest(
            self.engine.identity,
            self.prompts.identity,
            self.sampling,
            [self.passes, self.seed, self.max_pixels, self.retries],
            [IMAGE_RULES, self.colors, READING],
        )

    def close(self) -> None:
        """Free the engine's model; a judge that is asked again loads it again. As a context manager, at its end."""
        self.engine.close()

    def __enter__(self) -> Judge:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def score(self, instruction: str, before: Image.Image | Path | str, after: Image.Image | Path | str) -> ScoreCard:
        """Judge one edit. Raises `ImageError` when an image cannot be read.

        An instruction without anything to see gives a card whose judgments failed with "no_instruction".
        """
        instruction = valid_text(instruction)
        images = load_image(before, colors=self.colors), load_image(after, colors=self.colors)
        shown, edited = _describe(before, images[0]), _describe(after, images[1])
        task = EditTask(
            id=digest(instruction, shown.sha256),
            inputs=(shown,),
            instruction=instruction,
            task_type=UNKNOWN_TASK,
            origin=Origin(source=shown.sha256, licence="unknown"),
        )
        triplet = EditTriplet(id=digest(task.id, edited.sha256), task=task, edited=edited, editor="unknown", seed=0)
        return self.score_images([(triplet, images)])[0]

    def score_many(self, triplets: Iterable[EditTriplet], root: Path | str = ".") -> list[ScoreCard]:
        """One card per triplet, in order. Image paths are relative to `root`.

        A triplet that cannot be shown gives a card whose judgments failed with the reason: "missing_image",
        "unreadable_image", "changed_image", "aspect_ratio" (`images.MAX_RATIO`) or "several_inputs". Raises
        `EngineError` when the engine cannot work at all.
        """
        return list(self.score_each(triplets, root))

    def score_each(self, triplets: Iterable[EditTriplet], root: Path | str = ".") -> Iterator[ScoreCard]:
        """`score_many`, card by card; the images of a chunk are read while the engine works on the one before."""
        remaining = iter(triplets)
        chunks = iter(lambda: list(itertools.islice(remaining, self.chunk)), [])
        for cards in self.score_chunks(chunks, root):
            yield from cards

    def score_chunks(
        self, chunks: Iterable[Sequence[EditTriplet]], root: Path | str = "."
    ) -> Generator[list[ScoreCard], None, None]:
        """The cards of each chunk, in order. A chunk is put to the engine at once, and two are in memory at a time."""
        store = ImageStore(root, self.colors)
        loading: deque[list[Future[list[Row]]]] = deque()
        pool = ThreadPoolExecutor(_READERS)  # decoding and resizing leave the interpreter to the others
        try:
            for chunk in chunks:
                same_input = itertools.groupby(chunk, key=lambda triplet: triplet.task.inputs)
                loading.append([pool.submit(self._asker.load, list(group), store) for _, group in same_input])
                if len(loading) > 1:
                    yield self._score_rows(_loaded(loading.popleft()))
            while loading:
                yield self._score_rows(_loaded(loading.popleft()))
        finally:
            pool.shutdown(cancel_futures=True)

    def score_images(self, rows: Iterable[tuple[EditTriplet, Sequence[Image.Image]]]) -> list[ScoreCard]:
        """Cards of triplets whose images (inputs, then output; RGB) are at hand, put to the engine at once.

        What is shown are these images, whatever the triplet refers to; its id decides the seeds.
        """
        return self._score_rows([self._asker.ask(triplet, images) for triplet, images in rows])

    def _score_rows(self, rows: list[Row]) -> list[ScoreCard]:
        """Cards of loaded triplets."""
        questions = [question for _, asked in rows if not isinstance(asked, str) for question in asked]
        answers = self._ask(questions)
        cards = []
        for triplet, asked in rows:
            if isinstance(asked, str):
                judgments = [
                    self._judgment(triplet, aspect, index, self._seed(triplet, aspect, index, 0), asked)
                    for aspect in ASPECTS
                    for index in range(self.passes)
                ]
            else:
                judgments = [next(answers) for _ in range(len(ASPECTS) * self.passes)]
            cards.append(make_card(triplet, judgments))
        return cards

    def _ask(self, questions: list[Question]) -> Iterator[Judgment]:
        """Judgments of all questions and passes, in that order, after the retries."""
        judgments: dict[tuple[int, int], Judgment] = {}
        # At temperature 0 a new seed gives the same text again.
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
                # An engine that could not take the request will not take it under another seed either.
                answered = [
                    index
                    for index, completion in zip(indices, reply.completions, strict=True)
                    if completion.stop != "error"
                ]
                unread = tuple(index for index in answered if judgments[number, index].scores is None)
                if unread:
                    again.append((number, unread))
            wanted = sorted(again)  # replies come in any order; what is asked must not depend on it
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
        """What one pass said; a string as `outcome` is the reason why nothing was asked. `tokens`: read, written."""
        if isinstance(outcome, str):
            failure: str | None = outcome
            raw, scores, rationale, parsed_by = "", None, "", "none"
        else:
            if outcome.stop == "error":
                logger.warning("triplet %s, %s, pass %d: %s", triplet.id, aspect, index, outcome.error)
            raw = valid_text(outcome.text)  # a cut reply of a server may end with half of a surrogate pair
            parsed = self.prompts.prompt(aspect).read(raw, outcome.stop)
            failure = outcome.reason if outcome.stop == "error" else parsed.failure
            scores = parsed.scores
            rationale, parsed_by = parsed.rationale, parsed.parsed_by
        return Judgment(
            triplet_id=triplet.id,
            aspect=aspect,
            scores=scores,
            scale=self.prompts.prompt(aspect).scale,
            rationale=rationale,
            raw=raw,
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


class JudgeRecipe(BaseModel):
    """A judge, as a recipe of its own or as a block of another recipe.

    `prompts`, `max_pixels` and `colors` that are left out are those that the weights were trained with, where these
    have a `judge.yaml` (`judge_settings`). The defaults are for other weights.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: Annotated[Engine, Use(ENGINES)]
    prompts: str = DEFAULT_PROMPTS
    """Name of a prompt set."""
    passes: int = Field(1, ge=1)
    """K of Avg@K."""
    sampling: Sampling = Sampling()
    seed: int = 0
    max_pixels: int | None = Field(None, gt=0)
    """Area to which each image is reduced before it is shown; None: as it is."""
    retries: int = Field(2, ge=0)
    """How often an unreadable reply is asked again with a new seed."""
    colors: Colors = "srgb"
    """"srgb": ICC profiles are applied, as browsers do. "stored": they are ignored, as in most data loaders."""
    cache: OutputPath | None = None
    """Folder in which replies are kept, so that an interrupted or repeated run asks only for what is missing."""
    chunk: int = Field(64, ge=1)
    """Triplets put to the engine at once. Changes speed and memory only."""

    @field_validator("prompts")
    @classmethod
    def _known_prompts(cls, value: str) -> str:
        try:
            return get_prompts(value).name
        except EditJudgeError as error:
            raise ValueError(str(error)) from error

    @model_validator(mode="after")
    def _as_trained(self) -> JudgeRecipe:
        try:
            trained = trained_of(self.engine)
        except EditJudgeError as error:
            raise ValueError(str(error)) from error
        if trained is not None:
            refuse(mistake(text, *place_of(name)) for name, text in contradictions(self, self.engine, trained))
            fill_in(self, trained)
        return self

    @model_validator(mode="after")
    def _can_be_sampled(self, info: ValidationInfo) -> JudgeRecipe:
        if about_to_run(info):
            refuse(sampling_mistakes(self.engine, self.sampling, "sampling"))
        return self

    @model_validator(mode="after")
    def _shows_something(self, info: ValidationInfo) -> JudgeRecipe:
        family = getattr(self.engine, "family", None)
        if about_to_run(info) and family is not None:
            text = too_few_pixels(family, self.max_pixels)
            refuse([] if text is None else [mistake(text, "max_pixels", seen=self.max_pixels)])
        return self

    def as_trained(self, trained: Trained | None) -> JudgeRecipe:
        """The recipe for weights of that training, with what it leaves out: for a sweep, whose engine has no weights
        yet. `CheckpointError` when the two contradict each other."""
        if trained is None:
            return self
        for name, text in contradictions(self, self.engine, trained):
            raise CheckpointError(f"judge.{'.'.join(place_of(name))}: {text}")
        values: dict[str, object] = {name: getattr(trained.settings, name) for name in CHOICES}
        engine = self.engine
        if isinstance(engine, BaseModel) and "family" in set(type(engine).model_fields) - engine.model_fields_set:
            named = {name: getattr(engine, name) for name in engine.model_fields_set}
            values["engine"] = type(engine).model_validate(named | {"family": trained.settings.family})
        return self.model_copy(update=values)

    def build(self) -> Judge:
        """The judge. Its model is loaded when it is first asked."""
        engine = self.engine if self.cache is None else CachedEngine(self.engine, self.cache)
        return Judge(
            engine,
            prompts=self.prompts,
            passes=self.passes,
            sampling=self.sampling,
            seed=self.seed,
            max_pixels=self.max_pixels,
            retries=self.retries,
            chunk=self.chunk,
            colors=self.colors,
        )


def _loaded(groups: Iterable[Future[list[Row]]]) -> list[Row]:
    return [row for group in groups for row in group.result()]


def _describe(source: Image.Image | Path | str, image: Image.Image) -> ImageRef:
    """A reference to an image that is in no store; for one in memory, the hash is that of its pixels."""
    if isinstance(source, Image.Image):
        pixels = pixel_digest(image)
        return ImageRef(path=f"memory/{pixels}", sha256=pixels, width=image.width, height=image.height)
    sha256 = hashlib.sha256(Path(source).read_bytes()).hexdigest()
    return ImageRef(path=str(source), sha256=sha256, width=image.width, height=image.height)
