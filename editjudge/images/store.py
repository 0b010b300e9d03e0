"""Images: safe decoding, resizing, hashing, and the store that holds them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image, UnidentifiedImageError

from editjudge.errors import EditJudgeError, ImageError
from editjudge.files.io import atomic_write, sync_files
from editjudge.images.colors import Colors, to_srgb
from editjudge.images.image_files import describe_file, runs_a_program, without_metadata
from editjudge.images.shards import Shards, shard_of
from editjudge.records.types import ImageRef
from editjudge.system.progress import track
from editjudge.system.provenance import cores

IMAGE_RULES = 2
"""Version of how a file becomes pixels; part of every identity. Raise it when a file may give other pixels.

2: ICC profiles are applied.
"""

MAX_PIXELS = 64_000_000
"""Larger images are refused before they are decoded: a small file can claim to be terabytes of pixels."""

MAX_RATIO = 200
"""Longer side / shorter side above which the processors of the Qwen-VL models refuse an image."""

_GREY_16 = ("I;16", "I;16L", "I;16B", "I;16N")

_ORIENTATION = 0x0112
"""The EXIF tag."""

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> what turns the picture upright."""


def load_image(
    source: str | Path | bytes | Image.Image, name: str | None = None, colors: Colors = "srgb"
) -> Image.Image:
    """Decode a file, a file's bytes, or take an image, and give it as plain RGB.

    EXIF orientation is applied, an ICC profile is converted to sRGB (unless `colors` is "stored"), transparency is
    laid on white, 16-bit grey is scaled to 8 bits, of an animation the first frame is taken, and no metadata is kept.
    Metadata that is broken or too large is left out; it never costs the picture. `name` stands for `source` in
    messages. `ImageError` when it is missing, corrupt, truncated, of an unknown kind, or above `MAX_PIXELS`.
    """
    if name is None:
        name = str(source) if isinstance(source, (str, Path)) else f"<{type(source).__name__}>"
    if isinstance(source, Image.Image):
        try:
            return _to_rgb(source, name, colors)
        except EditJudgeError:
            raise
        except Exception as error:  # an image that was opened but not read yet
            raise ImageError(f"{name}: not a readable image ({error}); replace or remove it") from error
    return _decode(source if isinstance(source, bytes) else _read_file(Path(source), name), name, colors)


def _read_file(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ImageError(f"{name}: no such image file; check the path", reason="missing_image") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{name}: cannot be read ({reason}); check the path and its permissions") from error


def _decode(content: bytes, name: str, colors: Colors) -> Image.Image:
    if not runs_a_program(content):
        try:
            return _open(content, name, colors)
        except EditJudgeError:
            raise
        except Exception as error:  # Pillow's decoders raise a dozen kinds for bad bytes, struct.error among them
            problem = error
        for plain in without_metadata(content):
            with suppress(Exception):
                return _open(plain, name, colors)
    else:
        problem = ValueError("never handed to another program")
    what, advice = describe_file(content)
    detail = "" if isinstance(problem, UnidentifiedImageError) else f" ({problem})"
    raise ImageError(f"{name}: not a readable image: {what}{detail}; {advice}") from problem


def _open(content: bytes, name: str, colors: Colors) -> Image.Image:
    try:
        with Image.open(io.BytesIO(content)) as image:
            return _to_rgb(image, name, colors)
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name}: refused before decoding: {error}") from error


def _to_rgb(image: Image.Image, name: str, colors: Colors) -> Image.Image:
    if 0 in image.size:
        raise ImageError(f"{name}: an image of {image.width} x {image.height} pixels shows nothing; replace it")
    if image.width * image.height > MAX_PIXELS:
        raise ImageError(
            f"{name}: {image.width} x {image.height} pixels is more than the limit of {MAX_PIXELS}; make it smaller"
        )
    if image.mode.startswith("F") or (image.mode.startswith("I") and image.mode not in _GREY_16):
        raise ImageError(f"{name}: pixels of kind {image.mode!r} have no known range; convert the file to 8 bits")
    image.load()  # before the metadata: TIFF files turn themselves here, and PNG files may have it after the pixels
    turn, profile = _upright(image), image.info.get("icc_profile") if colors == "srgb" else None
    if image.mode in _GREY_16:
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        grey, layer = image.mode in ("LA", "La", "L"), image.convert("RGBA")
        converted = to_srgb(layer.getchannel("R") if grey else layer.convert("RGB"), profile) if profile else None
        if converted is not None:
            converted.putalpha(layer.getchannel("A"))
            layer = converted
        rgb = Image.alpha_composite(Image.new("RGBA", layer.size, (255, 255, 255, 255)), layer).convert("RGB")
    else:
        rgb = (to_srgb(image, profile) if profile else None) or image.convert("RGB")
    if turn is not None:
        rgb = rgb.transpose(turn)
    return Image.frombytes("RGB", rgb.size, rgb.tobytes())  # leaves behind everything but the pixels


