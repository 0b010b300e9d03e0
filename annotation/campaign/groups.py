"""The tasks of a campaign, made from its groups: candidates and their order, gold and repeats."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from annotation.recipe import AnnotationRecipe, Gold
from editjudge.errors import DataError
from editjudge.files.io import digest
from editjudge.files.text import is_blank
from editjudge.formats.campaign import PushedTask, read_rankings
from editjudge.formats.groups import Group, group_files, read_groups
from editjudge.records.types import EditTask, EditTriplet, TierRanking


@dataclass(frozen=True)
class Planned:
    """One task to show."""

    row: PushedTask
    task: EditTask
    shown: tuple[EditTriplet, ...]
    """The candidates, number 1 first."""


@dataclass(frozen=True)
class Plan:
    """All tasks of a campaign, in shown order."""

    tasks: tuple[Planned, ...]
    too_small: int
    """Groups left out: fewer candidates than a page shows."""
    no_instruction: int
    """Groups left out: a blank instruction gives nothing to rank by."""
    not_drawn: int
    """Groups left out: beyond `project.max_tasks`."""
    changed: tuple[str, ...]
    """`group_id` of pushed tasks with candidates that the groups no longer contain: kept, but not pushed again."""


def images_root(recipe: AnnotationRecipe) -> Path:
    """Return the folder that image paths of the groups are relative to."""
    project = recipe.project
    return project.images if project.images is not None else group_files(project.groups)[1]


def plan(recipe: AnnotationRecipe, groups: Mapping[str, Group], recorded: Mapping[str, Sequence[str]]) -> Plan:
    """Return the tasks of the campaign. The same recipe and groups give the same plan on every machine.

    `recorded`: `group_id` -> candidates of the tasks that were pushed before. They do not change: a unit that joins
    later ranks the same candidates in the same order.
    """
    gold, gold_groups = _gold(recipe, groups)
    n = recipe.project.candidates
    others = {key: group for key, group in groups.items() if key not in gold}
    asked = {key: group for key, group in others.items() if not is_blank(group.task.instruction) or key in recorded}
    ordinary = {key: group for key, group in asked.items() if len(group.triplets) >= n or key in recorded}
    whole = len(ordinary)
    ordinary = _at_most(recipe, ordinary, recorded)
    chosen_gold = _choose_gold(recipe, gold, len(ordinary), recorded)
    ranked = sorted([*ordinary, *chosen_gold], key=lambda key: digest("place", recipe.seed, key))
    repeated = _repeated(recipe, ranked, ordinary, recorded)
    # A repeat comes half a campaign after its task.
    places = [(float(place), key, key) for place, key in enumerate(ranked)]
    places += [
        (place + len(ranked) / 2 - 0.25, repeat_id(key), key) for place, key in enumerate(ranked) if key in repeated
    ]
    tasks: list[Planned] = []
    changed: list[str] = []
    for _, group_id, key in sorted(places):
        group = gold_groups[key] if key in gold else ordinary[key]
        candidates = recorded.get(group_id) or _draw(recipe, group_id, group, gold.get(key, frozenset(group.triplets)))
        if not all(candidate in group.triplets for candidate in candidates):
            changed.append(group_id)
            continue
        row = PushedTask(
            group_id=group_id,
            task_id=key,
            instruction=group.task.instruction,
            candidates=tuple(candidates),
            is_gold=key in gold,
            repeat_of=None if group_id == key else key,
        )
        tasks.append(Planned(row, group.task, tuple(group.triplets[candidate] for candidate in candidates)))
    return Plan(
        tuple(tasks),
        too_small=len(asked) - whole,
        no_instruction=len(others) - len(asked),
        not_drawn=whole - len(ordinary),
        changed=tuple(changed),
    )


def repeat_id(group_id: str) -> str:
    """Return the `group_id` of a task's repeat. Annotators cannot recognise it."""
    return digest("repeat", group_id)


def _at_most(recipe: AnnotationRecipe, ordinary: dict[str, Group], recorded: Mapping[str, object]) -> dict[str, Group]:
    """Draw `project.max_tasks` groups by hash. All groups pushed before stay, even if they are more."""
    wanted = recipe.project.max_tasks
    if wanted is None or wanted >= len(ordinary):
        return ordinary
    by_hash = sorted(ordinary, key=lambda key: (key not in recorded, digest("task", recipe.seed, key)))
    drawn = {*by_hash[: max(wanted, sum(key in recorded for key in ordinary))]}
    return {key: group for key, group in ordinary.items() if key in drawn}


