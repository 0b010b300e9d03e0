"""Pushing: what is shown, in which order, once; and what happens when the server fails."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest
from factories import make_card
from fake_studio import PAGE_404, TOKEN, fake_studio
from studio_ground import make_groups, make_recipe, write_groups

from annotation.campaign.groups import plan, repeat_id
from annotation.campaign.records import campaign_lock
from annotation.label_studio.client import Studio, StudioError
from annotation.label_studio.mirror import load_mirror
from annotation.page.answers import read_result
from annotation.page.layout import layout_of
from annotation.steps.push import main, push
from annotation.steps.push_report import print_report
from editjudge.errors import DataError, StorageError
from editjudge.files.io import read_jsonl, write_jsonl
from editjudge.formats.campaign import PushedTask, tasks_file
from editjudge.formats.funnel import Funnel, StageCount, write_funnel
from editjudge.formats.groups import read_groups
from editjudge.formats.rankings import make_ranking
from editjudge.records.types import ScoreCard, TierRanking


@pytest.fixture
def fake():
    with fake_studio() as studio:
        yield studio


@pytest.fixture
def groups(tmp_path):
    return write_groups(tmp_path / "data", 6)


@pytest.fixture
def recipe(tmp_path, fake, groups):
    return lambda **changes: make_recipe(
        tmp_path / "out",
        groups,
        **({"server": {"url": fake.url, "images_url": "/images/", "batch_tasks": 4}} | changes),
    )


def run(recipe, token=TOKEN):
    with Studio(recipe.server.url, token) as studio:
        return push(recipe, studio)


def rows(recipe):
    return list(read_jsonl(tasks_file(recipe.out), PushedTask))


def test_every_unit_sees_every_group_once_and_the_same(fake, recipe):
    report = run(recipe())
    assert [(unit.unit, unit.added, unit.there) for unit in report.units] == [("a", 6, 0), ("b", 6, 0)]
    by_unit = {
        name: [task["data"] for task in fake.tasks.values() if task["project"] == fake.project_of(name)]
        for name in ("a", "b")
    }
    assert by_unit["a"] == by_unit["b"]
    assert sorted(data["group_id"] for data in by_unit["a"]) == [f"g{number}" for number in range(6)]
    for row in rows(recipe()):
        assert {unit: fake.tasks[number]["data"]["triplets"] for unit, number in row.studio_ids.items()} == {
            "a": list(row.candidates),
            "b": list(row.candidates),
        }


def test_candidates_are_drawn_and_ordered_by_hash(tmp_path, recipe):
    write_groups(tmp_path / "data", 12, candidates=7)
    groups = read_groups(tmp_path / "data" / "groups.jsonl")
    shown = {task.row.group_id: task.row.candidates for task in plan(recipe(), groups, {}).tasks}
    assert all(len(set(candidates)) == 5 for candidates in shown.values())
    places = [[int(name[-1]) for name in candidates] for candidates in shown.values()]
    assert len({tuple(order) for order in places}) > 6, "another order per task"
    assert {order[0] for order in places} > {0, 1, 2} or len({order[0] for order in places}) > 3
    assert {number for order in places for number in order} == {*range(7)}, "every editor is drawn somewhere"
    again = {task.row.group_id: task.row.candidates for task in plan(recipe(), groups, {}).tasks}
    other = {task.row.group_id: task.row.candidates for task in plan(recipe(seed=1), groups, {}).tasks}
    assert shown == again
    assert shown != other


def test_nothing_shown_tells_an_editor_gold_or_a_repeat(tmp_path, fake, recipe):
    gold = tmp_path / "gold.jsonl"
    tiers = tuple((f"g0-{place}",) for place in range(5))
    write_jsonl(gold, [TierRanking(task_id="g0", dimension="overall", annotator="gold", tiers=tiers)])
    report = run(recipe(gold={"rankings": gold, "rate": 0.2}, repeats=0.2))
    assert (report.tasks, report.gold, report.repeats) == (7, 1, 1)
    for task in fake.tasks.values():
        text = json.dumps(task["data"])
        assert "editor" not in text
        assert "gold" not in text
        assert "repeat" not in text
        assert not re.search(r"g\d+-?\d?\.png", text), "the name of an image file is not shown"
        assert set(task) == {"id", "project", "annotations", "updated_at", "data"}
    repeat = next(row for row in rows(recipe()) if row.repeat_of is not None)
    first = next(row for row in rows(recipe()) if row.group_id == repeat.repeat_of)
    assert repeat.group_id == repeat_id(first.group_id)
    assert {*repeat.candidates} == {*first.candidates}
    assert repeat.candidates != first.candidates
    order = [row.group_id for row in rows(recipe())]
    assert order.index(repeat.group_id) - order.index(first.group_id) >= 3, "half a campaign lies between"
    assert not first.is_gold
    assert [row.is_gold for row in rows(recipe()) if row.group_id == "g0"] == [True]


def test_images_are_linked_and_large_ones_get_a_copy_for_the_screen(tmp_path, fake, recipe):
    small = recipe(screen_px=96)
    run(small)
    served = small.served / "images"
    files = [path for path in served.rglob("*") if path.is_file()]
    assert len(files) == 36
    assert all(path.stat().st_nlink == 2 for path in files), "hard links, not copies"
    large = recipe(screen_px=64, title="Large").model_copy(update={"out": tmp_path / "large"})
    run(large)
    strip = next(task for task in fake.tasks.values() if task["project"] == fake.project_of("a"))["data"]["strip_html"]
    assert "/images/" in strip
    strip = [*fake.tasks.values()][-1]["data"]["strip_html"]
    addresses = {unescape(found) for found in re.findall(r"/images/([^\"' )]+)", strip)}
    assert {address for address in addresses if address.endswith("-64.jpg")}
    assert {address for address in addresses if address.endswith(".png")}, "the original is one click away"
    assert all((large.served / "images" / address).is_file() for address in addresses)


def test_an_instruction_is_text(tmp_path, fake, recipe):
    nasty = "<script>alert(\"1\")</script> 'q' & <b>b</b> 😀 שלום"
    write_groups(tmp_path / "data", 1, instruction=nasty)
    run(recipe(instructions="<img src=x onerror=alert(1)>"))
    data = next(iter(fake.tasks.values()))["data"]
    assert data["instruction"] == nasty
    assert "<script>" not in json.dumps({key: value for key, value in data.items() if key != "instruction"})
    project = next(iter(fake.projects.values()))
    assert "<img src=x" not in project["expert_instruction"]
    assert "&lt;img src=x" in project["expert_instruction"]


def test_a_second_push_adds_nothing_and_a_grown_set_only_what_is_new(tmp_path, fake, recipe):
    run(recipe())
    before = {number: dict(task) for number, task in fake.tasks.items()}
    again = run(recipe())
    assert [(unit.added, unit.there) for unit in again.units] == [(0, 6), (0, 6)]
    assert fake.tasks == before
    write_groups(tmp_path / "data", 9)
    assert [(unit.added, unit.there) for unit in run(recipe()).units] == [(3, 6), (3, 6)]


def test_a_second_push_with_nothing_kept_at_home_adds_nothing(fake, recipe):
    run(recipe())
    out = recipe().out
    for path in [*(out / "mirror").iterdir(), tasks_file(out)]:
        path.unlink()
    assert [unit.added for unit in run(recipe()).units] == [0, 0]
    assert len(rows(recipe())) == 6


def test_a_unit_that_joins_later_sees_what_the_others_saw(tmp_path, fake, recipe):
    run(recipe(units=[{"name": "a"}]))
    write_groups(tmp_path / "data", 6, candidates=8)  # a fresh draw would now be another one
    run(recipe(units=[{"name": "a"}, {"name": "c"}], seed=9))
    seen = {
        name: {
            task["data"]["group_id"]: task["data"]["triplets"]
            for task in fake.tasks.values()
            if task["project"] == fake.project_of(name)
        }
        for name in ("a", "c")
    }
    assert seen["a"] == seen["c"]


def test_a_deleted_task_is_pushed_again(fake, recipe):
    run(recipe())
    number = fake.of_group(fake.project_of("a"), "g3")
    del fake.tasks[number]
    assert [unit.added for unit in run(recipe()).units] == [1, 0]


def test_groups_that_are_too_small_or_whose_images_are_bad_are_left_out_and_told(tmp_path, fake, recipe, monkeypatch):
    data = tmp_path / "data"
    mixed = [*make_groups(data, 3), *make_groups(data, 1, candidates=4, first=7)]
    write_jsonl(data / "groups.jsonl", mixed)
    (data / "images" / "g1-0.png").write_bytes(b"no image")
    (data / "images" / "g2.png").unlink()
    report = run(recipe())
    assert (report.tasks, report.too_small) == (3, 1)
    assert report.unreadable.keys() == {"g1", "g2"}
    assert "the file changed" in report.unreadable["g1"]
    assert [unit.added for unit in report.units] == [1, 1]


def test_groups_without_an_instruction_are_left_out_and_counted(tmp_path, fake, recipe, capsys):
    """White space and invisible characters ask for nothing either; as gold, such a group is refused."""
    data = tmp_path / "data"
    asked, blank = make_groups(data, 3), (*make_groups(data, 1, first=3, instruction=""),)
    invisible = make_groups(data, 1, first=4, instruction=" \u200b\n")
    write_jsonl(data / "groups.jsonl", [*asked, *blank, *invisible])
    report = run(recipe())
    assert (report.tasks, report.no_instruction, report.too_small) == (3, 2, 0)
    assert {row.group_id for row in rows(recipe())} == {"g0", "g1", "g2"}
    print_report(report)
    assert "2 groups have no instruction and were left out" in capsys.readouterr().out
    answer = TierRanking(task_id="g3", dimension="overall", annotator="x", tiers=[[row.id for row in blank]])
    write_jsonl(data / "gold.jsonl", [answer])
    with pytest.raises(DataError, match=r"g3: .*no instruction"):
        run(recipe(gold={"rankings": str(data / "gold.jsonl"), "rate": 0.5}))


def test_at_most_so_many_groups_are_drawn_and_those_shown_before_stay(tmp_path, fake, recipe):
    report = run(recipe(max_tasks=2))
    assert (report.tasks, report.not_drawn) == (2, 4)
    first = {row.group_id for row in rows(recipe())}
    assert len(first) == 2
    again = run(recipe(max_tasks=2))
    assert [(unit.added, unit.there) for unit in again.units] == [(0, 2)] * 2
    write_groups(tmp_path / "data", 30)  # others would be drawn from a grown set
    assert [unit.added for unit in run(recipe(max_tasks=3)).units] == [1, 1]
    assert len(rows(recipe())) == 3
    assert first < {row.group_id for row in rows(recipe())}
    assert [unit.added for unit in run(recipe(max_tasks=1)).units] == [0, 0]
    assert run(recipe()).tasks == 30


def killed_after(imports):
    """Stop answering after so many imports: the last one arrives, but nobody hears of it."""
    left = [imports]

    def fault(studio, method, path):
        if path.endswith("/import"):
            left[0] -= 1
            if left[0] < 0:
                studio.dead = True

    return fault


def test_a_server_killed_in_the_middle_loses_nothing_and_adds_nothing_twice(fake, recipe):
    fake.fault = killed_after(1)
    with pytest.raises(StudioError, match=r"4 of 6 tasks for a "):
        run(recipe())
    assert len(rows(recipe())) == 4
    fake.fault, fake.dead = None, False
    with pytest.raises(DataError, match="campaign 'Trial'"):
        run(recipe(title="Second"))
    assert [(unit.added, unit.there) for unit in run(recipe()).units] == [(2, 4), (6, 0)]
    assert len(fake.tasks) == 12
    assert len(rows(recipe())) == 6


def test_an_import_that_arrived_unheard_is_not_repeated(fake, recipe):
    def unheard(studio, method, path):
        if path.endswith("/import"):
            body = [
                {"data": {"group_id": f"g{number}", "triplets": [f"g{number}-{place}" for place in range(5)]}}
                for number in range(4)
            ]
            studio.answer("POST", path, {}, body)
            studio.dead = True

    fake.fault = unheard
    with pytest.raises(StudioError, match="0 of 6 tasks"):
        run(recipe())
    fake.fault, fake.dead = None, False
    assert [(unit.added, unit.there) for unit in run(recipe()).units] == [(2, 4), (6, 0)]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((404, PAGE_404), "404"),
        ((500, b"<html><body>Server error</body></html>"), "500"),
        (
            (400, {"detail": "Validation error", "validation_errors": {"label_config": ["bad"]}}),
            "Validation error.*bad",
        ),
        ((200, b"<html>A captive portal</html>"), "JSON"),
        ((201, {"task_count": 1}), "task_ids"),
        ((201, {"task_ids": [7]}), "4 tasks.* 1"),
    ],
)
def test_a_refused_import_is_told(fake, recipe, answer, expected):
    fake.fault = lambda studio, method, path: answer if path.endswith("/import") else None
    with pytest.raises(StudioError, match=f"(?s){expected}.*[Pp]ush again"):
        run(recipe())


def test_a_wrong_token_is_told_before_anything_is_copied(fake, recipe):
    with pytest.raises(StudioError, match=r"401.*LABEL_STUDIO_API_KEY") as caught:
        run(recipe(), token="wrong-secret")
    assert "wrong-secret" not in str(caught.value)
    assert not recipe().served.exists()


def test_a_server_that_is_down_is_told(tmp_path, groups):
    recipe = make_recipe(tmp_path / "out", groups, server={"url": "http://127.0.0.1:9", "images_url": "/images/"})
    with pytest.raises(StudioError, match=r"does not answer.*annotate serve"):
        run(recipe)


def test_another_layout_is_refused_once_somebody_has_annotated(fake, recipe):
    run(recipe())
    run(recipe(dimensions=["overall"]))  # nobody has: the project is emptied and used for the new page
    assert len(fake.tasks) == 12
    assert "Consistency" not in fake.projects[fake.project_of("a")]["label_config"]
    fake.annotate(fake.of_group(fake.project_of("a"), "g1"), [])
    before = json.dumps(fake.tasks)
    with pytest.raises(StudioError, match=r"5/overall.*5/prompt_"):
        run(recipe())
    with pytest.raises(StudioError, match=r"5/overall.*3/overall"):
        run(recipe(dimensions=["overall"], candidates=3))
    assert json.dumps(fake.tasks) == before


def test_a_project_of_the_same_name_is_not_taken_over(fake, recipe):
    fake.answer("POST", "/api/projects", {}, {"title": "Trial - a", "description": "somebody else's"})
    with pytest.raises(StudioError, match="EditJudge's mark"):
        run(recipe())


def test_a_task_that_somebody_imported_twice_is_told(fake, recipe):
    run(recipe())
    project = fake.project_of("a")
    copy = fake.tasks[fake.of_group(project, "g2")]["data"]
    fake.answer("POST", f"/api/projects/{project}/import", {}, [{"data": copy}])
    report = run(recipe())
    assert [unit.twice for unit in report.units] == [["g2"], []]


def test_predictions_are_the_judges_tiers(tmp_path, fake, recipe):
    cards = tmp_path / "cards.jsonl"
    triplets = list(make_groups(tmp_path / "data", 6))
    values = {f"g{group}-{place}": 9.0 - 2 * place for group in range(6) for place in range(5)}
    scored: list[ScoreCard] = []
    for triplet in triplets:
        value = values[triplet.id]
        missing = triplet.id == "g5-2"
        scores = {"prompt_following": None if missing else value, "consistency": value, "overall": 5.0}
        scored.append(make_card(triplet=triplet, **scores))
    write_jsonl(cards, scored)
    report = run(recipe(predictions=cards))
    assert report.without_prediction == 1
    project = fake.project_of("a")
    assert "predictions" not in fake.tasks[fake.of_group(project, "g5")]
    task = fake.tasks[fake.of_group(project, "g1")]
    reading = read_result(layout_of(recipe()), task["predictions"][0]["result"])
    best_first = [task["data"]["triplets"][tier[0] - 1] for tier in reading.tiers["consistency"]]
    assert best_first == [f"g1-{place}" for place in range(5)]
    assert len(reading.tiers["overall"]) == 1
    assert fake.projects[project]["show_collab_predictions"] is True


def test_gold_needs_what_the_recipe_asks_for(tmp_path, recipe):
    gold = tmp_path / "gold.jsonl"
    write_jsonl(gold, [TierRanking(task_id="g0", dimension="overall", annotator="x", tiers=(("g0-0",), ("g0-1",)))])
    with pytest.raises(DataError, match=r"2 candidates .* 5 "):
        run(recipe(gold={"rankings": gold, "rate": 0.2}))
    write_jsonl(gold, [TierRanking(task_id="gx", dimension="overall", annotator="x", tiers=(("g0-0",),))])
    with pytest.raises(DataError, match="no such group"):
        run(recipe(gold={"rankings": gold, "rate": 0.2}))
    tiers = tuple((f"g0-{place}",) for place in range(5))
    write_jsonl(gold, [TierRanking(task_id="g0", dimension="overall", annotator="x", tiers=tiers)])
    with pytest.raises(DataError, match=r"5 gold tasks.* 1"):
        run(recipe(gold={"rankings": gold, "rate": 1.0}))


def test_gold_may_be_what_somebody_ranked_in_a_campaign(tmp_path, recipe):
    gold = tmp_path / "rankings.jsonl"
    shown = [f"g0-{place}" for place in range(5)]
    answer = make_ranking("g0", "overall", "me", [[1], [2, 3], [4, 5]], shown)
    write_jsonl(gold, [answer])
    assert run(recipe(gold={"rankings": gold, "rate": 0.2})).gold == 1
    write_jsonl(gold, [answer, answer.model_copy(update={"annotator": "you"})])
    with pytest.raises(DataError, match=r"g0: .*overall, of me and you"):
        run(recipe(gold={"rankings": gold, "rate": 0.2}))


def test_groups_come_from_a_curation_run(tmp_path):
    run_folder = tmp_path / "run"
    counts = {"rows_in": 10, "kept": 10, "dropped": {}, "failed": 0, "errors": {}}
    stages = (
        StageCount(name="01-edit", stage="edit", part=None, gives="EditTriplet", **counts),
        StageCount(name="02-measure", stage="measure", part=None, gives="ScoreCard", **counts),
        StageCount(name="train-01-sft", stage="sft", part="train", gives="SFTExample", **counts),
    )
    triplets = list(make_groups(run_folder, 2))
    write_jsonl(run_folder / "stages" / "02-measure" / "00000.jsonl", [make_card(triplet=row) for row in triplets[:5]])
    write_jsonl(run_folder / "stages" / "02-measure" / "00001.jsonl", [make_card(triplet=row) for row in triplets[5:]])
    write_funnel(run_folder, Funnel(stages=stages, parts={}))
    found = read_groups(run_folder)
    assert [[*group.triplets] for group in found.values()] == [
        [f"g{n}-{place}" for place in range(5)] for n in range(2)
    ]


def test_contradicting_rows_are_refused(tmp_path):
    rows_here = list(make_groups(tmp_path, 1))
    changed = rows_here[0].model_copy(update={"seed": 99})
    write_jsonl(tmp_path / "groups.jsonl", [*rows_here, changed])
    with pytest.raises(DataError, match="contradicts"):
        read_groups(tmp_path / "groups.jsonl")


def test_two_pushes_at_once_are_refused(recipe):
    with campaign_lock(recipe().out, "Trial"), pytest.raises(StorageError, match="another annotate command"):
        run(recipe())


def test_a_folder_holds_one_campaign(fake, recipe):
    with pytest.raises(StudioError):
        run(recipe(title="Trail"), token="0" * 40)
    run(recipe())
    with pytest.raises(DataError, match=r"'Trial'.*'Second' an `out`"):
        run(recipe(title="Second"))
    assert {project["title"] for project in fake.projects.values()} == {"Trial - a", "Trial - b"}
    run(recipe())


def test_the_command_writes_every_number_and_no_secret(tmp_path, fake, groups, monkeypatch, capsys):
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", TOKEN)
    path = tmp_path / "recipe.yaml"
    path.write_text(
        json.dumps(
            {
                "out": str(tmp_path / "out"),
                "project": {"title": "Trial", "groups": str(groups), "units": [{"name": "a"}]},
                "server": {"url": fake.url, "images_url": "/images/"},
            }
        )
    )
    assert main([str(path), "--json", str(tmp_path / "push.json")]) == 0
    assert "a: 6 added, 0 were there" in capsys.readouterr().out
    assert json.loads((tmp_path / "push.json").read_text())["units"][0]["added"] == 6
    for written in (tmp_path / "out").rglob("*.json*"):
        assert TOKEN not in written.read_text()
    mirror = load_mirror(tmp_path / "out", "a")
    assert mirror is not None
    assert len(mirror.tasks) == 6


@pytest.mark.parametrize("kind", ["triplets", "cards"])
def test_groups_are_read_with_a_byte_order_mark_and_from_an_array(tmp_path, groups, kind):
    expected = read_groups(groups)
    content = [json.loads(line) for line in groups.read_text().splitlines()]
    if kind == "cards":
        triplets = [triplet for group in expected.values() for triplet in group.triplets.values()]
        content = [make_card(triplet=triplet).model_dump(mode="json") for triplet in triplets]
    (tmp_path / "other.jsonl").write_bytes(json.dumps(content, indent=1).encode("utf-8-sig"))
    assert read_groups(tmp_path / "other.jsonl") == expected
