"""What it takes to add a thing of each kind: the patches of this folder, applied to a copy of the project.

`docs/extending.md` shows them. A patch that no longer applies is made again: `git apply --reject` it, put right what is
left, and write `git diff -U1`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest
from places import ROOT

HERE = Path(__file__).parent
COPIED = (
    *("editjudge", "curation", "annotation", "sft", "eval", "recipes", "docs", "tests"),
    *("pyproject.toml", "README.md"),
)


@dataclass(frozen=True)
class Example:
    """What one patch adds."""

    files: int
    """How many it may touch."""
    tests: tuple[str, ...]
    """Where its tests are, in the project with the patch."""
    word: str
    """In the id of each of its tests."""


ENGINES, JUDGES = "tests/editjudge/engines/test_engine_contract.py", "tests/editjudge/asking/test_judge_contract.py"
FAMILIES = "tests/editjudge/families/test_families.py"
EXAMPLES = {
    "image_filter": Example(3, ("tests/curation/test_unchanged.py",), "test_unchanged"),
    "editor": Example(3, ("tests/curation/test_mirror.py",), "test_mirror"),
    "engine": Example(3, (ENGINES,), "program"),
    "benchmark": Example(3, ("tests/eval/test_sheet.py",), "test_sheet"),
    "metric": Example(3, ("tests/eval/test_close_calls.py",), "test_close_calls"),
    "family": Example(2, (f"{FAMILIES}::test_training_merge_and_judging",), "internvl_persona"),
    "command": Example(2, ("tests/editjudge/cli/test_main.py", "tests/editjudge/cli/test_commands.py"), "best"),
    "prompt_set": Example(1, ("tests/examples/in_use.py",), "in_use"),
    "judge_head": Example(3, (JUDGES,), "linear_head"),
}
RULES = ("tests/test_layers.py", "tests/test_architecture.py::test_every_module_is_in_a_table")
"""What every change of the project is held to."""


def environment(copy: Path) -> dict[str, str]:
    """Of a process that works on the copy: nothing of this test run or of a repository around it is in it."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "PYTEST_"))}
    return kept | {"PYTHONPATH": str(copy), "OMP_NUM_THREADS": "1"}


def run(copy: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=copy, env=environment(copy), capture_output=True, encoding="utf-8", check=False)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project without its history."""
    folder = tmp_path_factory.mktemp("project")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder / name)
    assert run(folder, "git", "init", "--quiet").returncode == 0
    return folder


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_patch_touches_few_files(name: str) -> None:
    touched = re.findall(r"^diff --git a/(\S+) b/\1$", (HERE / f"{name}.patch").read_text(encoding="utf-8"), re.M)
    assert 0 < len(touched) <= EXAMPLES[name].files


def test_the_patches_apply_and_what_they_add_works(copy: Path, tmp_path: Path) -> None:
    for name in EXAMPLES:
        applied = run(copy, "git", "apply", str(HERE / f"{name}.patch"))
        assert applied.returncode == 0, f"{name}.patch: {applied.stderr}"
    report = tmp_path / "report.xml"
    chosen = " or ".join([*(example.word for example in EXAMPLES.values()), "test_layers", "every_module"])
    tests = dict.fromkeys([*(place for example in EXAMPLES.values() for place in example.tests), *RULES])
    options = ("-p", "no:cacheprovider", "-n", "0", "-k", chosen, f"--junitxml={report}")
    ended = run(copy, sys.executable, "-m", "pytest", *tests, *options)
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-2000:]
    passed = [
        f"{case.get('classname')}.{case.get('name')}"
        for case in ElementTree.parse(report).iter("testcase")
        if not len(case)
    ]
    assert [name for name, example in EXAMPLES.items() if not any(example.word in each for each in passed)] == []


def test_all_patches_are_applied_and_on_the_page() -> None:
    page = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    patches = {path.stem for path in HERE.glob("*.patch")}
    assert patches == {*EXAMPLES}
    assert {*re.findall(r"`tests/examples/(\w+)\.patch`", page)} == patches
