"""The page of an annotation task: its configuration, its content, and what is read from its answers. No server."""

from __future__ import annotations

import itertools
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest
from pydantic import ValidationError

from annotation.page.answers import make_result, read_result
from annotation.page.instructions import annotator_instructions
from annotation.page.layout import FLAGS, TITLES, Layout, config_xml
from annotation.page.task import ServedImage, task_data
from editjudge.records.tasks import DIMENSIONS

FIVE = ((3,), (1, 2), (4, 5))
EVERY = [
    Layout(candidates=candidates, dimensions=dimensions)
    for candidates in (2, 5, 6, 7, 20)
    for dimensions in (("consistency",), DIMENSIONS)
]
NASTY = "<script>alert(1)</script> \"quotes\" 'too' & &amp; <b>no</b> $strip_html 🦊 עברית\n  second line"


def layout_id(layout: Layout) -> str:
    return f"{layout.candidates}-{len(layout.dimensions)}"


def answer(layout: Layout, tiers: Any = FIVE) -> list[dict[str, Any]]:
    return make_result(layout, dict.fromkeys(layout.dimensions, tiers))


def shown(name: str) -> ServedImage:
    return ServedImage(f"/screen?d={name}&x=1", f"/original?d={name}")


def page(layout: Layout, instruction: str = "Make it pink.", **changes: Any) -> dict[str, Any]:
    values = {"inputs": [shown("input")], "candidates": [shown(f"c{number}") for number in layout.numbers]} | changes
    return task_data(layout, instruction, **values)


