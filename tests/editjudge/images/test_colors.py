"""ICC profiles: colours worked out by hand from published primaries, for profiles written here byte by byte."""

from __future__ import annotations

import io
import struct
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from factories import make_image
from icc_ground import (
    ADOBE,
    DISPLAY_P3,
    SRGB,
    WIDE,
    curve,
    encoded_srgb,
    fixed,
    linear,
    profile,
    rgb_profile,
    saved,
    to_xyz,
)
from PIL import Image, ImageCms

from editjudge.images.pixels import load_image
from editjudge.images.store import ImageStore

TOLERANCE = 2
"""Levels of 255 that a build of littlecms may differ from the formulas."""


def by_hand(pixels: np.ndarray, primaries: tuple[tuple[float, float], ...], gamma: float | None) -> np.ndarray:
    """Pixels (…, 3) of 0 to 255 as sRGB, by the formulas of the colour spaces."""
    light = linear(pixels / 255) if gamma is None else (pixels / 255) ** (round(gamma * 256) / 256)
    return np.round(255 * encoded_srgb(light @ to_xyz(primaries).T @ np.linalg.inv(to_xyz(SRGB)).T))


def worst(first: np.ndarray, second: np.ndarray) -> int:
    return int(np.abs(first.astype(int) - second.astype(int)).max())


@pytest.mark.parametrize(("name", "primaries", "gamma"), [("adobe", ADOBE, 563 / 256), ("p3", DISPLAY_P3, None)])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_wide_colours_become_srgb(
    name: str, primaries: tuple[tuple[float, float], ...], gamma: float | None, kind: str
):
    image = make_image()
    content = saved(image, kind, icc_profile=WIDE[name], **({"lossless": True} if kind == "WEBP" else {}))
    found, stored = np.asarray(load_image(content)), np.asarray(image)
    assert worst(found, by_hand(stored, primaries, gamma)) <= TOLERANCE
    assert worst(found, stored) > 10
    assert np.array_equal(load_image(content, colors="stored"), stored)


def test_known_colours_of_adobe_rgb_and_display_p3():
    """A middling colour of each, by the published matrices: Adobe RGB (100, 150, 100) is sRGB (66, 151, 97)."""
    for name, stored, wanted in (("adobe", (100, 150, 100), (66, 151, 97)), ("p3", (200, 100, 50), (215, 93, 31))):
        content = saved(Image.new("RGB", (4, 4), stored), "PNG", icc_profile=WIDE[name])
        assert worst(np.array(load_image(content).getpixel((0, 0))), np.array(wanted)) <= TOLERANCE


def test_a_jpeg_with_a_profile_becomes_srgb():
    content = saved(make_image(), "JPEG", quality=100, subsampling=0, icc_profile=WIDE["adobe"])
    stored = np.asarray(load_image(content, colors="stored"))
    assert worst(np.asarray(load_image(content)), by_hand(stored, ADOBE, 563 / 256)) <= TOLERANCE


def test_grey_pixels_follow_a_profile_of_either_kind():
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    linear_grey = profile(b"GRAY", {b"kTRC": curve(1.0)})
    found = np.asarray(load_image(saved(ramp, "PNG", icc_profile=linear_grey)))[0]
    assert worst(found, np.round(255 * encoded_srgb(np.arange(256) / 255))[:, None]) <= TOLERANCE
    coloured = np.asarray(load_image(saved(ramp, "PNG", icc_profile=WIDE["adobe"])))[0]
    assert worst(coloured, by_hand(np.repeat(np.arange(256)[:, None], 3, axis=1), ADOBE, 563 / 256)) <= TOLERANCE
    deep = Image.fromarray((np.arange(256, dtype=np.uint16) * 257)[None])
    assert np.array_equal(np.asarray(load_image(saved(deep, "PNG", icc_profile=linear_grey)))[0], found)


def test_transparency_is_laid_on_white_after_the_colours():
    image = Image.new("RGBA", (2, 1), (100, 150, 100, 255))
    image.putpixel((1, 0), (100, 150, 100, 0))
    found = load_image(saved(image, "PNG", icc_profile=WIDE["adobe"]))
    assert worst(np.array(found.getpixel((0, 0))), np.array((66, 151, 97))) <= TOLERANCE
    assert found.getpixel((1, 0)) == (255, 255, 255)
    grey = Image.new("LA", (1, 1), (55, 255))
    linear_grey = profile(b"GRAY", {b"kTRC": curve(1.0)})
    (level, _, _) = load_image(saved(grey, "PNG", icc_profile=linear_grey)).getpixel((0, 0))
    assert abs(level - 128) <= TOLERANCE  # 255 * 1.055 * (55/255)^(1/2.4) - 0.055 * 255


