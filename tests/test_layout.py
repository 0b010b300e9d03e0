"""The page of an annotation task: its configuration, its content, and what is read from its answers. No server."""

from __future__ import annotations

import copy
import itertools
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest
from pydantic import ValidationError

from annotation.page.answers import make_result, read_result
from annotation.page.instructions import annotator_instructions
from annotation.page.layout import FLAGS, TITLES, Layout, config_xml
from annotation.page.task import Shown, task_data
from editjudge.records.tasks import DIMENSIONS

FIVE = ((3,), (1, 2), (4, 5))
EVERY = [
    Layout(kind=kind, candidates=candidates, dimensions=dimensions)
    for kind in ("matrix", "boards")
    for candidates in (2, 5, 6, 7, 20)
    for dimensions in (("consistency",), DIMENSIONS)
]
NASTY = "<script>alert(1)</script> \"quotes\" 'too' & &amp; <b>no</b> $strip_html 🦊 עברית\n  second line"


def layout_id(layout: Layout) -> str:
    return f"{layout.kind}-{layout.candidates}-{len(layout.dimensions)}"


def answer(layout: Layout, tiers: Any = FIVE) -> list[dict[str, Any]]:
    return make_result(layout, dict.fromkeys(layout.dimensions, tiers))


def shown(name: str) -> Shown:
    return Shown(f"/screen?d={name}&x=1", f"/original?d={name}")


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
    controls = {node.get("name") for tag in ("Choices", "Ranker") for node in root.iter(tag)}
    one_tier = answer(layout, [[int(number) for number in layout.numbers]])
    assert controls == {item["from_name"] for item in one_tier} | {"flag"}
    targets = {node.get("name"): node.get("toName") for tag in ("Choices", "Ranker") for node in root.iter(tag)}
    assert all(targets[item["from_name"]] == item["to_name"] for item in one_tier)


@pytest.mark.parametrize("layout", EVERY, ids=layout_id)
def test_label_studio_accepts_the_configuration_and_the_answers(layout):
    sdk = pytest.importorskip("label_studio_sdk.label_interface")
    interface = sdk.LabelInterface(config_xml(layout))
    interface.validate()
    assert interface.validate_annotation({"result": answer(layout, [[int(number)] for number in layout.numbers])})
    assert {item.name for item in interface.objects} >= {"instruction", "strip"}
    interface.validate_task({"data": page(layout)})


@pytest.mark.parametrize("layout", [layout for layout in EVERY if layout.kind == "matrix"], ids=layout_id)
def test_matrix_asks_for_every_cell_and_offers_every_tier(layout):
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


def test_boards_have_one_bucket_per_tier_with_names_unique_in_the_page():
    root = ElementTree.fromstring(config_xml(Layout(kind="boards", candidates=12)))
    for board in root.iter("Ranker"):
        assert [bucket.get("title") for bucket in board] == [str(number) for number in range(1, 13)]
    names = [bucket.get("name") for bucket in root.iter("Bucket")]
    assert len(set(names)) == len(names) == 36


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
    evil = Shown('"><script>alert(1)</script>', "javascript'\"<b>")
    for kind in ("matrix", "boards"):
        data = page(Layout(kind=kind, candidates=2), inputs=[evil], candidates=[evil, evil])
        htmls = [data["strip_html"], *(item["html"] for item in data.get("candidates", []))]
        assert {tag for html in htmls for tag, _ in Tags(html).tags}.isdisjoint({"script"})
        assert all(image["src"] == evil.screen for html in htmls for image in Tags(html).all("img"))


def test_only_boards_have_cards_to_drag():
    assert "candidates" not in page(Layout())
    assert [card["id"] for card in page(Layout(kind="boards"))["candidates"]] == ["1", "2", "3", "4", "5"]


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
    for kind in ("matrix", "boards"):
        changed = layout.model_copy(update={"kind": kind})
        assert read_result(changed, make_result(changed, tiers)).tiers == tiers


