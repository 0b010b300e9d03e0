"""`BaseJudge`, the interface of all judges."""

from __future__ import annotations

import hashlib
import itertools
import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from PIL import Image

from editjudge.asking.cards import bare_card
from editjudge.engines.base import BatchEffect
from editjudge.errors import ImageError
from editjudge.files.io import digest
from editjudge.files.text import is_blank, valid_text
from editjudge.images.colors import Colors
from editjudge.images.pixels import load_image, pixel_digest
from editjudge.images.store import ImageStore
from editjudge.records.tasks import UNKNOWN_TASK
from editjudge.records.types import EditTask, EditTriplet, ImageRef, Origin, ScoreCard
from editjudge.system.provenance import cores

logger = logging.getLogger(__name__)

_READERS = max(4, min(16, cores()))
"""Threads that decode and resize images while a judge works; the judge waits for the first chunk only."""

Shown = TypeVar("Shown")
"""The form of an edit that a kind of judge takes, made by `prepare`; never a string."""
JudgeT = TypeVar("JudgeT", bound="BaseJudge[Any]")


class BaseJudge(ABC, Generic[Shown]):
    """Base class of judges: one score card per edit, with values on 0 to 10 whatever the judge's own scale.

    A subclass defines `identity`, `prepare` (from the images of an edit to the judge's input) and `judge` (the cards).
    This class reads images ahead, in chunks, and handles images that cannot be read.
    """

    reads_images: ClassVar[bool] = True
    """False: `prepare` is called without images, and image files need not exist."""
    colors: Colors = "srgb"
    """Handling of images' ICC profiles, see `images.pixels.load_image`."""
    chunk: int = 64
    """Edits judged at once. Affects speed and memory only."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """Digest of everything that can change a card, used in markers and file names."""

    @abstractmethod
    def prepare(self, triplet: EditTriplet, images: Sequence[Image.Image]) -> Shown | str:
        """Return the judge's input for an edit with these images (inputs, then output; RGB, as stored).

        Return the reason in snake_case when the edit cannot be judged. Called from several threads while another chunk
        is judged.
        """

    @abstractmethod
    def judge(self, edits: Sequence[tuple[EditTriplet, Shown]]) -> list[ScoreCard]:
        """Return one card per edit, in order. Raises `EngineError` when the judge cannot work at all."""

    def takes(self, inputs: int) -> bool:
        """Return whether an edit with this number of input images can be judged; called before images are read."""
        return inputs == 1

    def unscored(self, triplet: EditTriplet, reason: str) -> ScoreCard:
        """Return the card of an edit that cannot be judged; `reason` in snake_case."""
        logger.warning("triplet %s: not judged: %s", triplet.id, reason)
        return bare_card(triplet, {}, asked=True, failure=reason)

    def describe(self) -> dict[str, Any]:
        """Return the description of the judge for results.json and for the markers of its scores.

        The keys of every judge: `engine`, `prompts` (or None), `passes` and `identity`.
        """
        return {"engine": type(self).__name__, "prompts": None, "passes": 1, "identity": self.identity}

    @property
    def batch_effect(self) -> BatchEffect:
        """Effect of the other edits of a chunk on a card, see `Engine.batch_effect`."""
        return "any"

    def without_cache(self: JudgeT) -> JudgeT:
        """Return the judge without its reply cache."""
        return self

    def close(self) -> None:
        """Free the model; it is loaded again on the next use. Called at the end of a `with` block."""
        return

    def __enter__(self: JudgeT) -> JudgeT:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def score(self, instruction: str, before: Image.Image | Path | str, after: Image.Image | Path | str) -> ScoreCard:
        """Judge one edit. Raises `ImageError` when an image cannot be read.

        A blank instruction is not judged ("no_instruction").
        """
        instruction = valid_text(instruction)
        images = load_image(before, colors=self.colors), load_image(after, colors=self.colors)
        shown, edited = _describe(before, images[0]), _describe(after, images[1])
        task = EditTask(
            id=digest(instruction, shown.sha256),
            inputs=(shown,),
            instruction=instruction,
            task_type=UNKNOWN_TASK,
            origin=Origin(source=shown.sha256, licence="unknown"),
        )
        triplet = EditTriplet(id=digest(task.id, edited.sha256), task=task, edited=edited, editor="unknown", seed=0)
        return self.score_images([(triplet, images)])[0]

    def score_many(self, triplets: Iterable[EditTriplet], root: Path | str = ".") -> list[ScoreCard]:
        """Return one card per triplet, in order. Image paths are relative to `root`.

        A triplet that cannot be shown is not judged. Reasons: "missing_image", "unreadable_image", "changed_image",
        "aspect_ratio" (`images.pixels.MAX_RATIO`) or "several_inputs". Raises `EngineError` when the judge cannot work
        at all.
        """
        return list(self.score_each(triplets, root))

    def score_each(self, triplets: Iterable[EditTriplet], root: Path | str = ".") -> Iterator[ScoreCard]:
        """Yield the cards of `score_many` one by one; images of the next chunk are read while a chunk is judged."""
        remaining = iter(triplets)
        chunks = iter(lambda: list(itertools.islice(remaining, self.chunk)), [])
        for cards in self.score_chunks(chunks, root):
            yield from cards

    def score_chunks(
        self, chunks: Iterable[Sequence[EditTriplet]], root: Path | str = "."
    ) -> Generator[list[ScoreCard], None, None]:
        """Yield the cards of each chunk, in order. A chunk is judged at once; two chunks are in memory at a time."""
        store = ImageStore(root, self.colors)
        loading: deque[list[Future[list[tuple[EditTriplet, Shown | str]]]]] = deque()
        pool = ThreadPoolExecutor(_READERS)  # decoding and resizing release the GIL
        try:
            for chunk in chunks:
                same_input = itertools.groupby(chunk, key=lambda triplet: triplet.task.inputs)
                loading.append([pool.submit(self._load, list(group), store) for _, group in same_input])
                if len(loading) > 1:
                    yield self._cards(row for group in loading.popleft() for row in group.result())
            while loading:
                yield self._cards(row for group in loading.popleft() for row in group.result())
        finally:
            pool.shutdown(cancel_futures=True)

    def score_images(self, rows: Iterable[tuple[EditTriplet, Sequence[Image.Image]]]) -> list[ScoreCard]:
        """Return the cards of triplets whose images (inputs, then output; RGB) are in memory, judged at once.

        These images are shown instead of those that the triplet refers to; the seeds depend on its id.
        """
        return self._cards((triplet, self._prepared(triplet, images)) for triplet, images in rows)

    def _prepared(self, triplet: EditTriplet, images: Sequence[Image.Image]) -> Shown | str:
        if is_blank(triplet.task.instruction):
            return "no_instruction"
        return self.prepare(triplet, images)

    def _load(self, triplets: Sequence[EditTriplet], store: ImageStore) -> list[tuple[EditTriplet, Shown | str]]:
        """Load triplets with the same inputs; each input is read once."""
        refs = triplets[0].task.inputs
        if not self.takes(len(refs)):
            # Several inputs: never guess which one the judge would need.
            return [(triplet, "several_inputs") for triplet in triplets]
        inputs: list[Image.Image] = []
        rows: list[tuple[EditTriplet, Shown | str]] = []
        for triplet in triplets:
            try:
                images: list[Image.Image] = []
                if self.reads_images:
                    inputs = inputs or [store.read(ref) for ref in refs]
                    images = [*inputs, store.read(triplet.edited)]
                rows.append((triplet, self._prepared(triplet, images)))
            except ImageError as error:
                logger.warning("triplet %s: %s", triplet.id, error)
                rows.append((triplet, error.reason))
        return rows

    def _cards(self, rows: Iterable[tuple[EditTriplet, Shown | str]]) -> list[ScoreCard]:
        prepared = list(rows)
        judged = iter(self.judge([(triplet, shown) for triplet, shown in prepared if not isinstance(shown, str)]))
        return [
            self.unscored(triplet, shown) if isinstance(shown, str) else next(judged) for triplet, shown in prepared
        ]


def _describe(source: Image.Image | Path | str, image: Image.Image) -> ImageRef:
    """Return a reference to an image that is in no store; for an image in memory, the hash is that of its pixels."""
    if isinstance(source, Image.Image):
        pixels = pixel_digest(image)
        return ImageRef(path=f"memory/{pixels}", sha256=pixels, width=image.width, height=image.height)
    sha256 = hashlib.sha256(Path(source).read_bytes()).hexdigest()
    return ImageRef(path=str(source), sha256=sha256, width=image.width, height=image.height)
