"""The annotation page in a real browser against a real server: ranked by clicks and by keys, and pulled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from studio_ground import StudioGround, write_groups

from annotation.page.instructions import annotator_instructions
from annotation.page.layout import KEY_ROWS, layout_of
from annotation.recipe import AnnotationRecipe
from annotation.steps.pull import pull
from annotation.steps.push import push
from editjudge.files.io import read_jsonl
from editjudge.formats.campaign import rankings_file
from editjudge.formats.rankings import Ranking
from editjudge.records.tasks import DIMENSIONS

pytestmark = [pytest.mark.labelstudio, pytest.mark.timeout(900)]
pytest.importorskip("selenium")

TIERS = {
    "prompt_following": ((3,), (1, 2), (4, 5)),
    "consistency": ((1, 2, 3, 4, 5),),
    "overall": ((5,), (4,), (1, 2, 3)),
}
TEXTS = {
    "html": "<script>window.hit = 1</script> <img src=x onerror='window.hit = 1'> & &amp; \"quotes\" 'too'",
    "emoji": "Put a 🦊 and 👩‍🚀 on the sign",
    "rtl": "اجعل السماء وردية <b>الآن</b>\nשמיים ורודים",
    "long": "Replace the dog with a cat and keep everything else as it is. " * 30,
}


@pytest.fixture(scope="module")
def window(studio_server: StudioGround, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from annotator import Annotator

    credentials = studio_server.home.credentials()
    assert credentials is not None
    found = Annotator(studio_server.url, credentials, tmp_path_factory.mktemp("profile"))
    yield found
    found.chrome.quit()


@pytest.fixture
def annotator(window: Any) -> Any:
    window.resize(1366, 768)
    return window


def campaign(ground: StudioGround, folder: Path, title: str, **changes: Any) -> tuple[AnnotationRecipe, int]:
    """A campaign of one unit with two tasks, pushed; and the number of its project."""
    task = {"instruction": changes.pop("instruction")} if "instruction" in changes else {}
    groups = write_groups(folder, 2, **task)
    recipe = ground.recipe(folder / "out", groups, title=title, units=[{"name": "a"}], **changes)
    with ground.connect() as studio:
        report = push(recipe, studio)
    return recipe, int(report.units[0].link.split("/projects/")[1].split("/")[0])


def pulled(ground: StudioGround, recipe: AnnotationRecipe) -> dict[str, str]:
    """Notation of the one ranking per dimension that was pulled."""
    with ground.connect() as studio:
        report = pull(recipe, studio)
    assert report.invalid == []
    rankings = list(read_jsonl(rankings_file(recipe.out), Ranking))
    assert {ranking.annotator for ranking in rankings} == {"a"}
    assert all(ranking.seconds is not None and ranking.seconds > 0 for ranking in rankings)
    return {ranking.dimension: ranking.notation for ranking in rankings}


def notations() -> dict[str, str]:
    return {name: "|".join("".join(map(str, tier)) for tier in tiers) for name, tiers in TIERS.items()}


def test_ranking_by_clicks(studio_server, annotator, tmp_path):
    recipe, project = campaign(studio_server, tmp_path, "Clicks")
    annotator.open(project)
    task = annotator.task()
    cells = [(name, number, tier) for name in DIMENSIONS for tier, of in enumerate(TIERS[name], 1) for number in of]
    for name, number, tier in cells[1:]:
        annotator.choose(name, number, tier)
    annotator.submit()
    missing = annotator.wait.until(lambda chrome: [e for e in annotator.all("[class*=modal], [role=dialog]") if e.text])
    assert "Prompt Following: result 3 has no tier yet." in " ".join(element.text for element in missing)
    assert annotator.task() == task
    annotator.dismiss()
    annotator.choose(*cells[0])
    annotator.submit()
    assert annotator.left(task)
    assert pulled(studio_server, recipe) == notations()


def test_ranking_by_keys(studio_server, annotator, tmp_path):
    from selenium.webdriver.common.keys import Keys

    recipe, project = campaign(studio_server, tmp_path, "Keys")
    annotator.open(project)
    task = annotator.task()
    for name, modifier in zip(DIMENSIONS, (None, Keys.SHIFT, Keys.ALT), strict=True):
        for tier, numbers in enumerate(TIERS[name]):
            for number in numbers:
                annotator.press(KEY_ROWS[tier][number - 1], modifier)
    assert len(annotator.wait.until(lambda _: len(annotator.chosen()) == 15 and annotator.chosen())) == 15
    annotator.press(Keys.ENTER, Keys.CONTROL)
    assert annotator.left(task)
    assert pulled(studio_server, recipe) == notations()


def test_every_key_does_what_it_says(studio_server, annotator, tmp_path):
    from selenium.webdriver.common.keys import Keys

    _, project = campaign(studio_server, tmp_path, "All keys")
    annotator.open(project)
    for name, modifier in zip(DIMENSIONS, (None, Keys.SHIFT, Keys.ALT), strict=True):
        for tier, row in enumerate(KEY_ROWS, start=1):
            for key in row:
                annotator.press(key, modifier)
            expected = {f"{name}_{number}_{tier}" for number in range(1, 6)}
            assert annotator.wait.until(lambda _, expected=expected: expected <= annotator.chosen())


@pytest.mark.parametrize("size", [(1366, 768), (1920, 1080)])
def test_five_images_and_three_dimensions_fit_the_window(studio_server, annotator, tmp_path, size):
    _, project = campaign(studio_server, tmp_path, f"Fits {size[0]}")
    annotator.resize(*size)
    annotator.open(project)
    answers = annotator.all(".ej-row")
    pictures = annotator.all(".ej-candidate .ej-small.ej-after")
    bottom = annotator.all(".lsf-bottombar")[0].rect["y"]
    assert len(answers) == 3
    assert len(pictures) == 5
    assert all(element.rect["y"] + element.rect["height"] <= bottom for element in (*answers, *pictures))
    assert min(picture.rect["width"] for picture in pictures) >= size[0] / 6.5
    assert annotator.ask("return [...document.querySelectorAll('.ej-page img')].every(i => i.naturalWidth > 0)")


def test_resting_enlarges_beside_the_input_and_holding_shows_the_input(studio_server, annotator, tmp_path):
    from selenium.webdriver import ActionChains

    _, project = campaign(studio_server, tmp_path, "Look")
    annotator.open(project)
    frame = annotator.rest(".ej-candidate .ej-frame", 2)
    large = frame.find_element("css selector", ".ej-large")
    annotator.wait.until(lambda _: large.is_displayed())
    before, after = frame.find_elements("css selector", ".ej-pane")
    assert min(before.rect["height"], after.rect["height"]) > 350
    assert after.rect["x"] >= before.rect["x"] + before.rect["width"]
    assert frame.find_element("css selector", ".ej-small.ej-after").is_displayed()
    ActionChains(annotator.chrome).click_and_hold(frame).perform()
    assert [e.is_displayed() for e in frame.find_elements("css selector", ".ej-small")] == [False, True]
    assert after.text == "Input"
    ActionChains(annotator.chrome).release().perform()
    assert [e.is_displayed() for e in frame.find_elements("css selector", ".ej-small")] == [True, False]
    assert after.text == "3"
    annotator.rest(".ej-flags")
    assert not large.is_displayed()
    originals = [link.get_attribute("href") for link in annotator.all(".ej-strip a")]
    statuses = annotator.ask("return Promise.all(arguments[0].map(u => fetch(u).then(r => r.status)))", originals)
    assert statuses == [200] * 6


def test_instructions_are_kept_as_written_and_shown_as_text(studio_server, annotator, tmp_path):
    own = "\n\n".join(TEXTS.values())
    recipe, project = campaign(studio_server, tmp_path, "Guide", instructions=own)
    with studio_server.connect() as studio:
        kept = studio.project(project).expert_instruction
    assert kept == annotator_instructions(layout_of(recipe), "single", recipe.project.instructions)
    annotator.open(project, dismiss=False)
    guide = annotator.all(".ej-guide", at_least=1)[0].get_attribute("textContent")
    assert all(text.strip() in guide for text in TEXTS.values())
    assert not annotator.ask("return window.hit")


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_an_instruction_is_shown_as_text_and_stays_in_view(studio_server, annotator, tmp_path, text):
    _, project = campaign(studio_server, tmp_path, f"Text {[*TEXTS.values()].index(text)}", instruction=text)
    annotator.resize(1366, 500)
    annotator.open(project)
    box = annotator.all(".ej-instruction")[0]
    lines = [line.get_attribute("textContent") for line in annotator.all(".ej-instruction .lsf-richtext__line")]
    assert "\n".join(lines).split() == text.split()
    assert not annotator.ask(
        "return window.hit || document.querySelectorAll('.ej-instruction img, .ej-instruction b').length"
    )
    annotator.ask("document.querySelector('.lsf-main-content').scrollTop = 1e6")
    assert annotator.ask("return document.querySelector('.lsf-main-content').scrollTop") > 50
    assert box.rect["y"] <= 60 + annotator.ask("return window.scrollY")
    assert annotator.ask("return arguments[0].contains(document.elementFromPoint(200, 62))", box)
    begins_right = annotator.ask(
        "const line = document.querySelector('.ej-instruction .lsf-richtext__line'), range = document.createRange();"
        "range.setStart(line.firstChild, 0); range.setEnd(line.firstChild, 1);"
        "return range.getBoundingClientRect().left > window.innerWidth / 2"
    )
    assert begins_right == (text == TEXTS["rtl"])
