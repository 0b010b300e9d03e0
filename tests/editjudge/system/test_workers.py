"""One function on many items: here and in processes, their surroundings, failures, deaths, orphans."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from children import alive, children_of, start, wait_until
from workers_ground import Item, sleep

from editjudge.errors import StorageError, WorkerError
from editjudge.system.workers import Seat, Workers

ITEMS = [Item(number) for number in range(5)]


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


def speak(item: Item) -> tuple[str, int]:
    print(f"working on {item}", flush=True)
    return os.environ["COLOUR"], os.getpid()


@dataclass
class Closing:
    """Works, and writes down that it was closed."""

    out: Path

    def __call__(self, item: Item) -> int:
        return os.getpid()

    def close(self) -> None:
        (self.out / f"closed-{os.getpid()}").touch()


def results(workers, items=ITEMS):
    return {item: future.result() for item, future in workers.run(items)}


@pytest.mark.parametrize("processes", [0, 3])
def test_every_item_is_done_once(processes):
    with Workers(square, [Seat()] * processes) as workers:
        for _ in range(2):
            assert results(workers) == {item: item.number**2 for item in ITEMS}
        assert results(workers, []) == {}


def test_without_seats_it_is_this_process_and_with_them_others_that_stay():
    with Workers(who) as workers:
        assert {*results(workers).values()} == {os.getpid()}
    with Workers(who, [Seat()] * 2) as workers:
        pids = {*results(workers).values()} | {*results(workers).values()}
    assert len(pids) == 2
    assert os.getpid() not in pids
    assert not any(alive(pid) for pid in pids)


def test_each_worker_has_its_environment_and_its_log(tmp_path):
    seats = [Seat({"COLOUR": name}, tmp_path / "logs" / f"{name}.log") for name in ("red", "blue")]
    with Workers(speak, seats) as workers:
        seen = {*results(workers).values()}
    assert {colour for colour, _ in seen} == {"red", "blue"}
    assert len(seen) == 2
    text = "".join((tmp_path / "logs" / f"{name}.log").read_text() for name in ("red", "blue"))
    assert sorted(text.splitlines()) == [f"working on {item}" for item in ITEMS]


@pytest.mark.parametrize("processes", [0, 2])
def test_what_is_open_is_closed_where_it_was_used(processes, tmp_path):
    with Workers(Closing(tmp_path), [Seat()] * processes) as workers:
        pids = {*results(workers).values()}
        assert not list(tmp_path.iterdir())
    assert {path.name for path in tmp_path.iterdir()} == {f"closed-{pid}" for pid in pids}


@pytest.mark.parametrize("processes", [0, 2])
def test_a_users_error_arrives_as_it_is_and_the_others_can_go_on(processes):
    with Workers(full_at_two, [Seat()] * processes) as workers:
        found = dict(workers.run(ITEMS))
    with pytest.raises(StorageError, match="no space left"):
        found.pop(ITEMS[2]).result()
    assert {item: future.result() for item, future in found.items()} == {i: i.number for i in ITEMS if i.number != 2}


def test_a_bug_arrives_with_its_item_and_its_traceback():
    told = pytest.raises(RuntimeError, match=r"(?s)item 2.*broken_at_two.*ZeroDivisionError")
    with told, Workers(broken_at_two, [Seat()] * 2) as workers:
        results(workers)


def test_a_worker_that_dies_is_named_with_its_item_and_replaced(tmp_path):
    seats = [Seat(log=tmp_path / "a.log")]
    with Workers(killed_at_two, seats) as workers:
        found = dict(workers.run(ITEMS))
    with pytest.raises(WorkerError, match=r"item 2: .*SIGKILL.*memory.*a\.log"):
        found.pop(ITEMS[2]).result()
    assert [future.result() for future in found.values()] == [0, 1, 3, 4]


def test_a_worker_that_died_while_idle_costs_one_item():
    with Workers(who, [Seat()]) as workers:
        (pid,) = {*results(workers).values()}
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not alive(pid))
        found = list(workers.run(ITEMS[:2]))
        with pytest.raises(WorkerError, match=r"item 0: .*SIGTERM"):
            found[0][1].result()
        assert found[1][1].result() != pid


def sleep_until_interrupted(folder: Path) -> None:
    """Its one item never ends; a signal interrupts the wait for it when the worker is at work."""
    signal.signal(signal.SIGUSR1, interrupt)
    with Workers(partial(sleep, out=folder), [Seat()]) as workers:
        start([str(write_signal(folder)), str(os.getpid()), str(folder / "started")])
        next(workers.run(ITEMS))


def test_an_interrupt_stops_what_is_at_work(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        sleep_until_interrupted(tmp_path)


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def write_signal(folder: Path) -> Path:
    """A program that sends SIGUSR1 to a process when a file is there."""
    code = "import os, signal, sys, time\nwhile not os.path.exists(sys.argv[2]): time.sleep(0.01)\n"
    path = folder / "send.py"
    path.write_text(code + "os.kill(int(sys.argv[1]), signal.SIGUSR1)\n")
    return path


ORPHANS = """
import sys
from functools import partial
from pathlib import Path
from workers_ground import Item
from workers_ground import sleep
from editjudge.system.workers import Seat, Workers
if __name__ == "__main__":
    with Workers(partial(sleep, out=Path(sys.argv[1])), [Seat()]) as workers:
        list(workers.run([Item(0)]))
"""


def test_processes_end_with_a_killed_parent(tmp_path):
    (tmp_path / "orphans.py").write_text(ORPHANS)
    parent = start([str(tmp_path / "orphans.py"), str(tmp_path)])
    wait_until((tmp_path / "started").exists, parent)
    children = children_of(parent.pid)
    assert children
    parent.kill()
    parent.communicate()
    wait_until(lambda: not any(alive(pid) for pid in children))


def test_nothing_heavy_is_loaded_before_the_environment_is_set():
    code = "import sys, editjudge.system.workers; print({'numpy', 'torch', 'PIL', 'pydantic'} & {*sys.modules})"
    process = start(["-c", code])
    assert process.communicate()[0].strip() == "set()", sys.version
