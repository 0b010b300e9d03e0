"""Where the passes of a run are worked on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

from curation.recipe import Runtime
from curation.runner.steps import Pass
from curation.runner.work import Tally, Task, Work
from editjudge.system.devices import resolve_devices, seats
from editjudge.system.workers import Executor, Seat, Workers

TaskExecutor = Executor[Task, dict[str, Tally]]
Opening = Callable[[Pass, int], AbstractContextManager[TaskExecutor]]
"""Given a pass and the number of its tasks, the executor to use for them."""
Executors = Callable[[Work, Runtime], AbstractContextManager[Opening]]
"""Opened once for a run. Tasks may run in any order and on any machine that sees the folder of the run."""


@contextmanager
def local_executors(work: Work, runtime: Runtime) -> Iterator[Opening]:
    """This machine. A pass that needs a device gets one process for each of `runtime.devices`, in which its model is
    loaded once, or this process where none is named. The others share `runtime.workers` processes, kept for the run.

    Raises `RecipeError` for a device that is not here.
    """
    devices = resolve_devices(runtime.devices)
    processes = [Seat()] * runtime.workers if runtime.workers > 1 else []
    with Workers[Task, dict[str, Tally]](replace(work, engines={}), processes) as pool:

        @contextmanager
        def executor(steps: Pass, n_tasks: int) -> Iterator[TaskExecutor]:
            needs_device = any(step.stage.needs_device for step in steps)
            if needs_device or n_tasks == 1:
                places = seats(devices, work.out / "devices") if needs_device else []
                with Workers[Task, dict[str, Tally]](work, places) as own:
                    yield own
            else:
                yield pool

        yield executor
