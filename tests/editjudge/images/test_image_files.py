"""Files from outside: broken metadata never costs the pixels, and what is no image is named."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from factories import make_image
from PIL import Image, ImageCms, features

from editjudge.errors import ImageError
from editjudge.images.image_files import without_metadata
from editjudge.images.pixels import load_image

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def encoded(kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    make_image(40, 30).save(buffer, kind, **options)
    return buffer.getvalue()


def exif(orientation: int, denominator: int = 1) -> bytes:
    """EXIF data, little-endian: the orientation, and as sharpness a signed rational of -1/denominator."""
    entries = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0) + struct.pack("<HHII", 0x9201, 10, 1, 38)
    return (
        b"Exif\0\0II*\0"
        + struct.pack("<IH", 8, 2)
        + entries
        + struct.pack("<I", 0)
        + struct.pack("<ii", -1, denominator)
    )


def chunk(kind: bytes, body: bytes, flip: int = 0) -> bytes:
    """A PNG chunk; `flip` spoils its checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body) ^ flip)


def png_with(*chunks: bytes) -> bytes:
    """A PNG with more chunks between its header and its pixels."""
    whole = encoded("PNG")
    return whole[:33] + b"".join(chunks) + whole[33:]


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def jpeg_with(*segments: bytes) -> bytes:
    whole = encoded("JPEG", quality=95)
    return whole[:2] + b"".join(segments) + whole[2:]


def tiff_with(entry: bytes) -> bytes:
    """A TIFF whose directory (at the end) has one entry more."""
    whole = encoded("TIFF", compression="tiff_lzw")
    (start,) = struct.unpack_from("<I", whole, 4)
    (count,) = struct.unpack_from("<H", whole, start)
    entries = [whole[place : place + 12] for place in range(start + 2, start + 2 + 12 * count, 12)]
    entries = sorted([*entries, entry], key=lambda one: struct.unpack_from("<H", one)[0])
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + struct.pack("<I", 0)
    return whole[:4] + struct.pack("<I", len(whole)) + whole[8:] + directory


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_rational_of_minus_one_by_zero_costs_neither_picture_nor_orientation(kind: str) -> None:
    content, plain = encoded(kind, exif=exif(6, 0)), encoded(kind)
    assert load_image(content).tobytes() == load_image(plain).transpose(Image.Transpose.ROTATE_270).tobytes()


@pytest.mark.parametrize("orientation", range(10))
def test_every_orientation_is_that_of_pillow(orientation: int) -> None:
    from PIL import ImageOps

    content = encoded("PNG", exif=exif(orientation))
    assert load_image(content).tobytes() == ImageOps.exif_transpose(Image.open(io.BytesIO(content))).tobytes()


BOMB = zlib.compress(b"\0" * 3_000_000)
"""Above the megabyte that Pillow allows for text."""


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param([chunk(b"tEXt", b"Comment\0hello", flip=1)], id="text with a wrong checksum"),
        pytest.param([chunk(b"gAMA", b"\0")], id="gAMA of one byte"),
        pytest.param([chunk(b"pHYs", b"")], id="empty pHYs"),
        pytest.param([chunk(b"tIME", b"x" * 9, flip=7)], id="time with a wrong checksum"),
        pytest.param([chunk(b"zTXt", b"Comment\0\0" + BOMB)], id="zTXt bomb"),
        pytest.param([chunk(b"iTXt", b"Comment\0\1\0\0\0" + BOMB)], id="iTXt bomb"),
        pytest.param([chunk(b"iCCP", b"name\0\0" + BOMB)], id="iCCP bomb"),
        pytest.param([chunk(b"iCCP", b"name\0\5" + BOMB)], id="iCCP of an unknown compression"),
        pytest.param([chunk(b"iCCP", b"")], id="empty iCCP"),
        pytest.param([chunk(b"iCCP", b"name\0\0" + zlib.compress(b"no profile"))], id="iCCP that is no profile"),
        pytest.param([chunk(b"eXIf", b"II*\0\xff\xff\xff\xff")], id="EXIF that leads nowhere"),
        pytest.param([chunk(b"eXIf", exif(3)[6:], flip=1)], id="EXIF with a wrong checksum"),
        pytest.param([chunk(b"tEXt", b"a\0" + b"x" * 900_000)] * 90, id="80 MB of text"),
        pytest.param([chunk(b"acTL", b"\0")], id="animation control of one byte"),
    ],
)
def test_no_chunk_beside_the_pixels_of_a_png_costs_them(chunks: list[bytes]) -> None:
    assert load_image(png_with(*chunks)).tobytes() == make_image(40, 30).tobytes()


def test_a_broken_chunk_does_not_cost_the_orientation() -> None:
    content = png_with(chunk(b"eXIf", exif(3)[6:]), chunk(b"tEXt", b"Comment\0hello", flip=1))
    assert load_image(content).tobytes() == make_image(40, 30).transpose(Image.Transpose.ROTATE_180).tobytes()


