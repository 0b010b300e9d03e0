from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser

import pytest
from fake_studio import TOKEN, fake_studio
from studio_ground import annotate, make_recipe, write_groups

from annotation.campaign.campaign import read_campaign
from annotation.label_studio.client import Studio
from annotation.page.answers import make_result
from annotation.page.layout import layout_of
from annotation.steps.agreement import measure_campaign
from annotation.steps.pull import pull
from annotation.steps.pull_report import UnitPull, last_pull
from annotation.steps.push import push
from annotation.steps.status import make_status, projected_finish, render, tables, unit_status
from editjudge.errors import DataError, EditJudgeError
from editjudge.files.io import read_json

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("hours_ago", "left", "expected"),
    [
        ([10, 5, 1], 3, (NOON + timedelta(hours=10), None)),  # three in ten hours: ten more for three
        ([2, 1], 1, (NOON + timedelta(hours=1), None)),
        ([2, 1], 0, (None, "done")),
        ([2], 5, (None, "not enough rankings yet")),
        ([], 5, (None, "not enough rankings yet")),
        ([-1, -2], 5, (None, "the clocks of this machine and of the server differ")),
        ([1e5, 1], 10**9, (None, "not in this era")),
    ],
)
def test_projected_finish(hours_ago, left, expected):
    assert projected_finish([NOON - timedelta(hours=hours) for hours in hours_ago], left, NOON) == expected


def test_speed_is_the_median_of_what_was_timed():
    moments = [(NOON - timedelta(hours=hours)).isoformat() for hours in (3, 2, 1)]
    pulled = UnitPull(
        "a", "http://x", tasks=13, done=3, skipped=1, invalid=1, seconds=[30, 4000, 50], submitted=moments
    )
    status = unit_status(pulled, ("ben", "carl"), NOON)
    assert (status.left, status.median_s, status.work_left_s) == (8, 50, 400)
    assert status.who == "ben and carl, together"
    assert status.finish == "2026-03-01T20:00+00:00"
    untimed = unit_status(UnitPull("a", "http://x", tasks=2), ("a",), NOON)
    assert (untimed.median_s, untimed.work_left_s, untimed.finish) == (None, None, None)


