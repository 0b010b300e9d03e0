"""`report.html`: self-contained, escaped, and holding the numbers of results.json."""

import json
import re
from html.parser import HTMLParser

import pytest
from eval_world import PixelEngine, write_benchmark, write_checkpoint

from editjudge.errors import DataError
from editjudge.judge import JudgeRecipe
from eval.charts import Point, floor_of, learning_curve, strip
from eval.recipe import SweepRecipe
from eval.sweep import run_sweep

ATTACK = "<script>alert('x')</script>"
FUNNEL = {
    "stages": [
        {"name": "00-photographs", "part": None, "in": 0, "kept": 500, "dropped": {}, "failed": 0},
        {
            "name": "01-min_side",
            "part": "train",
            "in": 500,
            "kept": 421,
            "dropped": {"side_below_512": 77},
            "failed": 2,
        },
    ],
    "parts": {},
}


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    pairs = write_benchmark(folder / "bench", groups=9, instruction=f"Add {ATTACK} to the sky, number")
    write_checkpoint(folder / "run", 10, noise=8.0)
    (folder / "funnel.json").write_text(json.dumps(FUNNEL))
    recipe = SweepRecipe(
        out=folder / "sweep",
        run=folder / "run",
        bench=[{"use": "pairs", "path": pairs}],
        judge=JudgeRecipe(
            engine=PixelEngine(rationale=f'It says {ATTACK} & "more".', unreadable=0.1), prompts="brief-v1", retries=0
        ),
        bootstrap_rounds=200,
        report={"examples": 12, "funnel": folder / "funnel.json"},
    )
    results = run_sweep(recipe)
    return (folder / "sweep" / "report.html").read_text(), results


class Page(HTMLParser):
    """Collects tags, what they load, and the visible words."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.badges: list[str] = []
        self.words = ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        values = dict(attrs)
        self.loads += [values[name] for name in ("src", "href", "data", "srcset") if values.get(name)]
        if "badge" in (values.get("class") or "").split():
            self.badges.append(values["class"].split()[1])

    def handle_data(self, data):
        self.words += data


@pytest.fixture(scope="module")
def page(report):
    parsed = Page()
    parsed.feed(report[0])
    return parsed


def test_nothing_is_loaded_from_elsewhere(report, page):
    assert page.loads
    assert all(target.startswith("data:image/jpeg;base64,") for target in page.loads)
    assert not {"link", "iframe", "object"} & set(page.tags)
    assert not re.search(r"https?://|@import|url\(", report[0])


def test_instructions_and_rationales_are_escaped(report, page):
    assert page.tags.count("script") == 1  # the page's own
    assert ATTACK not in report[0]
    assert f"Add {ATTACK} to the sky" in page.words
    assert f'It says {ATTACK} & "more".' in page.words


def test_the_numbers_are_those_of_the_results(report, page):
    _, results = report
    for row in results["evaluations"]:
        for found in row["dimensions"].values():
            assert f"{100 * found['pair_mean']['value']:.1f}\u202f%" in page.words
            assert f"task mean {100 * found['task_mean']['value']:.1f}\u202f%" in page.words


def test_examples_include_wrong_ones(page):
    assert len(page.badges) == 12
    assert "right" in page.badges
    assert {"wrong", "tie", "unscored"} & set(page.badges)
    assert sum(badge == "right" for badge in page.badges) == 6


def test_funnel_shows_kept_dropped_and_failed(page):
    for word in ("00-photographs", "421", "side below 512", "77", "failed"):
        assert word in page.words


def test_three_curves_with_bands(report, page):
    assert page.tags.count("polyline") == page.tags.count("polygon") == 3


def test_a_file_that_is_no_funnel_is_named(tmp_path):
    from eval.report import read_funnel

    (tmp_path / "funnel.json").write_text('{"stages": [{"name": "x"}]}')
    with pytest.raises(DataError, match="not the funnel"):
        read_funnel(tmp_path / "funnel.json")


def test_curve_places_points_by_hand():
    """Axis from 0.4 (y = 194) to 1 (y = 14): 0.7 lies in the middle, and steps 0 and 10 at the ends."""
    points = [Point(0, 0.4, None, None), Point(10, 0.7, 0.6, 0.8)]
    assert floor_of(points) == 0.4
    drawn = str(learning_curve(points, None, 0.4, "a <b>", "pf"))
    assert 'points="40.0,194.0 324.0,104.0"' in drawn
    assert "a &lt;b&gt;" in drawn
    assert learning_curve([], None, 0.4, "", "pf") == strip(None, None, None, "pf") == ""


def test_axis_reaches_down_to_the_lowest_band():
    assert floor_of([Point(0, 0.3, 0.17, 0.4)]) == 0.1