@pytest.mark.parametrize(
    "segments",
    [
        pytest.param([segment(0xE0, b"JFIF\0")], id="JFIF without a version"),
        pytest.param([segment(0xE1, b"Exif\0\0")], id="empty EXIF"),
        pytest.param([segment(0xE1, b"Exif\0\0MM\0*\0\0\0\x08\xff\xff")], id="cut EXIF"),
        pytest.param([segment(0xE2, b"MPF\0")], id="empty index of several pictures"),
        pytest.param([segment(0xE2, b"MPF\0II*\0" + b"\xff" * 20)], id="broken index of several pictures"),
        pytest.param([segment(0xE2, b"ICC_PROFILE\0")], id="profile without a number"),
        pytest.param([segment(0xE2, b"ICC_PROFILE\0\1\1garbage")], id="profile of garbage"),
        pytest.param([segment(0xE2, b"ICC_PROFILE\0\2\3" + SRGB[:99])], id="a third of a profile"),
        pytest.param([segment(0xED, b"Photoshop 3.0\x008BIM\4\4\0\0\xff\xff\xff\xff")], id="broken Photoshop block"),
        pytest.param([segment(0xFE, b"\xff\xfe" * 30_000)], id="a long comment"),
        pytest.param([segment(0xFE, b"x"), b"stray bytes"], id="bytes between segments"),
    ],
)
def test_no_segment_beside_the_pixels_of_a_jpeg_costs_them(segments: list[bytes]) -> None:
    assert load_image(jpeg_with(*segments)).tobytes() == load_image(jpeg_with()).tobytes()


def test_metadata_cut_off_behind_the_pixels_of_a_webp_costs_nothing() -> None:
    whole = encoded("WEBP", lossless=True, exif=exif(1), xmp=b"<x:xmpmeta/>" * 20)
    assert load_image(whole[:-50]).tobytes() == make_image(40, 30).tobytes()


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(struct.pack("<HHII", 0x8825, 4, 1, 0xFFFFFFF0), id="GPS that leads nowhere"),
        pytest.param(struct.pack("<HHII", 0x8769, 2, 4, 0x41414141), id="EXIF pointer that is text"),
        pytest.param(struct.pack("<HHII", 0x0128, 5, 1, 0xFFFFFFF0), id="unit that leads nowhere"),
        pytest.param(struct.pack("<HHII", 0x010F, 10, 1, 0xFFFFFFF0), id="maker that leads nowhere"),
        pytest.param(struct.pack("<HHII", 0x0112, 3, 4, 0x41414141), id="orientation that leads nowhere"),
        pytest.param(struct.pack("<HHII", 0x8773, 12, 4, 0x41414141), id="profile that leads nowhere"),
        pytest.param(struct.pack("<HHII", 0x8773, 7, 4, 0x41414141), id="profile of garbage"),
        pytest.param(struct.pack("<HHII", 0x0112, 2, 4, 0x41414141), id="orientation that is text"),
    ],
)
def test_no_tag_beside_the_pixels_of_a_tiff_costs_them(entry: bytes) -> None:
    assert load_image(tiff_with(entry)).tobytes() == make_image(40, 30).tobytes()


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
def test_broken_exif_does_not_cost_an_avif() -> None:
    content = encoded("AVIF", exif=exif(1))
    broken = content.replace(b"II*\0", b"\xff\xff\xff\xff")
    assert load_image(broken).tobytes() == load_image(content).tobytes()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {}),
        ("PNG", {}),
        ("WEBP", {}),
        ("TIFF", {}),
        ("TIFF", {"big_tiff": True}),
        ("TIFF", {"compression": "jpeg"}),
    ],
)
def test_a_file_without_its_metadata_has_the_same_pixels(kind: str, options: dict[str, object]) -> None:
    content = encoded(kind, exif=exif(1), icc_profile=SRGB, **options)
    stripped = list(without_metadata(content))
    assert len(stripped) == 2
    assert [load_image(plain).tobytes() for plain in stripped] == [load_image(content).tobytes()] * 2
    assert [b"acsp" in plain for plain in stripped] == [kind != "PNG", kind == "TIFF"]  # PNG compresses profiles


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_damaged_pixels_stay_damaged(kind: str, share: float) -> None:
    content = encoded(kind, exif=exif(1), icc_profile=SRGB)
    with pytest.raises(ImageError, match=f"{kind}|WebP"):
        load_image(content[: int(share * len(content))])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
            "git lfs pull",
        ),
        (b"<!DOCTYPE html>\n<html><body>404 Not Found</body></html>", "HTML"),
        (b"\n  <HTML><head>", "HTML"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG.*PNG"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "XML"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 60, "HEIC.*PNG"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp42" + b"\0" * 60, "MP4"),
        (b"%PDF-1.7\n" + b"x" * 60, "PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n", "PostScript"),
        (b"PK\x03\x04" + b"\0" * 60, " zip "),
        (b"\x1f\x8b\x08" + b"\0" * 60, " gzip "),
        (b'{"error": "not found"}', 'JSON.*{"error": "not found"}'),
        (b"404: Not Found", "404: Not Found"),
        (b"\x07\x08" * 40, "80 bytes .*07 08 07 08"),
    ],
)
def test_what_is_no_image_is_named(content: bytes, message: str) -> None:
    with pytest.raises(ImageError, match=f"x\\.png: .*{message}") as caught:
        load_image(content, "x.png")
    assert "BytesIO" not in str(caught.value)
    assert caught.value.reason == "unreadable_image"


def test_a_folder_is_named(tmp_path) -> None:
    with pytest.raises(ImageError, match="cannot be read"):
        load_image(tmp_path)
