"""The files that contributors and services read: they parse, and agree with what they speak of."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from places import ROOT

from editjudge import __version__

FORMS = sorted(path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
PACKAGES = ("editjudge", "curation", "annotation", "sft", "eval")


def read(path: str | Path) -> Any:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def test_the_workflow_runs_what_runs_here():
    jobs = read(".github/workflows/ci.yml")["jobs"].values()
    runs = [step["run"] for job in jobs for step in job["steps"] if "run" in step]
    assert ".ci/run" in runs
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o100, "a step starts it without bash"


def test_the_citation_has_the_version():
    citation = read("CITATION.cff")
    assert citation["version"] == __version__
    assert citation["references"][0]["identifiers"][0]["value"] == "arXiv:2509.23909"


def test_hooks_run_tools_of_the_environment():
    (local,) = read(".pre-commit-config.yaml")["repos"]
    assert local["repo"] == "local"
    folder = str(Path(sys.executable).parent)
    for hook in local["hooks"]:
        assert shutil.which(hook["entry"].split()[0], path=folder), hook["id"]


def test_hooks_check_what_continuous_integration_checks():
    (local,) = read(".pre-commit-config.yaml")["repos"]
    steps = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    for hook in local["hooks"]:
        command = hook["entry"].removesuffix(" --force-exclude")
        assert any(step.startswith(command) for step in steps), hook["id"]


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_an_issue_form_asks_something(path):
    form = read(path)
    assert {"name", "description", "body"} <= form.keys()
    ids = [field["id"] for field in form["body"]]
    assert len({*ids}) == len(ids) > 0
    assert all(field["attributes"]["label"] for field in form["body"])
    assert any(field.get("validations", {}).get("required") for field in form["body"])


def test_there_are_forms_for_bugs_questions_and_features():
    assert {path.stem for path in FORMS} == {"bug", "question", "feature"}


def test_the_changelog_has_a_section_for_what_comes_next():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    titles = re.findall(r"^## \[(.+?)\]", text, re.MULTILINE)
    assert titles[0] == "Unreleased"
    kinds = {*re.findall(r"^### (.+)$", text, re.MULTILINE)}
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_guide_says_how_to_run_each_kind_of_test():
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block = re.search(r"^markers = \[(.*?)^\]", settings, re.MULTILINE | re.DOTALL)
    assert block is not None
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    markers = re.findall(r'"(\w+):', block[1])
    assert {"gpu", "slow"} <= {*markers}
    assert [name for name in markers if f"pytest -m {name}`" not in guide] == []


def test_files_that_the_guides_link_to_exist():
    for page in ("CONTRIBUTING.md", "CHANGELOG.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        links = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
        assert links, page
        assert [link for link in links if not (ROOT / link).is_file()] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_say_that_they_are_typed(package):
    assert (ROOT / package / "py.typed").is_file()
