"""Rankings made elsewhere become a campaign's: every layout, what is refused, and what other steps make of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_studio import TOKEN, fake_studio
from ranking_ground import rank
from studio_ground import annotate, make_groups, make_recipe, write_groups

from annotation.label_studio.client import Studio
from annotation.recipe import AnnotationRecipe
from annotation.steps.imports import import_rankings
from annotation.steps.pull import pull
from annotation.steps.push import push
from editjudge.__main__ import main as run_command
from editjudge.errors import DataError
from editjudge.files.io import read_json, read_jsonl, write_jsonl
from editjudge.formats.campaign import PushedTask, rankings_file, tasks_file
from editjudge.formats.rankings import Ranking
from editjudge.records.types import PreferencePair


@pytest.fixture
def groups(tmp_path):
    """g0, g1, g2 with candidates g0-0 ... g0-4, by editor0 ... editor4."""
    return write_groups(tmp_path / "data", 3)


@pytest.fixture
def recipe(tmp_path, groups):
    return make_recipe(tmp_path / "out", groups)


def write(path: Path, rows: Any) -> Path:
    path.write_text(rows if isinstance(rows, str) else json.dumps(rows))
    return path


def rankings(recipe: AnnotationRecipe) -> dict[tuple[str, str], Ranking]:
    return {(row.task_id, row.annotator): row for row in read_jsonl(rankings_file(recipe.out), Ranking)}


def names(*numbers: int, group: str = "g0") -> tuple[str, ...]:
    return tuple(f"{group}-{number}" for number in numbers)


def test_tiers_as_notation(tmp_path, recipe):
    """Numbers from 1, in the order of the groups' file; every ranking keeps what it was made of."""
    path = write(tmp_path / "tiers.csv", "task_id,tiers\ng0,3|12|45\ng1,12345\n")
    report = import_rankings(recipe, path, "a")
    assert (report.rows, report.rankings, report.new_tasks, report.problems) == (2, {"a": 2}, 2, [])
    found = rankings(recipe)
    assert found["g0", "a"].tiers == (names(2), names(0, 1), names(3, 4))
    assert found["g1", "a"].tiers == (names(0, 1, 2, 3, 4, group="g1"),)
    assert found["g0", "a"].notation == "3|12|45"
    tasks = list(read_jsonl(tasks_file(recipe.out), PushedTask))
    assert [(task.group_id, task.candidates) for task in tasks] == [
        ("g0", names(0, 1, 2, 3, 4)),
        ("g1", names(0, 1, 2, 3, 4, group="g1")),
    ]


def test_a_row_that_has_not_one_cell_per_column_is_not_used(tmp_path, recipe):
    path = write(tmp_path / "tiers.tsv", "task_id\ttiers\ng0\t12345\tx\ng1\t1|2345\n")
    report = import_rankings(recipe, path, "a")
    assert [(row["kind"], row["where"]) for row in report.problems] == [("unreadable_row", f"{path}:2")]
    assert {*rankings(recipe)} == {("g1", "a")}


def test_numbers_refer_to_the_rows_own_candidates_where_it_lists_them(tmp_path, recipe):
    row = {"task_id": "g0", "tiers": "1|23", "candidates": ["editor4", "images/g0-0.png", "g0-2"]}
    import_rankings(recipe, write(tmp_path / "rows.json", [row]), "a")
    assert rankings(recipe)["g0", "a"].tiers == (names(4), names(0, 2))
    assert rankings(recipe)["g0", "a"].shown == names(4, 0, 2)


def test_imagerewards_list_of_ranks(tmp_path, recipe):
    """As its data/test.json: 1 is the best, equal ranks are tied, a gap (1, 2, 5, 3) means nothing."""
    rows = [
        {
            "id": "005658-0040",
            "prompt": "Make it pink, 0.",
            "generations": [f"part-005658/images/g0-{n}.png" for n in range(4)],
            "ranking": [1, 2, 5, 2],
        }
    ]
    import_rankings(recipe, write(tmp_path / "test.json", rows), "a")
    assert rankings(recipe)["g0", "a"].tiers == (names(0), names(1, 3), names(2))


