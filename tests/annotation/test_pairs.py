"""Rankings to pairs under each rule, what is dropped and why, leaks, and pairs back to tiers."""

from __future__ import annotations

from itertools import pairwise

import pytest
from factories import make_card, make_ref, make_task, make_triplet
from ranking_ground import group, rank

from annotation.rankings.consensus import find_consensus
from annotation.rankings.leaks import training_inputs
from annotation.rankings.pairs import make_pairs, tiers_of_pairs, weak_order
from editjudge.errors import DataError
from editjudge.files.io import write_jsonl
from editjudge.records.types import Origin, SFTExample


def short(report) -> set[str]:
    """`31` for every pair "3 over 1"."""
    return {pair.better.id[-1] + pair.worse.id[-1] for pair in report.pairs}


def test_the_pairs_of_the_papers_example():
    report = make_pairs([rank("3|12|45")], group(), "unanimous")
    assert short(report) == {"31", "32", "34", "35", "14", "15", "24", "25"}
    gaps = {pair.better.id[-1] + pair.worse.id[-1]: pair.tier_gap for pair in report.pairs}
    assert (gaps["31"], gaps["34"], gaps["25"]) == (1, 2, 1)
    assert report.dimensions["overall"].dropped == {"tied": 2}
    assert {(pair.n_annotators, pair.agreement) for pair in report.pairs} == {(1, 1.0)}
    assert len({pair.id for pair in report.pairs}) == 8


@pytest.mark.parametrize(
    ("notations", "rule", "gap", "kept", "dropped"),
    [
        (["1|2|3", "1|2|3"], "unanimous", 1, {"12", "13", "23"}, {}),
        (["1|2|3", "1|23"], "unanimous", 1, {"12", "13"}, {"no_consensus": 1}),
        (["1|2|3", "1|3|2"], "unanimous", 1, {"12", "13"}, {"contradiction": 1}),
        (["1|2|3", "1|2|3", "2|1|3"], "majority", 1, {"12", "13", "23"}, {}),
        (["1|2|3", "12|3", "2|1|3"], "majority", 1, {"13", "23"}, {"contradiction": 1}),
        (["1|2|3", "123"], "majority", 1, set(), {"no_consensus": 3}),  # one of two is no majority
        (["123", "123"], "majority", 1, set(), {"tied": 3}),
        (["1|2|3", "1|2|3"], "unanimous", 2, {"13"}, {"gap_too_small": 2}),
        (["1|2|3", "1|23"], "unanimous", 2, set(), {"gap_too_small": 2, "no_consensus": 1}),
        (["1|2|3", "1|2|3", "1|23"], "majority", 2, {"13"}, {"gap_too_small": 2}),
        # Every majority is two to one, and they run in a circle.
        (["1|2|3", "2|3|1", "3|1|2"], "majority", 1, set(), {"cycle": 3}),
        (["1|2|3", "2|3|1", "3|1|2"], "unanimous", 1, set(), {"contradiction": 3}),
        # A fourth candidate below the circle is still below it.
        (["1|2|3|4", "2|3|1|4", "3|1|2|4"], "majority", 1, {"14", "24", "34"}, {"cycle": 3}),
        (["1|2", "1|2"], "adjudicated", 1, {"12"}, {}),
        (["1|2|3", "12|3"], "adjudicated", 1, {"13", "23"}, {"no_consensus": 1}),
        (["1|2|3", "2|1|3"], "adjudicated", 1, set(), {"waiting": 3}),
    ],
)
def test_consensus(notations, rule, gap, kept, dropped):
    rankings = [rank(notation, unit=f"unit{place}") for place, notation in enumerate(notations)]
    report = make_pairs(rankings, group(), rule, gap)
    counts = report.dimensions["overall"]
    assert short(report) == kept
    assert counts.dropped == dropped
    n = len(notations[0].replace("|", ""))
    assert counts.kept + sum(counts.dropped.values()) == counts.candidate_pairs == n * (n - 1) // 2


def test_majority_counts_and_smallest_gap():
    rankings = [rank("1|2|3", unit="a"), rank("1|23", unit="b"), rank("2|1|3", unit="c")]
    found = find_consensus(rankings, "majority")
    by_pair = {one.better[-1] + one.worse[-1]: (one.tier_gap, one.n_units, one.share) for one in found.preferences}
    assert by_pair == {
        "12": (1, 3, pytest.approx(2 / 3)),
        "13": (1, 3, 1.0),
        "23": (1, 3, pytest.approx(2 / 3)),
    }


