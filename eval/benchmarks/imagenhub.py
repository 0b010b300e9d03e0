"""ImagenHub, text-guided editing: images of several editing models, each rated by several people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from editjudge.errors import DataError, RowError
from editjudge.files.io import read_json
from editjudge.files.paths import InputPath
from editjudge.files.text import valid_text
from editjudge.formats.rating_tables import Floats, join_ratings, read_ratings
from editjudge.records.types import EditTriplet
from eval.benchmarks.rows import FolderImages, absent_image, make_task, make_triplet, row_name
from eval.labels.benchmark import Benchmark, checked
from eval.labels.findings import Findings
from eval.labels.types import SCALES, Rating

LOOKUP = "dataset_lookup.json"
INPUTS = "input"


class ImagenHub(BaseModel):
    """ImagenHub's human ratings of text-guided edits (arXiv 2310.01596): SC, PQ and O per image and editing model.

    Ratings: a folder with one tab-separated file per rater. Images, in the layout of the ImagenHub museum: a folder
    with `input/<uid>`, `<model>/<uid>` and `dataset_lookup.json` ({uid: {"instruction": ...}}).
    A rating's triplet has the model's name as its `editor` and the uid as its task's `origin.source`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ratings: InputPath
    """Folder with the raters' .tsv files."""
    images: InputPath | None = None
    """Folder of the images; null reads only the ratings, enough to measure external scores."""
    models: tuple[str, ...] | None = None
    """Editing models to use. Default: all models in the tables."""
    name: str = "ImagenHub"
    """Name in reports."""

    @property
    def title(self) -> str:
        """Return the name in reports."""
        return self.name

    def load(self, cache: Path) -> Benchmark:
        """Read the benchmark, see `BenchmarkSource.load`. Edits without an image or an instruction are left out."""
        files = sorted(self.ratings.glob("*.tsv"))
        if not files:
            raise DataError(f"{self.ratings}: no .tsv file in it; give the folder with one file per rater")
        tables = [read_ratings(file) for file in files]
        values = join_ratings(tables)
        present = tables[0].models
        wanted = present if self.models is None else self.models
        unknown = sorted(set(wanted) - set(present))
        if unknown:
            raise DataError(f"{self.ratings}: no column {', '.join(unknown)}; models there: {', '.join(present)}")
        left_out = Findings()
        triplets = self._triplets(tables[0].images, wanted, left_out)
        ratings = [
            rating
            for row, uid in enumerate(tables[0].images)
            for model in wanted
            if (uid, model) in triplets
            for rating in _ratings(triplets[uid, model], f"{model}/{uid}", values[row, :, present.index(model)])
        ]
        root = cache if self.images is None else self.images
        source, has_images = str(self.ratings), self.images is not None
        return checked(self.title, source, (), root, left_out, Findings(), ratings=ratings, has_images=has_images)

    def _triplets(
        self, uids: Sequence[str], models: Sequence[str], left_out: Findings
    ) -> dict[tuple[str, str], EditTriplet]:
        """Return the triplets by uid and model; missing images are added to `left_out`."""
        lookup = None if self.images is None else _instructions(self.images / LOOKUP)
        store = None if self.images is None else FolderImages(self.images)
        found = {}
        for uid in uids:
            try:
                row_name(uid)
                before = absent_image(f"{INPUTS}/{uid}") if store is None else store.add(f"{INPUTS}/{uid}")
                instruction = f"edit of {uid}" if lookup is None else lookup.get(uid)
                task = make_task("imagenhub", instruction, before, source=uid)
            except RowError as problem:
                left_out.add(problem.kind, f"{valid_text(uid)}: {problem}")
                continue
            for model in models:
                try:
                    after = absent_image(f"{model}/{uid}") if store is None else store.add(f"{model}/{uid}")
                except RowError as problem:
                    left_out.add(problem.kind, str(problem))
                    continue
                triplet = make_triplet(task, after, model)
                # Two models may produce the same bytes; the id contains the model to keep their ratings apart.
                found[uid, model] = triplet.model_copy(update={"id": f"{triplet.id}-{model}"})
        return found


def _instructions(path: Path) -> Mapping[str, str]:
    rows = read_json(path)
    if not isinstance(rows, dict):
        raise DataError(f"{path}: not an object of uids; take the {LOOKUP} that lies beside the images")
    return {uid: row["instruction"] for uid, row in rows.items() if isinstance(row, dict) and "instruction" in row}


def _ratings(triplet: EditTriplet, name: str, values: Floats) -> Iterator[Rating]:
    """Yield one rating per scale; values [raters, 2]: SC and PQ. O = sqrt(SC PQ) per rater, then averaged."""
    semantic, quality = values[:, 0], values[:, 1]
    for scale, given in zip(SCALES, (semantic, quality, np.sqrt(semantic * quality).round(9)), strict=True):
        raters = tuple(float(value) for value in given)
        mean = round(float(given.mean()), 9)
        yield Rating(id=f"{name}/{scale}", triplet=triplet, scale=scale, value=mean, raters=raters)
