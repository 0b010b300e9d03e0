"""Image store of a data root: reading recorded images and adding new ones."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from PIL import Image

from editjudge.errors import ImageError
from editjudge.files.io import atomic_write
from editjudge.files.storage import sync_files
from editjudge.images.colors import Colors
from editjudge.images.pixels import load_image
from editjudge.images.shards import Shards, shard_of
from editjudge.records.types import ImageRef
from editjudge.system.progress import track
from editjudge.system.provenance import cores


class ImageStore:
    """The images of a data root: files in folders, or members of WebDataset shards (`shard.tar/member`)."""

    def __init__(self, root: str | Path, colors: Colors = "srgb") -> None:
        """`colors`: handling of ICC profiles when an image is read, see `load_image`."""
        self.root = Path(root)
        self.colors = colors
        self._shards = Shards()
        self._unsynced = False

    def read(self, ref: ImageRef) -> Image.Image:
        """Read an image as RGB. Raises `ImageError` when it is missing or not the image that `ref` was made from."""
        content = self.read_bytes(ref.path)
        found = hashlib.sha256(content).hexdigest()
        name = str(self.root / ref.path)
        if found != ref.sha256:
            load_image(content, name, self.colors)  # reports a truncated file or a Git LFS pointer as such
            raise ImageError(
                f"{name}: the file changed: SHA-256 {found[:12]}..., recorded {ref.sha256[:12]}...; "
                "put the original back, or make the data again",
                reason="changed_image",
            )
        image = load_image(content, name, self.colors)
        if image.size != (ref.width, ref.height):
            raise ImageError(
                f"{name}: is {image.width} x {image.height}, recorded {ref.width} x {ref.height}; make the data again",
                reason="changed_image",
            )
        return image

    def read_bytes(self, path: str) -> bytes:
        """Return the bytes of a stored file. Raises `ImageError` when it is missing or outside the root."""
        relative = self._checked(path)
        if (inside := shard_of(self.root, relative.parts)) is not None:
            return self._shards.read(*inside)
        try:
            return (self.root / relative).read_bytes()
        except OSError as error:
            missing = isinstance(error, (FileNotFoundError, NotADirectoryError))
            raise ImageError(
                f"{self.root / relative}: cannot be read ({error.strerror}); check the path",
                reason="missing_image" if missing else "unreadable_image",
            ) from error

    def add(self, image: Image.Image, path: str) -> ImageRef:
        """Store an image as PNG at `path` (ends in .png, below the root). Equal pixels give equal bytes."""
        if not path.endswith(".png"):
            raise ImageError(f"{path}: images are stored as PNG; let the name end in .png")
        plain = load_image(image, path, self.colors)
        buffer = io.BytesIO()
        plain.save(buffer, "PNG")
        return self._write(buffer.getvalue(), path, plain.size)

    def add_file(self, content: bytes, path: str) -> ImageRef:
        """Store a file's bytes unchanged. Raises `ImageError` when they are not an image."""
        return self._write(content, path, load_image(content, path).size)

    def sync(self) -> None:
        """Wait until all added files are on the disk; call it before writing a marker."""
        if self._unsynced:
            sync_files(self.root)
        self._unsynced = False

    def _write(self, content: bytes, path: str, size: tuple[int, int]) -> ImageRef:
        target = self._checked(path)
        atomic_write(self.root / target, content, sync=False)
        self._unsynced = True
        sha256 = hashlib.sha256(content).hexdigest()
        return ImageRef(path=target.as_posix(), sha256=sha256, width=size[0], height=size[1])

    def _checked(self, path: str) -> PurePosixPath:
        """Check a path from a data file, which must not lead out of the root."""
        relative = PurePosixPath(path)
        if relative.is_absolute() or ".." in relative.parts or not relative.parts or "\\" in path or "\0" in path:
            raise ImageError(f"{path!r}: not a path below the data root {self.root}; use a relative path without ..")
        return relative


def image_faults(refs: Iterable[ImageRef], store: ImageStore) -> dict[ImageRef, ImageError]:
    """Read every distinct image once, in parallel, and return the errors of unusable ones."""

    def fault(ref: ImageRef) -> ImageError | None:
        try:
            store.read(ref)
        except ImageError as error:
            return error
        return None

    ordered = sorted(set(refs), key=lambda ref: (ref.path, ref.sha256))
    with ThreadPoolExecutor(cores()) as pool:  # decoding releases the GIL
        found = track(pool.map(fault, ordered), "checking images", len(ordered))
        return {ref: problem for ref, problem in zip(ordered, found, strict=True) if problem is not None}
