"""Thumbnails for a report: each distinct image once, even if several pairs show it."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from editjudge.errors import ImageError
from editjudge.files.io import atomic_write
from editjudge.images.store import ImageStore
from editjudge.records.types import ImageRef

_THREADS = 2
"""Image decoders release the GIL, so a second thread nearly halves the time."""
_QUALITY = 80


class Pictures:
    """Thumbnails as JPEG by the digest of their original, kept in a folder for the next report."""

    def __init__(self, folder: Path, longest_px: int) -> None:
        self._folder = folder
        self._longest_px = longest_px
        self._known: dict[str, str | None] = {}

    def load(self, refs: Iterable[ImageRef], root: Path) -> None:
        """Create the missing thumbnails. An unreadable image is recorded, and remains a gap in the report."""
        store = ImageStore(root)
        missing = {ref.sha256: ref for ref in refs if ref.sha256 not in self._known}
        with ThreadPoolExecutor(_THREADS) as pool:
            made = pool.map(lambda ref: self._thumbnail(ref, store), missing.values())
            self._known |= dict(zip(missing, made, strict=True))

    def key(self, ref: ImageRef) -> str | None:
        """Return the name of a loaded picture in `content`; None when the image could not be read."""
        return None if self._known[ref.sha256] is None else ref.sha256[:16]

    @property
    def content(self) -> dict[str, str]:
        """Return Base64 of the JPEG files by key."""
        return {sha256[:16]: data for sha256, data in self._known.items() if data is not None}

    @property
    def size(self) -> int:
        """Return the number of characters of all pictures, about their bytes in a page."""
        return sum(len(data) for data in self._known.values() if data is not None)

    def _thumbnail(self, ref: ImageRef, store: ImageStore) -> str | None:
        file = self._folder / f"{ref.sha256}-{self._longest_px}.jpg"
        if file.is_file():
            return base64.b64encode(file.read_bytes()).decode()
        try:
            image = store.read(ref)
        except ImageError:
            return None  # shown as missing; its card is unscored and counted
        image.thumbnail((self._longest_px, self._longest_px), reducing_gap=2.0)
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
        atomic_write(file, buffer.getvalue())
        return base64.b64encode(buffer.getvalue()).decode()
