"""Pulling: what counts, what is listed, and that nothing once pulled is lost."""

from __future__ import annotations

import json

import pytest
from fake_studio import PAGE_404, TOKEN, fake_studio
from studio_ground import make_recipe, write_groups

from annotation.campaign.records import InvalidAnnotation, invalid_file
from annotation.label_studio.client import Studio, StudioError
from annotation.label_studio.mirror import load_mirror, mirror_file
from annotation.page.answers import make_result
from annotation.page.layout import layout_of
from annotation.steps.pull import main, pull
from annotation.steps.pull_report import as_json
from annotation.steps.push import push, push_disputes
from editjudge.errors import DataError
from editjudge.files.io import read_json, read_jsonl, write_jsonl
from editjudge.formats.campaign import rankings_file
from editjudge.formats.rankings import Ranking

DIMENSIONS = ("prompt_following", "consistency", "overall")
TIERS = {
    "prompt_following": [[3], [1, 2], [4, 5]],
    "consistency": [[1, 2, 3, 4, 5]],
    "overall": [[5], [4], [3], [2], [1]],
}
OTHER = {name: [[1], [2, 3, 4, 5]] for name in DIMENSIONS}


@pytest.fixture
def fake():
    with fake_studio() as studio:
        yield studio


@pytest.fixture
def recipe(tmp_path, fake):
    write_groups(tmp_path / "data", 4)

    def make(**changes):
        values = {"server": {"url": fake.url, "images_url": "/images/"}} | changes
        return make_recipe(tmp_path / "out", tmp_path / "data" / "groups.jsonl", **values)

    with Studio(fake.url, TOKEN) as studio:
        push(make(), studio)
    return make


def run(recipe, token=TOKEN):
    with Studio(recipe.server.url, token) as studio:
        return pull(recipe, studio)


def rankings(recipe):
    return list(read_jsonl(rankings_file(recipe.out), Ranking))


def result(recipe, tiers=TIERS):
    return make_result(layout_of(recipe), tiers)


def task_of(fake, unit, group_id):
    return fake.of_group(fake.project_of(unit), group_id)


def changed(items, name, value):
    """The result with another answer of one control."""
    return [item | {"value": value} if item["from_name"] == name else item for item in items]


def test_rankings_come_back_in_ids_and_in_notation(tmp_path, fake, recipe):
    campaign = recipe(title="Other").model_copy(update={"out": tmp_path / "other"})
    with Studio(fake.url, TOKEN) as studio:
        push(campaign, studio)
    number = max(key for key, task in fake.tasks.items() if task["data"]["group_id"] == "g2")  # of b, pushed last
    fake.annotate(number, result(campaign), lead_time=41.5)
    report = run(campaign)
    assert [(unit.unit, unit.done, unit.left) for unit in report.units] == [("a", 0, 4), ("b", 1, 3)]
    found = {row.dimension: row for row in rankings(campaign)}
    assert {name: row.notation for name, row in found.items()} == {
        "prompt_following": "3|12|45",
        "consistency": "12345",
        "overall": "5|4|3|2|1",
    }
    shown = fake.tasks[number]["data"]["triplets"]
    row = found["prompt_following"]
    assert row.tiers == ((shown[2],), (shown[0], shown[1]), (shown[3], shown[4]))
    assert (row.task_id, row.annotator, row.seconds) == ("g2", "b", 41.5)
    assert report.units[1].seconds == [41.5]


def test_only_tasks_that_changed_are_fetched(fake, recipe):
    fake.annotate(task_of(fake, "a", "g0"), result(recipe()))
    run(recipe())
    before = rankings(recipe())
    task = task_of(fake, "b", "g1")
    fake.annotate(task, result(recipe()))
    given = []

    def note(studio, method, path, query):
        if path == "/api/tasks" and query.get("fields") == "all":
            given.extend(row["id"] for row in studio.answer(method, path, query, None)[1]["tasks"])

    fake.watch = note
    run(recipe())
    assert given == [task]
    given.clear()
    run(recipe())
    assert given == []
    assert rankings(recipe())[:3] == before
    assert len(rankings(recipe())) == 6


