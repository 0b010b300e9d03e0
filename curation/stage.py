"""Interface of curation stages: rows in; kept rows, `Drop` and `Fail` out as separate types."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic_core import InitErrorDetails

from editjudge.errors import FATAL
from editjudge.images.store import ImageStore
from editjudge.records.types import EditTask, EditTriplet, ImageRef, PreferencePair, Record, ScoreCard, SFTExample

if TYPE_CHECKING:
    from editjudge.engines.base import Engine, Sampling


StageT = TypeVar("StageT", bound="Stage")


class Photo(Record):
    """An input image without an edit instruction; source stages yield it."""

    id: str
    image: ImageRef
    source: str
    """Id of the original photograph; it must not occur in both training set and benchmark."""
    licence: str
    """Licence as stated by the photograph's publisher."""
    details: dict[str, Any]
    """Data for later stages of the same world (crop box, objects, ...); JSON values only."""


@dataclass(frozen=True)
class Drop:
    """A row that a stage drops on purpose."""

    row_id: str
    reason: str
    """Reason in snake_case; counted in the report."""
    row: Record | None = None
    """The row itself, stored with its reason; None when there is nothing to store."""


@dataclass(frozen=True)
class Fail:
    """A row that could not be processed."""

    row_id: str
    error: str
    """Error message in one line."""
    row: Record | None = None
    """The row that could not be processed, or that gave no result."""


@dataclass(frozen=True)
class Context:
    """Environment of a stage, besides its rows and parameters."""

    root: Path
    """Data root: image references are relative to it."""
    seed: int
    """Seed of the recipe; draw with `io.rng(ctx.seed, row.id)`, never from a global generator."""
    shard: int
    """0 to shards - 1. A stage with scope "dataset" sees shard 0 of 1."""
    shards: int
    images: ImageStore
    engines: Mapping[str, Engine]
    """The recipe's engines by role, built at first use."""


class Stage(BaseModel):
    """One step of curation; its fields are its recipe parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: ClassVar[int] = 1
    """Increase it when the code yields other rows for the same parameters."""
    scope: ClassVar[Literal["shard", "dataset"]] = "shard"
    """"shard": `rows` is one shard of whole groups. "dataset": `rows` is everything."""
    takes: ClassVar[type[Record] | None]
    """Type of the input rows; None for a source, which is called once per shard without rows and yields its share."""
    gives: ClassVar[type[Record]]

    def run(self, rows: Iterable[Any], ctx: Context) -> Iterator[Record | Drop | Fail]:
        """Yield an outcome for every row: kept (or made) rows, `Drop` or `Fail`.

        Rows of a group are consecutive. The output must not depend on the other groups of the shard.
        Errors in `FATAL` may be raised and end the run; an error that concerns one row must become its `Fail`.
        """
        raise NotImplementedError

    def samplings(self) -> Mapping[str, Sampling]:
        """Return the roles of the recipe's engines that the stage uses, with its sampling; checked at load time.

        The engines are part of its marker. The option of the stage is called `sampling`.
        """
        return {}

    def problems(self, engines: Mapping[str, Engine], *where: str | int) -> Iterator[InitErrorDetails]:
        """Yield conflicts with the engines of its recipe, for `recipe.refuse`; `where` is the stage's place."""
        yield from ()

    def resolved(self: StageT, engines: Mapping[str, Engine]) -> StageT:
        """Return the stage with open settings filled in from its recipe's engines."""
        return self

    @property
    def needs_device(self) -> bool:
        """Whether it runs a model: then the processes of `runtime.devices` run it, otherwise those of `workers`."""
        return bool(self.samplings())

    def setup(self, ctx: Context) -> None:
        """Load resources shared by all shards; called before `run`, once in each process that runs the stage.

        `ctx` is the context of the process's first shard. Loaded resources go into private attributes.
        """

    def teardown(self) -> None:
        """Free the resources of `setup`, also after an incomplete `setup`."""

    def stand_in(self) -> Stage:
        """Return its replacement in a dry run: fast, without a model, with the same input and output records."""
        if self.needs_device:
            raise NotImplementedError(f"{type(self).__name__} runs a model, so it needs a stand-in for dry runs")
        return self

    def depends_on(self) -> dict[str, str]:
        """Return identities of everything else that can change the output (editors, shipped files), for its marker."""
        return {}


class Filter(Stage):
    """A stage that decides about each row separately."""

    takes: ClassVar[type[Record] | None] = EditTriplet
    gives: ClassVar[type[Record]] = EditTriplet

    def check(self, row: Any, ctx: Context) -> str | None:
        """Return None to keep the row, or the reason to drop it, in snake_case."""
        raise NotImplementedError

    def run(self, rows: Iterable[Any], ctx: Context) -> Iterator[Record | Drop | Fail]:
        """Apply `check` to every row; an exception fails that row only."""
        for row in rows:
            try:
                reason = self.check(row, ctx)
            except FATAL:
                raise
            except Exception as error:
                yield Fail(row_id(row), describe_error(error), row)
                continue
            yield row if reason is None else Drop(row_id(row), reason, row)


class GroupFilter(Stage):
    """A stage that keeps or drops the score cards of one task together."""

    takes: ClassVar[type[Record] | None] = ScoreCard
    gives: ClassVar[type[Record]] = ScoreCard

    def check_group(self, cards: Sequence[ScoreCard], ctx: Context) -> str | None:
        """Return None to keep the group, or the reason to drop all of it, in snake_case."""
        raise NotImplementedError

    def run(self, rows: Iterable[Any], ctx: Context) -> Iterator[Record | Drop | Fail]:
        """Apply `check_group` to every group; an exception fails the rows of that group only."""
        for _, cards in groups(rows):
            try:
                reason = self.check_group(cards, ctx)
            except FATAL:
                raise
            except Exception as error:
                yield from (Fail(row_id(card), describe_error(error), card) for card in cards)
                continue
            yield from (card if reason is None else Drop(row_id(card), reason, card) for card in cards)


def groups(rows: Iterable[Any]) -> Iterator[tuple[str, list[Any]]]:
    """Yield (group id, rows) for consecutive rows of one group. Rows of a group are consecutive in shards."""
    for key, members in groupby(rows, key=group_id):
        yield key, list(members)


def row_id(row: Record) -> str:
    """Return the id under which a row is counted and reported."""
    if isinstance(row, ScoreCard):
        return row.triplet.id
    if isinstance(row, (Photo, EditTask, EditTriplet, SFTExample, PreferencePair)):
        return row.id
    raise TypeError(f"{type(row).__name__} is not a record of curation")


def task_of(row: Record) -> EditTask | None:
    """Return the task of a row; None for rows without one (`Photo`) or that do not contain it."""
    if isinstance(row, EditTask):
        return row
    if isinstance(row, (EditTriplet, PreferencePair)):
        return row.task
    return row.triplet.task if isinstance(row, ScoreCard) else None


def group_id(row: Record) -> str:
    """Return the id that keeps rows together in a shard: the task's, or the row's own when it has no task."""
    task = task_of(row)
    return row_id(row) if task is None else task.id


def describe_error(error: Exception) -> str:
    """Return one line for a `Fail`: the error's type and message."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
