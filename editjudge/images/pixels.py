"""Decoding image files to RGB, and resizing images for the judge."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from editjudge.errors import EditJudgeError, ImageError
from editjudge.images.colors import Colors, to_srgb
from editjudge.images.image_files import describe_file, runs_a_program, without_metadata

IMAGE_RULES = 2
"""Version of the decoding rules; part of every identity. Increase it when a file may give other pixels.

2: ICC profiles are applied.
"""

MAX_PIXELS = 64_000_000
"""Larger images are refused before they are decoded: a small file can declare terabytes of pixels."""

MAX_RATIO = 200
"""Longer side / shorter side above which the processors of the Qwen-VL models reject an image."""

_GREY_16 = ("I;16", "I;16L", "I;16B", "I;16N")

_ORIENTATION = 0x0112
"""EXIF tag of the orientation."""

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> transposition that turns the image upright."""


def load_image(
    source: str | Path | bytes | Image.Image, name: str | None = None, colors: Colors = "srgb"
) -> Image.Image:
    """Decode a path, bytes or an image to plain RGB.

    EXIF orientation is applied, an ICC profile is converted to sRGB (unless `colors` is "stored"), transparency is
    composited on white, 16-bit grey is scaled to 8 bits, the first frame of an animation is used, and metadata is
    dropped. Broken or oversized metadata is ignored. `name` replaces `source` in messages. Raises `ImageError` when the
    image is missing, corrupt, truncated, of an unknown kind, or above `MAX_PIXELS`.
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
        except Exception as error:  # Pillow's decoders raise many types for bad bytes, struct.error among them
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
    image.load()  # before the metadata: this turns TIFF files, and PNG files may have it after the pixels
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
    return Image.frombytes("RGB", rgb.size, rgb.tobytes())  # drops everything except the pixels


def _upright(image: Image.Image) -> Image.Transpose | None:
    """Return the transposition for the image's EXIF orientation; None without a readable one."""
    try:
        return _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # EXIF data can be broken in many ways that do not affect the pixels
        return None


def unfit(size: tuple[int, int]) -> str | None:
    """Return why a judge cannot be shown an image of this size ("aspect_ratio"); None when it can."""
    return "aspect_ratio" if max(size) > MAX_RATIO * min(size) else None


def fit_pixels(image: Image.Image, max_pixels: int) -> Image.Image:
    """Return the image with at most `max_pixels` pixels at its aspect ratio. Never enlarged."""
    size = fit_size(image.size, max_pixels)
    return image if size == image.size else image.resize(size, Image.Resampling.LANCZOS)


def fit_size(size: tuple[int, int], max_pixels: int | None) -> tuple[int, int]:
    """Return the width and height of an image of this size after `fit_pixels`; None: unlimited."""
    width, height = size
    if max_pixels is None or width * height <= max_pixels:
        return size
    scale = (max_pixels / (width * height)) ** 0.5
    # A side cannot be shorter than 1, so the other one is shortened in very long images.
    new_width = min(max(1, int(width * scale)), max_pixels)
    new_height = min(max(1, int(height * scale)), max_pixels // new_width)
    return new_width, new_height


def match_size(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return the image resized to this width and height; unchanged when it has that size."""
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)


def show_images(
    images: Sequence[Image.Image], size: tuple[int, int], max_pixels: int | None
) -> tuple[Image.Image, ...]:
    """Return images as a judge sees them, in training and inference.

    The last one is the output of the edit. It is resized to `size`, the width and height of the input, then every image
    is reduced to at most `max_pixels` pixels (None: unlimited).
    """
    *inputs, output = images
    shown = (*inputs, match_size(output, size))
    return shown if max_pixels is None else tuple(fit_pixels(image, max_pixels) for image in shown)


def pixel_digest(image: Image.Image) -> str:
    """Return 64 hex digits of SHA-256 over mode, size and pixels: equal exactly when the images are."""
    head = f"{image.mode} {image.width} {image.height} ".encode()
    return hashlib.sha256(head + image.tobytes()).hexdigest()