def test_i2ebenchs_buckets_and_scores(tmp_path, recipe):
    """As its EditRank/<task>.json, by id: right and wrong models, an empty list is no tier; or models with scores."""
    models = [f"editor{n}" for n in range(5)]
    rows = {
        "g0": {"image": "0.png", "model_rank": {"right_models": models[3:], "wrong_models": models[:3]}},
        "g1": {"image": "1.png", "model_rank": {"right_models": [], "wrong_models": models}},
        "2": {
            "image": "g2.png",
            "model_rank": [[name, 0.5 if place > 2 else place] for place, name in enumerate(models)],
        },
    }
    import_rankings(recipe, write(tmp_path / "Counting.json", rows), "b")
    found = rankings(recipe)
    assert found["g0", "b"].tiers == (names(3, 4), names(0, 1, 2))
    assert found["g1", "b"].tiers == (names(0, 1, 2, 3, 4, group="g1"),)
    assert found["g2", "b"].tiers == (
        names(2, group="g2"),
        names(1, group="g2"),
        names(3, 4, group="g2"),
        names(0, group="g2"),
    )


def test_rankings_of_another_campaign(tmp_path, recipe):
    """rankings.jsonl of a campaign, or what `pairs --tiers` writes: unit and dimension are in the rows."""
    rows = [rank("2|13", "g0", "a", "consistency", 12.5), rank("1|23", "g0", "b")]
    rows = [json.loads(row.model_dump_json()) for row in rows]
    for row in rows:
        row["tiers"] = [[f"g0-{int(name[-1]) - 1}" for name in tier] for tier in row["tiers"]]
        del row["shown"]
    write_jsonl(tmp_path / "r.jsonl", rows)
    import_rankings(recipe, tmp_path / "r.jsonl")
    found = rankings(recipe)
    assert found["g0", "a"].tiers == (names(1), names(0, 2))
    assert (found["g0", "a"].dimension, found["g0", "a"].seconds) == ("consistency", 12.5)
    assert found["g0", "b"].dimension == "overall"


BAD = {
    "unknown_group": {"task_id": "g9", "tiers": "12345"},
    "not_a_ranking": {"task_id": "g0", "tiers": "1|23"},
    "unknown_candidate": {"task_id": "g0", "tiers": [["nobody"], ["g0-1"]]},
    "other_instruction": {"task_id": "g0", "tiers": "12345", "instruction": "Make it blue."},
    "unknown_dimension": {"task_id": "g0", "tiers": "12345", "dimension": "beauty"},
    "not_one_rank_each": {"task_id": "g0", "ranking": [1, 2], "candidates": ["g0-0", "g0-1", "g0-2"]},
    "unreadable_rank": {"task_id": "g0", "ranking": [1, 0.5], "candidates": ["g0-0", "g0-1"]},
    "no_candidates": {"task_id": "g0", "ranking": [1, 2]},
    "no_ranking": {"task_id": "g0", "model_rank": {"right_models": ["editor0"]}},
    "unreadable_name": {"task_id": "g0", "tiers": [["g0-0"], [7]]},
    "other_candidates": {"task_id": "g1", "ranking": [1, 2], "candidates": ["g1-0", "g1-1"]},
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_row_is_counted_and_named_and_the_others_are_used(tmp_path, recipe, kind, capsys):
    good = {"task_id": "g1", "tiers": "1|2345"}
    path = write(tmp_path / "rows.json", [good, BAD[kind]])
    report = import_rankings(recipe, path, "a")
    assert [(row["kind"], row["where"]) for row in report.problems] == [(kind, f"{path}: row 1")]
    assert {*rankings(recipe)} == {("g1", "a")}
    assert read_json(recipe.out / "import.json")["problems"] == report.problems


def test_a_candidate_twice_is_no_ranking(tmp_path, recipe):
    rows = [{"task_id": "g0", "tiers": [["g0-0"], ["g0-1", "editor0"]]}, {"task_id": "g1", "tiers": "12345"}]
    report = import_rankings(recipe, write(tmp_path / "rows.json", rows), "a")
    assert report.problems[0]["kind"] == "not_a_ranking"
    assert "candidate 1 stands 2 times" in report.problems[0]["problem"]


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ({"model_rank": {"right_models": ["editor0"], "wrong_models": ["editor0", "editor1"]}}, "not_a_ranking"),
        ({"model_rank": [["editor0", None], ["editor1", 2]]}, "unreadable_rank"),
        ({"model_rank": [["editor0", float("nan")], ["editor1", 2]]}, "unreadable_rank"),
        ({"ranking": [0, 1], "generations": ["g0-0", "g0-1"]}, "unreadable_rank"),
        ({"ranking": [None, 1], "generations": ["g0-0", "g0-1"]}, "unreadable_rank"),
        ({"ranking": [1, 2, 3], "generations": ["g0-0", "g0-1"]}, "not_one_rank_each"),
        ({"ranking": [1, 2], "generations": ["g0-0", "g0-0"]}, "not_a_ranking"),
    ],
)
def test_odd_cells_of_imagereward_and_i2ebench_are_not_used(tmp_path, recipe, said, kind):
    """Their code compares what is there, or stops; docs/annotation.md has the table."""
    rows = [{"task_id": "g1", "tiers": "12345"}, {"task_id": "g0"} | said]
    report = import_rankings(recipe, write(tmp_path / "rows.json", rows), "a")
    assert [row["kind"] for row in report.problems] == [kind]


