"""`editjudge annotate push`: send every group to every unit. A second push adds only the missing tasks."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from annotation.agreement.quality import Dispute
from annotation.campaign.groups import Plan, Planned, images_root, plan
from annotation.campaign.records import campaign_lock, imported_rankings, imported_units, shown_units
from annotation.label_studio.client import Studio, StudioError
from annotation.label_studio.connect import connect
from annotation.label_studio.mirror import Mirror, StudioTask, known, load_mirror, refresh, save_mirror, with_pushed
from annotation.label_studio.projects import LOCAL_IMAGES, MODEL_VERSION, UnitProject, ensure_project, show_predictions
from annotation.page.layout import Layout, layout_of
from annotation.page.predictions import Predictions, judge_rankings
from annotation.page.served import ServedImages
from annotation.page.task import task_data
from annotation.recipe import AnnotationRecipe, Unit
from annotation.steps.agreement import DISPUTES
from annotation.steps.push_report import PushReport, UnitPush, print_report
from editjudge.cli.options import add_json, add_recipe, json_results
from editjudge.errors import DataError
from editjudge.files.io import read_jsonl, write_jsonl
from editjudge.formats.campaign import read_tasks, tasks_file
from editjudge.formats.groups import read_groups
from editjudge.images.store import ImageStore
from editjudge.recipes.recipe import dump_recipe, load_for_run
from editjudge.records.tasks import Dimension
from editjudge.records.types import ImageRef
from editjudge.system.progress import bar
from editjudge.system.provenance import RunRecord

Earlier = Mapping[str, Mapping[str, Mapping[Dimension, str]]]
"""`group_id` -> unit -> dimension -> notation: rankings that the adjudicator sees."""


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="editjudge annotate push", description="Show every group to every unit, or add what is missing."
    )
    add_recipe(parser)
    parser.add_argument(
        "--disputes",
        action="store_true",
        help="instead: the tasks of out/disputes.jsonl, with all rankings, to the unit pairs.adjudicator",
    )
    add_json(parser)
    arguments = parser.parse_intermixed_args(argv)
    recipe = load_for_run(arguments.recipe, AnnotationRecipe, arguments.overrides, may_come=("pairs",))
    record = RunRecord(recipe.out, dump_recipe(recipe))
    with json_results(arguments.json) as write:
        with record.phase("push"), connect(recipe) as studio:
            report = push_disputes(recipe, studio) if arguments.disputes else push(recipe, studio)
        write(asdict(report))
        print_report(report)
    return 1 if report.unreadable else 0


def push(recipe: AnnotationRecipe, studio: Studio) -> PushReport:
    """Create or update every unit's project as in the recipe. `StudioError` when the server fails; then push again."""
    with campaign_lock(recipe.out, recipe.project.title):
        groups = read_groups(recipe.project.groups)
        studio.whoami()  # a refused token is reported before images are copied
        shown = [unit for unit in recipe.project.units if unit in shown_units(recipe)]
        if not shown:
            raise DataError(
                "the rankings of every unit in project.units were imported; there is nobody to show tasks to"
            )
        states = [open_unit(recipe, studio, unit) for unit in shown]
        planned = plan(recipe, groups, recorded_tasks(recipe, [mirror for _, mirror in states]))
        _check_imported(recipe, planned)
        report = PushReport(
            tasks=len(planned.tasks),
            gold=sum(task.row.is_gold for task in planned.tasks),
            repeats=sum(task.row.repeat_of is not None for task in planned.tasks),
            too_small=planned.too_small,
            no_instruction=planned.no_instruction,
            not_drawn=planned.not_drawn,
            changed=[*planned.changed],
        )
        predictions, report.without_prediction = judge_rankings(recipe, planned.tasks)
        try:
            for project, mirror in states:
                push_tasks(recipe, studio, project, mirror, planned.tasks, report, predictions)
                if predictions:
                    show_predictions(studio, project)
        finally:
            record_tasks(recipe, planned)
    return report


