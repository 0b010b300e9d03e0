from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from editjudge.errors import DataError
from editjudge.files.io import read_jsonl, write_jsonl
from editjudge.formats.rankings import (
    Ranking,
    format_tiers,
    ids_of,
    levels_of,
    make_ranking,
    numbers_of,
    parse_tiers,
    tier_problems,
)
from editjudge.records.types import TierRanking

SHOWN = ("a", "b", "c", "d", "e")


@pytest.mark.parametrize(
    ("text", "n", "tiers"),
    [
        ("3|12|45", 5, ((3,), (1, 2), (4, 5))),
        ("3 | 21 | 54", 5, ((3,), (1, 2), (4, 5))),
        ("12345", 5, ((1, 2, 3, 4, 5),)),
        ("1", 1, ((1,),)),
        ("987654321", 9, (tuple(range(1, 10)),)),
        ("12|1,2|3,4,5,6,7,8,9,10,11", 12, ((12,), (1, 2), tuple(range(3, 12)))),
        ("10, 1|2,3,4,5,6,7,8,9", 10, ((1, 10), tuple(range(2, 10)))),
    ],
)
def test_the_notation_is_read(text, n, tiers):
    assert parse_tiers(text, n) == tiers


@pytest.mark.parametrize(
    ("text", "n", "problem"),
    [
        ("", 2, "tier 1 "),
        ("1||2", 2, "tier 2 "),
        ("1|2|", 2, "tier 3 "),
        ("1|2", 3, "candidate 3 .*no tier"),
        ("1|12", 2, "candidate 1 .*2 times"),
        ("1|2|3", 2, "candidate 3 "),
        ("0|12", 2, "'0' "),
        ("1,2", 2, "commas"),
        ("1|²", 2, "'²' "),
        ("1 2", 2, "' ' "),
        ("12|3,4,5,6,7,8,9,10", 10, "candidate 12 "),
        ("01,2|3,4,5,6,7,8,9,10", 10, "'01' "),
        ("1,,2|3,4,5,6,7,8,9,10", 10, "'' "),
        ("1>2", 2, "'>' "),
    ],
)
def test_what_is_no_ranking_is_refused_with_its_reason(text, n, problem):
    with pytest.raises(DataError, match=problem.replace("|", r"\|")):
        parse_tiers(text, n)


@pytest.mark.parametrize(
    ("tiers", "n", "text"),
    [
        ([[3], [2, 1], [5, 4]], 5, "3|12|45"),
        ([[9], [*range(1, 9)]], 9, "9|12345678"),
        ([[10, 1], [*range(2, 10)]], 10, "1,10|2,3,4,5,6,7,8,9"),
        ([[number] for number in range(20, 0, -1)], 20, "|".join(map(str, range(20, 0, -1)))),
    ],
)
def test_the_notation_is_written_and_read_back(tiers, n, text):
    assert format_tiers(tiers, n) == text
    assert parse_tiers(text, n) == tuple(tuple(sorted(tier)) for tier in tiers)


def test_all_problems_are_told_at_once():
    found = tier_problems([[1, 1], [], [7]], 3)
    expected = ["tier 2 ", "candidate 1 .*2 times", "candidate 7 ", "candidate 2 .*no tier", "candidate 3 .*no tier"]
    assert len(found) == len(expected)
    assert all(re.search(pattern, problem) for pattern, problem in zip(expected, found, strict=True))


def test_numbers_become_ids_in_shown_order_and_back():
    ids = ids_of([[3], [2, 1], [4, 5]], SHOWN)
    assert ids == (("c",), ("a", "b"), ("d", "e"))
    assert numbers_of(ids, SHOWN) == ((3,), (1, 2), (4, 5))
    assert numbers_of(ids, SHOWN[::-1]) == ((3,), (4, 5), (1, 2))


@pytest.mark.parametrize(
    ("tiers", "shown", "problem"),
    [
        ([["a"], ["x"]], ("a", "b"), "not shown: x"),
        ([["a"]], ("a", "b"), "candidate 2 .*no tier"),
        ([["a"], ["b"]], ("a", "b", "a"), "shown twice"),
    ],
)
def test_ids_must_be_the_ones_that_were_shown(tiers, shown, problem):
    with pytest.raises(DataError, match=problem):
        numbers_of(tiers, shown)


def test_a_ranking_is_a_tier_ranking_and_survives_the_file(tmp_path):
    ranking = make_ranking("task0", "overall", "ann", [[3], [2, 1], [4, 5]], SHOWN, 41.5, "annotation7")
    assert isinstance(ranking, TierRanking)
    assert ranking.notation == "3|12|45"
    assert levels_of(ranking) == {"c": 0, "a": 1, "b": 1, "d": 2, "e": 2}
    write_jsonl(tmp_path / "rankings.jsonl", [ranking])
    assert [*read_jsonl(tmp_path / "rankings.jsonl", Ranking)] == [ranking]


@pytest.mark.parametrize("changes", [{"notation": "3|12|54"}, {"notation": "12345"}, {"shown": SHOWN[:4]}])
def test_a_row_that_contradicts_itself_is_refused(changes):
    row = make_ranking("task0", "overall", "ann", [[3], [2, 1], [4, 5]], SHOWN).model_dump()
    with pytest.raises(ValidationError):
        Ranking(**(row | changes))


def test_an_incomplete_ranking_names_its_task():
    with pytest.raises(DataError, match="task9, overall, ann: candidate 5 "):
        make_ranking("task9", "overall", "ann", [[3], [2, 1], [4]], SHOWN)