def test_two_rows_that_differ_are_both_left_out_and_the_same_twice_counts_once(tmp_path, recipe):
    text = "task_id,tiers\ng0,1|2345\ng0,2|1345\ng1,1|2345\ng1,1|2345\n"
    report = import_rankings(recipe, write(tmp_path / "t.csv", text), "a")
    assert [row["kind"] for row in report.problems] == ["two_rankings", "two_rankings"]
    assert report.repeated == 1
    assert {*rankings(recipe)} == {("g1", "a")}


@pytest.mark.parametrize(
    ("rows", "unit", "said"),
    [
        ([{"task_id": "g0", "tiers": "12345"}], None, "`unit` or `annotator`"),
        ([{"task_id": "g0", "tiers": "12345"}], "carl", "--unit carl: .*a, b"),
        ([{"task_id": "g9", "tiers": "12345"}], "a", "1 rows .*g9: "),
        ([], "a", "no row"),
    ],
)
def test_nothing_is_written_when_no_row_can_be_used(tmp_path, recipe, rows, unit, said):
    with pytest.raises(DataError, match=said):
        import_rankings(recipe, write(tmp_path / "rows.json", rows), unit)
    assert not rankings_file(recipe.out).exists()


def test_a_second_import_adds_to_the_first_and_replaces_the_same_questions(tmp_path, recipe):
    import_rankings(recipe, write(tmp_path / "one.csv", "task_id,tiers\ng0,1|2345\ng1,12345\n"), "a")
    report = import_rankings(recipe, write(tmp_path / "two.csv", "task_id,tiers\ng0,2|1345\ng2,12345\n"), "a")
    assert (report.replaced, report.new_tasks) == (1, 1)
    assert [row.notation for row in rankings(recipe).values()] == ["2|1345", "12345", "12345"]


def test_agreement_and_pairs_of_imported_rankings(tmp_path, groups, capsys):
    """The command, from three files to figures and preference pairs."""
    recipe = tmp_path / "recipe.yaml"
    project = {"title": "Elsewhere", "groups": str(groups), "units": [{"name": "a"}, {"name": "b"}]}
    recipe.write_text(yaml.safe_dump({"out": str(tmp_path / "out"), "project": project, "pairs": {"min_units": 2}}))
    one = write(tmp_path / "a.csv", "task_id,tiers\ng0,3|12|45\ng1,1|2|3|4|5\ng9,1|2\n")
    two = write(tmp_path / "b.csv", "task_id,tiers\ng0,3|12|45\ng1,2|1|3|4|5\n")
    assert annotate(["import", str(recipe), str(one), "--unit", "a"]) == 1  # g9 is no group
    assert annotate(["import", str(recipe), str(two), "--unit", "b", "--json", str(tmp_path / "n.json")]) == 0
    assert read_json(tmp_path / "n.json")["rankings"] == {"b": 2}
    assert "a.csv:4: g9: no such group" in capsys.readouterr().out
    assert annotate(["agreement", str(recipe), "agreement.bootstrap_rounds=0"]) == 0
    figures = read_json(tmp_path / "out" / "agreement.json")["dimensions"]["overall"]
    assert (figures["n_tasks"], figures["convergence@1"]["value"]) == (2, 0.5)
    assert annotate(["pairs", str(recipe)]) == 0
    pairs = list(read_jsonl(tmp_path / "out" / "pairs.jsonl", PreferencePair))
    # 3|12|45 gives eight pairs; of the ten of g1 the units contradict each other about one.
    assert [sum(pair.task.id == name for pair in pairs) for name in ("g0", "g1")] == [8, 9]