def test_a_deletion_beside_an_addition_is_noticed(fake, recipe):
    run(recipe())
    project = fake.project_of("a")
    del fake.tasks[task_of(fake, "a", "g0")]
    fake.answer("POST", f"/api/projects/{project}/import", {}, [{"data": {"instruction": "by hand"}}])
    run(recipe())
    mirror = load_mirror(recipe().out, "a")
    assert mirror is not None
    assert {task.group_id for task in mirror.tasks.values()} == {"g1", "g2", "g3", None}
    del fake.tasks[task_of(fake, "a", "g1")]
    fake.answer("POST", f"/api/projects/{project}/import", {}, [{"data": {"instruction": "by hand"}}])
    with Studio(fake.url, TOKEN) as studio:
        assert [unit.added for unit in push(recipe(), studio).units] == [2, 0]


def test_two_pulls_write_the_same_bytes(fake, recipe):
    fake.annotate(task_of(fake, "a", "g0"), result(recipe()))
    run(recipe())
    first = rankings_file(recipe().out).read_bytes()
    mirror_file(recipe().out, "a").unlink()
    run(recipe())
    assert rankings_file(recipe().out).read_bytes() == first


def test_an_updated_annotation_replaces_the_earlier_one(fake, recipe):
    task = task_of(fake, "a", "g0")
    number = fake.annotate(task, result(recipe()))
    run(recipe())
    fake.remove(task, number)
    fake.annotate(task, result(recipe(), OTHER), id=number)
    report = run(recipe())
    assert [row.notation for row in rankings(recipe())] == ["1|2345"] * 3
    assert report.units[0].withdrawn == 0


def bad(name):
    good = lambda recipe: result(recipe)  # noqa: E731
    pf_2 = "prompt_following_2"
    return {
        "empty": lambda recipe: [],
        "no list": lambda recipe: {"from_name": "x"},
        "nothing": lambda recipe: None,
        "missing control": lambda recipe: good(recipe)[1:],
        "unknown control": lambda recipe: [*good(recipe), {"from_name": "taste", "type": "choices", "value": {}}],
        "twice": lambda recipe: [*good(recipe), good(recipe)[0]],
        "unknown tier": lambda recipe: changed(good(recipe), pf_2, {"choices": ["6"]}),
        "two tiers": lambda recipe: changed(good(recipe), pf_2, {"choices": ["1", "2"]}),
        "no value": lambda recipe: changed(good(recipe), pf_2, {}),
        "text": lambda recipe: ["3|12|45"],
    }[name]


@pytest.mark.parametrize(
    "name",
    [
        "empty",
        "no list",
        "nothing",
        "missing control",
        "unknown control",
        "twice",
        "unknown tier",
        "two tiers",
        "no value",
        "text",
    ],
)
def test_an_annotation_made_by_hand_is_listed_and_never_guessed(fake, recipe, name):
    task = task_of(fake, "a", "g0")
    number = fake.annotate(task, bad(name)(recipe()))
    fake.annotate(task_of(fake, "a", "g1"), result(recipe()))
    report = run(recipe())
    assert {row.task_id for row in rankings(recipe())} == {"g1"}
    (listed,) = read_jsonl(invalid_file(recipe().out), InvalidAnnotation)
    assert (listed.unit, listed.group_id, listed.annotation_id) == ("a", "g0", str(number))
    assert listed.link == f"{fake.url}/projects/{fake.project_of('a')}/data?task={task}"
    assert listed.problem
    assert (report.units[0].done, report.units[0].invalid, report.units[0].left) == (1, 1, 2)


def test_a_skipped_task_is_no_ranking_until_it_is_ranked(fake, recipe):
    task = task_of(fake, "a", "g0")
    fake.annotate(task, result(recipe()), was_cancelled=True)
    report = run(recipe())
    assert (report.units[0].skipped, report.units[0].left, report.rankings) == (1, 3, 0)
    fake.annotate(task, result(recipe()))
    report = run(recipe())
    assert (report.units[0].skipped, report.units[0].done) == (0, 1)


def test_two_annotations_of_a_task_count_only_when_they_say_the_same(fake, recipe):
    task = task_of(fake, "a", "g0")
    fake.annotate(task, result(recipe()))
    second = fake.annotate(task, result(recipe()))
    report = run(recipe())
    assert report.units[0].done == 1
    assert {row.annotation_id for row in rankings(recipe())} == {str(second)}
    third = fake.annotate(task, result(recipe(), OTHER))
    report = run(recipe())
    assert rankings(recipe()) == []
    assert [row.problem for row in report.invalid] == [
        "3 annotations of this task differ; delete all but the right one"
    ] * 3
    for number in (second - 1, second):
        fake.remove(task, number)
    run(recipe())
    assert {row.annotation_id for row in rankings(recipe())} == {str(third)}


