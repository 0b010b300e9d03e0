"""Helpers for readers of published tables: images inside and beside a table, and unusable rows."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from editjudge.errors import ImageError, RowError
from editjudge.files.io import atomic_write, digest
from editjudge.files.text import is_blank, printable_id, valid_text
from editjudge.images.pixels import load_image
from editjudge.records.tasks import UNKNOWN_TASK
from editjudge.records.types import EditTask, EditTriplet, ImageRef, Origin, PreferencePair
from eval.labels.findings import Findings
from eval.labels.types import Comparison

_DATA_URL = re.compile(r"data:image/[\w.+-]+;base64,")
_BASE64_IMAGES = ("iVBORw0KGgo", "/9j/", "UklGR")
"""Base64 prefixes of PNG, JPEG and WebP files."""
_LONGEST_PATH = 255
"""Longer text may be base64; shorter text is a path, which may begin with /9j/ too."""
ABSENT = "absent"
"""Nonexistent folder that begins the paths of absent images."""


@dataclass(frozen=True)
class ImageCell:
    """An image in a table as stored in its file: bytes, `{"bytes", "path"}`, a path, or base64 text."""

    content: object
    folders: tuple[Path, ...]
    """Base folders of a path; the first one that contains the file is used."""

    def read(self) -> bytes:
        """Return the file's bytes for any kind of cell; raises `RowError` when they cannot be read."""
        content = self.content
        if isinstance(content, dict):
            inside = content.get("bytes")
            content = content.get("path") if inside is None else inside
        if isinstance(content, bytes):
            return content
        if content is None or content == "":
            raise RowError("missing_image", "an image is missing: the cell is empty")
        if not isinstance(content, str):
            raise RowError("missing_image", f"a {type(content).__name__} where an image is needed (bytes or a path)")
        encoded = _DATA_URL.match(content)
        if encoded is not None or (len(content) > _LONGEST_PATH and content.startswith(_BASE64_IMAGES)):
            try:
                return base64.b64decode(content[encoded.end() if encoded else 0 :], validate=True)
            except ValueError as error:
                raise RowError("unreadable_image", f"base64 text {content[:40]!r}...: {error}") from None
        return self._file(content)

    def _file(self, path: str) -> bytes:
        if "://" in path:
            raise RowError("missing_image", f"{path[:200]} is an address; download the image and give its path")
        for folder in self.folders:
            place = folder / path
            if ".." in Path(path).parts or not place.is_relative_to(folder):
                continue
            try:
                return place.read_bytes()
            except (OSError, ValueError):  # ValueError: a NUL character
                continue
        looked = ", ".join(map(str, self.folders))
        raise RowError("missing_image", f"no file {path[:200]!r} in {looked} (paths are relative to the table's file)")


class TableImages:
    """Images of a table as files, each distinct image written once and named by its content."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[str, ImageRef] = {}

    def add(self, cell: ImageCell, name: str = "") -> ImageRef:
        """Store the cell's file unchanged; raises `RowError` when it is missing or not an image.

        `name` is used only by `AbsentImages`.
        """
        data = cell.read()
        sha256 = hashlib.sha256(data).hexdigest()
        if sha256 not in self._known:
            path = f"images/{sha256[:2]}/{sha256[:20]}{_ending(data)}"
            ref = _ref(data, sha256, path, f"image {sha256[:12]}")
            if not (self._root / path).is_file():
                atomic_write(self._root / path, data)
            self._known[sha256] = ref
        return self._known[sha256]


class FolderImages:
    """Image files below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._known: dict[str, ImageRef] = {}

    def add(self, path: str) -> ImageRef:
        """Return the image at a path, relative or absolute; raises `RowError` when it is missing or unreadable."""
        name = _below(self.root, path)
        if name is None:
            raise RowError("missing_image", f"{path} lies outside {self.root}")
        if ".." in Path(path).parts:
            raise RowError("missing_image", f"{path} may lead out of {self.root}; name it without ..")
        if name not in self._known:
            try:
                data = (self.root / name).read_bytes()
            except (OSError, ValueError) as error:  # ValueError: a NUL character
                raise RowError("missing_image", name) from error
            self._known[name] = _ref(data, hashlib.sha256(data).hexdigest(), name, name)
        return self._known[name]