def _upright(image: Image.Image) -> Image.Transpose | None:
    """What turns the image upright, by its EXIF orientation; None where it says nothing readable."""
    try:
        return _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # EXIF data can be broken in many ways, and none of them is about the pixels
        return None


def unfit(size: tuple[int, int]) -> str | None:
    """Why a judge cannot be shown an image of this size ("aspect_ratio"), or None when it can."""
    return "aspect_ratio" if max(size) > MAX_RATIO * min(size) else None


def fit_pixels(image: Image.Image, max_pixels: int) -> Image.Image:
    """The image at its own aspect ratio with at most `max_pixels` pixels. Never enlarged."""
    size = fit_size(image.size, max_pixels)
    return image if size == image.size else image.resize(size, Image.Resampling.LANCZOS)


def fit_size(size: tuple[int, int], max_pixels: int | None) -> tuple[int, int]:
    """Width and height to which `fit_pixels` brings an image of this size; None bounds nothing."""
    width, height = size
    if max_pixels is None or width * height <= max_pixels:
        return size
    scale = (max_pixels / (width * height)) ** 0.5
    # A side cannot become shorter than 1, so the other one gives way in very long images.
    new_width = min(max(1, int(width * scale)), max_pixels)
    new_height = min(max(1, int(height * scale)), max_pixels // new_width)
    return new_width, new_height


def match_size(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The image at this width and height; the image itself when it has that size already."""
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)


def show_images(
    images: Sequence[Image.Image], size: tuple[int, int], max_pixels: int | None
) -> tuple[Image.Image, ...]:
    """Images as a judge sees them, in training and when it is asked.

    The last one is the output of the edit. It is brought to `size`, the width and height of the input, then every image
    is reduced to at most `max_pixels` pixels (None: as it is).
    """
    *inputs, output = images
    shown = (*inputs, match_size(output, size))
    return shown if max_pixels is None else tuple(fit_pixels(image, max_pixels) for image in shown)


def pixel_digest(image: Image.Image) -> str:
    """64 hex digits of SHA-256 over mode, size and pixels: equal exactly when the pictures are."""
    head = f"{image.mode} {image.width} {image.height} ".encode()
    return hashlib.sha256(head + image.tobytes()).hexdigest()


class ImageStore:
    """The images of a data root: files in folders, or members of WebDataset shards (`shard.tar/member`)."""

    def __init__(self, root: str | Path, colors: Colors = "srgb") -> None:
        """`colors` says what becomes of ICC profiles when an image is read, see `load_image`."""
        self.root = Path(root)
        self.colors = colors
        self._shards = Shards()
        self._unsynced = False

    def read(self, ref: ImageRef) -> Image.Image:
        """The image as RGB. `ImageError` when it is missing or not the one that `ref` was made from."""
        content = self.read_bytes(ref.path)
        found = hashlib.sha256(content).hexdigest()
        name = str(self.root / ref.path)
        if found != ref.sha256:
            load_image(content, name, self.colors)  # a cut file or a Git LFS pointer is named as what it is
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
        """The bytes of a stored file. `ImageError` when it is missing or lies outside the root."""
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
        """Store an image as PNG at `path` (ends in .png, below the root). The same pixels give the same bytes."""
        if not path.endswith(".png"):
            raise ImageError(f"{path}: images are stored as PNG; let the name end in .png")
        plain = load_image(image, path, self.colors)
        buffer = io.BytesIO()
        plain.save(buffer, "PNG")
        return self._write(buffer.getvalue(), path, plain.size)

    def add_file(self, content: bytes, path: str) -> ImageRef:
        """Store a file's bytes as they are. `ImageError` when they are no image."""
        return self._write(content, path, load_image(content, path).size)

    def sync(self) -> None:
        """Wait until all that was added is on the disk; call it before a marker says that it is there."""
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
        """Paths come from data files, so they must not lead out of the root."""
        relative = PurePosixPath(path)
        if relative.is_absolute() or ".." in relative.parts or not relative.parts or "\\" in path or "\0" in path:
            raise ImageError(f"{path!r}: not a path below the data root {self.root}; use a relative path without ..")
        return relative


def image_faults(refs: Iterable[ImageRef], store: ImageStore) -> dict[ImageRef, ImageError]:
    """Read every distinct image once, several at a time, and give what is wrong with those that cannot be used."""

    def fault(ref: ImageRef) -> ImageError | None:
        try:
            store.read(ref)
        except ImageError as error:
            return error
        return None

    ordered = sorted(set(refs), key=lambda ref: (ref.path, ref.sha256))
    with ThreadPoolExecutor(cores()) as pool:  # decoding does not hold the interpreter's lock
        found = track(pool.map(fault, ordered), "checking images", len(ordered))
        return {ref: problem for ref, problem in zip(ordered, found, strict=True) if problem is not None}
