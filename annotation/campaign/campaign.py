"""The pulled rankings of a campaign, by kind of task."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field

from annotation.campaign.groups import known_rankings
from annotation.campaign.task_types import with_task_types
from annotation.recipe import AnnotationRecipe
from editjudge.errors import DataError
from editjudge.files.io import read_jsonl
from editjudge.formats.campaign import rankings_file, read_tasks, tasks_file
from editjudge.formats.groups import read_groups
from editjudge.formats.rankings import Ranking
from editjudge.records.types import EditTriplet, TierRanking


@dataclass(frozen=True)
class Campaign:
    """The rankings of a campaign. Gold and repeated tasks are separate: pairs and agreement do not use them."""

    recipe: AnnotationRecipe
    ordinary: list[Ranking] = field(default_factory=list)
    gold: list[Ranking] = field(default_factory=list)
    repeats: list[Ranking] = field(default_factory=list)
    decisions: list[Ranking] = field(default_factory=list)
    """The adjudicator's rankings of ordinary tasks."""
    repeat_of: dict[str, str] = field(default_factory=dict)
    """Task id of a repeat -> task id of the repeated task."""

    def answers(self) -> list[TierRanking]:
        """Return the known rankings of gold tasks."""
        gold = self.recipe.project.gold
        return [] if gold is None else known_rankings(gold)

    def triplets(self) -> list[EditTriplet]:
        """Return every candidate of the groups, with the task types of `project.task_types`."""
        groups = read_groups(self.recipe.project.groups)
        found = (triplet for group in groups.values() for triplet in group.triplets.values())
        return [*with_task_types(found, self.recipe.project.task_types)]


def read_campaign(recipe: AnnotationRecipe) -> Campaign:
    """Read the pulled rankings. `DataError` when there are none, or for units or tasks outside the campaign."""
    path = rankings_file(recipe.out)
    if not path.exists():
        raise DataError(f"{path}: no such file; run `editjudge annotate pull RECIPE` first, or `import`")
    if not tasks_file(recipe.out).exists():
        raise DataError(f"{tasks_file(recipe.out)}: no such file; run `editjudge annotate push RECIPE` first")
    tasks = read_tasks(recipe.out)
    units = {unit.name for unit in recipe.project.units}
    campaign = Campaign(
        recipe,
        repeat_of={task.group_id: task.repeat_of for task in tasks.values() if task.repeat_of is not None},
    )
    for number, row in enumerate(read_jsonl(path, Ranking), start=1):
        task = tasks.get(row.task_id)
        if task is None:
            raise DataError(f"{path}: ranking {number} is of task {row.task_id}, which {tasks_file(recipe.out)} lacks")
        if row.annotator == recipe.pairs.adjudicator:
            campaign.decisions.append(row)
        elif row.annotator not in units:
            raise DataError(
                f"{path}: ranking {number} is of unit {row.annotator!r}, which the recipe does not name"
                f"{_did_you_mean(row.annotator, units)}. Name it in project.units or pairs.adjudicator, or pull again "
                "without it: its rankings are kept"
            )
        elif task.is_gold:
            campaign.gold.append(row)
        elif task.repeat_of is not None:
            campaign.repeats.append(row)
        else:
            campaign.ordinary.append(row)
    return campaign


def read_ranked(recipe: AnnotationRecipe) -> Campaign:
    """Return the campaign; `DataError` when no ordinary task has a ranking."""
    campaign = read_campaign(recipe)
    if not campaign.ordinary:
        raise DataError(
            f"{rankings_file(recipe.out)}: holds no ranking of an ordinary task; rank some, then run "
            "`editjudge annotate pull RECIPE`"
        )
    return campaign


def _did_you_mean(name: str, known: set[str]) -> str:
    close = difflib.get_close_matches(name, sorted(known), n=1)
    return f"; did you mean `{close[0]}` in project.units?" if close else f"; it names {', '.join(sorted(known))}"
