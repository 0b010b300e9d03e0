"""Read the answers of an annotation page strictly, and write answers in the page's format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from annotation.page.layout import FLAG, FLAGS, INSTRUCTION, Layout
from editjudge.formats.rankings import Tiers, tier_problems
from editjudge.records.tasks import Dimension


class Reading(NamedTuple):
    """The content of one annotation."""

    tiers: dict[Dimension, Tiers]
    """A ranking for each dimension of the layout; empty when there are problems: an annotation is used whole."""
    flags: tuple[str, ...]
    """The entries of `FLAGS` that the annotator ticked."""
    problems: tuple[str, ...]
    """Every problem of the annotation; empty for a valid one."""


def read_result(layout: Layout, result: Any) -> Reading:
    """Read the `result` of a Label Studio annotation. It may contain anything: Label Studio's API checks nothing.

    A valid answer has each candidate in exactly one tier of each dimension, and flags at most. Empty tiers are
    removed: only the order counts.
    """
    if not isinstance(result, list) or not result:
        seen = "empty" if isinstance(result, list) else f"{type(result).__name__}, not a list"
        return Reading({}, (), (f"the result is {seen}",))
    answers, problems = _by_control(layout, result)
    tiers: dict[Dimension, Tiers] = {}
    for dimension in layout.dimensions:
        tiers[dimension], found = _read_tiers(layout, dimension, answers)
        problems += [f"{dimension}: {problem}" for problem in found]
    flags = answers.get(FLAG, [])
    problems += [f"{FLAG}: there is no {flag!r}" for flag in flags if flag not in FLAGS]
    return Reading({} if problems else tiers, tuple(str(flag) for flag in flags), tuple(problems))


def _by_control(layout: Layout, result: list[Any]) -> tuple[dict[str, Any], list[str]]:
    """Return control name -> value for the items that match this layout, and the problems of the others."""
    controls = {FLAG, *(layout.cell(dimension, number) for dimension in layout.dimensions for number in layout.numbers)}
    answers: dict[str, Any] = {}
    problems: list[str] = []
    for place, item in enumerate(result, start=1):
        name = item.get("from_name") if isinstance(item, dict) else None
        if not isinstance(name, str) or name not in controls:
            seen = repr(name) if isinstance(item, dict) else type(item).__name__
            problems.append(f"item {place}: {seen} is no control of this layout")
            continue
        value = item.get("value")
        content = value.get("choices") if isinstance(value, dict) else None
        if item.get("to_name") != INSTRUCTION or item.get("type") != "choices" or not isinstance(content, list):
            problems.append(f"item {place}: {name} holds no choices for {INSTRUCTION}")
        elif name in answers:
            problems.append(f"item {place}: {name} is answered twice")
        else:
            answers[name] = content
    return answers, problems


def _read_tiers(layout: Layout, dimension: Dimension, answers: Mapping[str, Any]) -> tuple[Tiers, list[str]]:
    """Return the non-empty tiers and the problems."""
    levels: list[list[int]] = [[] for _ in layout.numbers]
    problems = []
    for number in layout.numbers:
        choices = answers.get(layout.cell(dimension, number), [])
        if len(choices) == 1 and choices[0] in layout.numbers:
            levels[layout.numbers.index(choices[0])].append(int(number))
        elif choices:
            problems.append(f"candidate {number} is given {choices}, not one tier of 1 to {layout.candidates}")
        else:
            problems.append(f"candidate {number} has no tier")
    return tuple(tuple(tier) for tier in levels if tier), problems


def make_result(layout: Layout, tiers: Mapping[Dimension, Sequence[Sequence[int]]]) -> list[dict[str, Any]]:
    """Return the `result` that `read_result` reads back; for predictions and for annotations by the API.

    `tiers` needs one ranking of candidate numbers for each dimension of the layout; `ValueError` otherwise.
    """
    result: list[dict[str, Any]] = []
    for dimension in layout.dimensions:
        problems = tier_problems(tiers[dimension], layout.candidates) if dimension in tiers else ["no ranking"]
        if problems:
            raise ValueError(f"{dimension}: {'; '.join(problems)}")
        tier_of = {number: place for place, tier in enumerate(tiers[dimension], start=1) for number in tier}
        result += [_item(layout.cell(dimension, number), str(tier_of[int(number)])) for number in layout.numbers]
    return result


def _item(name: str, tier: str) -> dict[str, Any]:
    value = {"choices": [tier]}
    return {"id": name, "from_name": name, "to_name": INSTRUCTION, "type": "choices", "value": value}
