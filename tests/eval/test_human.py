"""Judge versus annotator beside annotator versus annotator, against numbers worked by hand."""

from __future__ import annotations

import pytest
from factories import make_card, make_task, make_triplet

from editjudge.errors import DataError
from editjudge.files.io import write_jsonl
from editjudge.formats.campaign import PushedTask, rankings_file, tasks_file
from editjudge.formats.rankings import make_ranking
from editjudge.records.types import TierRanking
from editjudge.statistics.estimate import Estimate
from eval.human.agreement import compare_with_people
from eval.human.rankings import Human, rankings_that_count


def row(task, unit, *tiers, dimension="overall"):
    return TierRanking(task_id=task, dimension=dimension, annotator=unit, tiers=tiers)


def cards_of(**overall):
    """Cards by triplet id with these values in `overall`."""
    task = make_task(id="t")
    return {
        name: make_card(triplet=make_triplet(id=name, task=task), overall=value, judgments=())
        for name, value in overall.items()
    }


def test_figures_by_hand():
    """One task, candidates a, b, c. Units: x a > b = c; y a > b > c; z b > a > c. The judge: a > b, c unscored.

    preference, votes (pair:unit): ab:x ab:y ab:z, ac:x ac:y ac:z, bc:y bc:z -> 8. Judge right: ab:x, ab:y -> 2/8.
    People (mean of the two others): ab .5 .5 0, ac 1 1 1, bc:y .5, bc:z .5 -> 5/8.
    relation: 9 votes; judge 2/9; people 5/8's sum plus bc:x 0 -> 5/9.
    majority of the two others (they must agree): ab:z says a (judge right, z wrong); ac: three (judge unscored, people
    right); bc:x says b (judge unscored, x wrong) -> judge 1/5, people 3/5.
    """
    rows = [
        row("t", "x", ("a",), ("b", "c")),
        row("t", "y", ("a",), ("b",), ("c",)),
        row("t", "z", ("b",), ("a",), ("c",)),
    ]
    found = compare_with_people(rows, cards_of(a=8.0, b=6.0, c=None), rounds=100, seed=1)
    assert list(found) == ["overall"]
    overall = found["overall"]
    assert (overall.n_tasks, overall.n_pairs) == (1, 3)
    assert overall.coverage == pytest.approx(1 / 3, abs=1e-6)
    expected = {"preference": (2 / 8, 5 / 8), "relation": (2 / 9, 5 / 9), "majority": (1 / 5, 3 / 5)}
    for name, (judge, people) in expected.items():
        figures = getattr(overall.figures, name)
        assert figures.judge.value == pytest.approx(judge, abs=1e-6)
        assert figures.people.value == pytest.approx(people, abs=1e-6)
        assert figures.difference.value == pytest.approx(judge - people, abs=1e-6)
        assert figures.judge.low is None  # one task shows nothing about how much it may vary
    # tau-b: judge with x and y over the pair ab 1, with z -1; x-y 2/sqrt(2*3), x-z 0, y-z 1/3.
    tau = overall.figures.kendall_tau_b
    assert tau.judge.value == pytest.approx(1 / 3, abs=1e-6)
    xy = 2 / 6**0.5
    assert tau.people.value == pytest.approx((xy / 2 + (xy + 1 / 3) / 2 + (0 + 1 / 3) / 2) / 3, abs=1e-6)
    assert overall.units["z"].majority.judge.value == pytest.approx(1 / 2, abs=1e-6)
    assert overall.units["z"].majority.people.value == pytest.approx(1 / 2, abs=1e-6)


def test_intervals_and_a_difference_that_is_paired():
    rows, values = [], {}
    for number in range(30):
        a, b = f"a{number}", f"b{number}"
        values |= {a: 8.0, b: 9.0 if number % 5 == 0 else 3.0}
        rows += [row(f"t{number}", unit, (a,), (b,)) for unit in ("x", "y")]
        if number % 3 == 0:
            rows[-1] = row(f"t{number}", "y", (b,), (a,))
    figures = compare_with_people(rows, cards_of(**values), rounds=2000, seed=1)["overall"].figures.preference
    assert figures.people.value == pytest.approx(2 / 3, abs=1e-6)
    judge = figures.judge
    assert judge.low < judge.value < judge.high
    assert figures.difference.low < figures.difference.value < figures.difference.high


def test_tasks_of_one_unit_are_left_out_where_others_have_two():
    rows = [row("t", "x", ("a",), ("b",)), row("t", "y", ("a",), ("b",)), row("u", "x", ("d",), ("c",))]
    cards = cards_of(a=8.0, b=6.0, c=8.0, d=6.0)
    both = compare_with_people(rows, cards, rounds=10, seed=1)["overall"]
    assert (both.n_tasks, both.figures.preference.judge.value) == (1, 1.0)
    alone = compare_with_people(rows[2:], cards, rounds=10, seed=1)["overall"].figures.preference
    assert (alone.judge.value, alone.people.value, alone.difference.value) == (0.0, None, None)


def test_gold_repeats_and_unknown_candidates_do_not_count(tmp_path):
    rows = [make_ranking(name, "overall", "x", ((1,), (2,)), ("a", "b")) for name in ("t", "g", "r")]
    write_jsonl(rankings_file(tmp_path), rows)
    common = {"task_id": "t", "instruction": "Make it pink.", "candidates": ("a", "b")}
    tasks = [
        PushedTask(group_id="t", **common),
        PushedTask(group_id="g", is_gold=True, **common),
        PushedTask(group_id="r", repeat_of="t", **common),
    ]
    write_jsonl(tasks_file(tmp_path), tasks)
    found = rankings_that_count(Human(rankings=tmp_path / "rankings.jsonl"))
    assert found.rows == rows[:1]
    assert found.left_out.counts == {"gold": 1, "repeat": 1}
    assert compare_with_people(found.rows, cards_of(a=8.0, z=6.0), rounds=10, seed=1) == {}


def test_two_rankings_of_one_unit_are_refused(tmp_path):
    write_jsonl(tmp_path / "r.jsonl", [row("t", "x", ("a",), ("b",))] * 2)
    with pytest.raises(DataError, match=r"x ranks .*t twice"):
        rankings_that_count(Human(rankings=tmp_path / "r.jsonl"))


def test_a_figure_that_is_the_same_in_every_resample_has_no_interval():
    """The judge says what x says in every task, and y turns every third one around: only the people's share varies."""
    rows, values = [], {}
    for number in range(12):
        a, b = f"a{number}", f"b{number}"
        values |= {a: 8.0, b: 3.0}
        rows += [
            row(f"t{number}", "x", (a,), (b,)),
            row(f"t{number}", "y", *(((b,), (a,)) if number % 3 == 0 else ((a,), (b,)))),
        ]
    found = compare_with_people(rows, cards_of(**values), rounds=200, seed=1)["overall"]
    unit = found.units["x"].preference
    assert unit.judge == Estimate(value=1.0, low=None, high=None)
    assert unit.people.low < unit.people.value < unit.people.high
