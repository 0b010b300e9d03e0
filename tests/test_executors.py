from __future__ import annotations

import os
import signal
from dataclasses import dataclass

import pytest

from curation.executors import LocalExecutor
from editjudge.errors import EditJudgeError, StorageError


@dataclass(frozen=True)
class Item:
    """A number with a name."""

    number: int

    def __str__(self) -> str:
        return f"item {self.number}"


def square(item: Item) -> int:
    return item.number**2


def who(item: Item) -> int:
    return os.getpid()


def full_at_two(item: Item) -> int:
    if item.number == 2:
        raise StorageError("no space left")
    return item.number


def broken_at_two(item: Item) -> int:
    return 1 // (item.number - 2)


def killed_at_two(item: Item) -> int:
    if item.number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return item.number


ITEMS = [Item(number) for number in range(5)]


@pytest.mark.parametrize("workers", [1, 3])
def test_every_item_is_done_once(workers):
    with LocalExecutor(square, workers) as pool:
        for _ in range(2):
            assert dict(pool.run(ITEMS)) == {item: item.number**2 for item in ITEMS}
        assert list(pool.run([])) == []


def test_one_worker_is_this_process_and_more_are_others():
    with LocalExecutor(who, 1) as pool:
        assert {pid for _, pid in pool.run(ITEMS)} == {os.getpid()}
    with LocalExecutor(who, 2) as pool:
        pids = {pid for _, pid in pool.run(ITEMS)}
    assert len(pids) == 2
    assert os.getpid() not in pids


@pytest.mark.parametrize("workers", [1, 2])
def test_a_users_error_arrives_as_it_is(workers):
    with pytest.raises(StorageError, match="no space left"), LocalExecutor(full_at_two, workers) as pool:
        list(pool.run(ITEMS))


def test_a_bug_arrives_with_its_item_and_its_traceback():
    told = pytest.raises(RuntimeError, match=r"(?s)item 2.*broken_at_two.*ZeroDivisionError")
    with told, LocalExecutor(broken_at_two, 2) as pool:
        list(pool.run(ITEMS))


def test_a_worker_that_dies_is_reported_with_its_item():
    told = pytest.raises(EditJudgeError, match=r"item 2: .*SIGKILL")
    with told, LocalExecutor(killed_at_two, 2) as pool:
        list(pool.run(ITEMS))


def test_no_workers_is_a_mistake():
    with pytest.raises(ValueError, match="at least 1"):
        LocalExecutor(square, 0)