def _ref(data: bytes, sha256: str, path: str, name: str) -> ImageRef:
    try:
        image = load_image(data, name, "stored")  # only its size is needed
    except ImageError as error:
        raise RowError(error.reason, str(error)) from error
    return ImageRef(path=path, sha256=sha256, width=image.width, height=image.height)


def _ending(data: bytes) -> str:
    """Return the file ending by the signature in the data; the file's name may be wrong."""
    if data.startswith(b"\x89PNG"):
        return ".png"
    if data.startswith(b"\xff\xd8"):
        return ".jpg"
    return ".webp" if data[8:12] == b"WEBP" else ".img"


class AbsentFolder:
    """Replacement for `FolderImages` when only labels are read."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def add(self, path: str) -> ImageRef:
        """Return a reference to the image at a path, which need not exist."""
        return absent_image(_below(self._root, path) or path)


def _below(root: Path, path: str) -> str | None:
    """Return the path relative to the folder, with forward slashes; None when it is outside."""
    given = Path(path)
    try:
        return (given.relative_to(root) if given.is_absolute() else given).as_posix()
    except ValueError:
        return None


class AbsentImages:
    """Replacement for `TableImages` when only labels are read: stores and decodes nothing."""

    def add(self, cell: ImageCell, name: str) -> ImageRef:
        """Return a reference to an image named `name`. Its SHA-256 is the file's when the file exists, because ids must
        be the same with and without images."""
        ref = absent_image(name)
        try:
            return ref.model_copy(update={"sha256": hashlib.sha256(cell.read()).hexdigest()})
        except RowError:
            return ref


def absent_image(name: str) -> ImageRef:
    """Return a reference to an absent image, in a benchmark whose `has_images` is false."""
    return ImageRef(path=f"{ABSENT}/{name}", sha256=hashlib.sha256(name.encode()).hexdigest(), width=1, height=1)


def row_name(name: object) -> str:
    """Return a row's name as an id; raises `RowError` unless it is text without control characters."""
    try:
        if isinstance(name, str) and name:
            return printable_id(name)
    except ValueError:
        pass
    raise RowError("no_id", f"id {name!r}")


def make_task(
    data_set: str, instruction: object, before: ImageRef, source: str | None = None, task_type: str = UNKNOWN_TASK
) -> EditTask:
    """Return the group of a row: an instruction with an input image. `source`: upstream image name (default: digest).

    Raises `RowError` for an empty instruction.
    """
    if not isinstance(instruction, str) or is_blank(instruction):
        raise RowError("missing_instruction", f"instruction {instruction!r}")
    instruction = valid_text(instruction)
    return EditTask(
        id=digest(data_set, instruction, before.sha256, task_type),
        inputs=(before,),
        instruction=instruction,
        task_type=task_type,
        origin=Origin(source=before.sha256 if source is None else source, licence="see the data set's card"),
    )


def split_unknown(pairs: Sequence[PreferencePair], notes: Findings) -> tuple[list[PreferencePair], list[Comparison]]:
    """Split off pairs of task type "unknown" as comparisons, which no mean over tasks needs.

    The comparisons prefer their first candidate; each is counted in `notes` as `task_of_unknown_type`.
    """
    known = [pair for pair in pairs if pair.task.task_type != UNKNOWN_TASK]
    comparisons = []
    for pair in pairs:
        if pair.task.task_type == UNKNOWN_TASK:
            notes.add("task_of_unknown_type", pair.id)
            comparisons.append(
                Comparison(
                    id=pair.id,
                    task=pair.task,
                    first=pair.better,
                    second=pair.worse,
                    dimension=pair.dimension,
                    label="A>B",
                )
            )
    return known, comparisons


def make_triplet(task: EditTask, edited: ImageRef, editor: str) -> EditTriplet:
    """Return a candidate: a group with an output."""
    return EditTriplet(id=digest(task.id, edited.sha256), task=task, edited=edited, editor=editor, seed=0)
