"""`report.html`: self-contained, escaped, and holding the numbers of results.json."""

import base64
import io
import json
import re
from html.parser import HTMLParser

import pytest
from PIL import Image
from report_ground import ATTACK, make_report

from eval.report.charts import Height, Point, floor_of, height_of, learning_curve, strip


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    results = make_report(folder)
    return (folder / "report.html").read_text(), results


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
    assert all(target.startswith("#") for target in page.loads)
    assert not {"link", "iframe", "object"} & set(page.tags)
    assert not re.search(r"https?://|@import|url\(", report[0])


def test_instructions_and_rationales_are_escaped(report, page):
    assert page.tags.count("script") == 2  # the page's own: pictures and code
    assert ATTACK not in report[0]
    assert f"Add {ATTACK} to the sky" in page.words
    assert f'It says {ATTACK} & "more".' in page.words


def test_the_numbers_are_those_of_the_results(report, page):
    _, results = report
    for row in results["evaluations"]:
        for found in row["dimensions"].values():
            assert f"{100 * found['pair_mean']['value']:.1f}\u202f%" in page.words
            assert f"task mean {100 * found['task_mean']['value']:.1f}\u202f%" in page.words


def test_every_picture_is_there_once(report):
    pictures = json.loads(re.search(r'id="pictures">(.*?)</script>', report[0]).group(1))
    named = re.findall(r'data-picture="(\w+)"', report[0])
    assert set(named) == set(pictures)
    assert len(pictures) < len(named)
    for data in pictures.values():
        assert Image.open(io.BytesIO(base64.b64decode(data))).format == "JPEG"


def test_examples_include_wrong_ones(page):
    assert len(page.badges) == 12
    assert "right" in page.badges
    assert {"wrong", "tie", "unscored"} & set(page.badges)
    assert sum(badge == "right" for badge in page.badges) == 4
    assert page.badges[-4:] == ["right"] * 4


def test_funnel_shows_kept_dropped_and_failed(page):
    for word in ("00-photographs", "421", "side below 512", "77", "failed"):
        assert word in page.words


def test_curves_have_bands(report, page):
    # Over steps and over passes with a band each; calibration has a line and whiskers.
    assert page.tags.count("polygon") == 6
    assert page.tags.count("polyline") == 9


def test_curve_places_points_by_hand():
    """Axis from 0.4 (y = 194) to 1 (y = 14): 0.7 lies in the middle, and steps 0 and 10 at the ends."""
    points = [Point(0, 0.4, None, None), Point(10, 0.7, 0.6, 0.8)]
    assert floor_of(points) == 0.4
    drawn = str(learning_curve(points, None, Height(0.4), "a <b>", "pf"))
    assert 'points="40.0,194.0 324.0,104.0"' in drawn
    assert "a &lt;b&gt;" in drawn
    assert learning_curve([], None, Height(0.4), "", "pf") == strip(None, None, None, "pf") == ""


def test_axis_reaches_down_to_the_lowest_band():
    assert floor_of([Point(0, 0.3, 0.17, 0.4)]) == 0.1


def test_people_stand_beside_the_judge(report, page):
    """By construction ben contradicts anna on every third task, and the last judge hardly errs."""
    _, results = report
    last = results["human"]["evaluations"][-1]["dimensions"]["overall"]["figures"]["preference"]
    assert last["people"]["value"] == pytest.approx(2 / 3, abs=1e-6)
    assert f"{100 * last['judge']['value']:.1f}\u202f%" in page.words
    assert "anna" in page.words
    assert page.words.count("step 10, K = 4") > 1  # in every table, told from the same step asked once


def test_a_gain_is_called_real_by_its_two_sided_interval(report, page):
    _, results = report
    gains = results["evaluations"][-1]["k_curve"]["gain"]["dimensions"].values()
    real = [gain["low"] > 0 or gain["high"] < 0 for gain in gains]
    assert page.words.count("more than noise") == sum(real)
    assert page.words.count("within the noise") == len(real) - sum(real)


def test_a_curve_of_correlations_reaches_below_zero_and_is_told_as_it_is():
    points = [Point(0, -0.1, -0.31, 0.1), Point(10, 0.5, 0.2, 0.7)]
    height = height_of(points, 0.0, is_share=False)
    assert height == Height(-0.4, 0.0, is_share=False)
    assert height_of([Point(0, 0.6, 0.5, 0.7)], 0.0, is_share=False).bottom == 0
    assert height_of([Point(0, 0.3, 0.17, 0.4)], None, is_share=True) == Height(0.1, None)
    drawn = str(learning_curve(points, None, height, "rho", "ov"))
    assert "training step base: -0.10 (-0.31 to 0.10)" in drawn
    assert ">-0.4<" in drawn
    assert "%" not in drawn
    assert drawn.count('class="chance"') == 1
    assert 'class="chance"' not in str(learning_curve(points, None, Height(0.0, None), "groups", "ov"))
