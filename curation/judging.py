"""Stage `judge`: a teacher model or any other judge scores every candidate. Also its stand-in for dry runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar

from numpy.random import Generator
from pydantic import PrivateAttr, model_validator
from pydantic_core import InitErrorDetails

from curation.stage import Context, Drop, Fail, Stage
from editjudge.asking.base import BaseJudge
from editjudge.asking.base_recipe import AnyJudge
from editjudge.asking.cards import make_card
from editjudge.asking.parameters import JudgeParameters
from editjudge.engines.base import Engine, Sampling
from editjudge.errors import EditJudgeError
from editjudge.files.identity import Apart
from editjudge.files.io import rng
from editjudge.formats.judge_settings import trained_of
from editjudge.prompts.prompt_sets import format_completion, get_prompts
from editjudge.recipes.recipe_use import mistake, refuse
from editjudge.records.tasks import ASPECTS, Aspect
from editjudge.records.types import EditTriplet, Judgment, Record, ScoreCard

SCALE = 25
"""Best score of teachers that are not models; the worst is 0."""


class JudgeStage(JudgeParameters, Stage):
    """Score each triplet with an engine of the recipe or another judge. Triplets without scores fail with a reason."""

    version: ClassVar[int] = 2
    takes: ClassVar[type[Record] | None] = EditTriplet
    gives: ClassVar[type[Record]] = ScoreCard

    engine: str | None = None
    """Role of the engine in the recipe's `engines`, such as "teacher"."""
    judge: Annotated[AnyJudge | None, Apart()] = None
    """A judge of any kind, used instead of an engine, with all its own parameters. Markers contain its identity
    (`depends_on`): options that change no card, such as `cache` and `chunk`, change no marker."""

    _judge: BaseJudge[Any] | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _one_judge(self) -> JudgeStage:
        if (self.engine is None) == (self.judge is None):
            raise ValueError("give either `engine` (a role of the recipe's `engines`) or `judge`, one of the two")
        if self.judge is not None:
            beside = self.model_fields_set & JudgeParameters.model_fields.keys()
            refuse(mistake("belongs into the block `judge`, or to an `engine`", name) for name in sorted(beside))
        return self

    def samplings(self) -> Mapping[str, Sampling]:
        """Return the engine of the stage and its sampling."""
        return {} if self.engine is None else {self.engine: self.sampling}

    @property
    def needs_device(self) -> bool:
        """Whether the judge needs one."""
        return True

    def stand_in(self) -> Stage:
        """Return a teacher that needs no model."""
        return StandInScorer()

    def depends_on(self) -> dict[str, str]:
        """Return the wording of the prompts, which is not part of the recipe, or the judge's identity."""
        if self.judge is not None:
            with self.judge.build() as judge:
                return {"judge": judge.identity}
        return {"prompts": get_prompts(self.prompts).identity}

    def problems(self, engines: Mapping[str, Engine], *where: str | int) -> Iterator[InitErrorDetails]:
        """Yield settings that differ from those that the judge's weights were trained with."""
        engine = None if self.engine is None else engines.get(self.engine)
        if engine is None:
            return
        try:
            found = [*self.contradicts(engine, trained_of(engine))]
        except EditJudgeError as error:
            yield mistake(str(error), "engines", str(self.engine))
            return
        for name, text in found:
            yield mistake(text, *(("engines", str(self.engine), name) if name == "family" else (*where, name)))

    def resolved(self, engines: Mapping[str, Engine]) -> JudgeStage:
        """Return the stage with open settings filled in from the training of the judge's weights."""
        if self.judge is not None:
            return self.model_copy(update={"judge": self.judge.resolved()})
        return self if self.engine is None else self.filled_in(trained_of(engines.get(self.engine)))

    def setup(self, ctx: Context) -> None:
        """Build the judge; an engine loads its model at the first request."""
        if self.judge is not None:
            self._judge = self.judge.build()
        elif self.engine is not None:
            engine = ctx.engines[self.engine]
            self._judge = self.filled_in(trained_of(engine)).make_judge(engine, ctx.seed)

    def teardown(self) -> None:
        """Free the model."""
        if self._judge is not None:
            self._judge.close()
        self._judge = None

    def run(self, rows: Iterable[Any], ctx: Context) -> Iterator[Record | Drop | Fail]:
        """Yield one card per triplet. Raises `EngineError` when the engine cannot work at all."""
        assert self._judge is not None, "setup comes first"
        for card in self._judge.score_each(rows, ctx.root):
            yield card if card.overall is not None else Fail(card.triplet.id, unscored_reason(card), card)


class StandInScorer(Stage):
    """A teacher for dry runs: draws scores from the triplet's id, and works for any triplet."""

    takes: ClassVar[type[Record] | None] = EditTriplet
    gives: ClassVar[type[Record]] = ScoreCard

    def run(self, rows: Iterable[Any], ctx: Context) -> Iterator[Record | Drop | Fail]:
        """Yield one card per triplet, with four uniformly distributed scores."""
        for triplet in rows:
            draw = rng(ctx.seed, "stand-in", triplet.id)
            yield make_card(triplet, [_drawn(triplet, aspect, draw) for aspect in ASPECTS])


def _drawn(triplet: EditTriplet, aspect: Aspect, draw: Generator) -> Judgment:
    first, second = (int(score) for score in draw.integers(SCALE + 1, size=2))
    return recorded(triplet, aspect, (first, second), "Drawn at random in a dry run.", "stand-in")


def recorded(triplet: EditTriplet, aspect: Aspect, scores: tuple[int, int], rationale: str, teacher: str) -> Judgment:
    """Return the judgment of a teacher that is not a model. `scores` are on 0..`SCALE`."""
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
    """Return why a card has no overall score: its failures without duplicates, as `unscored: no_json, truncated`."""
    return f"unscored: {', '.join(sorted({*card.failures})) or 'no judgment'}"