def test_a_ranking_outlives_its_task(fake, recipe):
    task = task_of(fake, "a", "g0")
    fake.annotate(task, result(recipe()))
    run(recipe())
    before = rankings(recipe())
    del fake.tasks[task]
    report = run(recipe())
    assert rankings(recipe()) == before
    assert (report.units[0].kept, report.units[0].done, report.units[0].tasks) == (1, 1, 4)
    with Studio(fake.url, TOKEN) as studio:
        assert [unit.added for unit in push(recipe(), studio).units] == [1, 0]
    run(recipe())
    assert rankings(recipe()) == before, "still the old one while the new task is empty"
    fake.annotate(task_of(fake, "a", "g0"), result(recipe(), OTHER))
    report = run(recipe())
    assert {row.notation for row in rankings(recipe())} == {"1|2345"}
    assert (report.units[0].kept, report.units[0].tasks) == (0, 4)


def test_a_deleted_annotation_no_longer_counts_but_is_kept(fake, recipe):
    task = task_of(fake, "a", "g0")
    number = fake.annotate(task, result(recipe()))
    run(recipe())
    fake.remove(task, number)
    report = run(recipe())
    assert rankings(recipe()) == []
    assert (report.units[0].withdrawn, report.units[0].left) == (1, 4)
    mirror = load_mirror(recipe().out, "a")
    assert mirror is not None
    assert [item.id for old in mirror.withdrawn for item in old.annotations] == [number]


def test_rankings_outlive_their_project(fake, recipe):
    fake.annotate(task_of(fake, "a", "g0"), result(recipe()))
    run(recipe())
    before = rankings(recipe())
    number = fake.project_of("a")
    fake.tasks = {key: task for key, task in fake.tasks.items() if task["project"] != number}
    del fake.projects[number]
    with pytest.raises(StudioError, match=r"unit a .*annotate push"):
        run(recipe())
    with Studio(fake.url, TOKEN) as studio:
        push(recipe(), studio)
    run(recipe())
    assert rankings(recipe()) == before


def test_a_task_that_is_not_ours_is_listed(fake, recipe):
    project = fake.project_of("a")
    fake.answer("POST", f"/api/projects/{project}/import", {}, [{"data": {"instruction": "by hand"}}])
    fake.annotate(max(fake.tasks), result(recipe()))
    report = run(recipe())
    assert [row.problem for row in report.invalid] == ["the task is none of this campaign: it has no group_id"]
    assert report.units[0].tasks == 4


def test_a_task_that_shows_other_candidates_than_were_pushed_is_listed(fake, recipe):
    task = task_of(fake, "a", "g0")
    fake.tasks[task]["data"]["triplets"].reverse()
    mirror_file(recipe().out, "a").unlink()
    fake.annotate(task, result(recipe()))
    report = run(recipe())
    assert report.rankings == 0
    assert "other candidates than were pushed" in report.invalid[0].problem


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((401, {"detail": "Invalid token."}), "401"),
        ((404, PAGE_404), "404"),
        ((500, b"<html></html>"), "500"),
    ],
)
def test_a_failed_pull_changes_nothing(fake, recipe, answer, expected):
    fake.annotate(task_of(fake, "a", "g0"), result(recipe()))
    run(recipe())
    before = rankings_file(recipe().out).read_bytes()
    fake.annotate(task_of(fake, "b", "g0"), result(recipe()))
    project = str(fake.project_of("b"))
    listed = []

    def fault(studio, method, path):
        listed.append(path)
        return answer if path == f"/api/projects/{project}" and listed.count("/api/tasks") >= 2 else None

    fake.fault = fault
    with pytest.raises(StudioError, match=expected):
        run(recipe())
    assert rankings_file(recipe().out).read_bytes() == before, project
    fake.fault = None
    assert run(recipe()).rankings == 6


