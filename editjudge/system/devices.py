"""Devices of worker processes, and the environment variables that assign them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import StringConstraints

from editjudge.errors import RecipeError
from editjudge.system.provenance import cores, gpu_names
from editjudge.system.workers import Seat

Device = Annotated[str, StringConstraints(pattern=r"^(cpu|cuda:\d+(,\d+)*)$")]
"""`cpu`, `cuda:3`, or `cuda:0,1` for an engine that spreads a model over several GPUs."""


def resolve_devices(wanted: Literal["auto"] | Sequence[str]) -> tuple[str, ...]:
    """Return the devices to use; empty for this process alone. Raises `RecipeError` for a missing GPU."""
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
    """Return the GPUs of a device: `cuda:0,1` -> [0, 1], `cpu` -> []."""
    _, _, numbers = device.partition(":")
    return [int(number) for number in numbers.split(",") if number]


def environment(device: str, n_on_cpu: int) -> dict[str, str]:
    """Return the variables that assign a device to a process. On the CPU, `n_on_cpu` processes share the cores."""
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    if device == "cpu":
        threads = os.environ.get("OMP_NUM_THREADS", str(max(1, cores() // n_on_cpu)))
        return {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": threads}
    names = None if shown is None else [name for name in shown.split(",") if name]
    chosen = [str(number) if names is None else names[number] for number in _numbers(device)]
    return {"CUDA_VISIBLE_DEVICES": ",".join(chosen)}


def seats(devices: Sequence[str], logs: Path) -> list[Seat]:
    """Return a seat for each device; its worker's output is appended to `logs/<place>-<device>.log`."""
    on_cpu = sum(device == "cpu" for device in devices)
    return [
        Seat(environment(device, on_cpu), logs / f"{place}-{device.replace(':', '').replace(',', '-')}.log")
        for place, device in enumerate(devices)
    ]
