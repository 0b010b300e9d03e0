from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from curation_ground import stored_task
from factories import make_card, make_image, make_triplet

from curation.runner.report import main, write_report
from editjudge.errors import DataError
from editjudge.files.io import write_jsonl
from editjudge.formats.funnel import Funnel, PartCount, StageCount, read_funnel, write_funnel
from editjudge.images.store import ImageStore


def make_funnel() -> Funnel:
    """A run of two stages, of which one dropped and failed rows."""
    counts = {"stage": "measure", "part": None, "gives": "ScoreCard", "errors": {}, "dropped": {}, "failed": 0}
    first = StageCount(**counts | {"name": "00-measure", "in": 3, "kept": 3})
    second = StageCount(
        **counts
        | {
            "name": "01-group_std",
            "stage": "group_std",
            "in": 3,
            "kept": 1,
            "dropped": {"group_std_below_1": 1},
            "failed": 1,
            "errors": {"ValueError: <b>bold</b>": 1},
        }
    )
    return Funnel(stages=(first, second), parts={"train": PartCount(file="train.jsonl", record="ScoreCard", rows=1)})


def make_out(root: Path) -> Path:
    """A finished run: three cards scored, one kept."""
    task = stored_task(root, instruction="Make <script>alert(1)</script> pink & bold")
    store = ImageStore(root)
    cards = [
        make_card(
            triplet=make_triplet(
                id=f"t{level}",
                task=task,
                editor=f"editor-{level}",
                edited=store.add(make_image(seed=level), f"images/{level}.png"),
            ),
            overall=float(level),
        )
        for level in (1, 5, 10)
    ]
    write_jsonl(root / "stages" / "00-measure" / "00000.jsonl", cards)
    write_jsonl(root / "stages" / "01-group_std" / "00000.jsonl", cards[2:])
    write_funnel(root, make_funnel())
    return root


class Links(HTMLParser):
    """Collects what a browser would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attrs):
        assert tag != "script"
        self.found += [value for name, value in attrs if name in ("src", "href")]


def test_the_report_shows_the_funnel_and_needs_no_other_file(tmp_path):
    html = write_report(make_out(tmp_path)).read_text()
    links = Links()
    links.feed(html)
    assert len(links.found) == 2  # the input and the one candidate that was kept
    assert all(link.startswith("data:image/jpeg;base64,") for link in links.found)
    for text in ("group_std_below_1: 1", "editor-10", "The sky is pink, but the sea changed too.", "color_alter"):
        assert text in html


def test_words_of_others_are_text_not_markup(tmp_path):
    html = write_report(make_out(tmp_path)).read_text()
    assert "Make &lt;script&gt;alert(1)&lt;/script&gt; pink &amp; bold" in html
    assert "ValueError: &lt;b&gt;bold" in html


def test_scored_and_kept_are_counted_per_task_and_editor(tmp_path):
    html = re.sub(r"\s+", " ", write_report(make_out(tmp_path)).read_text())
    row = '<td>color_alter</td><td class="n">3</td><td class="n">5.33</td><td class="n">1</td>'
    assert row in html
    assert '<td>editor-1</td><td class="n">1</td><td class="n">1.00</td><td class="n">0</td>' in html
    assert "from 9.5: 1 scored, 1 kept" in html
    assert "from 5.0: 1 scored, 0 kept" in html


def test_an_image_that_is_gone_is_said_to_be(tmp_path):
    out = make_out(tmp_path)
    (out / "images/10.png").unlink()
    assert "unreadable" in write_report(out).read_text()


def test_the_funnel_survives_its_file(tmp_path):
    write_funnel(tmp_path, make_funnel())
    assert read_funnel(tmp_path / "funnel.json") == make_funnel()


def test_the_command_writes_the_report_again(tmp_path, capsys):
    out = make_out(tmp_path)
    assert main([str(out)]) == 0
    assert (out / "report.html").is_file()
    assert capsys.readouterr().out.strip() == str(out / "report.html")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[]", "not the funnel"),
        ('{"stages": []}', "another version of EditJudge; run the curation again"),
        ('{"format": 99, "stages": []}', "another version of EditJudge; run the curation again"),
        ('{"format": 1, "stages": [{"name": "x"}], "parts": {}}', r"stages\.0\.stage: .*run the curation again"),
        ('{"format": 1, "stages": []}', "parts: "),
    ],
)
def test_a_file_that_is_no_funnel_is_refused_with_one_line(content, said, tmp_path):
    (tmp_path / "funnel.json").write_text(content)
    with pytest.raises(DataError, match=said) as error:
        read_funnel(tmp_path / "funnel.json")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [None, "[]", '{"stages": 3}', "no json"])
def test_a_folder_without_a_curation_is_an_error(content, tmp_path):
    if content is not None:
        (tmp_path / "funnel.json").write_text(content)
    with pytest.raises(DataError, match=r"funnel\.json"):
        main([str(tmp_path)])
