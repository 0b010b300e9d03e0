"""Questions of the probes: already scored edits with one change."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from editjudge.errors import ImageError
from editjudge.files.io import derive_seed
from editjudge.images.colors import Colors
from editjudge.images.pixels import load_image
from editjudge.images.store import ImageStore
from editjudge.records.types import EditTriplet
from eval.labels.benchmark import Benchmark
from eval.labels.preferences import Preferred, preferences

BeforeAfter = tuple[Image.Image, Image.Image]


@dataclass(frozen=True)
class Altered:
    """Image alterations."""

    jpeg_quality: int
    resize: float

    def jpeg(self, image: Image.Image) -> Image.Image:
        """Return the image saved as JPEG and read again."""
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=self.jpeg_quality)
        return load_image(buffer.getvalue(), "JPEG round trip")

    def resized(self, image: Image.Image) -> Image.Image:
        """Return the image resized down and up again."""
        size = (max(1, round(image.width * self.resize)), max(1, round(image.height * self.resize)))
        return image.resize(size, Image.Resampling.LANCZOS).resize(image.size, Image.Resampling.LANCZOS)


@dataclass(frozen=True)
class AlteredEdit:
    """One altered edit. It keeps the triplet's id, because the judge's seeds depend on it."""

    triplet: EditTriplet
    """With the instruction shown to the judge."""
    store: ImageStore
    alter: Callable[[BeforeAfter], BeforeAfter]

    def images(self) -> BeforeAfter:
        """Return the images before and after; read now, to keep only one batch in memory."""
        return self.alter((self.store.read(self.triplet.task.inputs[0]), self.store.read(self.triplet.edited)))


def couples_of(bench: Benchmark, groups: int, seed: int) -> list[Preferred]:
    """Return one pair of each of at most `groups` groups; both are drawn by hash. Tied labels are left out."""
    by_group: dict[str, list[Preferred]] = {}
    for pair in preferences(bench):
        by_group.setdefault(pair.task.id, []).append(pair)
    chosen = sorted(by_group, key=lambda name: derive_seed(seed, "probe group", name))[:groups]
    return [min(by_group[name], key=lambda couple: derive_seed(seed, "probe pair", couple.id)) for name in chosen]


def ask_about(
    probe: str, couples: Sequence[Preferred], root: Path, altered: Altered, colors: Colors = "srgb"
) -> Iterator[AlteredEdit]:
    """Yield the altered edits of a probe, in order; `colors` is the judge's.

    Edits whose images cannot be read, or that have several inputs, are left out.
    """
    store = ImageStore(root, colors)
    if probe == "other_instruction":
        yield from _other_instructions(couples, store)
        return
    alter = _alterations(altered)[probe]
    both = probe in ("jpeg", "resize", "batch_position")
    for couple in couples:
        for triplet in (couple.better, couple.worse) if both else (couple.better,):
            if _can_be_shown(triplet, store):
                yield AlteredEdit(triplet, store, alter)


def _alterations(altered: Altered) -> dict[str, Callable[[BeforeAfter], BeforeAfter]]:
    return {
        "identical": lambda images: (images[0], images[0]),
        "black": lambda images: (images[0], Image.new("RGB", images[1].size)),
        "swapped": lambda images: (images[1], images[0]),
        "jpeg": lambda images: (images[0], altered.jpeg(images[1])),
        "resize": lambda images: (images[0], altered.resized(images[1])),
        "batch_position": _unchanged,
    }


def _unchanged(images: BeforeAfter) -> BeforeAfter:
    return images


def _other_instructions(couples: Sequence[Preferred], store: ImageStore) -> Iterator[AlteredEdit]:
    """Yield each preferred edit with the next group's instruction of another task type, or else of another text."""
    for place, couple in enumerate(couples):
        own = couple.better.task
        others = [other.better.task for other in (*couples[place + 1 :], *couples[:place])]
        fitting = [task for task in others if task.instruction != own.instruction]
        other = next((task for task in fitting if task.task_type != own.task_type), next(iter(fitting), None))
        if other is not None and _can_be_shown(couple.better, store):
            task = own.model_copy(update={"instruction": other.instruction})
            yield AlteredEdit(couple.better.model_copy(update={"task": task}), store, _unchanged)


def _can_be_shown(triplet: EditTriplet, store: ImageStore) -> bool:
    if len(triplet.task.inputs) != 1:
        return False
    try:
        store.read(triplet.task.inputs[0])
        store.read(triplet.edited)
    except ImageError:
        return False
    return True
