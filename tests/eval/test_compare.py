"""`editjudge compare`: the statistics against known ones, and what is said of them."""

import json
import math
from itertools import pairwise

import numpy as np
import pytest
from bench_ground import compared, make_table
from eval_recipes import eval_recipe as make_recipe
from eval_recipes import rows_for
from eval_world import PixelEngine, write_benchmark

from editjudge.errors import DataError
from editjudge.files.io import read_jsonl, write_jsonl
from editjudge.records.tasks import TASK_TYPES
from editjudge.statistics.bootstrap import MIN_GROUPS
from editjudge.statistics.significance import holm, power_of
from eval.benchmarks.pairs import Pairs
from eval.compare.command import main
from eval.compare.paired import AnsweredByBoth, corrected, differences
from eval.compare.verdict import compare_folders, find_evaluations
from eval.evaluations.answers import answers_of
from eval.evaluations.evaluation import ScoredPair
from eval.external import read_scores
from eval.external.reading import ScoresFile
from eval.labels.types import Multiway, Preference
from eval.metrics.intervals import compare
from eval.metrics.pairs import count
from eval.run import run_eval


def make_questions(right_a, right_b, group, task=None) -> list[AnsweredByBoth]:
    """One question of "overall" per entry."""
    tasks = [0] * len(group) if task is None else task
    return [
        AnsweredByBoth("overall", TASK_TYPES[t], f"{g:04d}", bool(a), bool(b))
        for a, b, g, t in zip(right_a, right_b, group, tasks, strict=True)
    ]


def some_answers(n_groups=60, gain=0.15, seed=0):
    """Three pairs per group, two tasks; B is right on 60 %, A on `gain` more."""
    generator = np.random.default_rng(seed)
    group = np.repeat(np.arange(n_groups), 3)
    chance = generator.random(len(group))
    return chance < 0.6 + gain, chance < 0.6, group, group % 2


def corrected_differences(questions, rounds, seed):
    return corrected(differences(questions, rounds, seed))


def by_scope(found):
    return {(item.scope, item.task): item for item in found}


def test_the_figures_are_those_of_the_reports_own_comparison():
    right_a, right_b, group, task = some_answers()
    found = by_scope(corrected_differences(make_questions(right_a, right_b, group, task), 2000, 5))
    tables = [make_table(right, group, task=task) for right in (right_a, right_b)]
    known = compare(*(count(table) for table in tables), rounds=2000, seed=5)
    whole, mean = found["all", None], found["task_mean", None]
    for item, name in ((whole, "pair_mean"), (mean, "task_mean")):
        expected = [float(getattr(part, name)[0]) for part in (known.difference, known.low, known.high, known.p)]
        assert [item.value, item.low, item.high, item.p_one_sided] == pytest.approx(expected, abs=1e-9)
    for place in (0, 1):
        item = found["task", TASK_TYPES[place]]
        assert item.value == pytest.approx(float(known.difference.task[place, 0]))
        assert (item.low, item.high) == pytest.approx(
            (float(known.low.task[place, 0]), float(known.high.task[place, 0]))
        )
        assert (item.n, item.n_groups) == (90, 30)
    assert (whole.a, whole.b) == (right_a.mean(), right_b.mean())


def test_swapping_the_judges_turns_the_signs_and_keeps_the_two_sided_p():
    right_a, right_b, group, task = some_answers(gain=0.03)
    one = corrected_differences(make_questions(right_a, right_b, group, task), 1000, 1)[0]
    other = corrected_differences(make_questions(right_b, right_a, group, task), 1000, 1)[0]
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low))
    assert one.p_two_sided == other.p_two_sided
    assert one.p_one_sided < 0.5 < other.p_one_sided


def test_equal_judges_differ_by_nothing():
    right, _, group, task = some_answers()
    found = corrected_differences(make_questions(right, right, group, task), 500, 0)
    assert {item.value for item in found} == {0.0}
    assert {item.p_two_sided for item in found} == {1.0}
    assert not any(item.significant for item in found)
    assert {item.power for item in found} == {None}