class Page(HTMLParser):
    """The texts of a page, and what it would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: list[str] = []
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [str(value) for name, value in attrs if name == "src" or (tag == "link" and name == "href")]

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


@pytest.fixture
def campaign(tmp_path):
    """Two units; a has ranked two tasks and spoiled one, b has ranked one."""
    write_groups(tmp_path / "data", 4)
    with fake_studio() as fake:
        recipe = make_recipe(
            tmp_path / "out",
            tmp_path / "data" / "groups.jsonl",
            title="<i>Trial</i>",
            server={"url": fake.url, "images_url": "/images/"},
        )
        with Studio(fake.url, TOKEN) as studio:
            push(recipe, studio)
            good = make_result(layout_of(recipe), {name: [[1], [2, 3], [4, 5]] for name in recipe.project.dimensions})
            bad = [{"from_name": "<script>alert(1)</script>"}]
            for unit, group, result in (("a", "g0", good), ("a", "g1", good), ("a", "g2", bad), ("b", "g0", good)):
                fake.annotate(fake.of_group(fake.project_of(unit), group), result)
            yield recipe, pull(recipe, studio), fake


def test_the_page_is_whole_in_itself_and_shows_text_as_text(campaign):
    recipe, report, _ = campaign
    page = Page(render(make_status(recipe, report, NOON)))
    assert page.fetched == []
    assert "script" not in page.tags
    assert "<i>Trial</i>" in page.texts
    assert "2 of 4 (50%)" in page.texts
    assert any("<script>alert(1)</script>" in text for text in page.texts), "what is wrong, as text"
    assert "1.000" in page.texts, "both gave the identical ranking of g0"
    assert page.tags.count("table") == 3


def test_the_numbers(campaign):
    recipe, report, _ = campaign
    status = make_status(recipe, report, NOON)
    assert [(unit.unit, unit.done, unit.left, unit.invalid) for unit in status.units] == [
        ("a", 2, 1, 1),
        ("b", 1, 3, 0),
    ]
    assert [unit.median_s for unit in status.units] == [20, 20]
    assert status.agreement_tasks == 1
    assert status.agreement["overall"]["identical"].value == 1
    assert len(tables(status)) == 2


def test_one_unit_alone_has_no_agreement(campaign, capsys):
    recipe, report, _ = campaign
    rankings = recipe.out / "rankings.jsonl"
    rankings.write_text("".join(line for line in rankings.open() if '"annotator":"a"' in line.replace(": ", ":")))
    status = make_status(recipe, report, NOON)
    assert status.agreement["overall"]["identical"].value is None
    assert len(tables(status)) == 1
    assert "Undefined: no task was ranked by two units yet." in Page(render(status)).texts
    assert measure_campaign(read_campaign(recipe), "contradiction")["dimensions"]["all"]["n_shared"] == 0
    told = capsys.readouterr().out
    assert "Agreement is undefined: no task was ranked by two units" in told
    assert "undefined (" not in told


def test_what_is_invalid_is_not_done():
    moments = [(NOON - timedelta(hours=1)).isoformat()] * 2
    pulled = UnitPull("a", "http://x", tasks=3, done=2, invalid=1, submitted=moments)
    assert unit_status(pulled, ("a",), NOON).why_no_finish == "all but the invalid ones"


def test_steps_without_rankings_say_what_to_do(campaign, tmp_path):
    recipe, _, _ = campaign
    (recipe.out / "rankings.jsonl").write_text("")
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe.model_dump_json())
    for step in ("agreement", "pairs"):
        with pytest.raises(DataError, match=r"rankings\.jsonl: .*annotate pull"):
            annotate([step, str(path)])


def test_a_pull_without_a_push_is_told(campaign):
    recipe, _, _ = campaign
    (recipe.out / "tasks.jsonl").unlink()
    with pytest.raises(DataError, match=r"tasks\.jsonl: no such file.*annotate push"):
        read_campaign(recipe)


def test_nothing_ranked_yet(tmp_path, campaign):
    recipe, report, _ = campaign
    for unit in report.units:
        unit.done, unit.seconds, unit.submitted = 0, [], []
    (recipe.out / "rankings.jsonl").write_text("")
    status = make_status(recipe, report, NOON)
    assert status.agreement == {}
    assert len(tables(status)) == 1
    assert "Nobody has ranked anything yet." in Page(render(status)).texts


def test_the_command_and_what_it_tells_without_a_server(tmp_path, campaign, monkeypatch, capsys):
    recipe, report, fake = campaign
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", TOKEN)
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe.model_dump_json())
    assert annotate(["status", str(path), "--json", str(tmp_path / "status.json"), "seed=3"]) == 0
    told = capsys.readouterr().out
    assert "2 of 4 (50%)" in told
    assert (recipe.out / "status.html").exists()
    numbers = read_json(tmp_path / "status.json")
    assert numbers["units"][0]["left"] == 1
    assert numbers["agreement"]["overall"]["identical"]["value"] == 1
    fake.dead = True
    with pytest.raises(EditJudgeError, match=r"(?s)does not answer.*--offline"):
        annotate(["status", str(path)])
    assert annotate(["status", str(path), "--offline"]) == 0
    assert "2 of 4 (50%)" in capsys.readouterr().out
    assert last_pull(recipe.out).units[0].submitted == report.units[0].submitted
    assert json.loads((recipe.out / "pull.json").read_text())["pulled"] == last_pull(recipe.out).pulled


def test_nothing_pulled_yet(tmp_path):
    with pytest.raises(DataError, match="pulled"):
        last_pull(tmp_path)