def test_a_contradiction_is_reported_with_the_units_even_when_the_majority_decides():
    rankings = [rank("1|2", unit="a"), rank("1|2", unit="b"), rank("2|1", unit="c")]
    report = make_pairs(rankings, group(), "majority")
    assert short(report) == {"12"}
    assert report.contradictions == (
        {"task_id": "t0", "dimension": "overall", "candidates": ["t0-1", "t0-2"], "prefer": [["a", "b"], ["c"]]},
    )
    assert report.dimensions["overall"].contradicted == 1


def test_cycles_are_reported():
    rankings = [rank(notation, unit=notation) for notation in ("1|2|3", "2|3|1", "3|1|2")]
    report = make_pairs(rankings, group(), "majority")
    assert report.cycles == ({"task_id": "t0", "dimension": "overall", "candidates": ["t0-1", "t0-2", "t0-3"]},)
    assert report.as_json()["cycles"] == list(report.cycles)


def test_an_adjudicator_decides_only_where_units_differ():
    units = [rank("1|2|3", unit="a"), rank("2|1|3", unit="b"), rank("1|2", "t1", "a"), rank("1|2", "t1", "b")]
    decisions = [rank("3|2|1", unit="boss"), rank("2|1", "t1", "boss")]
    report = make_pairs(units, [*group(), *group("t1")], "adjudicated", adjudications=decisions)
    found = {(pair.better.id, pair.worse.id): (pair.n_annotators, pair.agreement) for pair in report.pairs}
    assert found == {
        ("t0-2", "t0-1"): (3, pytest.approx(2 / 3)),
        ("t0-3", "t0-1"): (3, pytest.approx(1 / 3)),
        ("t0-3", "t0-2"): (3, pytest.approx(1 / 3)),
        ("t1-1", "t1-2"): (2, 1.0),
    }
    assert report.waiting == ()


def test_what_waits_for_an_adjudicator_is_named():
    report = make_pairs([rank("1|2", unit="a"), rank("2|1", unit="b")], group(), "adjudicated")
    assert report.waiting == (("t0", "overall"),)


def test_too_few_units():
    report = make_pairs([rank("1|2|3"), rank("1|2", "t1"), rank("1|2", "t1", "b")], group("t1"), "unanimous", 1, 2)
    assert short(report) == {"12"}
    assert report.dimensions["overall"].dropped == {"too_few_units": 3}


def test_dimensions_are_counted_apart():
    rankings = [rank("1|2|3", dimension="consistency"), rank("12|3"), rank("1|2", "t1")]
    report = make_pairs(rankings, [*group(), *group("t1")], "unanimous")
    counts = {name: (part.tasks, part.kept) for name, part in report.dimensions.items()}
    assert list(counts.items()) == [("consistency", (1, 3)), ("overall", (2, 3))]


@pytest.mark.parametrize(
    ("rankings", "triplets", "more", "problem"),
    [
        ([rank("1|2")], group("other"), {}, "triplet t0-1 "),
        ([rank("1|2"), rank("2|1")], group(), {}, "two rankings of ann"),
        ([rank("1|2"), rank("1|2|3", unit="b")], group(), {}, "other candidates .* t0-3"),
        ([rank("1|2")], group(), {"adjudications": [rank("1|2", unit="boss")]}, "'majority'"),
        (
            [rank("1|2")],
            group(),
            {"rule": "adjudicated", "adjudications": [rank("1|2", unit="boss"), rank("2|1", unit="chief")]},
            "adjudicated by",
        ),
    ],
)
def test_impossible_input_is_refused(rankings, triplets, more, problem):
    with pytest.raises(DataError, match=problem):
        make_pairs(rankings, triplets, **({"rule": "majority"} | more))


def sft_row(*paths: str, source: str = "elsewhere") -> SFTExample:
    return SFTExample(
        id="row",
        triplet_id="x",
        group_id="g",
        task_type="compose",
        source=source,
        shown_width=640,
        shown_height=480,
        aspect="semantic",
        images=tuple(make_ref(path=path) for path in paths),
        prompt="?",
        completion="!",
        scale=25,
        score_bin=0,
        prompt_version="brief-v1",
    )


