"""Stage `judge`: a teacher model scores every candidate. And what stands in for it in a dry run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from numpy.random import Generator
from pydantic import Field, PrivateAttr, field_validator

from curation.stage import Context, Drop, Fail, Stage
from editjudge.asking.cards import make_card
from editjudge.asking.judge import Judge
from editjudge.engines.base import Sampling
from editjudge.errors import EditJudgeError
from editjudge.files.io import rng
from editjudge.formats.judge_settings import contradictions, fill_in, trained_of
from editjudge.images.colors import Colors
from editjudge.prompts.prompt_sets import format_completion, get_prompts
from editjudge.records.tasks import ASPECTS, Aspect
from editjudge.records.types import EditTriplet, Judgment, Record, ScoreCard

SCALE = 25
"""Best score of teachers that are no model; the worst is 0."""


class JudgeStage(Stage):
    """Ask an engine of the recipe about each triplet. A triplet that stays unscored fails, with the reason.

    `prompts`, `max_pixels` and `colors` that are left out are those that the engine's weights were trained with, where
    these have a `judge.yaml`.
    """

    version: ClassVar[int] = 2
    takes: ClassVar[type[Record] | None] = EditTriplet
    gives: ClassVar[type[Record]] = ScoreCard

    engine: str
    """Role of the engine in the recipe's `engines`, such as "teacher"."""
    prompts: str = "editjudge-v1"
    """Name of the prompt set."""
    passes: int = Field(1, ge=1)
    """K of Avg@K."""
    sampling: Sampling = Sampling()
    max_pixels: int | None = Field(None, gt=0)
    """Largest area of an image shown to the engine, in pixels; null shows images as they are."""
    colors: Colors = "srgb"
    """"srgb": ICC profiles are applied, as browsers do. "stored": they are ignored, as in most data loaders."""
    retries: int = Field(2, ge=0)
    """How often an unreadable reply is asked again with a new seed."""

    @field_validator("prompts")
    @classmethod
    def _known_prompts(cls, value: str) -> str:
        try:
            get_prompts(value)
        except EditJudgeError as error:
            raise ValueError(str(error)) from error
        return value

    def samplings(self) -> Mapping[str, Sampling]:
        """The one engine that is asked."""
        return {self.engine: self.sampling}

    def stand_in(self) -> Stage:
        """A teacher that needs no model."""
        return StandInScorer()

    def depends_on(self) -> dict[str, str]:
        """The wording of the prompts, which lies outside the recipe."""
        return {"prompts": get_prompts(self.prompts).identity}

    def take_from(self, engine: object) -> Iterator[tuple[str, str]]:
        """Take what is left out from the training of the engine's weights; (name, what is wrong) of the rest."""
        trained = trained_of(engine)
        if trained is not None:
            yield from contradictions(self, engine, trained)
            fill_in(self, trained)

    _judge: Judge | None = PrivateAttr(None)

    def setup(self, ctx: Context) -> None:
        """Make the judge; its engine loads its model when it is first asked."""
        self._judge = Judge(
            ctx.engines[self.engine],
            self.prompts,
            passes=self.passes,
            sampling=self.sampling,
            seed=ctx.seed,
            max_pixels=self.max_pixels,
            retries=self.retries,
            colors=self.colors,
        )

    def teardown(self) -> None:
        """Free the model."""
        if self._judge is not None:
            self._judge.close()
        self._judge = None

    def run(self, rows: Iterable[Any], ctx: Context) -> Iterator[Record | Drop | Fail]:
        """One card per triplet. Raises `EngineError` when the engine cannot work at all."""
        assert self._judge is not None, "setup comes first"
        for card in self._judge.score_each(rows, ctx.root):
            yield card if card.overall is not None else Fail(card.triplet.id, unscored_reason(card), card)


class StandInScorer(Stage):
    """Gives every triplet scores drawn from its id: a teacher for dry runs, which works for any triplet."""

    takes: ClassVar[type[Record] | None] = EditTriplet
    gives: ClassVar[type[Record]] = ScoreCard

    def run(self, rows: Iterable[Any], ctx: Context) -> Iterator[Record | Drop | Fail]:
        """One card per triplet, its four scores evenly distributed."""
        for triplet in rows:
            draw = rng(ctx.seed, "stand-in", triplet.id)
            yield make_card(triplet, [_drawn(triplet, aspect, draw) for aspect in ASPECTS])


def _drawn(triplet: EditTriplet, aspect: Aspect, draw: Generator) -> Judgment:
    first, second = (int(score) for score in draw.integers(SCALE + 1, size=2))
    return recorded(triplet, aspect, (first, second), "Drawn at random in a dry run.", "stand-in")


def recorded(triplet: EditTriplet, aspect: Aspect, scores: tuple[int, int], rationale: str, teacher: str) -> Judgment:
    """The judgment of a teacher that is no model. `scores` are on 0..`SCALE`."""
    return Judgment(
        triplet_id=triplet.id,
        aspect=aspect,
        scores=scores,
        scale=SCALE,
        rationale=rationale,
        raw=format_completion(rationale, scores),
        parsed_by="json",
        pass_index=0,
        seed=0,
        engine=teacher,
        prompt_version=teacher,
    )


def unscored_reason(card: ScoreCard) -> str:
    """Why a card has no overall score: the failures of its judgments, each once, as `unscored: no_json, refused`."""
    failures = sorted({judgment.failure for judgment in card.judgments if judgment.failure is not None})
    return f"unscored: {', '.join(failures)}" if failures else "unscored: no judgment"
