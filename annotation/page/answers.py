"""The answers of an annotation page: read strictly, and written as the page would write them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from annotation.page.layout import DONE, FLAG, FLAGS, INSTRUCTION, LIST, Layout
from editjudge.formats.rankings import Tiers, tier_problems
from editjudge.records.tasks import Dimension

UNPLACED = "_"
"""Where Label Studio's boards keep what is in no bucket."""


class Reading(NamedTuple):
    """What an annotation says."""

    tiers: dict[Dimension, Tiers]
    """A ranking for each dimension of the layout; empty when there are problems, so that nothing is half used."""
    flags: tuple[str, ...]
    """What the annotator ticked of `FLAGS`."""
    problems: tuple[str, ...]
    """Everything that is wrong with the annotation; empty for a valid one."""


def read_result(layout: Layout, result: Any) -> Reading:
    """Read the `result` of a Label Studio annotation, which may hold anything: its API checks nothing.

    Valid is an answer in which each candidate stands in exactly one tier of each dimension, and nothing else is but
    flags. Tiers that nobody is in are left out: only the order counts.
    """
    if not isinstance(result, list) or not result:
        seen = "empty" if isinstance(result, list) else f"{type(result).__name__}, not a list"
        return Reading({}, (), (f"the result is {seen}",))
    answers, problems = _by_control(layout, result)
    tiers: dict[Dimension, Tiers] = {}
    for dimension in layout.dimensions:
        read = _read_matrix if layout.kind == "matrix" else _read_board
        levels, found = read(layout, dimension, answers)
        if not found:
            tiers[dimension] = tuple(tuple(sorted(tier)) for tier in levels if tier)
            found = tier_problems(tiers[dimension], layout.candidates)
        problems += [f"{dimension}: {problem}" for problem in found]
    flags = answers.get(FLAG, [])
    problems += [f"{FLAG}: there is no {flag!r}" for flag in flags if flag not in FLAGS]
    return Reading({} if problems else tiers, tuple(str(flag) for flag in flags), tuple(problems))


def _controls(layout: Layout) -> dict[str, tuple[str, str]]:
    """Name of each control -> (what it answers to, type of its answer)."""
    controls = {FLAG: (INSTRUCTION, "choices")}
    for dimension in layout.dimensions:
        if layout.kind == "matrix":
            controls |= {layout.cell(dimension, number): (INSTRUCTION, "choices") for number in layout.numbers}
        else:
            controls |= {dimension: (LIST, "ranker"), f"{dimension}_{DONE}": (INSTRUCTION, "choices")}
    return controls


def _by_control(layout: Layout, result: list[Any]) -> tuple[dict[str, Any], list[str]]:
    """Name of the control -> its value, for items that are what this layout makes; and what is wrong with others."""
    controls = _controls(layout)
    answers: dict[str, Any] = {}
    problems: list[str] = []
    for place, item in enumerate(result, start=1):
        name = item.get("from_name") if isinstance(item, dict) else None
        if not isinstance(name, str) or name not in controls:
            seen = repr(name) if isinstance(item, dict) else type(item).__name__
            problems.append(f"item {place}: {seen} is no control of this layout")
            continue
        target, kind = controls[name]
        value = item.get("value")
        content = value.get(kind) if isinstance(value, dict) else None
        expected = dict if kind == "ranker" else list
        if item.get("to_name") != target or item.get("type") != kind or not isinstance(content, expected):
            problems.append(f"item {place}: {name} holds no {kind} for {target}")
        elif name in answers:
            problems.append(f"item {place}: {name} is answered twice")
        else:
            answers[name] = content
    return answers, problems


def _read_matrix(layout: Layout, dimension: Dimension, answers: Mapping[str, Any]) -> tuple[list[list[int]], list[str]]:
    """Candidates of each tier, empty tiers included; and what is wrong."""
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
    return levels, problems


def _read_board(layout: Layout, dimension: Dimension, answers: Mapping[str, Any]) -> tuple[list[list[int]], list[str]]:
    """Candidates of each tier, empty tiers included; and what is wrong."""
    if dimension not in answers:
        return [], ["the board was not touched"]
    buckets = answers[dimension]
    names = [layout.bucket(dimension, tier) for tier in layout.numbers]
    problems = [f"there is no bucket {name!r}" for name in buckets if name not in (*names, UNPLACED)]
    levels: list[list[int]] = []
    for name in (*names, UNPLACED):
        items = buckets.get(name, [])
        strange = [item for item in items if item not in layout.numbers] if isinstance(items, list) else [items]
        if strange:
            problems.append(f"bucket {name!r} holds {strange[0]!r}, which is no candidate")
        else:
            levels.append([int(item) for item in items])
    if not problems and levels[-1]:
        problems = [f"candidate {number} was not placed" for number in sorted(levels[-1])]
    return levels[:-1], problems


def make_result(layout: Layout, tiers: Mapping[Dimension, Sequence[Sequence[int]]]) -> list[dict[str, Any]]:
    """The inverse of `read_result`, for predictions and for annotations by the API.

    `tiers` has one ranking of candidate numbers for each dimension of the layout; `ValueError` otherwise.
    """
    result: list[dict[str, Any]] = []
    for dimension in layout.dimensions:
        problems = tier_problems(tiers[dimension], layout.candidates) if dimension in tiers else ["no ranking"]
        if problems:
            raise ValueError(f"{dimension}: {'; '.join(problems)}")
        ranked = [sorted(tier) for tier in tiers[dimension]]
        if layout.kind == "matrix":
            tier_of = {number: place for place, tier in enumerate(ranked, start=1) for number in tier}
            cells = [(layout.cell(dimension, number), str(tier_of[int(number)])) for number in layout.numbers]
            result += [_item(name, INSTRUCTION, "choices", [tier]) for name, tier in cells]
        else:
            buckets: dict[str, list[str]] = {UNPLACED: []}
            for place, tier in enumerate(layout.numbers):
                members = ranked[place] if place < len(ranked) else []
                buckets[layout.bucket(dimension, tier)] = [str(number) for number in members]
            result.append(_item(dimension, LIST, "ranker", buckets))
            result.append(_item(f"{dimension}_{DONE}", INSTRUCTION, "choices", [DONE]))
    return result


def _item(name: str, target: str, kind: str, value: Any) -> dict[str, Any]:
    return {"id": name, "from_name": name, "to_name": target, "type": kind, "value": {kind: value}}