def test_what_label_studios_page_submits_is_read():
    """Recorded from the real page; order of items and of names in a bucket is noise, empty tiers are no tiers."""
    board = {"_": [], "ov_t1": ["3"], "ov_t2": [], "ov_t3": ["2", "1"], "ov_t4": [], "ov_t5": ["5", "4"]}
    result = [
        {"id": "aB", "type": "choices", "value": {"choices": ["unsure"]}, "to_name": "instruction", "from_name": "flag"}
        | {"origin": "manual"},
        {"id": "cD", "type": "ranker", "value": {"ranker": board}, "to_name": "cands", "from_name": "overall"},
        {"id": "eF", "type": "choices", "value": {"choices": ["ranked"]}, "to_name": "instruction"}
        | {"from_name": "overall_ranked", "origin": "manual"},
    ]
    reading = read_result(Layout(kind="boards", dimensions=("overall",)), result)
    assert reading == ({"overall": FIVE}, ("unsure",), ())


def test_every_single_choice_of_the_matrix_counts():
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
def test_an_invalid_answer_of_the_matrix_is_refused_with_every_problem(change, problems):
    reading = read_result(Layout(), change(answer(Layout())))
    assert list(reading.problems) == problems
    assert reading.tiers == {}


def board(**changes: Any) -> Any:
    """Change buckets of the board `overall`; None removes one."""

    def change(result: list[dict[str, Any]]) -> list[dict[str, Any]]:
        found = copy.deepcopy(result)
        buckets = next(item for item in found if item["from_name"] == "overall")["value"]["ranker"]
        buckets.update(changes)
        for name in [name for name, items in buckets.items() if items is None]:
            del buckets[name]
        return found

    return change


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        (removed("overall"), ["overall: the board was not touched"]),
        (board(ov_t2=["1"], _=["2"]), ["overall: candidate 2 was not placed"]),
        (board(ov_t2=["1"]), ["overall: candidate 2 has no tier"]),
        (board(ov_t2=None), ["overall: candidate 1 has no tier", "overall: candidate 2 has no tier"]),
        (board(ov_t5=["1"]), ["overall: candidate 1 stands 2 times"]),
        (board(ov_t5=["6"]), ["overall: bucket 'ov_t5' holds '6', which is no candidate"]),
        (board(ov_t5=[1]), ["overall: bucket 'ov_t5' holds 1, which is no candidate"]),
        (board(ov_t5="1"), ["overall: bucket 'ov_t5' holds '1', which is no candidate"]),
        (board(pf_t1=[]), ["overall: there is no bucket 'pf_t1'"]),
        (
            replaced("overall", value={"ranker": ["1"]}),
            ["item 5: overall holds no ranker for cands", "overall: the board was not touched"],
        ),
    ],
)
def test_an_invalid_answer_of_the_boards_is_refused_with_every_problem(change, problems):
    layout = Layout(kind="boards")
    reading = read_result(layout, change(answer(layout)))
    assert list(reading.problems) == problems
    assert reading.tiers == {}


def test_an_untouched_tick_does_not_spoil_boards():
    """The tick is the page's reminder; the board itself is the answer."""
    layout = Layout(kind="boards")
    assert read_result(layout, removed("overall_ranked")(answer(layout))).problems == ()


def test_an_answer_to_the_other_layout_or_to_another_number_of_candidates_is_refused():
    for asked, answered in itertools.permutations(
        [Layout(), Layout(kind="boards"), Layout(candidates=4), Layout(dimensions=("overall",))], 2
    ):
        tiers = [[int(number) for number in answered.numbers]]
        assert read_result(asked, answer(answered, tiers)).problems, (asked, answered)


def test_flags_are_read():
    flag = {"from_name": "flag", "to_name": "instruction", "type": "choices", "value": choices(*FLAGS)}
    assert read_result(Layout(), [flag, *answer(Layout())]).flags == FLAGS


@pytest.mark.parametrize("tiers", [{}, {"overall": [[1, 2, 3, 4]]}, {"overall": [[1, 2, 3, 4, 5], [1]]}])
def test_only_complete_rankings_are_written(tiers):
    with pytest.raises(ValueError, match="overall"):
        make_result(Layout(dimensions=("overall",)), tiers)
