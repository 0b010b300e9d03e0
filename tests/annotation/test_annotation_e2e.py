"""A whole campaign against a real Label Studio: push, rank, pull, agreement, pairs, and what people do by hand.

python -m pytest -m labelstudio tests/annotation/test_annotation_e2e.py
"""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from children import killed_at, start
from factories import make_card
from studio_ground import StudioGround, annotate, make_recipe, write_groups

from annotation.label_studio import server
from annotation.label_studio.client import Studio, StudioError
from annotation.label_studio.install import default_venv, ensure_installed
from annotation.label_studio.mirror import Mirror, load_mirror
from annotation.label_studio.projects import MODEL_VERSION
from annotation.page.answers import make_result, read_result
from annotation.page.layout import layout_of
from annotation.recipe import AnnotationRecipe
from annotation.steps.pull import pull
from annotation.steps.push import push
from editjudge.files.io import read_json, read_jsonl, write_jsonl
from editjudge.formats.campaign import rankings_file
from editjudge.formats.rankings import Ranking
from editjudge.records.tasks import DIMENSIONS
from editjudge.records.types import EditTriplet, PreferencePair

pytestmark = [pytest.mark.labelstudio, pytest.mark.timeout(600)]

N_GROUPS = 20
TIERS = [[3], [1, 2], [4, 5]]
"""As in the paper's example: 3|12|45, which makes eight pairs."""
STRICT = [[1], [2], [3], [4], [5]]


@pytest.fixture
def ground(studio_server):
    """The session's server, running again should a test have killed it."""
    server.start(studio_server.home, ensure_installed(default_venv()), studio_server.served, studio_server.port, 300)
    return studio_server


@pytest.fixture
def studio(ground):
    with ground.connect() as connection:
        yield connection


def mirror_of(recipe: AnnotationRecipe, unit: str) -> Mirror:
    """What was pushed to a unit, or pulled from it, last."""
    mirror = load_mirror(recipe.out, unit)
    assert mirror is not None
    return mirror


def project_of(recipe: AnnotationRecipe, unit: str) -> int:
    """The unit's project."""
    return int(mirror_of(recipe, unit).project.partition("@")[0])


def numbers(recipe: AnnotationRecipe, unit: str) -> dict[str, int]:
    """group_id -> number in Label Studio."""
    return {str(task.group_id): task.id for task in mirror_of(recipe, unit).tasks.values()}


def rank(studio: Studio, recipe: AnnotationRecipe, unit: str, group: str, tiers: list[list[int]]) -> int:
    result = make_result(layout_of(recipe), dict.fromkeys(recipe.project.dimensions, tiers))
    return studio.sdk.annotations.create(numbers(recipe, unit)[group], result=result, lead_time=33.0).id


def rows(recipe: AnnotationRecipe) -> list[Ranking]:
    return list(read_jsonl(rankings_file(recipe.out), Ranking))


def recipe_file(recipe: AnnotationRecipe, folder: Path) -> str:
    path = folder / "recipe.yaml"
    path.write_text(recipe.model_dump_json())
    return str(path)


def test_a_campaign_from_groups_to_pairs(tmp_path, ground, studio):
    groups = write_groups(tmp_path / "data", N_GROUPS)
    recipe = ground.recipe(tmp_path / "out", groups, title="Whole")
    path = recipe_file(recipe, tmp_path)
    assert annotate(["push", path]) == 0
    again = push(recipe, studio)
    assert [(unit.added, unit.there) for unit in again.units] == [(0, N_GROUPS)] * 2

    for number in range(N_GROUPS):
        rank(studio, recipe, "a", f"g{number}", TIERS)
        if number < N_GROUPS - 1:
            rank(studio, recipe, "b", f"g{number}", STRICT if number < 5 else TIERS)
    bad = make_result(layout_of(recipe), dict.fromkeys(DIMENSIONS, TIERS))[1:]
    odd = [*bad, {"from_name": "taste", "type": "choices"}]
    studio.sdk.annotations.create(numbers(recipe, "b")[f"g{N_GROUPS - 1}"], result=odd)

    assert annotate(["pull", path, "--json", str(tmp_path / "pull.json")]) == 0
    found = read_json(tmp_path / "pull.json")
    assert [(unit["done"], unit["left"], unit["invalid"]) for unit in found["units"]] == [(20, 0, 0), (19, 0, 1)]
    assert "'taste' is no control" in found["invalid"][0]["problem"]
    assert found["units"][0]["seconds"] == [33.0] * N_GROUPS
    assert len(rows(recipe)) == 39 * 3
    shown = {task.group_id: task.candidates for task in mirror_of(recipe, "a").tasks.values()}
    for row in rows(recipe):
        strict = row.annotator == "b" and int(row.task_id[1:]) < 5
        order = shown[row.task_id]
        assert row.notation == ("1|2|3|4|5" if strict else "3|12|45")
        expected = STRICT if strict else TIERS
        assert row.tiers == tuple(tuple(order[number - 1] for number in tier) for tier in expected)

    assert (
        annotate(["agreement", path, "--json", str(tmp_path / "agreement.json"), "agreement.bootstrap_rounds=50"]) == 0
    )
    agreement = read_json(tmp_path / "agreement.json")["dimensions"]
    for name in DIMENSIONS:
        assert agreement[name]["n_shared"] == 19
        assert agreement[name]["identical"]["value"] == pytest.approx(14 / 19)

    # One group only from a (8 pairs), 14 on which both say the same (8), 5 on which they must agree: of the 8 pairs of
    # 3|12|45 the strict order 1|2|3|4|5 confirms (1,4) (1,5) (2,4) (2,5) (3,4) (3,5).
    assert annotate(["pairs", path, "pairs.consensus=unanimous", "--json", str(tmp_path / "pairs.json")]) == 0
    pairs = list(read_jsonl(recipe.out / "pairs.jsonl", PreferencePair))
    per_dimension = {name: sum(pair.dimension == name for pair in pairs) for name in DIMENSIONS}
    assert per_dimension == dict.fromkeys(DIMENSIONS, 15 * 8 + 5 * 6)
    assert annotate(["status", path]) == 0
    assert "100%" in (recipe.out / "status.html").read_text()


