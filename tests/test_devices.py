"""Work on several devices: which they are, what a process sees of them, failures, deaths, orphans."""

import os
import signal
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from children import NEVER_S, alive, children_of, start, wait_until

from editjudge.errors import CheckpointError, EngineError, RecipeError, StaleOutputError
from eval.checkpoints.devices import environment, resolve_devices, run_on_devices


@dataclass(frozen=True)
class Item:
    name: str

    def __str__(self):
        return f"item {self.name}"


def work(item: Item, out: Path) -> None:
    """What a process is told to do by the item's name."""
    print(f"working on {item}")
    match item.name:
        case "broken":
            raise CheckpointError("no weights")
        case "stale":
            raise StaleOutputError("another judge")
        case "bug":
            raise KeyError("oops")
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "slow":
            (out / "started").touch()
            time.sleep(NEVER_S)
    seen = f"{os.environ['CUDA_VISIBLE_DEVICES']}|{os.environ.get('OMP_NUM_THREADS')}|{os.getpid()}"
    (out / item.name).write_text(seen)


def run(devices, names, out):
    items = [Item(name) for name in names]
    return {str(item): error for item, error in run_on_devices(devices, partial(work, out=out), items, out / "logs")}


def test_every_item_is_done_once_each_process_with_its_device(tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    errors = run(["cuda:0", "cuda:1,2"], "abcd", tmp_path)
    assert errors == {f"item {name}": None for name in "abcd"}
    seen = {(tmp_path / name).read_text().rpartition("|")[::2] for name in "abcd"}
    assert {device.partition("|")[0] for device, _ in seen} == {"0", "1,2"}
    assert len({pid for _, pid in seen}) == 2
    assert "working on item" in (tmp_path / "logs" / "1-cuda1-2.log").read_text()


def test_on_the_cpu_the_cores_are_divided_and_no_gpu_is_seen(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert environment("cpu", 10_000) == {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert environment("cpu", 1)["OMP_NUM_THREADS"] == "3"


def test_devices_are_counted_within_what_is_visible(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6,7")
    assert resolve_devices("auto") == ("cuda:0", "cuda:1", "cuda:2")
    assert environment("cuda:1,2", 0) == {"CUDA_VISIBLE_DEVICES": "6,7"}
    with pytest.raises(RecipeError, match=r"runtime\.devices: cuda:3: .* 3 GPUs"):
        resolve_devices(["cuda:0", "cuda:3"])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4")
    assert resolve_devices("auto") == ()
    assert resolve_devices(["cpu", "cpu"]) == ("cpu", "cpu")


def test_one_items_failure_and_one_process_death_do_not_stop_the_others(tmp_path):
    errors = run(["cpu", "cpu"], ["broken", "killed", "a", "killed", "b"], tmp_path)
    assert isinstance(errors["item broken"], CheckpointError)
    assert isinstance(errors["item killed"], EngineError)
    assert "was ended by SIGKILL" in str(errors["item killed"])
    assert "logs/" in str(errors["item killed"])
    assert (tmp_path / "a").exists()
    assert (tmp_path / "b").exists()


@pytest.mark.parametrize(("name", "error"), [("stale", StaleOutputError), ("bug", RuntimeError)])
def test_any_other_error_ends_the_work_at_once(tmp_path, name, error):
    with pytest.raises(error, match=r"another judge|oops"):
        run(["cpu", "cpu"], ["slow", name], tmp_path)


ORPHANS = """
import sys
from functools import partial
from pathlib import Path
from test_devices import Item, work
from eval.checkpoints.devices import run_on_devices
if __name__ == "__main__":
    out = Path(sys.argv[1])
    list(run_on_devices(["cpu"], partial(work, out=out), [Item("slow")], out / "logs"))
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
