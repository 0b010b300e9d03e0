"""Images: safe decoding, resizing, hashing, and the store that holds them."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image, ImageOps

from editjudge.errors import ImageError
from editjudge.io import atomic_write
from editjudge.types import ImageRef

MAX_PIXELS = 64_000_000
"""Larger images are refused before they are decoded: a small file can claim to be terabytes of pixels."""

_GREY_16 = ("I;16", "I;16L", "I;16B", "I;16N")


def load_image(source: str | Path | bytes | Image.Image, name: str | None = None) -> Image.Image:
    """Decode a file, a file's bytes, or take an image, and give it as plain RGB.

    EXIF orientation is applied, transparency is laid on white, 16-bit grey is scaled to 8 bits, of an animation the
    first frame is taken, and no metadata is kept. `name` stands for `source` in messages.
    `ImageError` when it is missing, corrupt, truncated, of an unknown kind, or above `MAX_PIXELS`.
    """
    if name is None:
        name = str(source) if isinstance(source, (str, Path)) else f"<{type(source).__name__}>"
    try:
        if isinstance(source, Image.Image):
            return _to_rgb(source, name)
        content = source if isinstance(source, bytes) else Path(source).read_bytes()
        with Image.open(io.BytesIO(content)) as image:
            return _to_rgb(image, name)
    except ImageError:
        raise
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ImageError(f"{name}: no such image file; check the path") from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name}: refused before decoding: {error}") from error
    except Exception as error:  # Pillow's decoders raise a dozen kinds for bad bytes, struct.error among them
        raise ImageError(f"{name}: not a readable image ({error}); replace or remove the file") from error


def _to_rgb(image: Image.Image, name: str) -> Image.Image:
    if image.width * image.height > MAX_PIXELS:
        raise ImageError(
            f"{name}: {image.width} x {image.height} pixels is more than the limit of {MAX_PIXELS}; make it smaller"
        )
    if image.mode.startswith("F") or (image.mode.startswith("I") and image.mode not in _GREY_16):
        raise ImageError(f"{name}: pixels of kind {image.mode!r} have no known range; convert the file to 8 bits")
    upright = ImageOps.exif_transpose(image)
    if upright.mode in _GREY_16:
        upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
    if upright.has_transparency_data:
        layer = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", layer.size, (255, 255, 255, 255)), layer)
    rgb = upright.convert("RGB")
    return Image.frombytes("RGB", rgb.size, rgb.tobytes())  # leaves behind everything but the pixels


def fit_pixels(image: Image.Image, max_pixels: int) -> Image.Image:
    """The image at its own aspect ratio with at most `max_pixels` pixels. Never enlarged."""
    width, height = image.size
    if width * height <= max_pixels:
        return image
    scale = (max_pixels / (width * height)) ** 0.5
    # A side cannot become shorter than 1, so the other one gives way in very long images.
    new_width = min(max(1, int(width * scale)), max_pixels)
    new_height = min(max(1, int(height * scale)), max_pixels // new_width)
    return image.resize((new_width, new_height), Image.Resampling.LANCZOS)


def match_size(image: Image.Image, like: Image.Image) -> Image.Image:
    """The image at the size of `like`; the image itself when it has that size already."""
    return image if image.size == like.size else image.resize(like.size, Image.Resampling.LANCZOS)


def pixel_digest(image: Image.Image) -> str:
    """64 hex digits of SHA-256 over mode, size and pixels: equal exactly when the pictures are."""
    head = f"{image.mode} {image.width} {image.height} ".encode()
    return hashlib.sha256(head + image.tobytes()).hexdigest()


class ImageStore:
    """The images of a data root: files in folders, or members of WebDataset shards (`shard.tar/member`)."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self._shards: dict[Path, tuple[tuple[int, int], dict[str, tuple[int, int]]]] = {}

    def read(self, ref: ImageRef) -> Image.Image:
        """The image as RGB. `ImageError` when it is missing or not the one that `ref` was made from."""
        content = self.read_bytes(ref.path)
        found = hashlib.sha256(content).hexdigest()
        name = str(self.root / ref.path)
        if found != ref.sha256:
            raise ImageError(
                f"{name}: the file changed: SHA-256 {found[:12]}..., recorded {ref.sha256[:12]}...; "
                "put the original back, or make the data again"
            )
        image = load_image(content, name)
        if image.size != (ref.width, ref.height):
            raise ImageError(f"{name}: is {image.width} x {image.height}, recorded {ref.width} x {ref.height}")
        return image

    def read_bytes(self, path: str) -> bytes:
        """The bytes of a stored file. `ImageError` when it is missing or lies outside the root."""
        relative = self._checked(path)
        for depth, part in enumerate(relative.parts[:-1], start=1):
            shard = self.root.joinpath(*relative.parts[:depth])
            if part.endswith(".tar") and shard.is_file():
                return self._read_member(shard, "/".join(relative.parts[depth:]))
        try:
            return (self.root / relative).read_bytes()
        except OSError as error:
            raise ImageError(f"{self.root / relative}: cannot be read ({error.strerror})") from error

    def add(self, image: Image.Image, path: str) -> ImageRef:
        """Store an image as PNG at `path` (ends in .png, below the root). The same pixels give the same bytes."""
        if not path.endswith(".png"):
            raise ImageError(f"{path}: images are stored as PNG; let the name end in .png")
        plain = load_image(image, path)
        buffer = io.BytesIO()
        plain.save(buffer, "PNG")
        return self._write(buffer.getvalue(), path, plain.size)

    def add_file(self, content: bytes, path: str) -> ImageRef:
        """Store a file's bytes as they are. `ImageError` when they are no image."""
        return self._write(content, path, load_image(content, path).size)

    def _write(self, content: bytes, path: str, size: tuple[int, int]) -> ImageRef:
        target = self._checked(path)
        atomic_write(self.root / target, content)
        sha256 = hashlib.sha256(content).hexdigest()
        return ImageRef(path=target.as_posix(), sha256=sha256, width=size[0], height=size[1])

    def _checked(self, path: str) -> PurePosixPath:
        """Paths come from data files, so they must not lead out of the root."""
        relative = PurePosixPath(path)
        if relative.is_absolute() or ".." in relative.parts or not relative.parts or "\\" in path or "\0" in path:
            raise ImageError(f"{path!r}: not a path below the data root {self.root}; use a relative path without ..")
        return relative

    def _read_member(self, shard: Path, member: str) -> bytes:
        try:
            index = self._index(shard)
            if member not in index:
                raise ImageError(f"{shard}: has no member {member!r}")
            start, size = index[member]
            with shard.open("rb") as handle:
                handle.seek(start)
                content = handle.read(size)
        except (OSError, tarfile.TarError) as error:
            raise ImageError(f"{shard}: not a readable tar file ({error}); fetch or make it again") from error
        if len(content) != size:
            raise ImageError(f"{shard}: ends within member {member!r}; fetch or make it again")
        return content

    def _index(self, shard: Path) -> dict[str, tuple[int, int]]:
        """Where each member lies (offset, bytes). Read once per shard, and again when the file changes."""
        stat = shard.stat()
        version = (stat.st_mtime_ns, stat.st_size)
        if shard not in self._shards or self._shards[shard][0] != version:
            with tarfile.open(shard, "r:") as archive:
                members = {
                    PurePosixPath(info.name).as_posix(): (info.offset_data, info.size)
                    for info in archive
                    if info.isreg()
                }
            self._shards[shard] = (version, members)
        return self._shards[shard][1]