@pytest.mark.parametrize(
    ("row", "dropped"),
    [
        (sft_row("images/photo-t0.png"), {"image_in_training": 3}),
        (sft_row("images/t0-3.png"), {"image_in_training": 2}),
        (sft_row("images/else.png"), {}),
        (sft_row("images/else.png", source="photo-t0"), {"source_in_training": 3}),
        (make_triplet(task=make_task(origin=Origin(source="photo-t0", licence="CC0"))), {"source_in_training": 3}),
        (make_card(triplet=make_triplet(edited=make_ref(path="images/t0-1.png"))), {"image_in_training": 2}),
        (make_task(inputs=(make_ref(path="images/photo-t0.png"),)), {"image_in_training": 3}),
    ],
    ids=["input", "output", "nothing", "source of a training row", "source", "card", "task"],
)
def test_what_was_trained_on_is_left_out_and_counted(row, dropped, tmp_path):
    write_jsonl(tmp_path / "train.jsonl", [row])
    training = training_inputs([tmp_path / "train.jsonl"])
    report = make_pairs([rank("1|2|3")], group(), "unanimous", training=training)
    counts = report.dimensions["overall"]
    assert counts.dropped == dropped
    assert len(report.pairs) == counts.kept == 3 - sum(dropped.values())
    assert counts.candidate_pairs == 3


OLD_TRAINING_ROW = sft_row("a.png").model_dump_json(exclude={"group_id", "source", "shown_width", "shown_height"})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "first row "),
        ('{"conversations": []}\n', "first row .*SFTExample"),
        (OLD_TRAINING_ROW, r"train\.jsonl:1: .*older version"),
        ("[1]\n", "not a valid dict"),
    ],
)
def test_a_file_that_nothing_can_be_checked_against_is_refused(text, problem, tmp_path):
    (tmp_path / "train.jsonl").write_text(text)
    with pytest.raises(DataError, match=problem):
        training_inputs([tmp_path / "train.jsonl"])


def weak_orders(items):
    """Every ranking with ties."""
    if not items:
        yield ()
        return
    for mask in range(1, 2 ** len(items)):
        first = tuple(item for place, item in enumerate(items) if mask >> place & 1)
        for rest in weak_orders([item for item in items if item not in first]):
            yield (first, *rest)


def test_every_ranking_of_five_survives_pairs_and_back():
    orders = [tiers for tiers in weak_orders("12345") if len(tiers) > 1]
    assert len(orders) == 540  # the fifth Fubini number, less the one that ties all
    for tiers in orders:
        edges = [(a, b) for place, tier in enumerate(tiers) for a in tier for low in tiers[place + 1 :] for b in low]
        assert weak_order(edges) == tiers


def test_pairs_of_a_campaign_become_its_rankings_again():
    rankings = [rank("3|12|45"), rank("12|3", "t1"), rank("2|1|3", "t1", dimension="consistency"), rank("123", "t2")]
    pairs = make_pairs(rankings, [*group(), *group("t1"), *group("t2")], "unanimous").pairs
    found, problems = tiers_of_pairs(reversed(pairs), "pairs")
    assert problems == ()
    assert [(row.task_id, row.dimension, row.tiers) for row in found] == [
        ("t0", "overall", (("t0-3",), ("t0-1", "t0-2"), ("t0-4", "t0-5"))),
        ("t1", "consistency", (("t1-2",), ("t1-1",), ("t1-3",))),
        ("t1", "overall", (("t1-1", "t1-2"), ("t1-3",))),
    ]


@pytest.mark.parametrize(
    ("edges", "why"),
    [
        ("12 21", "contradiction: 1 over 2 and 2 over 1"),
        ("12 23 31", "cycle: 1, 2, 3 each lead to the others"),
        ("12 23", "missing: 1 over 2 over 3, but there is no pair of 1 and 3"),
        ("12 34", "partial: 1 over 2, but there is no pair of 3 with either of them"),
        ("12 13 23 43", "partial: 1 over 2, but there is no pair of 4 with either of them"),
    ],
)
def test_pairs_that_no_tiers_say(edges, why):
    assert weak_order([tuple(edge) for edge in edges.split()]) == why


def test_a_task_without_order_is_listed_and_the_others_are_not_lost():
    pairs = make_pairs([rank("1|2|3"), rank("1|2", "t1")], [*group(), *group("t1")], "unanimous").pairs
    chain = [pair for pair in pairs if (pair.better.id, pair.worse.id) != ("t0-1", "t0-3")]
    found, problems = tiers_of_pairs(chain, "pairs")
    assert [row.task_id for row in found] == ["t1"]
    assert [(problem.task_id, problem.why.split(":")[0]) for problem in problems] == [("t0", "missing")]


def test_the_order_of_rankings_changes_nothing():
    rankings = [rank(n, f"t{t}", n) for t in range(4) for n in ("1|2|3", "2|31", "3|1|2")]
    triplets = [triplet for t in range(4) for triplet in group(f"t{t}", 3)]
    first, second = (make_pairs(rows, triplets, "majority") for rows in (rankings, rankings[::-1]))
    assert first == second
    assert [(a.task.id, a.better.id) <= (b.task.id, b.better.id) for a, b in pairwise(first.pairs)].count(False) == 0
