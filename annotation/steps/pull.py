"""`editjudge annotate pull`: fetch the rankings of changed tasks from the server and check them strictly."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone

from annotation.campaign.records import InvalidAnnotation, campaign_lock, imported_rankings, invalid_file, shown_units
from annotation.label_studio.client import Studio, StudioError
from annotation.label_studio.connect import connect
from annotation.label_studio.mirror import (
    Mirror,
    StudioAnnotation,
    StudioTask,
    known,
    load_mirror,
    refresh,
    save_mirror,
)
from annotation.label_studio.projects import UnitProject, find_project
from annotation.page.answers import Reading, read_result
from annotation.page.layout import Layout, layout_of
from annotation.recipe import AnnotationRecipe, Unit
from annotation.steps.pull_report import PULL, PullReport, UnitPull, as_json, print_report
from editjudge.cli.options import add_json, add_recipe, json_results
from editjudge.files.io import write_json, write_jsonl
from editjudge.formats.campaign import rankings_file, read_tasks
from editjudge.formats.rankings import Ranking, make_ranking
from editjudge.recipes.recipe import dump_recipe, load_recipe
from editjudge.records.tasks import Dimension
from editjudge.system.provenance import RunRecord


@dataclass(frozen=True)
class _Answer:
    """One readable annotation of a task."""

    annotation: StudioAnnotation
    task: StudioTask
    reading: Reading


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="editjudge annotate pull", description="Fetch what was ranked, and check it.")
    add_recipe(parser)
    add_json(parser)
    arguments = parser.parse_intermixed_args(argv)
    recipe = load_recipe(arguments.recipe, AnnotationRecipe, arguments.overrides)
    record = RunRecord(recipe.out, dump_recipe(recipe))
    with json_results(arguments.json) as write:
        with record.phase("pull"), connect(recipe) as studio:
            report = pull(recipe, studio)
        write(as_json(report))
        print_report(report, recipe.out)
    return 0


def pull(recipe: AnnotationRecipe, studio: Studio) -> PullReport:
    """Fetch the changed tasks, then rewrite rankings.jsonl and invalid.jsonl from all pulled annotations."""
    with campaign_lock(recipe.out, recipe.project.title):
        projects = [_project(recipe, studio, unit) for unit in shown_units(recipe)]

        def fetched(project: UnitProject) -> tuple[UnitProject, Mirror]:
            name = project.unit.name
            mirror = refresh(studio, project, known(load_mirror(recipe.out, name), project), annotations=True)
            save_mirror(recipe.out, name, mirror)
            return project, mirror

        # The rankings of a unit are read while those of the next unit are fetched.
        with ThreadPoolExecutor(1) as pool:
            mirrors = pool.map(fetched, [project for project in projects if project is not None])
            return write_rankings(recipe, mirrors, studio.url)


def _project(recipe: AnnotationRecipe, studio: Studio, unit: Unit) -> UnitProject | None:
    """Return the unit's project; None for an adjudicator without tasks."""
    project = find_project(studio, recipe, unit)
    if project is None and unit in recipe.project.units:
        raise StudioError(
            f"{studio.url}: no project of unit {unit.name} in campaign {recipe.project.title!r}; "
            "make it with `editjudge annotate push RECIPE`"
        )
    return project


def write_rankings(recipe: AnnotationRecipe, mirrors: Iterable[tuple[UnitProject, Mirror]], url: str) -> PullReport:
    """Read every mirror, then write rankings.jsonl and invalid.jsonl; needs no server."""
    layout = layout_of(recipe)
    pushed = {row.group_id: row.candidates for row in read_tasks(recipe.out).values()}
    report = PullReport(datetime.now(timezone.utc).isoformat(timespec="seconds"))
    rankings: list[Ranking] = []
    for project, mirror in mirrors:
        reader = _UnitReader(layout, project, f"{url}/projects/{project.id}/data", pushed)
        rankings += reader.read(mirror)
        report.units.append(reader.outcome)
        report.invalid += reader.invalid
    for row in imported_rankings(recipe.out, [unit.name for unit in recipe.all_units]):
        rankings.append(row)
        report.imported[row.annotator] = report.imported.get(row.annotator, 0) + 1
    report.rankings = write_jsonl(rankings_file(recipe.out), rankings)
    write_jsonl(invalid_file(recipe.out), report.invalid)
    write_json(recipe.out / PULL, as_json(report))
    return report


