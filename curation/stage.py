"""What a curation stage is: rows in; kept rows, `Drop` and `Fail` out, never mixed."""

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
    """An input image before anyone asks for an edit; what a source stage gives."""

    id: str
    image: ImageRef
    source: str
    """What must not be in both training and benchmark: the id of the photograph this image was cut from."""
    licence: str
    """As the photograph's publisher states it."""
    details: dict[str, Any]
    """Whatever later stages of the same world need to know (crop box, objects, ...); JSON values only."""


@dataclass(frozen=True)
class Drop:
    """A row left out on purpose."""

    row_id: str
    reason: str
    """In snake_case; counted in the report."""
    row: Record | None = None
    """The row itself, which is kept beside its reason; None where there is nothing to keep."""


@dataclass(frozen=True)
class Fail:
    """A row that could not be processed."""

    row_id: str
    error: str
    """One line: what happened."""
    row: Record | None = None
    """The row that could not be processed, or that nothing could be made of."""


@dataclass(frozen=True)
class Context:
    """What a stage may know besides its rows and its parameters."""

    root: Path
    """Data root: image references are relative to it."""
    seed: int
    """The recipe's; draw with `io.rng(ctx.seed, row.id)`, never from a global generator."""
    shard: int
    """0 to shards - 1. A stage with scope "dataset" sees shard 0 of 1."""
    shards: int
    images: ImageStore
    engines: Mapping[str, Engine]
    """The recipe's engines by role, built when first asked for."""


class Stage(BaseModel):
    """One step of curation; its fields are its recipe parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: ClassVar[int] = 1
    """Raise it when the code starts to give other rows for the same parameters."""
    scope: ClassVar[Literal["shard", "dataset"]] = "shard"
    """"shard": `rows` is one shard of whole groups. "dataset": `rows` is everything."""
    takes: ClassVar[type[Record] | None]
    """Type of the rows read; None for a source, which is called once per shard with no rows and yields its share."""
    gives: ClassVar[type[Record]]

    def run(self, rows: Iterable[Any], ctx: Context) -> Iterator[Record | Drop | Fail]:
        """Yield an outcome for every row: kept (or made) rows, `Drop` or `Fail`.

        The rows of a group follow each other. The output must not depend on which other groups share the shard.
        Errors in `FATAL` may be raised and end the run; anything that concerns one row must become its `Fail`.
        """
        raise NotImplementedError

    def samplings(self) -> Mapping[str, Sampling]:
        """Roles of the recipe's engines that the stage asks, with how it samples: checked when the recipe loads.

        The engines are part of its marker. The option of the stage is called `sampling`.
        """
        return {}

    def problems(self, engines: Mapping[str, Engine], *where: str | int) -> Iterator[InitErrorDetails]:
        """What is wrong with it beside these engines of its recipe, for `recipe.refuse`; `where` is its own place."""
        yield from ()

    def resolved(self: StageT, engines: Mapping[str, Engine]) -> StageT:
        """The stage with what it leaves to its recipe's engines."""
        return self

    @property
    def needs_device(self) -> bool:
        """Whether it runs a model: the processes of `runtime.devices` work on it then, not those of `workers`."""
        return bool(self.samplings())

    def setup(self, ctx: Context) -> None:
        """Load what every shard needs: called once in each process that works on the stage, before `run`.

        `ctx` is that of the process's first shard. What is loaded goes into private attributes.
        """

    def teardown(self) -> None:
        """Free what `setup` has loaded, also when that did not finish."""

    def stand_in(self) -> Stage:
        """What takes its place in a dry run: needs no model and little time, and reads and gives the same records."""
        if self.needs_device:
            raise NotImplementedError(f"{type(self).__name__} runs a model, so it needs a stand-in for dry runs")
        return self

    def depends_on(self) -> dict[str, str]:
        """Identities of whatever else can change the output (editors, shipped files): part of its marker."""
        return {}


class Filter(Stage):
    """A stage that decides about each row by itself."""

    takes: ClassVar[type[Record] | None] = EditTriplet
    gives: ClassVar[type[Record]] = EditTriplet

    def check(self, row: Any, ctx: Context) -> str | None:
        """None keeps the row; a snake_case string is the reason to drop it."""
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
        """None keeps the group; a snake_case string is the reason to drop all of it."""
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
    """(group id, rows) for each run of rows of one group. Shards hold the rows of a group next to each other."""
    for key, members in groupby(rows, key=group_id):
        yield key, list(members)


def row_id(row: Record) -> str:
    """The id a row is counted and reported under."""
    if isinstance(row, ScoreCard):
        return row.triplet.id
    if isinstance(row, (Photo, EditTask, EditTriplet, SFTExample, PreferencePair)):
        return row.id
    raise TypeError(f"{type(row).__name__} is not a record of curation")


def task_of(row: Record) -> EditTask | None:
    """The task a row belongs to; None for rows from before there is one (`Photo`) or that do not carry it."""
    if isinstance(row, EditTask):
        return row
    if isinstance(row, (EditTriplet, PreferencePair)):
        return row.task
    return row.triplet.task if isinstance(row, ScoreCard) else None


def group_id(row: Record) -> str:
    """What keeps rows together in a shard: the task's id, or the row's own id where there is no task."""
    task = task_of(row)
    return row_id(row) if task is None else task.id


def describe_error(error: Exception) -> str:
    """One line for a `Fail`: the error's kind and message."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
