from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

import pytest
from curation_ground import make_context, make_group
from factories import make_task, make_triplet
from pydantic import ValidationError

from curation import STAGES
from curation.stage import Context, Drop, Fail, Filter, GroupFilter, Stage, group_id, groups, row_id
from editjudge.errors import StorageError
from editjudge.records.types import EditTriplet, ScoreCard


class Picky(Filter):
    """Drops "bad", cannot do "odd", and "full" breaks the machine."""

    def check(self, row: EditTriplet, ctx: Context) -> str | None:
        if row.id == "odd":
            raise ZeroDivisionError("one\nand a half")
        if row.id == "full":
            raise StorageError("disk full")
        return "is_bad" if row.id == "bad" else None


class PickyGroup(GroupFilter):
    """As `Picky`, by the first card's task."""

    def check_group(self, cards: Sequence[ScoreCard], ctx: Context) -> str | None:
        name = cards[0].triplet.task.id
        if name == "odd":
            raise ZeroDivisionError("no")
        return "is_bad" if name == "bad" else None


def test_a_filter_keeps_drops_and_fails_row_by_row(tmp_path):
    rows = [make_triplet(id=name) for name in ("good", "bad", "odd", "fine")]
    outcomes = list(Picky().run(rows, make_context(tmp_path)))
    assert outcomes == [
        rows[0],
        Drop("bad", "is_bad", rows[1]),
        Fail("odd", "ZeroDivisionError: one and a half", rows[2]),
        rows[3],
    ]


def test_a_machine_error_ends_the_shard_instead_of_failing_every_row(tmp_path):
    with pytest.raises(StorageError):
        list(Picky().run([make_triplet(id="full")], make_context(tmp_path)))


def test_a_group_filter_decides_for_the_whole_group(tmp_path):
    cards = [card for name in ("good", "bad", "odd") for card in make_group([1, 2], task_id=name)]
    outcomes = list(PickyGroup().run(cards, make_context(tmp_path)))
    assert outcomes[:2] == cards[:2]
    assert outcomes[2:4] == [Drop("bad-0", "is_bad", cards[2]), Drop("bad-1", "is_bad", cards[3])]
    assert outcomes[4:] == [Fail(row_id(card), "ZeroDivisionError: no", card) for card in cards[4:]]


def test_groups_are_runs_of_one_task():
    cards = make_group([1, 2], task_id="a") + make_group([3], task_id="b")
    assert [(key, [row_id(card) for card in members]) for key, members in groups(cards)] == [
        ("a", ["a-0", "a-1"]),
        ("b", ["b-0"]),
    ]


def test_group_and_row_ids():
    triplet = make_triplet(id="t", task=make_task(id="g"))
    assert (row_id(triplet), group_id(triplet)) == ("t", "g")
    assert (row_id(make_task(id="g")), group_id(make_task(id="g"))) == ("g", "g")


def test_unknown_parameters_are_refused():
    with pytest.raises(ValidationError):
        Picky(strictness=3)


@pytest.mark.parametrize("name", STAGES)
def test_every_stage_of_the_table_exists(name):
    module, _, attribute = STAGES[name].partition(":")
    found = getattr(import_module(module), attribute)
    assert issubclass(found, Stage)
    assert found.scope in ("shard", "dataset")
    assert found.gives is not None
    assert found.takes is not None or name == "photographs"
    assert import_module(module).__doc__