@pytest.fixture
def fake():
    with fake_studio() as studio:
        yield studio


def test_a_pull_keeps_imported_rankings_and_an_imported_unit_is_shown_nothing(tmp_path, groups, fake):
    server = {"url": fake.url, "images_url": "/images/"}
    recipe = make_recipe(tmp_path / "out", groups, server=server)
    import_rankings(recipe, write(tmp_path / "a.csv", "task_id,tiers\ng0,3|12|45\n"), "a")
    with Studio(fake.url, TOKEN) as studio:
        assert [unit.unit for unit in push(recipe, studio).units] == ["b"]
        report = pull(recipe, studio)
    assert (report.rankings, report.imported) == (1, {"a": 1})
    assert rankings(recipe)["g0", "a"].notation == "3|12|45"
    tasks = {row.group_id: row for row in read_jsonl(tasks_file(recipe.out), PushedTask)}
    assert tasks["g0"].candidates == names(0, 1, 2, 3, 4)  # as they were ranked, so that both rank the same
    with pytest.raises(DataError, match=r"unit b .*Label Studio"):
        import_rankings(recipe, tmp_path / "a.csv", "b")


def test_a_push_never_shows_other_candidates_than_were_imported(tmp_path, groups, fake):
    recipe = make_recipe(tmp_path / "out", groups, server={"url": fake.url, "images_url": "/images/"})
    row = {"task_id": "g0", "ranking": [1, 2], "candidates": ["g0-0", "g0-1"]}
    import_rankings(recipe, write(tmp_path / "rows.json", [row]), "a")
    with Studio(fake.url, TOKEN) as studio, pytest.raises(DataError, match=r"g0: .*of 2"):
        push(recipe, studio)


def test_text_and_numbers_that_json_can_hold_and_records_cannot_are_read_or_counted(tmp_path, recipe):
    """Halves of surrogate pairs in names and instructions, and whole numbers beyond any float."""
    huge = "1" + "0" * 400
    (tmp_path / "odd.jsonl").write_text(
        '{"task_id": "g0", "tiers": "12345", "instruction": "Make the sky \\ud800 pink.", "seconds": 4}\n'
        '{"task_id": "g1\\udc00", "tiers": "12345"}\n'
        f'{{"task_id": "g1", "tiers": "12345", "seconds": {huge}}}\n'
        f'{{"task_id": "g2", "model_rank": [["g2-0", {huge}]]}}\n'
    )
    report = import_rankings(recipe, tmp_path / "odd.jsonl", "a")
    assert [row["kind"] for row in report.problems] == ["other_instruction", "unknown_group", "unreadable_rank"]
    assert rankings(recipe)["g1", "a"].seconds is None
    assert read_json(recipe.out / "import.json")["problems"] == report.problems


def test_a_cell_cannot_write_to_the_terminal(tmp_path, recipe):
    """Escape sequences of a table's names come back in messages; as U+FFFD they are only text."""
    path = write(tmp_path / "tiers.csv", "task_id,tiers\ng0,12345\ng1\x1b[31m,12345\n")
    (row,) = import_rankings(recipe, path, "a").problems
    assert row["problem"].startswith("g1\ufffd[31m: no such group")


def test_a_group_without_an_instruction_cannot_have_been_ranked(tmp_path, groups, recipe):
    data = tmp_path / "data"
    write_jsonl(groups, [*make_groups(data, 1), *make_groups(data, 1, first=1, instruction=" ")])
    report = import_rankings(recipe, write(tmp_path / "tiers.csv", "task_id,tiers\ng0,3|12|45\ng1,12345\n"), "a")
    assert [row["kind"] for row in report.problems] == ["no_instruction"]
    assert report.rankings == {"a": 1}


@pytest.mark.parametrize("step", ["import", "pairs"])
def test_inputs_that_are_missing_are_found_before_anything_is_written(tmp_path, capsys, step):
    out = tmp_path / "out"
    project = {"title": "Trial", "groups": str(tmp_path / "groups.jsonl"), "units": [{"name": "a"}]}
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump({"out": str(out), "project": project}))
    arguments = [str(path), str(write(tmp_path / "tiers.csv", "task_id,tiers\n"))][: 2 if step == "import" else 1]
    assert run_command(["annotate", step, *arguments]) == 2
    assert capsys.readouterr().err == f"{path}: project.groups: no such file or folder: {tmp_path / 'groups.jsonl'}\n"
    assert not out.exists()
