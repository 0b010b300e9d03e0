"""Every script loads, and the judges that stand in for models in two of them are judges."""

from __future__ import annotations

import runpy
import sys

import pytest
from factories import make_card, make_triplet
from places import ROOT

FOLDERS = (ROOT / "scripts", ROOT / "scripts" / "bench")
SCRIPTS = sorted(
    {path for folder in FOLDERS for path in folder.glob("*.py")} - {ROOT / "scripts" / "make_tiny_base.py"}
)
"""Without those of the documentation site, which are no scripts, and without the one that has tests of its own."""
SHARED = ROOT / "tests" / "support"


@pytest.fixture(autouse=True)
def _as_from_a_shell(monkeypatch):
    """Scripts find the checkout, and what they share with tests, by themselves."""
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path not in (str(ROOT), str(SHARED))])
    for path in SHARED.glob("*.py"):
        monkeypatch.delitem(sys.modules, path.stem, raising=False)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_loads_and_says_what_it_is(path):
    assert runpy.run_path(str(path))["__doc__"]


def test_the_judges_of_made_up_reports_are_judges():
    edit, card = make_triplet(editor="editor0"), make_card()
    report = runpy.run_path(str(ROOT / "scripts" / "bench" / "report.py"))["Noisy"](0)
    pictures = runpy.run_path(str(ROOT / "scripts" / "eval_screenshots.py"))["Noisy"]({card.triplet.id: card}, 400, 2)
    for judge, triplet, passes in ((report, edit, 1), (pictures, card.triplet, 2)):
        (scored,) = judge.score_many([triplet])
        assert (scored.n_ok + scored.n_failed, judge.describe()["passes"]) == (passes, passes)