def test_a_server_that_dies_in_the_middle_of_a_pull_loses_nothing(fake, recipe):
    fake.annotate(task_of(fake, "a", "g0"), result(recipe()))
    run(recipe())
    before = rankings_file(recipe().out).read_bytes()
    fake.annotate(task_of(fake, "a", "g1"), result(recipe()))
    fake.annotate(task_of(fake, "b", "g1"), result(recipe()))
    asked = []

    def fault(studio, method, path):
        asked.append(path)
        studio.dead = asked.count("/api/tasks") == 3  # a's tasks have arrived, b's have not

    fake.fault = fault
    with pytest.raises(StudioError, match="does not answer"):
        run(recipe())
    assert asked.count("/api/tasks") >= 3
    assert rankings_file(recipe().out).read_bytes() == before
    fake.fault, fake.dead = None, False
    assert run(recipe()).rankings == 9


@pytest.mark.parametrize("answer", [[], "a string", {"results": 7}, {"results": [{"id": 1, "title": "x"}]}, b"<html>"])
def test_the_answer_of_another_program_is_named_as_such(fake, answer):
    fake.fault = lambda studio, method, path: (200, answer)
    with Studio(fake.url, TOKEN) as studio, pytest.raises(StudioError, match=r"list of projects: .*Label Studio"):
        studio.projects()


def test_another_layout_than_the_annotations_is_refused(fake, recipe):
    fake.annotate(task_of(fake, "a", "g0"), result(recipe()))
    with pytest.raises(StudioError, match=r"annotations made with layout 5/\S+\+overall, the recipe says 5/overall"):
        run(recipe(dimensions=["overall"]))


def test_a_damaged_mirror_is_told(fake, recipe):
    mirror_file(recipe().out, "a").write_text('{"project": 1')
    with pytest.raises(DataError, match=r"a\.json: damaged"):
        run(recipe())


def test_disputes_go_to_the_adjudicator_and_come_back(fake, recipe):
    campaign = recipe(pairs={"consensus": "adjudicated", "adjudicator": "judge"})
    fake.annotate(task_of(fake, "a", "g1"), result(campaign))
    fake.annotate(task_of(fake, "b", "g1"), result(campaign, OTHER))
    assert [unit.unit for unit in run(campaign).units] == ["a", "b"], "no project of the judge yet"
    told = {name: {"overall": "5|4|3|2|1"} for name in ("a", "b")}
    told = {name: dict.fromkeys(DIMENSIONS, "12345") for name in told}
    shown = fake.tasks[task_of(fake, "a", "g1")]["data"]["triplets"]
    dispute = {"task_id": "g1", "dimensions": ["overall"], "candidates": shown, "rankings": told, "contradictions": {}}
    with Studio(fake.url, TOKEN) as studio:
        with pytest.raises(DataError, match="annotate agreement"):
            push_disputes(campaign, studio)
        write_jsonl(campaign.out / "disputes.jsonl", [dispute])
        report = push_disputes(campaign, studio)
        assert [(unit.unit, unit.added) for unit in report.units] == [("judge", 1)]
        assert [unit.added for unit in push_disputes(campaign, studio).units] == [0]
    task = task_of(fake, "judge", "g1")
    assert fake.tasks[task]["data"]["triplets"] == shown
    assert "12345" in fake.tasks[task]["data"]["strip_html"], "both rankings are shown"
    fake.annotate(task, result(campaign))
    report = run(campaign)
    assert [(unit.unit, unit.done) for unit in report.units] == [("a", 1), ("b", 1), ("judge", 1)]
    assert {row.annotator for row in rankings(campaign)} == {"a", "b", "judge"}


def test_the_command_tells_what_it_found(tmp_path, fake, recipe, monkeypatch, capsys):
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", TOKEN)
    fake.annotate(task_of(fake, "a", "g0"), result(recipe()))
    fake.annotate(task_of(fake, "a", "g1"), [])
    path = tmp_path / "recipe.json.yaml"
    path.write_text(recipe().model_dump_json())
    assert main([str(path), "--json", str(tmp_path / "pull.json")]) == 0
    told = capsys.readouterr().out
    assert "a: 1 of 4 tasks ranked, 2 left, 1 invalid" in told
    assert "the result is empty" in told
    written = read_json(tmp_path / "pull.json")
    assert written == read_json(recipe().out / "pull.json")
    assert written["units"][0]["left"] == 2
    assert json.loads(json.dumps(as_json(run(recipe()))))["rankings"] == 3
