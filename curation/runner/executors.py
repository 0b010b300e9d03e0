"""Executors for the passes of a run."""

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
"""Returns the executor for a pass and its number of tasks."""
Executors = Callable[[Work, Runtime], AbstractContextManager[Opening]]
"""Opened once per run. Tasks may run in any order and on any machine that can access the folder of the run."""


@contextmanager
def local_executors(work: Work, runtime: Runtime) -> Iterator[Opening]:
    """Run passes on this machine. A pass with a model gets one process for each of `runtime.devices`, which loads it
    once, or this process when the list is empty. The others share `runtime.workers` processes for the whole run.

    Raises `RecipeError` for a device that does not exist here.
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
