"""What every judge promises, whatever is behind it: see `BaseJudge`."""

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
"""Threads that decode and resize images while a judge works; it waits for the first chunk only."""

Shown = TypeVar("Shown")
"""What a kind of judge makes of an edit before it judges it; no string."""
JudgeT = TypeVar("JudgeT", bound="BaseJudge[Any]")


class BaseJudge(ABC, Generic[Shown]):
    """Edits in, one score card each; the values of a card are on 0 to 10, whatever the judge's own scale.

    A kind of judge says who it is (`identity`), what it makes of the images of an edit (`prepare`) and what it gives
    (`judge`). Reading images ahead, in chunks, and what cannot be read are common to all.
    """

    reads_images: ClassVar[bool] = True
    """False: `prepare` is called without images, which need not exist."""
    colors: Colors = "srgb"
    """What becomes of the images' ICC profiles, see `images.pixels.load_image`."""
    chunk: int = 64
    """Edits judged at once. Changes speed and memory only."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """Digest of everything that can change a card, for markers and file names."""

    @abstractmethod
    def prepare(self, triplet: EditTriplet, images: Sequence[Image.Image]) -> Shown | str:
        """What is judged of an edit with these images (inputs, then output; RGB, as they are stored).

        A string says in snake_case why it cannot be judged. Called by several threads while another chunk is judged.
        """

    @abstractmethod
    def judge(self, edits: Sequence[tuple[EditTriplet, Shown]]) -> list[ScoreCard]:
        """One card per edit, in order. `EngineError` when the judge cannot work at all."""

    def takes(self, inputs: int) -> bool:
        """Whether an edit of so many input images can be judged; asked before they are read."""
        return inputs == 1

    def unscored(self, triplet: EditTriplet, reason: str) -> ScoreCard:
        """The card of an edit that cannot be judged; `reason` in snake_case."""
        logger.warning("triplet %s: not judged: %s", triplet.id, reason)
        return bare_card(triplet, {}, asked=True, failure=reason)

    def describe(self) -> dict[str, Any]:
        """What people are told about the judge: a block of results.json, and of the markers of its scores.

        Every judge has `engine`, `prompts` (None without any), `passes` and `identity`.
        """
        return {"engine": type(self).__name__, "prompts": None, "passes": 1, "identity": self.identity}

    @property
    def batch_effect(self) -> BatchEffect:
        """What the other edits of a chunk can change in a card, as `Engine.batch_effect`."""
        return "any"

    def without_cache(self: JudgeT) -> JudgeT:
        """The judge as it answers when nothing is remembered."""
        return self

    def close(self) -> None:
        """Free the model; a judge that is asked again loads it again. As a context manager, at its end."""
        return

    def __enter__(self: JudgeT) -> JudgeT:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def score(self, instruction: str, before: Image.Image | Path | str, after: Image.Image | Path | str) -> ScoreCard:
        """Judge one edit. Raises `ImageError` when an image cannot be read.

        An instruction without anything to see is not judged ("no_instruction").
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
        """One card per triplet, in order. Image paths are relative to `root`.

        A triplet that cannot be shown is not judged, with the reason: "missing_image", "unreadable_image",
        "changed_image", "aspect_ratio" (`images.pixels.MAX_RATIO`) or "several_inputs". Raises `EngineError` when the
        judge cannot work at all.
        """
        return list(self.score_each(triplets, root))

    def score_each(self, triplets: Iterable[EditTriplet], root: Path | str = ".") -> Iterator[ScoreCard]:
        """`score_many`, card by card; the images of a chunk are read while the chunk before is judged."""
        remaining = iter(triplets)
        chunks = iter(lambda: list(itertools.islice(remaining, self.chunk)), [])
        for cards in self.score_chunks(chunks, root):
            yield from cards

    def score_chunks(
        self, chunks: Iterable[Sequence[EditTriplet]], root: Path | str = "."
    ) -> Generator[list[ScoreCard], None, None]:
        """The cards of each chunk, in order. A chunk is judged at once, and two are in memory at a time."""
        store = ImageStore(root, self.colors)
        loading: deque[list[Future[list[tuple[EditTriplet, Shown | str]]]]] = deque()
        pool = ThreadPoolExecutor(_READERS)  # decoding and resizing leave the interpreter to the others
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
        """Cards of triplets whose images (inputs, then output; RGB) are at hand, judged at once.

        What is shown are these images, whatever the triplet refers to; its id decides the seeds.
        """
        return self._cards((triplet, self._prepared(triplet, images)) for triplet, images in rows)

    def _prepared(self, triplet: EditTriplet, images: Sequence[Image.Image]) -> Shown | str:
        if is_blank(triplet.task.instruction):
            return "no_instruction"
        return self.prepare(triplet, images)

    def _load(self, triplets: Sequence[EditTriplet], store: ImageStore) -> list[tuple[EditTriplet, Shown | str]]:
        """Triplets with the same inputs, which are read once."""
        refs = triplets[0].task.inputs
        if not self.takes(len(refs)):
            # Which of them the judge would mean must not be guessed.
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
    """A reference to an image that is in no store; for one in memory, the hash is that of its pixels."""
    if isinstance(source, Image.Image):
        pixels = pixel_digest(image)
        return ImageRef(path=f"memory/{pixels}", sha256=pixels, width=image.width, height=image.height)
    sha256 = hashlib.sha256(Path(source).read_bytes()).hexdigest()
    return ImageRef(path=str(source), sha256=sha256, width=image.width, height=image.height)
