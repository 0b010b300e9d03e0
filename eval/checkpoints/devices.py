"""Work shared by several devices: one process for each, one item at a time.

Nothing heavy may be imported here: a process chooses its device before it loads what it has to do.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Literal, TypeVar

from editjudge.errors import CheckpointError, EditJudgeError, EngineError, RecipeError
from editjudge.system.processes import sendable, serve_parent
from editjudge.system.provenance import cores, gpu_names

Item = TypeVar("Item")

FAILURES = (CheckpointError, EngineError)
"""What concerns one item only; the others continue. Anything else ends the work."""


def resolve_devices(wanted: Literal["auto"] | Sequence[str]) -> tuple[str, ...]:
    """The devices to use; empty for this process alone. `RecipeError` for a GPU that is not here."""
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    gpus = [name for name in shown.split(",") if name] if shown is not None else [*map(str, range(len(gpu_names())))]
    if wanted == "auto":
        return tuple(f"cuda:{number}" for number in range(len(gpus))) if len(gpus) > 1 else ()
    for device in wanted:
        beyond = [number for number in _numbers(device) if number >= len(gpus)]
        if beyond:
            raise RecipeError("recipe", [f"runtime.devices: {device}: this machine shows {len(gpus)} GPUs"])
    return tuple(wanted)


def _numbers(device: str) -> list[int]:
    """GPUs of a device: `cuda:0,1` -> [0, 1], `cpu` -> []."""
    _, _, numbers = device.partition(":")
    return [int(number) for number in numbers.split(",") if number]


def environment(device: str, n_on_cpu: int) -> dict[str, str]:
    """The variables that give a process its device. On the CPU the cores are divided by `n_on_cpu` processes."""
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    if device == "cpu":
        threads = os.environ.get("OMP_NUM_THREADS", str(max(1, cores() // n_on_cpu)))
        return {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": threads}
    names = None if shown is None else [name for name in shown.split(",") if name]
    chosen = [str(number) if names is None else names[number] for number in _numbers(device)]
    return {"CUDA_VISIBLE_DEVICES": ",".join(chosen)}


@dataclass
class _Worker:
    place: int
    process: BaseProcess
    connection: Connection[Any, Any]
    log: Path


def run_on_devices(
    devices: Sequence[str], function: Callable[[Item], None], items: Sequence[Item], logs: Path
) -> Iterator[tuple[Item, EditJudgeError | None]]:
    """Call `function` on every item, and give (item, None or one of `FAILURES`) as they become ready, in any order.

    `function` and the items are pickled; `str(item)` names an item in messages. What a process prints is appended to
    `logs/<place>-<device>.log`. A process that dies is a failure of its item and is replaced. Any other error is
    raised here and ends all.
    """
    waiting = list(reversed(items))
    busy: dict[Any, tuple[_Worker, Item]] = {}
    idle = [_start(place, devices, function, logs) for place in range(min(len(devices), len(items)))]
    everyone = {worker.place: worker for worker in idle}
    try:
        while waiting or busy:
            while idle and waiting:
                worker, item = idle.pop(0), waiting.pop()
                busy[worker.connection] = (worker, item)
                _send(worker, item)
            for connection in wait(list(busy)):
                worker, item = busy.pop(connection)
                error = _receive(worker, item)
                if not worker.process.is_alive() and waiting:
                    worker = everyone[worker.place] = _start(worker.place, devices, function, logs)
                if worker.process.is_alive():
                    idle.append(worker)
                yield item, error
    finally:
        for worker in everyone.values():
            worker.connection.close()
            if busy:  # an error or Ctrl-C: what they are doing is not wanted any more
                worker.process.terminate()
        for worker in everyone.values():
            worker.process.join()


def _start(place: int, devices: Sequence[str], function: Callable[[Any], None], logs: Path) -> _Worker:
    device = devices[place]
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"{place}-{device.replace(':', '').replace(',', '-')}.log"
    context = multiprocessing.get_context("spawn")  # a fork after CUDA or threads have started can hang
    ours, theirs = context.Pipe()
    variables = environment(device, sum(name == "cpu" for name in devices))
    process = context.Process(target=_serve, args=(theirs, variables, str(log)))
    process.start()
    # With our copy of their end closed, the death of the process is an end of file here.
    theirs.close()
    worker = _Worker(place, process, ours, log)
    _send(worker, function)
    return worker


def _send(worker: _Worker, value: object) -> None:
    """What cannot be sent to a process that died is noticed when its answer is read."""
    try:
        worker.connection.send(value)
    except (BrokenPipeError, ConnectionResetError):
        return


def _receive(worker: _Worker, item: object) -> EditJudgeError | None:
    try:
        error: Exception | None = worker.connection.recv()
    except (EOFError, ConnectionResetError):
        worker.process.join()
        code = worker.process.exitcode
        how = f"ended with status {code}"
        if code is not None and code < 0:
            how = f"was ended by {signal.Signals(-code).name}"
        hint = " (the system does this when memory runs out)" if code == -signal.SIGKILL else ""
        return EngineError(f"{item}: its process {how}{hint}; see {worker.log}; run the same command to resume")
    if error is None or isinstance(error, FAILURES):
        return error
    raise error


def _serve(connection: Connection[Any, Any], variables: dict[str, str], log: str) -> None:
    """A process: take the device, then the function, then one item after the other."""
    # Ctrl-C reaches the whole process group; only the parent answers it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.update(variables)
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(target, stream)
    serve_parent(connection, partial(_attempt, connection.recv()))


def _attempt(function: Callable[[Any], None], item: object) -> Exception | None:
    try:
        function(item)
    except Exception as error:
        traceback.print_exc()
        return sendable(error, item)
    return None
