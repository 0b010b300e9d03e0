"""The folder of images that the server serves: originals, named by their digest, and copies for the screen."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from annotation.page.task import ServedImage
from editjudge.errors import ImageError
from editjudge.files.io import atomic_write
from editjudge.images.pixels import load_image
from editjudge.images.store import ImageStore
from editjudge.records.types import ImageRef
from editjudge.system.progress import bar
from editjudge.system.provenance import cores

SUFFIXES = {b"\x89PNG\r\n": ".png", b"\xff\xd8\xff": ".jpg", b"GIF8": ".gif"}
"""First bytes of a file -> file extension, from which the server derives the MIME type."""

JPEG_QUALITY = 95
"""Of the screen copies, without chroma subsampling: people would blame a result for artefacts of its copy."""


class ServedImages:
    """Writes images below `folder`. Names are digests of the content: they reveal no editor and no data set.

    Existing files are reused; a second run only checks names.
    """

    def __init__(self, folder: Path, source: ImageStore, screen_px: int) -> None:
        self.folder = folder
        self._source = source
        self._screen_px = screen_px
        self._there: dict[str, str] = {}
        for path in folder.iterdir() if folder.is_dir() else ():
            for name in os.listdir(path) if len(path.name) == 2 else ():
                self._note(name)

    def prepare(self, refs: Iterable[ImageRef]) -> dict[str, ImageError]:
        """Write every image, several at a time. Return the errors of unreadable images by SHA-256."""
        wanted = {ref.sha256: ref for ref in refs if not self._is_ready(ref)}
        failed: dict[str, ImageError] = {}
        if not wanted:
            return failed

        def one(ref: ImageRef) -> None:
            try:
                self._add(ref)
            except ImageError as error:
                failed[ref.sha256] = error

        # Decoding, resizing and hashing release the GIL: threads are enough.
        with bar("images", len(wanted)) as advance, ThreadPoolExecutor(cores()) as pool:
            for _ in pool.map(one, wanted.values()):
                advance(1)
        return failed

    def shown(self, ref: ImageRef, prefix: str) -> ServedImage:
        """Return the browser's URLs of a prepared image."""
        original = self._there[ref.sha256]
        screen = self._there[self._screen_stem(ref)] if self._is_large(ref) else original
        return ServedImage(prefix + screen, prefix + original)

    def _is_large(self, ref: ImageRef) -> bool:
        return max(ref.width, ref.height) > self._screen_px

    def _screen_stem(self, ref: ImageRef) -> str:
        return f"{ref.sha256}-{self._screen_px}"

    def _is_ready(self, ref: ImageRef) -> bool:
        return ref.sha256 in self._there and (not self._is_large(ref) or self._screen_stem(ref) in self._there)

    def _add(self, ref: ImageRef) -> None:
        content = self._source.read_bytes(ref.path)
        name = f"{self._source.root}/{ref.path}"
        found = hashlib.sha256(content).hexdigest()
        if found != ref.sha256:
            raise ImageError(
                f"{name}: the file changed: SHA-256 {found[:12]}..., recorded {ref.sha256[:12]}...; "
                "put the original back",
                reason="changed_image",
            )
        if ref.sha256 not in self._there:
            suffix = _suffix(content)
            if suffix is None:
                self._write(f"{ref.sha256}.png", _encoded(load_image(content, name), "PNG"))
            else:
                self._link(f"{ref.sha256}{suffix}", ref, content)
        if self._is_large(ref) and self._screen_stem(ref) not in self._there:
            image = load_image(content, name)
            image.thumbnail((self._screen_px, self._screen_px))
            self._write(f"{self._screen_stem(ref)}.jpg", _encoded(image, "JPEG"))

    def _link(self, name: str, ref: ImageRef, content: bytes) -> None:
        """Make a hard link, which takes no space; a copy between file systems and from tar files."""
        (self.folder / name[:2]).mkdir(parents=True, exist_ok=True)
        source = os.path.join(self._source.root, ref.path)
        try:
            os.link(os.path.realpath(source) if os.path.islink(source) else source, self.folder / name[:2] / name)
        except FileExistsError:
            pass
        except OSError:
            atomic_write(self.folder / name[:2] / name, content)
        self._note(name)

    def _write(self, name: str, content: bytes) -> None:
        atomic_write(self.folder / name[:2] / name, content)
        self._note(name)

    def _note(self, name: str) -> None:
        self._there[name.partition(".")[0]] = f"{name[:2]}/{name}"


def _suffix(content: bytes) -> str | None:
    """Return the extension of a format that every browser shows; None for others, which are served as PNG."""
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return ".webp"
    return next((suffix for magic, suffix in SUFFIXES.items() if content.startswith(magic)), None)


def _encoded(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    if kind == "JPEG":
        image.save(buffer, kind, quality=JPEG_QUALITY, subsampling=0)
    else:
        image.save(buffer, kind)
    return buffer.getvalue()