def _draw(recipe: AnnotationRecipe, group_id: str, group: Group, allowed: Iterable[str]) -> list[str]:
    """Return the shown candidates in order. A repeat shows its task's candidates in another order."""
    task_id, seed = group.task.id, recipe.seed
    drawn = sorted(allowed, key=lambda key: digest("draw", seed, task_id, key))[: recipe.project.candidates]
    order = sorted(drawn, key=lambda key: digest("order", seed, task_id, key))
    if group_id == task_id:
        return order
    again = sorted(drawn, key=lambda key: digest("order", seed, group_id, key))
    return again if again != order else [*again[1:], again[0]]


def known_rankings(gold: Gold) -> list[TierRanking]:
    """Read the known rankings of gold tasks: for example the rankings.jsonl of a campaign that you ranked yourself.

    `DataError` for two rankings of one task and dimension.
    """
    found: dict[tuple[str, str], TierRanking] = {}
    for answer in read_rankings(gold.rankings):
        first = found.setdefault((answer.task_id, answer.dimension), answer)
        if first is not answer:
            raise DataError(
                f"{gold.rankings}: task {answer.task_id}: two answers in {answer.dimension}, of {first.annotator} and "
                f"{answer.annotator}; keep the right one"
            )
    return list(found.values())


def _gold(
    recipe: AnnotationRecipe, groups: Mapping[str, Group]
) -> tuple[dict[str, frozenset[str]], Mapping[str, Group]]:
    """Return task id -> triplets that every given dimension ranks, and the groups that contain them."""
    gold = recipe.project.gold
    if gold is None:
        return {}, {}
    known: dict[str, frozenset[str]] = {}
    for ranking in known_rankings(gold):
        ids = frozenset(triplet for tier in ranking.tiers for triplet in tier)
        known[ranking.task_id] = known.get(ranking.task_id, ids) & ids
    where = groups if gold.groups is None else read_groups(gold.groups)
    for task_id, ids in known.items():
        missing = task_id not in where or sorted(ids - where[task_id].triplets.keys())
        if missing:
            what = "there is no such group" if missing is True else f"the group has no triplet {missing[0]}"
            raise DataError(f"{gold.rankings}: task {task_id}: {what} in {gold.groups or recipe.project.groups}")
        if is_blank(where[task_id].task.instruction):
            raise DataError(f"{gold.rankings}: task {task_id}: its group has no instruction to rank by; leave it out")
        if len(ids) < recipe.project.candidates:
            raise DataError(
                f"{gold.rankings}: task {task_id} ranks {len(ids)} candidates in every dimension, "
                f"{recipe.project.candidates} are shown (project.candidates); rank more or show fewer"
            )
    return known, where


def _choose_gold(
    recipe: AnnotationRecipe, gold: Mapping[str, object], n_ordinary: int, recorded: Mapping[str, object]
) -> list[str]:
    settings: Gold | None = recipe.project.gold
    if settings is None:
        return []
    wanted = max(1, round(settings.rate * n_ordinary))
    if wanted > len(gold):
        raise DataError(
            f"project.gold.rate: {settings.rate:g} of {n_ordinary} tasks asks for {wanted} gold tasks, but "
            f"{settings.rankings} has {len(gold)}; lower the rate or add some"
        )
    by_hash = sorted(gold, key=lambda key: (key not in recorded, digest("gold", recipe.seed, key)))
    return by_hash[: max(wanted, sum(key in recorded for key in gold))]


def _repeated(
    recipe: AnnotationRecipe, ranked: Sequence[str], ordinary: Mapping[str, object], recorded: Mapping[str, object]
) -> set[str]:
    """Draw tasks to repeat from the campaign's first half: repeats come later. Add the repeats pushed before."""
    before = {key for key in ordinary if repeat_id(key) in recorded}
    wanted = max(1, round(recipe.project.repeats * len(ordinary))) if recipe.project.repeats > 0 else 0
    early = [key for key in ranked[: (len(ranked) + 1) // 2] if key in ordinary and key not in before]
    early.sort(key=lambda key: digest("again", recipe.seed, key))
    return before | {*early[: max(0, wanted - len(before))]}