def test_two_judges_of_one_quality_are_called_different_in_about_one_of_twenty():
    generator = np.random.default_rng(7)
    found = 0
    for _ in range(150):
        group = np.repeat(np.arange(60), 2)
        right = generator.random((2, 120)) < 0.7
        found += corrected_differences(make_questions(*right, group), 200, 0)[0].significant
    assert 2 <= found <= 15  # 7.5 expected; the bootstrap of 60 groups is slightly liberal


def test_a_p_value_is_never_zero_and_few_groups_get_no_test():
    group = np.arange(40)
    whole = corrected_differences(make_questions(group >= 0, group < 0, group), 999, 0)[0]
    assert (whole.value, whole.p_one_sided, whole.p_two_sided) == (1.0, 0.0, pytest.approx(2 / 1000))
    few = corrected_differences(make_questions([1, 1, 1, 0], [0, 0, 0, 0], np.arange(4)), 999, 0)[0]
    assert (few.value, few.low, few.p_two_sided, few.p_holm, few.power) == (0.75, None, None, None, None)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),
        ([0.04, 0.01], [0.04, 0.02]),
        ([0.5, 0.9], [1.0, 1.0]),
        ([], []),
    ],
)
def test_holm_by_hand(given, expected):
    assert holm(given) == pytest.approx(expected)


def test_tasks_are_corrected_for_their_number():
    right_a, right_b, group, task = some_answers(gain=0.06)
    found = corrected_differences(make_questions(right_a, right_b, group, task), 2000, 1)
    tasks = [item for item in found if item.scope == "task"]
    assert min(item.p_holm for item in tasks) == pytest.approx(2 * min(item.p_two_sided for item in tasks))
    assert next(item for item in found if item.scope == "all").p_holm == pytest.approx(
        next(item for item in found if item.scope == "all").p_two_sided
    )


def test_power_by_hand():
    """Standard error 0.02: detectable from 2.8016 x 0.02; a difference of half that needs four times the groups."""
    found = power_of(0.0280158, 0.02, 400, 3000)
    assert found.detectable == pytest.approx(0.056032, abs=1e-5)
    assert found.groups == pytest.approx(1600, abs=1)
    assert found.pairs == pytest.approx(12000, abs=2)
    assert power_of(0.0, 0.02, 400, 3000).groups is None
    assert power_of(0.1, 0.0, 400, 3000) is None


def test_power_never_names_fewer_groups_than_an_interval_needs():
    """400 groups of 7 or 8 pairs: two would do for a huge difference, but five are needed, and so 38 pairs."""
    assert power_of(0.9, 0.02, 400, 3000).groups == MIN_GROUPS
    assert power_of(0.9, 0.02, 400, 3000).pairs == math.ceil(5 * 7.5)
    assert power_of(0.9, 0.02, 400, 400).pairs == 5


