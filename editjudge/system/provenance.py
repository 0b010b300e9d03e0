"""Provenance of results: `run.json` with recipe, versions, git commit, machine and seconds per phase."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

from editjudge.errors import DataError
from editjudge.files.io import read_json, write_json
from editjudge.files.paths import PROJECT

PACKAGES = (
    "editjudge",
    "pydantic",
    "numpy",
    "scipy",
    "Pillow",
    "torch",
    "torchvision",
    "transformers",
    "tokenizers",
    "trl",
    "peft",
    "accelerate",
    "datasets",
    "deepspeed",
    "flash-attn",
    "diffusers",
    "vllm",
    "ray",
    "label-studio-sdk",
    "scikit-image",
    "scikit-learn",
    "editscore",
)
"""Packages whose version can change a result."""

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""Environment variables that set the number of computing threads."""


class RunRecord:
    """Keeps `out/run.json` up to date. The record of earlier runs is kept under `earlier`."""

    def __init__(self, out: str | Path, recipe: Mapping[str, Any]) -> None:
        self.path = Path(out) / "run.json"
        self._seconds: dict[str, float] = {}
        self._record: dict[str, Any] = {
            "recipe": dict(recipe),
            "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "seconds": self._seconds,
            "command": sys.argv,
            "python": platform.python_version(),
            "versions": installed_versions(),
            "git": git_state(PROJECT),
            "machine": machine(),
            "earlier": _earlier(self.path),
        }
        write_json(self.path, self._record)

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds per phase so far; repeated phases are summed."""
        return dict(self._seconds)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time the block, also when it fails, and rewrite the file."""
        start = time.monotonic()
        try:
            yield
        finally:
            self._seconds[name] = round(self._seconds.get(name, 0.0) + time.monotonic() - start, 3)
            self._record["machine"] |= arithmetic()  # torch may be imported by now
            write_json(self.path, self._record)


def _earlier(path: Path) -> list[dict[str, Any]]:
    """Return start and duration of earlier runs in the folder; a damaged file is ignored."""
    try:
        record = read_json(path)
    except DataError:
        return []
    if not isinstance(record, dict) or "started" not in record:
        return []
    return [*record.get("earlier", []), {"started": record["started"], "seconds": record.get("seconds", {})}]


def installed_versions() -> dict[str, str]:
    """Return the version of each installed package of `PACKAGES`, without importing any."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def git_state(folder: Path) -> dict[str, Any] | None:
    """Return commit of the checkout in `folder` and whether tracked files were changed; None when it is no checkout."""
    if not (folder / ".git").exists():
        return None
    commit = _output(["git", "-C", str(folder), "rev-parse", "HEAD"])
    status = _output(["git", "-C", str(folder), "status", "--porcelain", "--untracked-files=no"])
    if commit is None or status is None:
        return None
    return {"commit": commit, "dirty": bool(status)}


def machine() -> dict[str, Any]:
    """Return CPU model, cores and memory available to this process (GiB), names of the GPUs, and `arithmetic()`."""
    return {
        "cpu": _cpu_model(),
        "cores": cores(),
        "memory_gb": memory_gb(),
        "gpus": gpu_names(),
        **arithmetic(),
    }


def arithmetic() -> dict[str, Any]:
    """Return what affects the rounding of floating-point sums: threads, BLAS libraries, and torch's instruction set.

    `threads` contains the variables that are set. torch's values appear once it is imported; it is not imported here.
    """
    threads: dict[str, Any] = {name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ}
    blas = {"numpy": _numpy_blas()}
    found: dict[str, Any] = {"threads": threads, "blas": blas}
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "get_num_threads"):  # not while it is being imported
        threads["torch"] = torch.get_num_threads()
        name = re.search(r"BLAS_INFO=(\w+)", torch.__config__.show())
        blas["torch"] = name.group(1) if name else "unknown"
        found["cpu_capability"] = torch.backends.cpu.get_cpu_capability()
    return found


def _numpy_blas() -> str:
    """Return name and version of numpy's BLAS library."""
    import numpy as np

    config: dict[str, Any] = np.show_config(mode="dicts")  # type: ignore[assignment]
    blas = config.get("Build Dependencies", {}).get("blas", {})
    return f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip()


def cores() -> int:
    """Return the number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def memory_gb() -> float:
    """Return the memory of the machine, or of the container when that is less, in GiB."""
    sizes = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(limit).read_text(encoding="utf-8").strip()
        except OSError:
            continue
        sizes += [int(text)] if text.isdecimal() else []
    return round(min(sizes) / 2**30, 1)


def gpu_names() -> list[str]:
    """Return GPU names from nvidia-smi; empty when it is missing or does not answer."""
    answer = _output(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"])
    return answer.splitlines() if answer else []


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()


def _output(command: list[str]) -> str | None:
    """Return the output of a program; None when it is missing, fails or takes longer than ten seconds."""
    if shutil.which(command[0]) is None:
        return None
    try:
        done = subprocess.run(command, capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None
