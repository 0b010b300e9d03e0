"""Choose the build of torch for a new environment: print arguments for pip, and an explanation on standard error.

    python scripts/torch_build.py 'torch>=2.11,<2.14'

Without an NVIDIA GPU the ordinary build is gigabytes of unused CUDA; PyTorch's own index has CPU builds.
EDITJUDGE_TORCH=cpu or =cuda overrides the detection of a GPU; EDITJUDGE_TORCH_INDEX names a mirror of that index.
Runs before anything is installed: it needs only Python.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
TIMEOUT_S = 10.0
"""Time-out for the index, short: an unreachable index must not delay an installation."""
DRIVER_FILES = (Path("/proc/driver/nvidia/version"), Path("/dev/nvidia0"))
"""They exist when NVIDIA's driver is loaded, also in containers without nvidia-smi."""


def main(requirement: str) -> int:
    """Print pip's arguments; return 2 for an invalid EDITJUDGE_TORCH."""
    choice = os.environ.get("EDITJUDGE_TORCH", "") or "auto"
    if choice not in ("auto", "cpu", "cuda"):
        print(f"EDITJUDGE_TORCH={choice}: expected cpu, cuda or auto", file=sys.stderr)
        return 2
    if choice == "cuda" or platform.system() != "Linux" or os.environ.get("PIP_NO_INDEX"):
        return 0  # other systems have CPU builds only
    if (choice == "auto" and has_nvidia_gpu()) or is_satisfied(requirement):
        return 0
    why = "EDITJUDGE_TORCH=cpu" if choice == "cpu" else "No NVIDIA GPU here (EDITJUDGE_TORCH=cuda overrides this)"
    index = (os.environ.get("EDITJUDGE_TORCH_INDEX") or CPU_INDEX).rstrip("/")
    problem = missing_from(index, requirement)
    if problem is not None:
        print(f"{why}, but {problem}: torch comes from the ordinary index", file=sys.stderr)
        return 0
    print(f"{why}: torch comes as the CPU build from {index}", file=sys.stderr)
    print(f"--extra-index-url {index}")
    return 0


def has_nvidia_gpu(files: Iterable[Path] = DRIVER_FILES) -> bool:
    """Return whether NVIDIA's driver is loaded, or nvidia-smi lists a GPU."""
    if any(file.exists() for file in files):
        return True
    program = shutil.which("nvidia-smi")
    if program is None:
        return False
    try:
        listed = subprocess.run([program, "-L"], capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return listed.returncode == 0 and b"GPU" in listed.stdout


def is_satisfied(requirement: str) -> bool:
    """Return whether this Python has a torch within the bounds."""
    try:
        return in_bounds(metadata.version("torch"), requirement)
    except metadata.PackageNotFoundError:
        return False


def in_bounds(version: str, requirement: str) -> bool:
    """Return whether a release is within bounds such as `torch>=2.11,<2.14`; both have two or more numbers."""
    number = _numbers(version)
    low, high = re.search(r">=([\d.]+)", requirement), re.search(r"<([\d.]+)", requirement)
    return (low is None or number >= _numbers(low[1])) and (high is None or number < _numbers(high[1]))


def _numbers(version: str) -> tuple[int, ...]:
    release = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in release[0].split(".")) if release else ()


def missing_from(index: str, requirement: str, variables: Mapping[str, str] = os.environ) -> str | None:
    """Return why the index is unusable: unreachable, or without a CPU build for this Python; None when it has one."""
    certificates = variables.get("PIP_CERT") or variables.get("REQUESTS_CA_BUNDLE") or None
    try:
        context = ssl.create_default_context(cafile=certificates)
        with urllib.request.urlopen(f"{index}/torch/", timeout=TIMEOUT_S, context=context) as answer:
            page = answer.read().decode(errors="replace")
    except (OSError, ValueError) as error:
        return f"{index} cannot be reached ({getattr(error, 'reason', None) or error})"
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    wheels = re.findall(r"torch-([\d.]+)\+cpu-(cp\d+)-\w+-\w+_(x86_64|aarch64)\.whl", unquote(page))
    for version, interpreter, machine in wheels:
        if (interpreter, machine) == (python, platform.machine()) and in_bounds(version, requirement):
            return None
    return f"{index} has no {requirement} for {python} on {platform.machine()}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
