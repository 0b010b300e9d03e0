"""Stage `edit`: sends each task to several editors drawn from a pool. Also its stand-in for dry runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from math import ceil
from typing import Annotated, Any, ClassVar

from PIL import Image
from pydantic import Field, model_validator

from curation import EDITORS
from curation.stage import Context, Drop, Fail, Stage, describe_error
from editjudge.editors.base import Editor
from editjudge.errors import FATAL
from editjudge.files.io import derive_seed, digest, rng
from editjudge.images.store import ImageStore
from editjudge.recipes.recipe_use import Use
from editjudge.records.types import EditTask, EditTriplet, Record


class StandIn(Editor):
    """An editor for dry runs: tints the input, and works for any task."""

    name: str
    """Name of the editor that it replaces."""

    @property
    def identity(self) -> str:
        """Return, for example, `stand-in:flux`; reports show that a stand-in ran."""
        return f"stand-in:{self.name}"

    def edit(self, task: EditTask, images: ImageStore, seed: int) -> Image.Image:
        """Return the first input, blended with a random colour."""
        before = images.read(task.inputs[0])
        draw = rng(seed, task.id, self.name)
        red, green, blue = (int(value) for value in draw.integers(256, size=3))
        return Image.blend(before, Image.new("RGB", before.size, (red, green, blue)), float(draw.uniform(0.2, 0.6)))


class EditStage(Stage):
    """Make the candidates of each task. An editor that raises an error costs its triplet, never the group.

    Candidates are in the order of their ids, which are digests: neither order nor file name reveals the editor.
    """

    version: ClassVar[int] = 1
    takes: ClassVar[type[Record] | None] = EditTask
    gives: ClassVar[type[Record]] = EditTriplet

    editors: dict[str, Annotated[Editor, Use(EDITORS)]] = Field(min_length=1)
    """The pool, by names that the recipe chooses; the names appear in messages only."""
    per_task: int = Field(5, ge=1)
    """Editors drawn for each task, without replacement."""

    @model_validator(mode="after")
    def _fits_pool(self) -> EditStage:
        if self.per_task > len(self.editors):
            raise ValueError(f"per_task is {self.per_task}, but the pool has {len(self.editors)} editors")
        seen: dict[str, str] = {}
        for name, editor in self.editors.items():
            other = seen.setdefault(editor.identity, name)
            if other != name:
                raise ValueError(f"editors {other!r} and {name!r} are the same: {editor.identity}")
        return self

    def stand_in(self) -> Stage:
        """Return the same number of stand-in editors, which need no model, program or files."""
        return EditStage(editors={name: StandIn(name=name) for name in self.editors}, per_task=self.per_task)

    def depends_on(self) -> dict[str, str]:
        """Return the editors' identities, which include their versions."""
        return {name: editor.identity for name, editor in self.editors.items()}

    def candidates(self, task: EditTask, seed: int) -> list[tuple[str, Editor, int]]:
        """Return (triplet id, editor, editor seed) for each candidate of a task, sorted by id."""
        # By identity: neither the names nor their order in the recipe change the draw.
        pool = sorted(self.editors.values(), key=lambda editor: editor.identity)
        drawn = rng(seed, "editors", task.id).permutation(len(pool))[: self.per_task]
        made = []
        for index in drawn:
            editor = pool[int(index)]
            editor_seed = derive_seed(seed, "edit", task.id, editor.identity)
            made.append((digest("triplet", task.id, editor.identity, editor_seed), editor, editor_seed))
        return sorted(made, key=lambda candidate: candidate[0])

    def run(self, rows: Iterable[Any], ctx: Context) -> Iterator[Record | Drop | Fail]:
        """Yield the triplets of each task; their images are stored as images/<task id>/<triplet id>.png."""
        rest = iter(rows)
        while tasks := list(islice(rest, self._tasks_at_a_time())):
            asked = [(task, *candidate) for task in tasks for candidate in self.candidates(task, ctx.seed)]
            for candidate, image in zip(asked, _edited(asked, ctx.images), strict=True):
                yield _stored(*candidate, image, ctx.images)

    def _tasks_at_a_time(self) -> int:
        """Return how many tasks to edit at once: each editor, drawn for some of them only, gets about one batch."""
        batch = max(editor.batch for editor in self.editors.values())
        return 1 if batch == 1 else ceil(batch * len(self.editors) / self.per_task)


def _edited(asked: Sequence[tuple[EditTask, str, Editor, int]], images: ImageStore) -> list[Image.Image | Exception]:
    """Return each image, or its error; every editor is called once, with all its tasks."""
    found: dict[str, Image.Image | Exception] = {}
    for editor in {editor.identity: editor for _, _, editor, _ in asked}.values():
        mine = [(task, triplet_id, seed) for task, triplet_id, other, seed in asked if other is editor]
        made = editor.edit_many([(task, seed) for task, _, seed in mine], images)
        found.update(zip((triplet_id for _, triplet_id, _ in mine), made, strict=True))
    return [found[triplet_id] for _, triplet_id, _, _ in asked]


def _stored(
    task: EditTask, triplet_id: str, editor: Editor, seed: int, image: Image.Image | Exception, images: ImageStore
) -> EditTriplet | Fail:
    try:
        if isinstance(image, Exception):
            raise image
        ref = images.add(image, f"images/{task.id}/{triplet_id}.png")
    except FATAL:
        raise
    except Exception as error:
        return Fail(triplet_id, f"{editor.identity}: {describe_error(error)}", task)
    return EditTriplet(id=triplet_id, task=task, edited=ref, editor=editor.identity, seed=seed)