def push_disputes(recipe: AnnotationRecipe, studio: Studio) -> PushReport:
    """Send the disputed tasks to the adjudicator, who sees every unit's ranking.

    `DataError` without an adjudicator, and before `annotate agreement` has listed the disputes.
    """
    name = recipe.pairs.adjudicator
    if name is None:
        raise DataError("pairs.adjudicator: name the unit that decides, and set pairs.consensus to adjudicated")
    path = recipe.out / DISPUTES
    if not path.exists():
        raise DataError(f"{path}: no such file; run `editjudge annotate agreement RECIPE` first")
    disputes = {row.task_id: row for row in read_jsonl(path, Dispute)}
    if imported_units(recipe.out, [name]):
        raise DataError(f"pairs.adjudicator: the rankings of {name} were imported; name a unit that ranks here")
    with campaign_lock(recipe.out, recipe.project.title):
        groups = read_groups(recipe.project.groups)
        project, mirror = open_unit(recipe, studio, Unit(name=name))
        planned = plan(recipe, groups, recorded_tasks(recipe, [mirror]))
        tasks = [task for task in planned.tasks if task.row.group_id in disputes]
        report = PushReport(tasks=len(tasks), changed=sorted(disputes.keys() - {task.row.group_id for task in tasks}))
        earlier = {key: row.rankings for key, row in disputes.items()}
        try:
            push_tasks(recipe, studio, project, mirror, tasks, report, {}, earlier)
        finally:
            record_tasks(recipe, planned)
    return report


def _check_imported(recipe: AnnotationRecipe, planned: Plan) -> None:
    """Raise `DataError` when a task would show other candidates than its imported rankings contain."""
    names = [unit.name for unit in recipe.all_units]
    ranked = {row.task_id: row.shown for row in imported_rankings(recipe.out, names)}
    for task in planned.tasks:
        imported = ranked.get(task.row.group_id)
        if imported is not None and {*imported} != {*task.row.candidates}:
            raise DataError(
                f"task {task.row.group_id}: its imported rankings are of {len(imported)} candidates, "
                f"{len(task.row.candidates)} would be shown (project.candidates); both must be the same"
            )


def open_unit(recipe: AnnotationRecipe, studio: Studio, unit: Unit) -> tuple[UnitProject, Mirror]:
    """Return the unit's project, created if missing, and its mirror with the present tasks."""
    project, _ = ensure_project(studio, recipe, unit)
    mirror = refresh(studio, project, known(load_mirror(recipe.out, unit.name), project), annotations=False)
    save_mirror(recipe.out, unit.name, mirror)
    return project, mirror


def push_tasks(
    recipe: AnnotationRecipe,
    studio: Studio,
    project: UnitProject,
    mirror: Mirror,
    tasks: Sequence[Planned],
    report: PushReport,
    predictions: Predictions,
    earlier: Earlier | None = None,
) -> None:
    """Add the tasks that are missing in a unit's project. Its mirror is saved after each batch.

    Tasks with an unreadable image are left out and listed in `report`.
    """
    name = project.unit.name
    there = Counter(task.group_id for task in mirror.tasks.values() if task.group_id is not None)
    outcome = UnitPush(name, studio.link(project.id))
    outcome.twice = sorted(group_id for group_id, count in there.items() if count > 1)
    outcome.there = sum(task.row.group_id in there for task in tasks)
    report.units.append(outcome)
    missing = [task for task in tasks if task.row.group_id not in there]
    if not missing:
        return
    images = _images(recipe)
    ready = _with_images(images, missing, report)
    layout, prefix = layout_of(recipe), image_prefix(recipe)
    with bar(f"tasks for {name}", len(ready)) as advance:
        for start in range(0, len(ready), recipe.server.batch_tasks):
            batch = ready[start : start + recipe.server.batch_tasks]
            rows = [_import_row(layout, task, images, prefix, predictions, earlier) for task in batch]
            try:
                numbers = studio.import_tasks(project.id, rows)
            except StudioError as error:
                raise StudioError(
                    f"{error}\n{outcome.added} of {len(ready)} tasks for {name} are confirmed. Push again when the "
                    "server is there: it looks at what arrived and adds the rest"
                ) from error
            mirror = with_pushed(mirror, map(_pushed, numbers, batch))
            save_mirror(recipe.out, name, mirror)
            outcome.added += len(batch)
            advance(len(batch))