def test_a_palette_follows_its_profile():
    image = Image.new("P", (2, 1))
    image.putpalette([100, 150, 100, 0, 0, 0])
    found = load_image(saved(image, "PNG", icc_profile=WIDE["adobe"]))
    assert worst(np.array(found.getpixel((0, 0))), np.array((66, 151, 97))) <= TOLERANCE


def cmyk_profile() -> bytes:
    """A press without paper colour or dot gain: a table of 2 points per ink to Lab, the inks ideal filters."""
    lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    entries = b""
    for point in np.ndindex(2, 2, 2, 2):
        inks = np.array(point)
        light = tuple(int(255 * (1 - ink) * (1 - inks[3])) for ink in inks[:3])
        level, a, b = lab.apply(Image.new("RGB", (1, 1), light)).getpixel((0, 0))
        entries += struct.pack(">BBB", level, a, b)
    identity = bytes(range(256))
    matrix = b"".join(fixed(value) for value in (1, 0, 0, 0, 1, 0, 0, 0, 1))
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + matrix + identity * 4 + entries + identity * 3
    whole = profile(b"CMYK", {b"A2B0": table})
    return whole[:12] + b"prtr" + whole[16:20] + b"Lab " + whole[24:]


@pytest.mark.parametrize(
    ("inks", "wanted"),
    [
        ((0, 0, 0, 0), (255, 255, 255)),
        ((255, 0, 0, 0), (0, 255, 255)),
        ((0, 255, 255, 0), (255, 0, 0)),
        ((0, 0, 0, 255), (0, 0, 0)),
    ],
)
def test_a_cmyk_jpeg_becomes_srgb(inks: tuple[int, ...], wanted: tuple[int, ...]):
    """The corners of the table, where nothing is interpolated; 8-bit Lab is coarse."""
    content = saved(Image.new("CMYK", (8, 8), inks), "JPEG", quality=100, icc_profile=cmyk_profile())
    assert worst(np.array(load_image(content).getpixel((4, 4))), np.array(wanted)) <= 8


def test_a_cmyk_profile_changes_what_a_naive_conversion_gives():
    image = Image.new("CMYK", (8, 8), (255, 255, 0, 0))
    blue = list(cmyk_profile())
    content = saved(image, "JPEG", quality=100, icc_profile=bytes(blue))
    mixed = saved(Image.new("CMYK", (8, 8), (128, 0, 0, 0)), "JPEG", quality=100, icc_profile=bytes(blue))
    assert worst(np.array(load_image(content).getpixel((0, 0))), np.array((0, 0, 255))) <= 8
    # Half of the cyan in between in Lab is lighter than half of the red light.
    assert load_image(mixed).getpixel((0, 0)) != load_image(mixed, colors="stored").getpixel((0, 0))


@pytest.mark.parametrize(
    "icc",
    [
        pytest.param(rgb_profile(SRGB, None), id="sRGB as a table"),
        pytest.param(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), id="littlecms's sRGB"),
        pytest.param(b"profile", id="garbage"),
        pytest.param(WIDE["p3"][:200], id="a profile cut off"),
        pytest.param(profile(b"GRAY", {b"kTRC": curve(1.0)}), id="a profile for grey pixels"),
        pytest.param(cmyk_profile(), id="a profile for inks"),
        pytest.param(profile(b"RGB ", {}), id="a profile without colours"),
    ],
)
def test_pixels_stay_as_stored_when_a_profile_says_nothing_else(icc: bytes):
    assert load_image(saved(make_image(), "PNG", icc_profile=icc)).tobytes() == make_image().tobytes()


def test_a_profile_of_rgb_is_not_for_inks():
    content = saved(make_image().convert("CMYK"), "TIFF", icc_profile=WIDE["adobe"])
    assert load_image(content).tobytes() == load_image(content, colors="stored").tobytes()


def test_a_store_reads_with_its_own_colours(tmp_path):
    content = saved(make_image(), "PNG", icc_profile=WIDE["p3"])
    ref = ImageStore(tmp_path).add_file(content, "a.png")
    assert ImageStore(tmp_path, "stored").read(ref).tobytes() == make_image().tobytes()
    converted = ImageStore(tmp_path).read(ref)
    assert converted.tobytes() == load_image(content).tobytes() != make_image().tobytes()
    again = ImageStore(tmp_path).add(Image.open(io.BytesIO(content)), "b.png")  # stored without a profile, as sRGB
    assert ImageStore(tmp_path, "stored").read(again).tobytes() == converted.tobytes()


def test_many_threads_may_convert_at_once():
    """One transform is shared; every thread gets the pixels that it gets alone."""
    contents = [saved(make_image(seed=n), "PNG", icc_profile=WIDE["adobe"]) for n in range(8)]
    alone = [load_image(content).tobytes() for content in contents]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda content: load_image(content).tobytes(), contents * 12))
    assert found == alone * 12
