"""Schema of curation recipes. Stages, parts and engines are checked against each other before a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic.alias_generators import to_snake
from pydantic_core import InitErrorDetails, PydanticCustomError

from curation import SINKS, STAGES
from curation.export.sinks import Sink, default_sinks
from curation.filters.leakage import CARRIES_SOURCE
from curation.stage import Stage
from editjudge.engines import ENGINES
from editjudge.engines.base import Engine, sampling_mistakes
from editjudge.recipes.recipe import Recipe
from editjudge.recipes.recipe_use import Use, about_to_run, mistake
from editjudge.records.types import Record
from editjudge.system.devices import Device

AnyStage = Annotated[Stage, Use(STAGES)]
PartName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]


class Part(BaseModel):
    """A share of the rows, selected by source, with its own stages and outputs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: tuple[str, ...] | None = Field(None, min_length=1)
    """Ids of photographs (or upstream rows); null for all that no other part names."""
    stages: tuple[AnyStage, ...] = ()
    """Stages for the rows of this part only, in order."""
    sinks: tuple[Annotated[Sink, Use(SINKS)], ...] | None = Field(None, min_length=1)
    """Output formats; null for JSONL, and for pairs also a table in EditReward-Bench's schema."""

    def written(self, given: type[Record]) -> tuple[type[Record], Sequence[Sink]]:
        """Return the record type that leaves the part, given the type that enters it, and the sinks."""
        record = next((stage.gives for stage in reversed(self.stages)), given)
        return record, default_sinks(record) if self.sinks is None else self.sinks


