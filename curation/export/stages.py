"""Export stages: training rows for a judge, and benchmark pairs (as Parquet: `formats.bench_schema`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from math import floor
from typing import Any, ClassVar

from pydantic import Field, field_validator

from curation.filters.balance import DEFAULT_BINS, Bins, score_bin
from curation.filters.scores import scored
from curation.stage import Context, Drop, Fail, Stage, describe_error, groups, row_id
from editjudge.errors import EditJudgeError
from editjudge.files.io import digest
from editjudge.files.text import is_blank
from editjudge.prompts.prompt_sets import PromptSet, format_completion, get_prompts
from editjudge.records.tasks import ASPECTS, DIMENSIONS, Aspect, Dimension
from editjudge.records.types import Judgment, PreferencePair, Record, ScoreCard, SFTExample
from editjudge.statistics.tiers import tiers_of_scores


class SFT(Stage):
    """Make two training rows per score card: the semantic question and the quality question.

    Rationale and scores of a row come from the same pass: the first readable one of the aspect.
    """

    version: ClassVar[int] = 3
    takes: ClassVar[type[Record] | None] = ScoreCard
    gives: ClassVar[type[Record]] = SFTExample

    prompts: str
    """Name of the prompt set that the judge is trained on."""
    bins: Bins = DEFAULT_BINS
    """Bins as in the stage `balance`; they only set the row's `score_bin`."""

    @field_validator("prompts")
    @classmethod
    def _known_prompts(cls, value: str) -> str:
        try:
            prompts = get_prompts(value)
        except EditJudgeError as error:
            raise ValueError(str(error)) from error
        if not all(prompts.prompt(aspect).is_plain() for aspect in ASPECTS):
            raise ValueError(f"{value} does not ask for two numbers, which is what training rows hold")
        return value

    def depends_on(self) -> dict[str, str]:
        """Return the wording of the prompts, which is not part of the recipe."""
        return {"prompts": get_prompts(self.prompts).identity}

    def run(self, rows: Iterable[Any], ctx: Context) -> Iterator[Record | Drop | Fail]:
        """Yield both rows of a card, or a `Fail` for the card when one of them cannot be made."""
        prompts = get_prompts(self.prompts)
        for card in rows:
            try:
                index = score_bin(scored(card), self.bins)
                examples = [sft_example(card, aspect, prompts, index) for aspect in ASPECTS]
            except ValueError as error:
                yield Fail(row_id(card), describe_error(error), card)
                continue
            yield from examples


def sft_example(card: ScoreCard, aspect: Aspect, prompts: PromptSet, index: int) -> SFTExample:
    """Return the training row of one aspect of a card.

    Scores are converted to the prompt set's scale and rounded to whole numbers, halves up. Raises `ValueError` when no
    pass is readable or the images do not fit.
    """
    judgment = _first_readable(card, aspect)
    triplet = card.triplet
    if is_blank(triplet.task.instruction):
        raise ValueError(f"no_instruction: task {triplet.task.id} asks for nothing")
    prompt, inputs = prompts.prompt(aspect), triplet.task.inputs
    if not prompt.takes(len(inputs)):
        raise ValueError(f"several_inputs: {prompts.name} shows one input; task {triplet.task.id} has {len(inputs)}")
    assert judgment.scores is not None
    first, second = (floor(score / judgment.scale * prompt.scale + 0.5) for score in judgment.scores)
    return SFTExample(
        id=digest("sft", triplet.id, aspect, prompts.name),
        triplet_id=triplet.id,
        group_id=triplet.task.id,
        task_type=triplet.task.task_type,
        source=triplet.task.origin.source,
        aspect=aspect,
        images=prompt.shown((*inputs, triplet.edited)),
        shown_width=triplet.task.inputs[0].width,
        shown_height=triplet.task.inputs[0].height,
        prompt=prompt.ask(triplet.task.instruction, len(inputs)),
        completion=format_completion(judgment.rationale, (first, second)),
        scale=prompt.scale,
        score_bin=index,
        prompt_version=prompts.name,
    )


def _first_readable(card: ScoreCard, aspect: Aspect) -> Judgment:
    for judgment in card.judgments:
        if judgment.aspect == aspect and judgment.scores is not None:
            return judgment
    raise ValueError(f"no readable {aspect} judgment of triplet {card.triplet.id}")


class Tiers(Stage):
    """Make preference pairs from the teacher's scores, in the form of annotators' tiered rankings.

    In each dimension the candidates of a group are sorted by score; a new tier starts where the score is at least
    `min_gap` below the previous candidate's. Candidates of one tier are not compared.
    """

    version: ClassVar[int] = 1
    takes: ClassVar[type[Record] | None] = ScoreCard
    gives: ClassVar[type[Record]] = PreferencePair

    min_gap: float = Field(gt=0, le=10)
    """Smallest score difference that starts a new tier, on the 0 to 10 scale."""
    dimensions: tuple[Dimension, ...] = Field(DIMENSIONS, min_length=1)
    """Dimensions to rank in; each gives its own pairs."""

    def run(self, rows: Iterable[Any], ctx: Context) -> Iterator[Record | Drop | Fail]:
        """Yield the pairs of each group; the cards of a group without pairs are dropped as `one_tier`."""
        for _, cards in groups(rows):
            usable = [card for card in cards if all(card.value(name) is not None for name in self.dimensions)]
            yield from (Fail(row_id(card), "no score to rank by", card) for card in cards if card not in usable)
            pairs = [pair for name in self.dimensions for pair in tier_pairs(usable, name, self.min_gap)]
            yield from pairs or (Drop(row_id(card), "one_tier", card) for card in usable)


def tier_pairs(cards: Sequence[ScoreCard], dimension: Dimension, min_gap: float) -> Iterator[PreferencePair]:
    """Yield every pair of cards of different tiers, better first. Every card needs a value in the dimension."""
    scores = {card.triplet.id: value for card in cards if (value := card.value(dimension)) is not None}
    triplets = {card.triplet.id: card.triplet for card in cards}
    for (high, upper), (low, lower) in combinations(enumerate(tiers_of_scores(scores, min_gap)), 2):
        for better in upper:
            for worse in lower:
                yield PreferencePair.of(triplets[better], triplets[worse], dimension, tier_gap=low - high)
