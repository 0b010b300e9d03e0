"""Shared helpers for tests of annotation: campaigns with real images, and one real Label Studio server per session."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from factories import make_image, make_task, make_triplet

from annotation.label_studio import server
from annotation.label_studio.client import Studio
from annotation.label_studio.home import Home
from annotation.label_studio.install import default_venv, ensure_installed
from annotation.recipe import AnnotationRecipe
from editjudge.cli.commands import load_command
from editjudge.files.io import write_jsonl
from editjudge.images.store import ImageStore
from editjudge.records.types import EditTriplet

SIDE = 96
"""Longer side of the test images, in pixels."""


_ports = count(os.getpid())


def free_port() -> int:
    """Return a port that is free together with the next one.

    It is below the range of the system's ephemeral ports: no connection of another program takes it before it is used.
    Parallel tests start at another port.
    """
    while True:
        port = 20_000 + next(_ports) * 7 % 10_000
        with socket.socket() as one, socket.socket() as next_one:
            try:
                one.bind(("127.0.0.1", port))
                next_one.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


def write_groups(folder: Path, n: int, candidates: int = 5, first: int = 0, **task: Any) -> Path:
    """Write `folder/groups.jsonl` with `n` groups whose images are in `folder/images`. Candidates differ in colour."""
    write_jsonl(folder / "groups.jsonl", make_groups(folder, n, candidates, first, **task))
    return folder / "groups.jsonl"


def make_groups(folder: Path, n: int, candidates: int = 5, first: int = 0, **task: Any) -> Iterator[EditTriplet]:
    """Yield the triplets of `n` groups g<first>...; ids are g<number>-<candidate>."""
    store = ImageStore(folder)
    for number in range(first, first + n):
        before = store.add(make_image(SIDE, SIDE * 3 // 4, seed=number), f"images/g{number}.png")
        row = make_task(**({"id": f"g{number}", "inputs": (before,), "instruction": f"Make it pink, {number}."} | task))
        for place in range(candidates):
            after = make_image(SIDE, SIDE * 3 // 4, seed=1000 + number * 100 + place)
            ref = store.add(after, f"images/g{number}-{place}.png")
            yield make_triplet(id=f"g{number}-{place}", task=row, edited=ref, editor=f"editor{place}", seed=place)


def annotate(arguments: list[str]) -> int | None:
    """Run a subcommand of `editjudge annotate`; its errors are raised, not printed."""
    step, *rest = arguments
    return load_command(f"annotate {step}")(rest)


def make_recipe(out: Path, groups: Path, **changes: Any) -> AnnotationRecipe:
    """Return a campaign of units a and b. `changes` go into `project`, except server, pairs, agreement and seed."""
    blocks = {key: changes.pop(key) for key in ("server", "pairs", "agreement", "seed") if key in changes}
    project = {"title": "Trial", "groups": groups, "units": [{"name": "a"}, {"name": "b"}]} | changes
    return AnnotationRecipe.model_validate({"out": out, "project": project, **blocks})


@dataclass(frozen=True)
class StudioGround:
    """A real server that runs until the end of the session."""

    url: str
    home: Home
    served: Path
    """Folder of the images that it serves; every campaign's `out/served` links to it."""

    @property
    def port(self) -> int:
        """Port that it listens on."""
        return int(self.url.rpartition(":")[2])

    def recipe(self, out: Path, groups: Path, **changes: Any) -> AnnotationRecipe:
        """Return a campaign on this server. Give every test its own title: projects are found by it."""
        out.mkdir(parents=True, exist_ok=True)
        if not (out / "served").exists():
            (out / "served").symlink_to(self.served)
        return make_recipe(out, groups, **({"server": {"local": {"data": self.home.folder}}} | changes))

    def connect(self) -> Studio:
        """Connect as its administrator."""
        credentials = self.home.credentials()
        assert credentials is not None
        return Studio(self.url, credentials.token)


@pytest.fixture(scope="session")
def studio_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudioGround]:
    """Run Label Studio in a folder of this session. Its virtual environment is installed once, in the cache or in the
    folder that EDITJUDGE_LABEL_STUDIO_VENV names."""
    folder = tmp_path_factory.mktemp("label-studio")
    home, served = Home(folder / "home"), folder / "served"
    found = server.start(home, ensure_installed(default_venv()), served, free_port(), 300)
    try:
        yield StudioGround(found.url, home, served)
    finally:
        server.stop(home)