def test_what_people_do_by_hand(tmp_path, ground, studio):
    groups = write_groups(tmp_path / "data", 6)
    recipe = ground.recipe(tmp_path / "out", groups, title="By hand", units=[{"name": "a"}])
    push(recipe, studio)
    ids = numbers(recipe, "a")
    first = rank(studio, recipe, "a", "g0", TIERS)
    rank(studio, recipe, "a", "g1", TIERS)
    withdrawn = rank(studio, recipe, "a", "g2", TIERS)
    studio.sdk.annotations.create(ids["g3"], result=[], was_cancelled=True)
    report = pull(recipe, studio)
    assert (report.units[0].done, report.units[0].skipped, report.units[0].left) == (3, 1, 2)

    changed = make_result(layout_of(recipe), dict.fromkeys(DIMENSIONS, STRICT))
    studio.sdk.annotations.update(first, result=changed)
    studio.sdk.tasks.delete(str(ids["g1"]))
    studio.sdk.annotations.delete(withdrawn)
    report = pull(recipe, studio)
    told = report.units[0]
    assert (told.tasks, told.done, told.kept, told.withdrawn, told.skipped, told.left) == (6, 2, 1, 1, 1, 3)
    assert {row.task_id: row.notation for row in rows(recipe)} == {"g0": "1|2|3|4|5", "g1": "3|12|45"}

    assert [unit.added for unit in push(recipe, studio).units] == [1], "the deleted task comes back"
    assert {row.task_id for row in rows(recipe)} == {"g0", "g1"}
    rank(studio, recipe, "a", "g1", STRICT)
    rank(studio, recipe, "a", "g0", TIERS)  # a second annotation that says something else: nobody knows which counts
    report = pull(recipe, studio)
    assert {row.task_id: row.notation for row in rows(recipe)} == {"g1": "1|2|3|4|5"}
    assert {row.problem for row in report.invalid} == {
        "2 annotations of this task differ; delete all but the right one"
    }

    fewer = ground.recipe(tmp_path / "out", groups, title="By hand", units=[{"name": "a"}], dimensions=["overall"])
    for step in (push, pull):
        with pytest.raises(StudioError, match=r"annotations made with layout 5/.*, the recipe says 5/overall"):
            step(fewer, studio)


def test_a_layout_can_still_change_while_nobody_has_ranked(tmp_path, ground, studio):
    groups = write_groups(tmp_path / "data", 2)
    push(ground.recipe(tmp_path / "out", groups, title="Undecided"), studio)
    recipe = ground.recipe(tmp_path / "out", groups, title="Undecided", dimensions=["overall"])
    assert [unit.added for unit in push(recipe, studio).units] == [2, 2]
    rank(studio, recipe, "a", "g0", TIERS)
    assert pull(recipe, studio).rankings == 1


