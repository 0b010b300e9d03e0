"""Stage `edit`: each task goes to several editors drawn from the pool. And what stands in for them in a dry run."""

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
    """Tints the input: an editor for dry runs, which works for any task."""

    name: str
    """Of the editor whose place it takes."""

    @property
    def identity(self) -> str:
        """Such as `stand-in:flux`, so that reports show what was not there."""
        return f"stand-in:{self.name}"

    def edit(self, task: EditTask, images: ImageStore, seed: int) -> Image.Image:
        """The first input under a veil of a random colour."""
        before = images.read(task.inputs[0])
        draw = rng(seed, task.id, self.name)
        red, green, blue = (int(value) for value in draw.integers(256, size=3))
        return Image.blend(before, Image.new("RGB", before.size, (red, green, blue)), float(draw.uniform(0.2, 0.6)))


class EditStage(Stage):
    """Make the candidates of each task. An editor that raises costs its triplet, never the group.

    Candidates are in the order of their ids, which are digests: neither order nor file name tells the editor.
    """

    version: ClassVar[int] = 1
    takes: ClassVar[type[Record] | None] = EditTask
    gives: ClassVar[type[Record]] = EditTriplet

    editors: dict[str, Annotated[Editor, Use(EDITORS)]] = Field(min_length=1)
    """The pool, by a name of the recipe's own choosing; names change nothing but messages."""
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
        """As many editors, none of which needs a model, a program or files."""
        return EditStage(editors={name: StandIn(name=name) for name in self.editors}, per_task=self.per_task)

    def depends_on(self) -> dict[str, str]:
        """The editors' identities, which hold their versions."""
        return {name: editor.identity for name, editor in self.editors.items()}

    def candidates(self, task: EditTask, seed: int) -> list[tuple[str, Editor, int]]:
        """(triplet id, editor, editor seed) for each candidate of a task, in the order of the ids."""
        # By identity, so that neither the names nor their order in the recipe change the draw.
        pool = sorted(self.editors.values(), key=lambda editor: editor.identity)
        drawn = rng(seed, "editors", task.id).permutation(len(pool))[: self.per_task]
        made = []
        for index in drawn:
            editor = pool[int(index)]
            editor_seed = derive_seed(seed, "edit", task.id, editor.identity)
            made.append((digest("triplet", task.id, editor.identity, editor_seed), editor, editor_seed))
        return sorted(made, key=lambda candidate: candidate[0])

    def run(self, rows: Iterable[Any], ctx: Context) -> Iterator[Record | Drop | Fail]:
        """The triplets of each task, their images stored as images/<task id>/<triplet id>.png."""
        rest = iter(rows)
        while tasks := list(islice(rest, self._tasks_at_a_time())):
            asked = [(task, *candidate) for task in tasks for candidate in self.candidates(task, ctx.seed)]
            for candidate, image in zip(asked, _edited(asked, ctx.images), strict=True):
                yield _stored(*candidate, image, ctx.images)

    def _tasks_at_a_time(self) -> int:
        """So many that an editor, which is drawn for some of them only, gets about a batch."""
        batch = max(editor.batch for editor in self.editors.values())
        return 1 if batch == 1 else ceil(batch * len(self.editors) / self.per_task)


def _edited(asked: Sequence[tuple[EditTask, str, Editor, int]], images: ImageStore) -> list[Image.Image | Exception]:
    """The image of each, or what went wrong; every editor is asked once, for all that it is to make."""
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
