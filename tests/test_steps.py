"""What a marker counts."""

from __future__ import annotations

from curation.runner.steps import Step, Tally, _kept
from curation.stage import Fail
from curation.synthetic.measure import Measure
from editjudge.records.types import ScoreCard


def test_every_failure_is_counted_also_beyond_those_that_are_listed(monkeypatch):
    monkeypatch.setattr("curation.runner.steps.MAX_FAILURES", 2)
    monkeypatch.setattr("curation.runner.steps.MAX_ERRORS", 2)
    tally = Tally()
    step = Step("00-x", Measure(), None, None, ScoreCard, {})
    outcomes = [Fail(str(number), error) for number, error in enumerate("aabbbcd")]
    assert list(_kept(step, iter(outcomes), tally)) == []
    info = tally.info(0)
    assert info["failed"] == 7
    assert info["errors"] == {"(other errors)": 2, "a": 2, "b": 3}
    assert [failure["id"] for failure in info["failures"]] == ["0", "1"]
