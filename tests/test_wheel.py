"""An installed wheel: nothing of the checkout is there, and commands find what they need."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from places import ROOT

pytestmark = pytest.mark.slow

SOURCES = ("editjudge", "curation", "annotation", "sft", "eval", "recipes")
SMALLER = (
    *("shards=2", "stages.0.crops=3", "stages.0.photographs=[chelsea, coffee]", "runtime.workers=1"),
    "parts.benchmark.sources=[chelsea]",
)


def run(*command: str | Path, cwd: Path, status: int = 0) -> str:
    """What a command prints, or its errors when it is to fail. Its environment does not lead back to the checkout."""
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run([*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout if status == 0 else done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that a build folder of the checkout adds nothing to it."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    run(*build, "--wheel-dir", out, source, cwd=source)
    (found,) = out.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`bin` of a virtual environment with the wheel. Its dependencies are those of the environment that tests use."""
    home = tmp_path_factory.mktemp("venv")
    run(sys.executable, "-m", "venv", "--without-pip", home, cwd=home)
    python = home / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel, cwd=home)
    packages = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=home).strip())
    # A folder that a .pth file names is searched after the wheel, and its own .pth files are not read: an editable
    # EditJudge in it stays unknown.
    (packages / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return home / "bin"


def test_a_wheel_holds_packages_and_recipes_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {*SOURCES} - {"recipes"}
    recipes = {path.relative_to(ROOT / "recipes").as_posix() for path in (ROOT / "recipes").rglob("*.yaml")}
    assert {f"editjudge/recipes/data/{name}" for name in recipes} <= {*names}


def test_a_wheel_holds_every_file_of_the_packages(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {*archive.namelist()}
    tracked = subprocess.run(["git", "ls-files", *SOURCES[:-1]], cwd=ROOT, capture_output=True, text=True, check=False)
    files = {name for name in tracked.stdout.splitlines() if (ROOT / name).is_file()}
    if not files:
        pytest.skip("needs a git checkout")
    assert files - names == set()


def test_the_quickstarts_curation_runs_from_an_empty_folder(installed, tmp_path):
    editjudge = installed / "editjudge"
    where = run(installed / "python", "-c", "import editjudge; print(editjudge.__file__)", cwd=tmp_path)
    assert Path(where).is_relative_to(installed.parent)
    names = [recipe["name"] for recipe in json.loads(run(editjudge, "recipe", "ls", "--json", "-", cwd=tmp_path))]
    assert "quickstart/curate" in names
    run(editjudge, "recipe", "copy", "quickstart/curate", cwd=tmp_path)
    recipe = "recipes/quickstart/curate.yaml"
    assert "no mistakes" in run(editjudge, "check", recipe, cwd=tmp_path)
    run(editjudge, "curate", recipe, *SMALLER, cwd=tmp_path)
    out = tmp_path / "runs" / "quickstart" / "curate"
    assert (out / "train.jsonl").stat().st_size > 0
    assert (out / "report.html").is_file()
    assert json.loads((out / "run.json").read_text())["git"] is None


def test_every_recipe_passes_check_in_an_empty_folder(installed, tmp_path):
    script = """
import sys
from editjudge.__main__ import main
from editjudge.recipes.shipped import shipped_recipes
sys.exit(max(main(["check", str(recipe.path)]) for recipe in shipped_recipes()))"""
    assert run(installed / "python", "-c", script, cwd=tmp_path).count("no mistakes") >= 14


def test_the_quickstart_writes_to_the_current_folder(installed, tmp_path):
    """Its steps' recipes are there, and a file in the way of the first step ends it there."""
    script = """
from pathlib import Path
from editjudge.cli.quickstart import steps
assert all(step.recipe.is_file() for step in steps(Path("out")))"""
    run(installed / "python", "-c", script, cwd=tmp_path)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "quickstart").write_text("in the way")
    assert str(tmp_path / "runs" / "quickstart") in run(installed / "editjudge", "quickstart", cwd=tmp_path, status=1)