def test_so_many_groups_really_show_the_difference_in_four_of_five_cases():
    """Independent judges of 70 % and 60 %: n from a first sample's error, then many benchmarks of that size."""
    error = math.sqrt((0.7 * 0.3 + 0.6 * 0.4) / 100)
    needed = power_of(0.1, error, 100, 100).groups
    generator = np.random.default_rng(3)
    seen = 0
    for _ in range(100):
        a, b = generator.random(needed) < 0.7, generator.random(needed) < 0.6
        seen += corrected_differences(make_questions(a, b, np.arange(needed)), 200, 0)[0].significant
    assert 0.7 <= seen / 100 <= 0.9


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Two judges on one benchmark: one that sees, one that guesses."""
    root = tmp_path_factory.mktemp("compare")
    pairs = write_benchmark(root / "bench", groups=24)
    bench = Pairs(path=pairs).load(root)
    level = {"editor0": 9.0, "editor1": 6.0, "editor2": 3.0}
    write_jsonl(
        root / "sees.jsonl",
        [
            {"id": t.id} | dict.fromkeys(("prompt_following", "consistency", "overall"), level[t.editor])
            for t in bench.triplets
        ],
    )
    run_eval(make_recipe(root / "sees", pairs, judge=None, scores=root / "sees.jsonl"))
    run_eval(make_recipe(root / "guesses", pairs, PixelEngine()))
    return root


def test_the_command_says_which_is_better(world, tmp_path, capsys):
    arguments = [str(world / "sees"), str(world / "guesses"), "--rounds", "500", "--json", str(tmp_path / "c.json")]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    for expected in ("pairs: 216 pairs", "Overall: A 100.0 %", "A is better", "By task", "appendix D", "Holm"):
        assert expected in printed
    content = json.loads((tmp_path / "c.json").read_text())
    rows = {(row["figure"], row["scope"], row["task"]): row for row in content["benchmarks"][0]["differences"]}
    right = [row.outcome == "right" for row in read_jsonl(world / "guesses" / "pairs" / "pairs.jsonl", ScoredPair)]
    shares = [rows[name, "all", None]["b"] for name in ("prompt_following", "consistency", "overall")]
    assert sum(shares) / 3 == pytest.approx(sum(right) / len(right), abs=1e-5)
    assert rows["overall", "all", None]["significant"]
    assert rows["overall", "all", None]["power"]["groups"] < 24
    main([str(world / "guesses"), str(world / "sees" / "results.json"), "--rounds", "500"])
    assert "B is better" in capsys.readouterr().out


def test_a_judge_against_itself_is_noise(world, capsys):
    main([str(world / "guesses"), str(world / "guesses" / "pairs"), "--rounds", "200"])
    printed = capsys.readouterr().out
    assert printed.count("No difference at all") == 3
    assert "better, by more" not in printed


def test_questions_of_one_only_are_left_out_and_told(world, tmp_path, capsys):
    rows = list(read_jsonl(world / "guesses" / "pairs" / "pairs.jsonl", ScoredPair))
    write_jsonl(tmp_path / "part" / "pairs.jsonl", rows[:-16])
    (tmp_path / "part" / "done.json").write_text('{"identity": {}, "info": {}}')
    main([str(world / "sees"), str(tmp_path / "part"), "--rounds", "200"])
    assert "PARTIAL: 16 of A's questions were not put to B and 0 of B's not to A" in capsys.readouterr().out


def test_duplicates_stay_in(world, tmp_path):
    rows = list(read_jsonl(world / "guesses" / "pairs" / "pairs.jsonl", ScoredPair))
    for name in ("one", "two"):
        write_jsonl(tmp_path / name / "pairs.jsonl", [*rows, rows[0]])
        (tmp_path / name / "done.json").write_text('{"identity": {}, "info": {}}')
    assert compare_folders(tmp_path / "one", tmp_path / "two", 200)[0].n_common == 217


def test_another_label_is_refused(world, tmp_path):
    rows = list(read_jsonl(world / "guesses" / "pairs" / "pairs.jsonl", ScoredPair))
    turned = [rows[0].model_copy(update={"better": rows[0].worse, "worse": rows[0].better}), *rows[1:]]
    write_jsonl(tmp_path / "pairs.jsonl", turned)
    (tmp_path / "done.json").write_text('{"identity": {}, "info": {}}')
    with pytest.raises(DataError, match="two labels"):
        compare_folders(world / "guesses", tmp_path)


def test_folders_that_hold_no_one_judge_are_named(world, tmp_path):
    with pytest.raises(DataError, match="no evaluation"):
        find_evaluations(tmp_path)
    with pytest.raises(DataError, match=r"several judges(.|\n)*guesses(.|\n)*sees"):
        find_evaluations(world)
    (tmp_path / "pairs" / "shards").mkdir(parents=True)
    with pytest.raises(DataError, match="not finished"):
        find_evaluations(tmp_path)


def test_other_benchmarks_are_refused(world, tmp_path):
    other = write_benchmark(tmp_path / "bench", groups=6, instruction="Another thing")
    rows = [
        row.model_copy(update={"pair": f"x{row.pair}"})
        for row in read_jsonl(world / "sees/pairs/pairs.jsonl", ScoredPair)
    ]
    write_jsonl(tmp_path / "o" / "pairs.jsonl", rows)
    (tmp_path / "o" / "done.json").write_text('{"identity": {}, "info": {}}')
    with pytest.raises(DataError, match="question"):
        compare_folders(world / "sees", tmp_path / "o")
    assert other.is_file()


def test_answers_about_ties_and_groups(tmp_path, world):
    bench = Pairs(path=world / "bench" / "pairs.jsonl").load(world)
    genai = compared(bench)  # A>B, B>A, both good, both bad; A is always the better one of the scores
    level = {"editor0": 9.0, "editor1": 6.0, "editor2": 3.0}
    write_jsonl(
        tmp_path / "s.jsonl",
        [row | {"overall": level[t.editor]} for row, t in zip(rows_for(bench), bench.triplets, strict=True)],
    )
    scores = read_scores(ScoresFile(path=tmp_path / "s.jsonl"), genai)
    answers = [*answers_of(genai, scores.cards, None)]
    assert not any(item.unscored for item in answers)
    found = [(item.kind, item.id[-1], item.right) for item in answers]
    # All margins are 3: calling everything a tie is right twice, calling nothing a tie once.
    assert found == [
        ("with_ties", "0", False),
        ("with_ties", "1", False),
        ("with_ties", "2", True),
        ("with_ties", "3", True),
        ("without_ties", "0", True),
        ("without_ties", "1", False),
    ]
    voted = [*answers_of(genai, {}, {"genai_bench-0": "A>B", "genai_bench-2": "A=B=Bad"})]
    assert [item.unscored for item in voted] == [False, True, False, True, False, True]
    for name, rows in (("scored", answers), ("voted", voted)):
        write_jsonl(tmp_path / name / "pairs.jsonl", [])
        write_jsonl(tmp_path / name / "answers.jsonl", rows)
        (tmp_path / name / "done.json").write_text('{"identity": {}, "info": {}}')
    [verdict] = compare_folders(tmp_path / "scored", tmp_path / "voted", 200)
    # Four comparisons stand behind two figures, and two of them were not answered.
    assert (verdict.sizes, verdict.n_common, verdict.unscored_a, verdict.unscored_b) == ({"comparisons": 4}, 4, 0, 2)
    assert [item.right for item in voted] == [True, False, True, False, True, False]
    group = bench.triplets[:3]
    labels = [((0, 1), "A>B"), ((0, 2), "A>B"), ((1, 2), "A>B")]
    preferences = tuple(Preference(id=str(i), first=x, second=y, label=z) for i, ((x, y), z) in enumerate(labels))
    multiway = Multiway(id="g", task=group[0].task, candidates=group, preferences=preferences, dimension="overall")
    groups = type(bench)("g", "g", (), bench.root, bench.left_out, bench.notes, multiways=(multiway,))
    cards = read_scores(ScoresFile(path=tmp_path / "s.jsonl"), groups).cards
    found = [(item.kind, item.right) for item in answers_of(groups, cards, None)]
    assert found == [("group", True), ("group_with_ties", True)]
    tied = (*preferences[:2], preferences[2].model_copy(update={"label": "A=B"}))
    with_tie = type(bench)(
        *("g", "g", (), bench.root, bench.left_out, bench.notes),
        multiways=(multiway.model_copy(update={"preferences": tied}),),
    )
    found = [(item.kind, item.right) for item in answers_of(with_tie, cards, None)]
    assert found[0] == ("group", False)  # its scores differ where people tied
    swapped = {one.id: cards[other.id] for one, other in pairwise([*group, group[0]])}
    assert [item.right for item in answers_of(groups, swapped, None)] == [False, False]
    assert [(item.right, item.unscored) for item in answers_of(groups, {}, None)] == [(False, True), (False, True)]
