"""`report.html`: self-contained, escaped, and holding the numbers of results.json."""

import base64
import io
import json
import re
from html.parser import HTMLParser

import pytest
from eval_world import PixelEngine, write_benchmark, write_checkpoint
from PIL import Image

from editjudge.errors import DataError
from editjudge.io import write_jsonl
from editjudge.judge import JudgeRecipe
from editjudge.types import TierRanking
from eval.charts import Point, floor_of, learning_curve, strip
from eval.human import Human, human_results
from eval.pairs import Pairs
from eval.recipe import Report
from eval.report import write_report
from eval.results import Measured, build_results
from eval.scoring import evaluate

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
    path = write_benchmark(folder / "bench", groups=9, instruction=f"Add {ATTACK} to the sky, number")
    (folder / "funnel.json").write_text(json.dumps(FUNNEL))
    bench = Pairs(path=path).load(folder)
    rationale = f'It says {ATTACK} & "more".'
    measured = []
    trained = str(write_checkpoint(folder / "run", 10, noise=8.0))
    for step, passes in ((0, 1), (10, 1), (10, 4)):
        adapter = trained if step else None
        engine = PixelEngine(adapter=adapter, rationale=rationale, unreadable=0.1)
        judge = JudgeRecipe(engine=engine, prompts="brief-v1", retries=0, passes=passes).build()
        evaluation = evaluate(judge, bench, folder / f"step-{step}-k{passes}", 64, "judge")
        measured.append(Measured(f"step {step}" if step else "base", step, evaluation))
    results = build_results(measured, rounds=200, seed=1)
    results["human"] = human_results(Human(rankings=rankings(folder / "rankings.jsonl", bench)), measured, 200, 1)
    options = Report(examples=8, right_examples=4, funnel=folder / "funnel.json")
    write_report(folder / "report.html", results, measured, options)
    return (folder / "report.html").read_text(), results


def rankings(path, bench):
    """Two people who agree with the labels, except that the second turns every third task around."""
    rows = []
    for number, task in enumerate(dict.fromkeys(triplet.task.id for triplet in bench.triplets)):
        tiers = [[triplet.id] for triplet in bench.triplets if triplet.task.id == task]
        for unit in (f"anna {ATTACK}", "ben"):
            best_first = unit != "ben" or number % 3
            rows.append(
                TierRanking(
                    task_id=task, dimension="overall", annotator=unit, tiers=tiers if best_first else tiers[::-1]
                )
            )
    write_jsonl(path, rows)
    return path


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