def test_images_are_for_those_who_are_logged_in_and_below_the_root_only(tmp_path, ground, studio):
    groups = write_groups(tmp_path / "data", 1)
    nasty = '<script>alert("1")</script> 😀 שלום'
    recipe = ground.recipe(tmp_path / "out", write_groups(tmp_path / "data", 1, instruction=nasty), title="Images")
    push(recipe, studio)
    assert groups.exists()
    assert studio.sdk.tasks.get(str(numbers(recipe, "a")["g0"])).data["instruction"] == nasty
    name = next(path for path in (recipe.served / "images").rglob("*.png"))
    address = f"{ground.url}/data/local-files/?d={name.relative_to(recipe.served)}"
    (ground.served / "secret.txt").write_text("not an image")
    credentials = ground.home.credentials()
    with httpx.Client(headers={"Authorization": f"Token {credentials.token}"}) as client:
        answer = client.get(address)
        assert (answer.status_code, answer.content) == (200, name.read_bytes())
        for path in ("secret.txt", "images/../secret.txt", "../home/credentials.json", "/etc/passwd"):
            assert client.get(f"{ground.url}/data/local-files/?d={path}").status_code >= 400, path
    assert httpx.get(address).status_code == 401


def test_pages_open_with_the_judges_ranking_only_when_asked(tmp_path, ground, studio):
    groups = write_groups(tmp_path / "data", 1)
    cards = tmp_path / "cards.jsonl"
    scores = {f"g0-{place}": 8.0 - 2 * place for place in range(4)} | {"g0-4": 2.0}
    write_jsonl(
        cards,
        (
            make_card(triplet=row, **dict.fromkeys(("prompt_following", "consistency", "overall"), scores[row.id]))
            for row in read_jsonl(groups, EditTriplet)
        ),
    )
    unasked = ground.recipe(tmp_path / "out", groups, title="Unasked")
    asked = ground.recipe(tmp_path / "asked", groups, title="Asked", predictions=cards)
    for recipe, expected in ((unasked, 0), (asked, 1)):
        push(recipe, studio)
        shown = studio.sdk.tasks.get(str(numbers(recipe, "a")["g0"])).model_dump()
        assert len(shown["predictions"]) == expected
    assert shown["predictions"][0]["model_version"] == MODEL_VERSION
    place = {name: number for number, name in enumerate(shown["data"]["triplets"], start=1)}
    tiers = read_result(layout_of(asked), shown["predictions"][0]["result"]).tiers["overall"]
    tied = tuple(sorted((place["g0-3"], place["g0-4"])))
    assert tiers == ((place["g0-0"],), (place["g0-1"],), (place["g0-2"],), tied)
    project = studio.sdk.projects.get(project_of(asked, "a"))
    assert (project.show_collab_predictions, project.model_version) == (True, MODEL_VERSION)
    assert studio.project(project_of(unasked, "a")).show_collab_predictions is False
    assert [unit.added for unit in push(asked, studio).units] == [0, 0]


def test_a_wrong_token(tmp_path, ground):
    with Studio(ground.url, "0" * 40) as stranger, pytest.raises(StudioError, match=r"token.*401"):
        push(ground.recipe(tmp_path / "out", write_groups(tmp_path / "data", 1), title="Stranger"), stranger)


def test_a_server_killed_in_the_middle_of_a_push(tmp_path, ground: StudioGround):
    groups = write_groups(tmp_path / "data", N_GROUPS)
    local = {"data": ground.home.folder}
    recipe = ground.recipe(tmp_path / "out", groups, title="Killed", server={"local": local, "batch_tasks": 1})
    running = server.running(ground.home)
    assert running is not None
    # When the fourth answer to a batch is about to be recorded.
    env = killed_at(f"{recipe.out}/mirror/a.json", 4, pid=running.pid)
    process = start(["-m", "editjudge", "annotate", "push", recipe_file(recipe, tmp_path)], env=env)
    errors = process.communicate()[0]
    assert process.returncode == 1
    assert "Push again when the server is there" in errors
    assert "Traceback" not in errors

    server.start(ground.home, ensure_installed(default_venv()), ground.served, ground.port, 300)
    with ground.connect() as studio:
        push(recipe, studio)
        for unit in ("a", "b"):
            project = project_of(recipe, unit)
            listed = [task for page in studio.all_tasks(project) for task in page]
            assert sorted(task["data"]["group_id"] for task in listed) == sorted(f"g{n}" for n in range(N_GROUPS))


def test_nothing_secret_is_written(tmp_path, ground, studio):
    groups = write_groups(tmp_path / "data", 1)
    recipe = ground.recipe(tmp_path / "out", groups, title="Secrets")
    path = recipe_file(recipe, tmp_path)
    for step in ("push", "pull", "status"):
        assert annotate([step, path]) == 0
    credentials = ground.home.credentials()
    for written in [*recipe.out.glob("*.*"), *(recipe.out / "mirror").iterdir()]:
        text = written.read_text()
        assert credentials.token not in text, written
        assert credentials.password not in text, written
    assert make_recipe(recipe.out, groups).server.url is None