class Tags(HTMLParser):
    """Collects what a browser would make elements of, and the text between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


# The layout


def test_a_layout_without_dimensions_or_with_one_twice_is_refused():
    with pytest.raises(ValidationError, match="at least 1"):
        Layout(dimensions=())
    with pytest.raises(ValidationError, match="each dimension"):
        Layout(dimensions=("overall", "overall"))


@pytest.mark.parametrize("candidates", [1, 21])
def test_the_number_of_candidates_has_bounds(candidates):
    with pytest.raises(ValidationError, match="candidates"):
        Layout(candidates=candidates)


@pytest.mark.parametrize(("candidates", "columns"), [(2, 2), (6, 6), (7, 4), (12, 6), (13, 5), (20, 5)])
def test_no_row_of_the_page_has_more_than_six_candidates(candidates, columns):
    assert Layout(candidates=candidates).columns == columns


# The configuration


@pytest.mark.parametrize("layout", EVERY, ids=layout_id)
def test_the_configuration_has_exactly_the_controls_that_an_answer_has(layout):
    root = ElementTree.fromstring(config_xml(layout))
    named = [node.get("name") for node in root.iter() if node.get("name") is not None]
    assert len(set(named)) == len(named)
    controls = {node.get("name") for node in root.iter("Choices")}
    one_tier = answer(layout, [[int(number) for number in layout.numbers]])
    assert controls == {item["from_name"] for item in one_tier} | {"flag"}
    targets = {node.get("name"): node.get("toName") for node in root.iter("Choices")}
    assert all(targets[item["from_name"]] == item["to_name"] for item in one_tier)


@pytest.mark.parametrize("layout", EVERY, ids=layout_id)
def test_label_studio_accepts_the_configuration_and_the_answers(layout):
    sdk = pytest.importorskip("label_studio_sdk.label_interface")
    interface = sdk.LabelInterface(config_xml(layout))
    interface.validate()
    assert interface.validate_annotation({"result": answer(layout, [[int(number)] for number in layout.numbers])})
    assert {item.name for item in interface.objects} >= {"instruction", "strip"}
    interface.validate_task({"data": page(layout)})


@pytest.mark.parametrize("layout", EVERY, ids=layout_id)
def test_the_page_asks_for_every_cell_and_offers_every_tier(layout):
    root = ElementTree.fromstring(config_xml(layout))
    required = [node for node in root.iter("Choices") if node.get("required") == "true"]
    assert len(required) == layout.candidates * len(layout.dimensions)
    for node in required:
        assert tuple(choice.get("alias") for choice in node) == layout.numbers
        assert all(choice.get("html") == choice.get("alias") for choice in node)
    values = [choice.get("value") for node in required for choice in node]
    assert len(set(values)) == len(values)  # or the browser takes several cells for one


def test_keys_are_distinct_and_as_the_instructions_say():
    layout = Layout()
    root = ElementTree.fromstring(config_xml(layout))
    keys = {
        (name, choice.get("alias")): choice.get("hotkey")
        for node in root.iter("Choices")
        for choice in node
        if (name := node.get("name")) != "flag"
    }
    assert len(set(keys.values())) == 75
    assert keys["prompt_following_1", "1"] == "1"
    assert keys["prompt_following_2", "1"] == "2"
    assert keys["prompt_following_1", "2"] == "q"
    assert keys["consistency_5", "3"] == "shift+g"
    assert keys["overall_3", "5"] == "alt+8"
    assert "hotkey" not in config_xml(Layout(candidates=6))


def test_the_style_sheet_survives_label_studio_which_does_not_turn_escapes_back():
    style = next(ElementTree.fromstring(config_xml(Layout())).iter("Style"))
    assert style.text is not None
    assert not set("<>&") & set(style.text)
    assert "{columns}" not in style.text
    assert style.text.count("{") == style.text.count("}")


# The content of a page


def test_the_instruction_stays_text_and_never_reaches_the_html():
    data = page(Layout(), NASTY)
    assert data["instruction"] == NASTY
    assert "alert" not in data["strip_html"]


@pytest.mark.parametrize("layout", EVERY, ids=layout_id)
def test_the_strip_shows_every_picture_in_order_with_its_original(layout):
    strip = Tags(page(layout)["strip_html"])
    assert strip.open == []
    assert [link["href"] for link in strip.all("a")] == [
        "/original?d=input",
        *(f"/original?d=c{number}" for number in layout.numbers),
    ]
    after = [image["src"] for image in strip.all("img") if image["class"] == "ej-small ej-after"]
    assert after == ["/screen?d=input&x=1", *(f"/screen?d=c{number}&x=1" for number in layout.numbers)]
    before = [image["src"] for image in strip.all("img") if image["class"] == "ej-small ej-before"]
    assert before == ["/screen?d=input&x=1"] * layout.candidates


def test_several_inputs_are_all_beside_the_enlarged_candidate():
    strip = Tags(page(Layout(candidates=2), inputs=[shown("a"), shown("b")])["strip_html"])
    assert strip.text.count("Input 2") == 1 + 1 + 2  # its caption, itself enlarged, beside each candidate
    assert [image["src"] for image in strip.all("img") if image["class"] == "ej-small ej-before"] == [
        "/screen?d=a&x=1",
        "/screen?d=a&x=1",
    ]


def test_an_address_cannot_leave_its_attribute():
    evil = ServedImage('"><script>alert(1)</script>', "javascript'\"<b>")
    strip = Tags(page(Layout(candidates=2), inputs=[evil], candidates=[evil, evil])["strip_html"])
    assert strip.all("script") == []
    assert {image["src"] for image in strip.all("img")} == {evil.screen}


def test_earlier_rankings_are_shown_as_text_in_the_order_of_the_dimensions():
    layout = Layout(dimensions=("overall", "consistency"))
    earlier = {"anna": {"overall": "3|12|45", "consistency": "12345"}, "<b>bob</b>": {"consistency": "1|2345"}}
    strip = Tags(page(layout, earlier=earlier)["strip_html"])
    assert "annaE" not in strip.text
    table = strip.text[strip.text.index("Earlier") :]
    told = "Earlier rankings, best first; results written together are tied"
    assert table == f"{told}byOverall QualityConsistencyanna3|12|4512345<b>bob</b>none1|2345"
    assert not strip.all("b")[6:]  # six captions, and nothing from a name


@pytest.mark.parametrize("changes", [{"inputs": []}, {"candidates": [shown("c1")] * 4}])
def test_a_page_needs_an_input_and_the_layouts_number_of_candidates(changes):
    with pytest.raises(ValueError, match="layout of 5"):
        page(Layout(), **changes)


@pytest.mark.parametrize("layout", EVERY, ids=layout_id)
@pytest.mark.parametrize("unit", ["single", "pair"])
def test_instructions_name_the_dimensions_and_keep_the_recipes_text_as_text(layout, unit):
    parsed = Tags(annotator_instructions(layout, unit, f"First.\n\n{NASTY}\n\n"))
    assert parsed.open == []
    assert parsed.all("script") == []
    assert NASTY in parsed.text
    assert [TITLES[name] in parsed.text for name in DIMENSIONS] == [name in layout.dimensions for name in DIMENSIONS]
    assert ("You are two" in parsed.text) == (unit == "pair")


# Answers


@pytest.mark.parametrize("layout", EVERY, ids=layout_id)
def test_what_is_written_is_read(layout):
    numbers = [int(number) for number in layout.numbers]
    for tiers in ([numbers], [[number] for number in reversed(numbers)], [numbers[1:], numbers[:1]]):
        reading = read_result(layout, answer(layout, tiers))
        assert reading.problems == ()
        assert reading.tiers == dict.fromkeys(layout.dimensions, tuple(tuple(sorted(tier)) for tier in tiers))


def test_dimensions_are_independent():
    layout = Layout(candidates=3)
    tiers = {"prompt_following": ((1,), (2,), (3,)), "consistency": ((1, 2, 3),), "overall": ((2, 3), (1,))}
    assert read_result(layout, make_result(layout, tiers)).tiers == tiers


def test_what_label_studios_page_submits_is_read():
    """Recorded from the real page; the order of items is noise, empty tiers are no tiers."""
    chosen = [("overall_4", "5"), ("overall_1", "3"), ("overall_3", "1"), ("overall_5", "5"), ("overall_2", "3")]
    result = [
        {"id": "aB", "type": "choices", "value": {"choices": ["unsure"]}, "to_name": "instruction", "from_name": "flag"}
        | {"origin": "manual"},
        *(
            {"id": f"cD{name}", "type": "choices", "value": choices(tier), "to_name": "instruction", "from_name": name}
            | {"origin": "manual"}
            for name, tier in chosen
        ),
    ]
    reading = read_result(Layout(dimensions=("overall",)), result)
    assert reading == ({"overall": FIVE}, ("unsure",), ())


def test_every_single_choice_counts():
    layout = Layout(candidates=3, dimensions=("overall",))
    for chosen in itertools.product("123", repeat=3):
        result = answer(layout, [[1, 2, 3]])
        for item, tier in zip(result, chosen, strict=True):
            item["value"]["choices"] = [tier]
        expected = [tuple(n for n in (1, 2, 3) if chosen[n - 1] == tier) for tier in "123"]
        assert read_result(layout, result).tiers == {"overall": tuple(tier for tier in expected if tier)}


def removed(name: str) -> Any:
    return lambda result: [item for item in result if item["from_name"] != name]


def replaced(name: str, **changes: Any) -> Any:
    return lambda result: [item | changes if item["from_name"] == name else item for item in result]


def added(**item: Any) -> Any:
    return lambda result: [*result, item]


def choices(*values: Any) -> dict[str, Any]:
    return {"choices": [*values]}


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        (lambda result: [], ["the result is empty"]),
        (lambda result: None, ["the result is NoneType, not a list"]),
        (lambda result: {"a": 1}, ["the result is dict, not a list"]),
        (lambda result: [*result, 7], ["item 16: int is no control of this layout"]),
        (removed("overall_2"), ["overall: candidate 2 has no tier"]),
        (
            lambda result: removed("consistency_5")(removed("overall_2")(result)),
            ["consistency: candidate 5 has no tier", "overall: candidate 2 has no tier"],
        ),
        (replaced("overall_2", value=choices()), ["overall: candidate 2 has no tier"]),
        (
            replaced("overall_2", value=choices("1", "2")),
            ["overall: candidate 2 is given ['1', '2'], not one tier of 1 to 5"],
        ),
        (replaced("overall_2", value=choices("6")), ["overall: candidate 2 is given ['6'], not one tier of 1 to 5"]),
        (replaced("overall_2", value=choices(2)), ["overall: candidate 2 is given [2], not one tier of 1 to 5"]),
        (replaced("overall_2", value=choices([])), ["overall: candidate 2 is given [[]], not one tier of 1 to 5"]),
        (
            replaced("overall_2", from_name="overall_6"),
            ["item 12: 'overall_6' is no control of this layout", "overall: candidate 2 has no tier"],
        ),
        (
            replaced("overall_2", from_name="overall_1"),
            ["item 12: overall_1 is answered twice", "overall: candidate 2 has no tier"],
        ),
        (
            replaced("overall_2", type="rating"),
            ["item 12: overall_2 holds no choices for instruction", "overall: candidate 2 has no tier"],
        ),
        (
            replaced("overall_2", to_name="strip"),
            ["item 12: overall_2 holds no choices for instruction", "overall: candidate 2 has no tier"],
        ),
        (
            replaced("overall_2", value=None),
            ["item 12: overall_2 holds no choices for instruction", "overall: candidate 2 has no tier"],
        ),
        (added(from_name=["flag"]), ["item 16: ['flag'] is no control of this layout"]),
        (added(type="relation", from_id="a", to_id="b"), ["item 16: None is no control of this layout"]),
        (
            added(from_name="flag", to_name="instruction", type="choices", value=choices("unsure", "bored")),
            ["flag: there is no 'bored'"],
        ),
    ],
)
def test_an_invalid_answer_is_refused_with_every_problem(change, problems):
    reading = read_result(Layout(), change(answer(Layout())))
    assert list(reading.problems) == problems
    assert reading.tiers == {}


def test_an_answer_to_another_layout_or_to_another_number_of_candidates_is_refused():
    for asked, answered in itertools.permutations([Layout(), Layout(candidates=4), Layout(dimensions=("overall",))], 2):
        tiers = [[int(number) for number in answered.numbers]]
        assert read_result(asked, answer(answered, tiers)).problems, (asked, answered)


def test_flags_are_read():
    flag = {"from_name": "flag", "to_name": "instruction", "type": "choices", "value": choices(*FLAGS)}
    assert read_result(Layout(), [flag, *answer(Layout())]).flags == FLAGS


@pytest.mark.parametrize("tiers", [{}, {"overall": [[1, 2, 3, 4]]}, {"overall": [[1, 2, 3, 4, 5], [1]]}])
def test_only_complete_rankings_are_written(tiers):
    with pytest.raises(ValueError, match="overall"):
        make_result(Layout(dimensions=("overall",)), tiers)
