"""Colour management: pixels with an ICC profile are converted to sRGB, as browsers do."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Literal

import numpy as np
from PIL import Image, ImageCms, features

from editjudge.errors import MissingExtraError

Colors = Literal["srgb", "stored"]
"""Handling of an embedded ICC profile. "srgb": pixels are converted to sRGB, as browsers do. "stored": the profile is
ignored and pixels keep the numbers in the file, as in most data loaders."""

SAME_LEVELS = 2
"""A profile that moves no colour by more than this many of 255 levels counts as sRGB and changes nothing."""

_MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}
"""Colour space of a profile, as ICC names it -> mode of the pixels that it describes."""


def to_srgb(image: Image.Image, profile: bytes) -> Image.Image | None:
    """Return the image (any mode without transparency) as sRGB pixels; None when they should stay as stored.

    They stay when the profile is broken, is not for this kind of pixels, or is sRGB itself. Where a profile offers
    several tables, the perceptual one is used, as browsers do. Thread-safe. Raises `MissingExtraError` when Pillow was
    built without littlecms.
    """
    found = _transform(profile)
    if found is None:
        return None
    mode, transform = found
    grey = image.mode in ("1", "L")
    # A profile for RGB also fits grey pixels, whose three values are equal. Other mixtures are meaningless.
    if (mode == "CMYK") != (image.mode == "CMYK") or (mode == "L" and not grey):
        return None
    return transform.apply(image.convert(mode))


@lru_cache(maxsize=32)
def _transform(profile: bytes) -> tuple[str, ImageCms.ImageCmsTransform] | None:
    """Return a profile's pixel mode and its transform to sRGB; None when it changes nothing or is unusable."""
    if not features.check("littlecms2"):
        raise MissingExtraError(
            "an image has an ICC profile, and this Pillow was built without littlecms; install Pillow from its wheel "
            "(pip install --force-reinstall pillow), or set `colors: stored` to ignore profiles"
        )
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = _MODES.get(opened.profile.xcolor_space)
        if mode is None:
            return None
        # With optimisation, dark greys of a linear profile are several levels off.
        flags = ImageCms.Flags.NOOPTIMIZE if mode == "L" else ImageCms.Flags.NONE
        srgb, intent = ImageCms.createProfile("sRGB"), ImageCms.Intent.PERCEPTUAL
        transform = ImageCms.buildTransform(opened, srgb, mode, "RGB", intent, flags)
        return None if mode != "CMYK" and _changes_nothing(transform, mode) else (mode, transform)
    except Exception:  # littlecms and Pillow raise many types; a bad profile must not lose the image
        return None


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Return whether a grid of colours and all greys stay within `SAME_LEVELS`."""
    greys = np.arange(256, dtype=np.uint8)
    if mode == "L":
        probe = Image.fromarray(greys[None])
    else:
        steps = np.linspace(0, 255, 17).round().astype(np.uint8)
        grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3)
        probe = Image.fromarray(np.concatenate([grid, np.repeat(greys[:, None], 3, axis=1)])[None])
    before, after = np.asarray(probe.convert("RGB"), dtype=int), np.asarray(transform.apply(probe), dtype=int)
    return int(np.abs(before - after).max()) <= SAME_LEVELS