def _pushed(number: int, task: Planned) -> StudioTask:
    return StudioTask(id=number, group_id=task.row.group_id, candidates=task.row.candidates)


def _with_images(images: ServedImages, tasks: Sequence[Planned], report: PushReport) -> list[Planned]:
    """Prepare the images and return the tasks whose images are all readable."""
    failed = images.prepare(ref for task in tasks for ref in _refs(task))
    for task in tasks:
        problems = [str(failed[ref.sha256]) for ref in _refs(task) if ref.sha256 in failed]
        if problems:
            report.unreadable[task.row.group_id] = problems[0]
    return [task for task in tasks if task.row.group_id not in report.unreadable]


def _refs(task: Planned) -> tuple[ImageRef, ...]:
    return (*task.task.inputs, *(triplet.edited for triplet in task.shown))


def recorded_tasks(recipe: AnnotationRecipe, mirrors: Sequence[Mirror]) -> dict[str, tuple[str, ...]]:
    """Return `group_id` -> candidates in shown order of all pushed tasks: from the server, then from tasks.jsonl."""
    found = {
        task.group_id: task.candidates
        for mirror in mirrors
        for task in (*mirror.deleted, *mirror.tasks.values())
        if task.group_id is not None
    }
    found |= {row.group_id: row.candidates for row in read_tasks(recipe.out).values()}
    return {key: candidates for key, candidates in found.items() if len(candidates) == recipe.project.candidates}


def image_prefix(recipe: AnnotationRecipe) -> str:
    """Return the URL prefix of image paths."""
    return LOCAL_IMAGES if recipe.server.images_url is None else recipe.server.images_url


def _images(recipe: AnnotationRecipe) -> ServedImages:
    return ServedImages(recipe.served / "images", ImageStore(images_root(recipe)), recipe.project.screen_px)


def _import_row(
    layout: Layout,
    task: Planned,
    images: ServedImages,
    prefix: str,
    predictions: Predictions,
    earlier: Earlier | None,
) -> dict[str, Any]:
    """Return one task for the import. Annotators can see its keys: they do not reveal gold or repeats."""
    group_id = task.row.group_id
    inputs = [images.shown(ref, prefix) for ref in task.task.inputs]
    candidates = [images.shown(triplet.edited, prefix) for triplet in task.shown]
    data = task_data(layout, task.row.instruction, inputs, candidates, None if earlier is None else earlier[group_id])
    row: dict[str, Any] = {"data": data | {"group_id": group_id, "triplets": [*task.row.candidates]}}
    if group_id in predictions:
        row["predictions"] = [{"model_version": MODEL_VERSION, "result": predictions[group_id]}]
    return row


def record_tasks(recipe: AnnotationRecipe, planned: Plan) -> None:
    """Write tasks.jsonl: every task of a unit's project with its number there, and the deleted ones."""
    numbers: dict[str, dict[str, int]] = {}
    for unit in recipe.all_units:
        mirror = load_mirror(recipe.out, unit.name)
        for task in mirror.tasks.values() if mirror is not None else ():
            if task.group_id is not None:
                numbers.setdefault(task.group_id, {})[unit.name] = task.id
    rows = read_tasks(recipe.out)
    rows |= {task.row.group_id: task.row for task in planned.tasks if task.row.group_id in numbers}
    write_jsonl(
        tasks_file(recipe.out),
        (row.model_copy(update={"studio_ids": numbers.get(key, {})}) for key, row in rows.items()),
    )
