"""Gold, repeats, the report per unit, and the queue for an adjudicator."""

from __future__ import annotations

import pytest
from ranking_ground import rank

from annotation.agreement.quality import Dispute, against_gold, against_self, find_disputes, match, unit_report
from editjudge.errors import DataError
from editjudge.files.io import read_jsonl, write_jsonl
from editjudge.formats.rankings import Ranking, make_ranking
from editjudge.records.types import TierRanking


def figures(pairs, rounds=0):
    return match(pairs, "nothing to compare", rounds, 0, 0.95)


def values(pairs):
    return {name: figure.value for name, figure in figures(pairs).items()}


def test_a_match_by_hand():
    pairs = [
        (rank("1|2|3"), rank("1|2|3")),
        # Of the pairs 12, 13, 23 the last two are the same; tau-b is 2 / sqrt(2 * 3).
        (rank("12|3", "t1"), rank("1|2|3", "t1")),
        (rank("3|2|1", "t2"), rank("1|2|3", "t2")),
    ]
    assert values(pairs) == {
        "identical": pytest.approx(1 / 3),
        "relation": pytest.approx(5 / 9),
        "kendall_tau_b": pytest.approx((1 + 2 / 6**0.5 - 1) / 3),
    }


def test_a_match_without_an_order_has_no_tau():
    found = figures([(rank("123"), rank("1|2|3"))])
    assert found["kendall_tau_b"].text() == "undefined (all candidates are in one tier)"
    assert found["relation"].value == 0
    assert figures([])["identical"].text() == "undefined (nothing to compare)"


def test_intervals_are_over_tasks_not_over_dimensions():
    pairs = [
        (rank("1|2", f"t{task}", dimension=dimension), rank("1|2" if task % 3 else "2|1", f"t{task}"))
        for task in range(12)
        for dimension in ("overall", "consistency")
    ]
    found = figures(pairs, rounds=200)["identical"]
    assert (found.n, found.value) == (12, pytest.approx(2 / 3))
    assert found.low < 0.5 < found.value < 0.8 < found.high


def gold(notation: str, task: str = "g0") -> TierRanking:
    return rank(notation, task, "answer")


def test_gold_is_compared_on_the_candidates_that_were_shown():
    shown = ["g0-4", "g0-2", "g0-1"]
    given = make_ranking("g0", "overall", "ann", [[3], [2], [1]], shown)  # 1 over 2 over 4
    ((one, answer),) = against_gold([given], [gold("1|23|45")])["ann"]
    assert (one, answer.tiers) == (given, (("g0-1",), ("g0-2",), ("g0-4",)))
    assert values([(one, answer)])["identical"] == 1


@pytest.mark.parametrize(
    ("answers", "problem"),
    [([gold("12")], "g0-3"), ([gold("1|2|3"), gold("3|2|1")], "two answers .*overall")],
)
def test_a_wrong_answer_key_is_refused(answers, problem):
    with pytest.raises(DataError, match=problem):
        against_gold([rank("1|2|3", "g0")], answers)


def test_a_gold_task_without_an_answer_in_a_dimension_does_not_count_there():
    assert against_gold([rank("1|2", "g0", dimension="consistency")], [gold("1|2")]) == {}


def repeat(notation: str, unit: str) -> Ranking:
    """Task t0 shown again, candidates in reverse; `notation` is in numbers as they were shown first."""
    first = rank(notation, "t0", unit)
    numbers = [[len(first.shown) + 1 - first.shown.index(name) - 1 for name in tier] for tier in first.tiers]
    return make_ranking("again", "overall", unit, numbers, first.shown[::-1])


def test_self_consistency_sees_through_the_other_order():
    ordinary = [rank("1|2|3", unit="a"), rank("1|2|3", unit="b"), rank("1|2", "t1", "a")]
    found = against_self([repeat("1|2|3", "a"), repeat("3|2|1", "b"), repeat("1|2|3", "c")], ordinary, {"again": "t0"})
    assert set(found) == {"a", "b"}  # c has not ranked it the first time
    assert values(found["a"])["identical"] == 1
    assert values(found["b"])["relation"] == 0


def test_the_report_of_a_unit():
    ordinary = [
        rank("1|2|3", "t0", "a", seconds=10),
        rank("123", "t0", "a", "consistency", seconds=10),
        rank("12|3", "t1", "a", seconds=50),
        rank("1|2|3", "t0", "b"),
    ]
    report = unit_report(
        ordinary,
        [rank("1|2|3", "g0", "a", seconds=30)],
        [gold("1|2|3")],
        [repeat("3|2|1", "a")],
        {"again": "t0"},
        ["b", "a", "absent"],
        rounds=0,
    )
    assert list(report) == ["b", "a", "absent"]
    a = report["a"]
    assert (a.n_tasks, a.seconds_median, a.one_tier) == (2, 30, pytest.approx(1 / 3))
    assert a.tied == pytest.approx(4 / 9)
    assert a.seconds_p10 == pytest.approx(14)
    assert a.gold["identical"].value == 1
    assert a.repeats["identical"].value == 0
    assert a.as_json()["gold"]["identical"]["value"] == 1
    b = report["b"]
    assert (b.n_tasks, b.seconds_median, b.tied) == (1, None, 0)
    assert b.gold["identical"].text() == "undefined (it ranked no gold task)"
    assert b.repeats["identical"].text() == "undefined (it ranked no task twice)"
    assert (report["absent"].n_tasks, report["absent"].tied, report["absent"].one_tier) == (0, None, None)


DISPUTED = [
    rank("1|2|3", "t0", "a"),
    rank("3|2|1", "t0", "b"),
    rank("1|2|3", "t0", "a", "consistency"),
    rank("1|2|3", "t0", "b", "consistency"),
    rank("1|2|3", "t1", "a"),
    rank("12|3", "t1", "b"),
    rank("1|2|3", "t2", "a"),
    rank("2|1|3", "t2", "b"),
    rank("1|2|3", "t3", "a"),
    rank("1|2|3", "t3", "b"),
    rank("1|2|3", "t4", "a"),
]


def test_contradictions_are_for_the_adjudicator_the_worst_first(tmp_path):
    found = find_disputes(DISPUTED, "contradiction")
    assert [dispute.task_id for dispute in found] == ["t0", "t2"]
    first = found[0]
    assert first.dimensions == ("overall",)
    assert first.rankings == {
        "a": {"consistency": "1|2|3", "overall": "1|2|3"},
        "b": {"consistency": "1|2|3", "overall": "3|2|1"},
    }
    assert first.candidates == ("t0-1", "t0-2", "t0-3")
    assert first.contradictions == {"overall": (("t0-1", "t0-2"), ("t0-1", "t0-3"), ("t0-2", "t0-3"))}
    write_jsonl(tmp_path / "disputes.jsonl", found)
    assert tuple(read_jsonl(tmp_path / "disputes.jsonl", Dispute)) == found


def test_any_difference_can_be_the_rule():
    assert [dispute.task_id for dispute in find_disputes(DISPUTED, "difference")] == ["t0", "t2", "t1"]


def test_rankings_shown_in_different_orders_are_told_in_one():
    other = make_ranking("t0", "overall", "b", [[1], [2], [3]], ["t0-3", "t0-2", "t0-1"])
    (dispute,) = find_disputes([other, rank("1|2|3", "t0", "a")], "contradiction")
    assert dispute.candidates == ("t0-1", "t0-2", "t0-3")
    assert {unit: notations["overall"] for unit, notations in dispute.rankings.items()} == {"a": "1|2|3", "b": "3|2|1"}
