"""A unit's project on the server: found by its mark, created if missing, refused if its page differs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from annotation.label_studio.client import Studio, StudioError, StudioProject
from annotation.label_studio.connect import home_of
from annotation.label_studio.server import check_serves
from annotation.page.instructions import annotator_instructions
from annotation.page.layout import config_xml, layout_of
from annotation.recipe import AnnotationRecipe, Unit
from editjudge.files.io import digest

MODEL_VERSION = "editjudge"
"""The `model_version` of stored predictions."""

LOCAL_IMAGES = "/data/local-files/?d=images/"
"""URL prefix of the images in `out/served` on a local server."""

_MARK = re.compile(r"\[editjudge (?P<campaign>[0-9a-f]+) (?P<page>\S+)\]")


@dataclass(frozen=True)
class UnitProject:
    """One unit's project."""

    unit: Unit
    id: int
    key: str
    """Unique across databases: a new database can reuse the project's number."""


def find_project(studio: Studio, recipe: AnnotationRecipe, unit: Unit) -> UnitProject | None:
    """Return the unit's project, or None if it does not exist.

    `StudioError` if it was made for another page, lost its mark, or exists twice.
    """
    found = _search(studio.projects(), recipe, unit)
    if found is None:
        return None
    _check_page(studio, recipe, found)
    return _unit_project(unit, found)


def ensure_project(studio: Studio, recipe: AnnotationRecipe, unit: Unit) -> tuple[UnitProject, bool]:
    """Create or update the unit's project. Return it, and whether it is new.

    A project with another page is emptied and reused if it has no annotations, otherwise refused. A local server with
    the images of another campaign is refused too.
    """
    if recipe.server.url is None:
        check_serves(home_of(recipe), recipe.served)
    found = _search(studio.projects(), recipe, unit)
    new = found is None
    if found is None:
        values = {"title": recipe.project.project_title(unit), "description": _description(recipe, unit)}
        found = studio.create_project(
            values | _settings(recipe, unit) | {"label_config": config_xml(layout_of(recipe))}
        )
    else:
        found = _updated(studio, recipe, unit, found)
    if recipe.server.url is None:
        _ensure_images(studio, recipe, found.id)
    return _unit_project(unit, found), new


def show_predictions(studio: Studio, project: UnitProject) -> None:
    """Show the predictions on opening a page. Label Studio accepts a `model_version` only if predictions have it."""
    studio.update_project(project.id, {"model_version": MODEL_VERSION})


def _search(projects: Sequence[StudioProject], recipe: AnnotationRecipe, unit: Unit) -> StudioProject | None:
    campaign, title = _campaign(recipe, unit), recipe.project.project_title(unit)
    marked = [project for project in projects if _mark(project)[0] == campaign]
    if len(marked) > 1:
        numbers = ", ".join(str(project.id) for project in marked)
        raise StudioError(
            f"projects {numbers} are both marked as {title!r}; delete the copy, or change its description"
        )
    if marked:
        return marked[0]
    namesakes = [project for project in projects if project.title == title]
    if namesakes:
        raise StudioError(
            f"project {namesakes[0].id} is called {title!r} but its description does not hold EditJudge's mark "
            f"{_text_mark(campaign, _page(recipe))}; put the mark back, or rename that project"
        )
    return None


def _updated(studio: Studio, recipe: AnnotationRecipe, unit: Unit, found: StudioProject) -> StudioProject:
    """Update the project's texts and page from the recipe."""
    current = studio.project(found.id)
    changes: dict[str, Any] = _settings(recipe, unit)
    if _mark(current)[1] != _page(recipe):
        _check_page(studio, recipe, current)
        studio.delete_tasks(current.id)
        changes |= {"description": _description(recipe, unit)}
    if not _has_annotations(current) or _mark(current)[1] != _page(recipe):
        changes |= {"label_config": config_xml(layout_of(recipe))}
    changes = {key: value for key, value in changes.items() if getattr(current, key) != value}
    return studio.update_project(current.id, changes) if changes else current


def _check_page(studio: Studio, recipe: AnnotationRecipe, project: StudioProject) -> None:
    """Raise `StudioError` when the project has annotations of another page."""
    page = _mark(project)[1]
    if page != _page(recipe) and _has_annotations(studio.project(project.id)):
        raise StudioError(
            f"project {project.id} ({project.title!r}) has annotations made with layout {page}, the recipe says "
            f"{_page(recipe)}; their answers cannot be mixed. Put project.candidates and project.dimensions back, or "
            "begin a new campaign with another project.title and another out"
        )


def _has_annotations(project: StudioProject) -> bool:
    return bool(project.total_annotations_number or project.skipped_annotations_number)


def _settings(recipe: AnnotationRecipe, unit: Unit) -> dict[str, Any]:
    return {
        "expert_instruction": annotator_instructions(layout_of(recipe), unit.kind, recipe.project.instructions),
        "show_instruction": True,
        "show_skip_button": True,
        "skip_queue": "IGNORE_SKIPPED",
        "enable_empty_annotation": False,
        "maximum_annotations": 1,
        "sampling": "Sequential sampling",
        "show_collab_predictions": recipe.project.predictions is not None,
    }


def _ensure_images(studio: Studio, recipe: AnnotationRecipe, project: int) -> None:
    """Add the image folder: Label Studio serves only files below the folders of a project's storages."""
    path = str((recipe.served / "images").resolve())
    if path not in studio.image_folders(project):
        studio.add_image_folder(project, path)


def _unit_project(unit: Unit, project: StudioProject) -> UnitProject:
    return UnitProject(unit, project.id, f"{project.id}@{project.created_at.isoformat()}")


def _campaign(recipe: AnnotationRecipe, unit: Unit) -> str:
    return digest("campaign", recipe.project.title, unit.name)[:12]


def _page(recipe: AnnotationRecipe) -> str:
    """Return the parts of the layout on which the reading of answers depends."""
    layout = layout_of(recipe)
    return f"{layout.candidates}/{'+'.join(layout.dimensions)}"


def _description(recipe: AnnotationRecipe, unit: Unit) -> str:
    return f"Rankings by {unit.name}. {_text_mark(_campaign(recipe, unit), _page(recipe))} Please leave this mark here."


def _text_mark(campaign: str, page: str) -> str:
    return f"[editjudge {campaign} {page}]"


def _mark(project: StudioProject) -> tuple[str, str]:
    """Return campaign and page from a project's description; empty without a mark."""
    found = _MARK.search(project.description or "")
    return (found["campaign"], found["page"]) if found else ("", "")
