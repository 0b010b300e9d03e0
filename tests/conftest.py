"""How the suite shares a machine, and fixtures that stand for something expensive, shared by all test files."""

from __future__ import annotations

import gc
import os

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # Before numpy or torch is imported: each of several workers would otherwise compute with all the cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from studio_ground import studio_server as studio_server

from editjudge.system.network import spare_loopback
from editjudge.system.provenance import cores, memory_gb

# Tests talk to servers of their own on this machine, also where a proxy is set.
spare_loopback()
for name in ("COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE"):
    os.environ.pop(name, None)  # the user's terminal must not decide how wide a table is


@pytest.fixture(autouse=True, scope="module")
def _cheap_collections() -> None:
    """Python's collector looks at every object; those of torch and what builds on it, half a million, stay for ever.

    A sweep collects after every checkpoint, which beside a model costs nothing and made up a third of its tests.
    """
    gc.collect()
    gc.freeze()


GB_PER_WORKER = 1.5
"""What a worker with torch and a tiny model takes, with room for the processes that it starts."""


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_xdist_auto_num_workers() -> int:
    """Workers of `-n auto`: the cores that this process may use, if the memory is enough. One worker is none: 0."""
    workers = min(cores(), int(memory_gb() / GB_PER_WORKER), 8)
    return workers if workers > 1 else 0