class Runtime(BaseModel):
    """Settings that cannot change a byte of the output."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    workers: int = Field(1, ge=1)
    """Processes for stages without a model."""
    devices: Literal["auto"] | tuple[Device, ...] = ()
    """For stages with a model: one process each, which loads it once. `auto`: every GPU. Empty: the first process."""


class CurationRecipe(Recipe):
    """Photographs to training set and benchmark."""

    shards: int = Field(8, ge=1, le=99_999)
    """Number of pieces of work; an interruption loses at most one for each worker."""
    engines: dict[str, Annotated[Engine, Use(ENGINES)]] = Field(default_factory=dict)
    """Models by role."""
    stages: tuple[AnyStage, ...] = Field(min_length=1)
    """Stages in order; the first is a source."""
    parts: dict[PartName, Part] = Field(min_length=1)
    """Parts by name; a row belongs to exactly one."""
    runtime: Runtime = Runtime()

    @model_validator(mode="after")
    def _fits_together(self, info: ValidationInfo) -> CurationRecipe:
        problems = [*self._stage_problems(), *self._engine_problems(), *self._part_problems()]
        problems += [found for loc, stage in self._places() for found in stage.problems(self.engines, *loc)]
        if about_to_run(info):
            problems += self._sampling_problems()
        if problems:
            raise ValidationError.from_exception_data("recipe", problems)
        return self

    def resolved(self) -> CurationRecipe:
        """Return the recipe with the judges' open settings filled in from the training of their engines' weights."""

        def filled(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
            return tuple(stage.resolved(self.engines) for stage in stages)

        parts = {name: part.model_copy(update={"stages": filled(part.stages)}) for name, part in self.parts.items()}
        return self.model_copy(update={"stages": filled(self.stages), "parts": parts})

    def describe(self) -> str:
        """Describe a run, one line per stage."""
        lines = [f"curation into {self.out}, {self.shards} shards, seed {self.seed}"]
        lines += [f"  {_line(stage)}" for stage in self.stages]
        for name, part in self.parts.items():
            lines.append(f"  part {name}: {', '.join(part.sources) if part.sources else 'all other sources'}")
            lines += [f"    {_line(stage)}" for stage in part.stages]
            sinks = part.written(self.stages[-1].gives)[1]
            lines.append(f"    written as {', '.join(Use(SINKS).dump(sink)['use'] for sink in sinks)}")
        return "\n".join(lines)

    def _stage_problems(self) -> list[InitErrorDetails]:
        problems = []
        if self.stages[0].takes is not None:
            problems.append(_problem(("stages", 0), self.stages[0], "the first stage must be a source"))
        problems += _misfits(self.stages[0].gives, self.stages[1:], ("stages",), first=1)
        last = self.stages[-1]
        if last.gives not in CARRIES_SOURCE:
            text = f"the last stage before the parts gives {last.gives.__name__}, which does not carry its source"
            problems.append(_problem(("stages", len(self.stages) - 1), last, text))
            return problems
        for name, part in self.parts.items():
            problems += _misfits(last.gives, part.stages, ("parts", name, "stages"), first=0)
            problems += _sink_problems(*part.written(last.gives), ("parts", name, "sinks"))
        return problems

    def _places(self) -> Iterator[tuple[tuple[str | int, ...], Stage]]:
        """Yield every stage with its place in the recipe."""
        yield from ((("stages", index), stage) for index, stage in enumerate(self.stages))
        for name, part in self.parts.items():
            yield from ((("parts", name, "stages", index), stage) for index, stage in enumerate(part.stages))

    def _sampling_problems(self) -> list[InitErrorDetails]:
        return [
            found
            for loc, stage in self._places()
            for role, sampling in stage.samplings().items()
            if role in self.engines
            for found in sampling_mistakes(self.engines[role], sampling, *loc, "sampling")
        ]

    def _engine_problems(self) -> list[InitErrorDetails]:
        known = ", ".join(self.engines) if self.engines else "none"
        return [
            _problem((*loc, "engine"), stage, f"no engine {role!r} in this recipe; known: {known}")
            for loc, stage in self._places()
            for role in stage.samplings()
            if role not in self.engines
        ]

    def _part_problems(self) -> list[InitErrorDetails]:
        rest = [name for name, part in self.parts.items() if part.sources is None]
        problems = []
        if len(rest) != 1:
            text = f"exactly one part has no `sources` and takes all the rest; here: {', '.join(rest) or 'none'}"
            problems.append(_problem(("parts",), None, text))
        named = Counter(source for part in self.parts.values() for source in part.sources or ())
        problems += [
            _problem(("parts",), None, f"source {source!r} is named {count} times; it belongs to one part")
            for source, count in named.items()
            if count > 1
        ]
        return problems


def use_name(stage: Stage) -> str:
    """Return the name of a stage in recipes, folders and reports."""
    target = f"{type(stage).__module__}:{type(stage).__qualname__}"
    return next((name for name, known in STAGES.items() if known == target), to_snake(type(stage).__name__))


def _line(stage: Stage) -> str:
    values = stage.model_dump(mode="json")
    shown = ", ".join(f"{key} {value if not isinstance(value, dict) else len(value)}" for key, value in values.items())
    return f"{use_name(stage)} -> {stage.gives.__name__}{': ' + shown if shown else ''}"


def _misfits(
    given: type[Record], stages: tuple[Stage, ...], loc: tuple[str, ...], first: int
) -> list[InitErrorDetails]:
    """Return an error for each stage that cannot read the rows of the stage before it.

    `first`: index in the recipe of the first of `stages`.
    """
    problems = []
    for index, stage in enumerate(stages, start=first):
        if stage.takes is None:
            problems.append(_problem((*loc, index), stage, "a source can only be the first of all stages"))
        elif not issubclass(given, stage.takes):
            text = f"takes {stage.takes.__name__}, but the stage before gives {given.__name__}"
            problems.append(_problem((*loc, index), stage, text))
        given = stage.gives
    return problems


def _sink_problems(record: type[Record], sinks: Sequence[Sink], loc: tuple[str, ...]) -> Iterator[InitErrorDetails]:
    for index, sink in enumerate(sinks):
        if not issubclass(record, sink.takes):
            yield mistake(f"takes {sink.takes.__name__}, but the part gives {record.__name__}", *loc, index)
        if any(isinstance(other, type(sink)) for other in sinks[:index]):
            yield mistake("is there twice; both would write to one place", *loc, index)


def _problem(loc: tuple[str | int, ...], stage: Stage | None, text: str) -> InitErrorDetails:
    shown = text if stage is None else f"`{use_name(stage)}`: {text}"
    # pydantic shows "unknown_use" without an input as the text alone, without ", got ...".
    return InitErrorDetails(type=PydanticCustomError("unknown_use", "{text}", {"text": shown}), loc=loc, input=None)
