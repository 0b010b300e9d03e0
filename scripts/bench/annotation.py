"""Time of push and pull on a large campaign, against a real local Label Studio.

    python scripts/bench/annotation.py
    python scripts/bench/annotation.py --tasks 10000 --units 2 --image-px 512

Makes groups of five candidates, starts a server in a temporary folder (the first time it installs Label Studio: about
1.5 GB in the user's cache), pushes the groups for every unit, pushes again, fills a second campaign with rankings,
pulls it, changes one annotation and pulls again.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import psutil
from PIL import Image

from annotation.label_studio import server
from annotation.label_studio.client import Studio
from annotation.label_studio.home import Home
from annotation.label_studio.install import default_venv, ensure_installed
from annotation.label_studio.mirror import load_mirror
from annotation.label_studio.projects import ensure_project
from annotation.page.answers import make_result
from annotation.page.layout import layout_of
from annotation.recipe import AnnotationRecipe
from annotation.steps.pull import pull
from annotation.steps.push import push
from editjudge.files.io import rng, write_jsonl
from editjudge.records.types import EditTask, EditTriplet, ImageRef, Origin

CANDIDATES = 5


def groups(folder: Path, n_tasks: int, px: int) -> Iterator[EditTriplet]:
    """Yield triplets. Every image is a separate file: the same image, followed by bytes that viewers ignore."""
    noise = rng(0, "bench").normal(0, 6, (px, px, 3))
    across = np.linspace(60, 190, px)[None, :, None]
    buffer = io.BytesIO()
    Image.fromarray(np.clip(across + noise, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=60)
    content = buffer.getvalue()
    for number in range(100):
        (folder / "images" / str(number)).mkdir(parents=True)
    origin = Origin(source="bench", licence="CC0")
    for task in range(n_tasks):
        refs = [
            write(folder, f"images/{task % 100}/{task}-{number}.jpg", content + f"{task}-{number}".encode(), px)
            for number in range(CANDIDATES + 1)
        ]
        instruction = f"Make the sky of picture {task} pink and leave the rest as it is."
        row = EditTask(
            id=f"task{task:06d}", inputs=(refs[0],), instruction=instruction, task_type="color_alter", origin=origin
        )
        for number, ref in enumerate(refs[1:]):
            yield EditTriplet(id=f"task{task:06d}-{number}", task=row, edited=ref, editor=f"editor{number}", seed=0)


def write(folder: Path, path: str, content: bytes, px: int) -> ImageRef:
    """Write a file as an image store would, without its checks and its sync to disk."""
    (folder / path).write_bytes(content)
    return ImageRef(path=path, sha256=hashlib.sha256(content).hexdigest(), width=px, height=px)


def fill(recipe: AnnotationRecipe, source: AnnotationRecipe, studio: Studio) -> None:
    """Import the tasks of `source`, with one ranking per task and unit."""
    layout = layout_of(recipe)
    generator = rng(0, "rankings")
    for unit in recipe.project.units:
        project, _ = ensure_project(studio, recipe, unit)
        mirror = load_mirror(source.out, unit.name)
        assert mirror is not None
        for shown in studio.all_tasks(int(mirror.project.partition("@")[0])):
            rows = []
            for task in shown:
                levels = {name: generator.integers(1, 4, CANDIDATES) for name in layout.dimensions}
                tiers = {
                    name: [(np.flatnonzero(level == tier) + 1).tolist() for tier in np.unique(level)]
                    for name, level in levels.items()
                }
                rows.append(
                    {"data": task["data"], "annotations": [{"result": make_result(layout, tiers), "lead_time": 40.0}]}
                )
            studio.import_tasks(project.id, rows)


Seconds = dict[str, dict[str, float]]


@contextmanager
def timed(label: str, results: Seconds, server_pid: int | None = None) -> Iterator[None]:
    """Print and store the seconds of a block: wall-clock time, and processor time here and in the server."""

    def now() -> tuple[float, float, float]:
        used = psutil.Process(server_pid).cpu_times() if server_pid is not None else None
        return time.perf_counter(), time.process_time(), 0.0 if used is None else used.user + used.system

    start = now()
    yield
    names = ("clock", "here", "server")
    results[label] = {name: round(end - begin, 1) for name, begin, end in zip(names, start, now(), strict=True)}
    print(f"{label}: {results[label]}", flush=True)


def measure(folder: Path, n_tasks: int, n_units: int, px: int) -> Seconds:
    """Return the seconds of every step."""
    results: Seconds = {}

    def recipe(name: str) -> AnnotationRecipe:
        units = [{"name": f"unit{number}"} for number in range(n_units)]
        project = {"title": f"Bench {name}", "groups": folder / "groups.jsonl", "units": units}
        local = {"data": folder / "home"}
        out = folder / name
        out.mkdir()
        (out / "served").symlink_to(folder / "served")
        return AnnotationRecipe.model_validate({"out": out, "project": project, "server": {"local": local}})

    with timed("making the groups", results):
        write_jsonl(folder / "groups.jsonl", groups(folder, n_tasks, px))
    home = Home(folder / "home")
    program = ensure_installed(default_venv())
    with timed("first start of the server", results):
        found = server.start(home, program, folder / "served", 18189, 600)
    try:
        credentials = home.make_credentials()
        with Studio(found.url, credentials.token, 600) as studio:
            first, second = recipe("first"), recipe("second")
            with timed(f"push, {n_units} units", results, found.pid):
                added = push(first, studio)
            assert [unit.added for unit in added.units] == [n_tasks] * n_units
            with timed("second push", results, found.pid):
                again = push(first, studio)
            assert [unit.added for unit in again.units] == [0] * n_units
            with timed("ranking (import)", results, found.pid):
                fill(second, first, studio)
            with timed(f"pull, {n_units} units", results, found.pid):
                report = pull(second, studio)
            assert report.rankings == n_tasks * n_units * 3, report.rankings
            assert not report.invalid
            mirror = load_mirror(second.out, "unit0")
            assert mirror is not None
            task = next(iter(mirror.tasks.values()))
            annotation = task.annotations[0]
            studio.sdk.annotations.update(annotation.id, result=annotation.result, lead_time=50.0)
            with timed("pull after one change", results, found.pid):
                pull(second, studio)
    finally:
        server.stop(home)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--units", type=int, default=2)
    parser.add_argument("--image-px", type=int, default=512, help="side of the images; above 768 copies are made")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-annotation-"))
    try:
        results = measure(folder, arguments.tasks, arguments.units, arguments.image_px)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    about = {**vars(arguments), "cores": os.cpu_count(), "python": platform.python_version(), "seconds": results}
    print(json.dumps(about))


if __name__ == "__main__":
    main()