class _UnitReader:
    """Reads one unit's annotations. Unclear ones are listed, never guessed."""

    def __init__(self, layout: Layout, project: UnitProject, link: str, pushed: Mapping[str, Sequence[str]]) -> None:
        self._layout = layout
        self._pushed = pushed
        self._unit = project.unit.name
        self.outcome = UnitPull(self._unit, link)
        self.invalid: list[InvalidAnnotation] = []

    def read(self, mirror: Mirror) -> Iterator[Ranking]:
        """Yield the rankings, in shown order of the tasks."""
        self.outcome.withdrawn = sum(len(task.annotations) for task in mirror.withdrawn)
        live: dict[str, list[StudioTask]] = {}
        for task in mirror.tasks.values():
            if task.group_id is not None:
                live.setdefault(task.group_id, []).append(task)
            for annotation in task.annotations if task.group_id is None else ():
                self._refuse(task, annotation, "the task is none of this campaign: it has no group_id")
        deleted: dict[str, list[StudioTask]] = {}
        for task in mirror.deleted:
            if task.group_id is not None:
                deleted.setdefault(task.group_id, []).append(task)
        for group_id in dict.fromkeys((*live, *deleted)):
            yield from self._read_group(group_id, live.get(group_id, []), deleted.get(group_id, []))

    def _read_group(
        self, group_id: str, live: Sequence[StudioTask], deleted: Sequence[StudioTask]
    ) -> Iterator[Ranking]:
        self.outcome.tasks += bool(live)
        submitted = [(task, item) for task in live for item in task.annotations if not item.was_cancelled]
        answers = [answer for task, item in submitted if (answer := self._read(task, item)) is not None]
        if len({str(sorted(answer.reading.tiers.items())) for answer in answers}) > 1:
            for answer in answers:
                self._refuse(
                    answer.task,
                    answer.annotation,
                    f"{len(answers)} annotations of this task differ; delete all but the right one",
                )
            answers = []
        if not answers and not submitted:
            answers = self._of_deleted(deleted)
            if answers:
                self.outcome.kept += 1
                self.outcome.tasks += not live
        if answers:
            yield from self._rankings(group_id, max(answers, key=lambda answer: answer.annotation.updated_at))
        elif submitted:
            self.outcome.invalid += 1
        elif any(item.was_cancelled for task in live for item in task.annotations):
            self.outcome.skipped += 1

    def _of_deleted(self, deleted: Sequence[StudioTask]) -> list[_Answer]:
        """Return the last readable answer to a deleted task."""
        for task in reversed(deleted):
            for item in sorted(task.annotations, key=lambda item: item.updated_at, reverse=True):
                reading = read_result(self._layout, item.result)
                if not item.was_cancelled and not reading.problems and self._is_as_pushed(task):
                    return [_Answer(item, task, reading)]
        return []

    def _read(self, task: StudioTask, item: StudioAnnotation) -> _Answer | None:
        """Return the answer; list it and return None if it is unusable."""
        reading = read_result(self._layout, item.result)
        problems = [*reading.problems]
        if not self._is_as_pushed(task):
            problems.append("the task shows other candidates than were pushed (tasks.jsonl)")
        if problems:
            self._refuse(task, item, "; ".join(problems))
            return None
        return _Answer(item, task, reading)

    def _is_as_pushed(self, task: StudioTask) -> bool:
        assert task.group_id is not None
        expected = tuple(self._pushed.get(task.group_id, task.candidates))
        return task.candidates == expected and len(expected) == self._layout.candidates

    def _rankings(self, group_id: str, answer: _Answer) -> Iterator[Ranking]:
        outcome, item = self.outcome, answer.annotation
        outcome.done += 1
        outcome.submitted.append(item.created_at)
        seconds = item.lead_time if item.lead_time is not None and item.lead_time > 0 else None
        outcome.seconds += [seconds] if seconds is not None else []
        for flag in answer.reading.flags:
            outcome.flagged[flag] = outcome.flagged.get(flag, 0) + 1
        dimension: Dimension
        for dimension, tiers in answer.reading.tiers.items():
            yield make_ranking(group_id, dimension, self._unit, tiers, answer.task.candidates, seconds, str(item.id))

    def _refuse(self, task: StudioTask, item: StudioAnnotation, problem: str) -> None:
        link = f"{self.outcome.link}?task={task.id}"
        number = str(item.id)
        self.invalid.append(
            InvalidAnnotation(
                unit=self._unit,
                group_id=task.group_id,
                studio_task=task.id,
                annotation_id=number,
                link=link,
                problem=problem,
            )
        )
