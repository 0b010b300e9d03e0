"""Launching the processes of a run, and ending them when their launcher has died."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from editjudge.system.provenance import cores

_LAUNCHER = "EDITJUDGE_LAUNCHER_PID"
_CPU_PROCESSES = 2
"""Processes with DeepSpeed on a machine without a GPU: enough for a distributed run, few enough for a laptop."""


@dataclass(frozen=True)
class World:
    """The position of this process in its run."""

    rank: int
    size: int
    launched: bool
    """Whether deepspeed, torchrun or accelerate started it."""

    @property
    def main(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    @classmethod
    def from_environment(cls) -> World:
        """Read the launcher's environment variables."""
        if "RANK" not in os.environ:
            return cls(0, 1, False)
        return cls(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), True)


def process_count(wanted: int | Literal["auto"], deepspeed: bool) -> int:
    """Return the number of processes to start on this machine."""
    if wanted != "auto":
        return wanted
    import torch

    gpus: int = torch.cuda.device_count()
    if gpus:
        return gpus
    return min(_CPU_PROCESSES, cores()) if deepspeed else 1


def launch_command(script: Path, arguments: Sequence[str], deepspeed: bool, processes: int, port: int) -> list[str]:
    """Return the command that runs `script` in this number of processes on this machine."""
    if deepspeed:
        launcher = ["deepspeed.launcher.runner", "--num_gpus", str(processes), "--log_level", "error"]
        launcher += ["--master_addr", "127.0.0.1", "--master_port", str(port)]
    else:
        launcher = ["torch.distributed.run", "--nproc_per_node", str(processes)]
        launcher += ["--master_addr", "127.0.0.1", "--master_port", str(port)]
    return [sys.executable, "-m", *launcher, str(script), *arguments]


def launch(script: Path, arguments: Sequence[str], deepspeed: bool, processes: int) -> int:
    """Run `script` in this number of processes and return the exit status. They end when this process does."""
    environment = {"OMP_NUM_THREADS": "1", **os.environ, _LAUNCHER: str(os.getpid())}
    command = launch_command(script, arguments, deepspeed, processes, free_port())
    return subprocess.run(command, env=environment, check=False).returncode


def free_port() -> int:
    """Return a TCP port of this machine that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def end_with_launcher() -> None:
    """End this process within a second or two of its launcher's death, for any cause.

    Orphans would keep training, and writing, beside the user's next run.
    """
    parent = os.getppid()
    launcher = int(os.environ[_LAUNCHER]) if _LAUNCHER in os.environ else None

    def watch() -> None:
        while os.getppid() == parent and (launcher is None or _alive(launcher)):
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _alive(pid: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
