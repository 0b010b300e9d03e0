"""Image files that cannot be decoded: describing them, and removing broken metadata from intact pixels."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Collection, Iterator

_KNOWN = (
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"GIF8", "GIF"),
    (8, b"WEBP", "WebP"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (0, b"II+\0", "TIFF"),
    (0, b"MM\0+", "TIFF"),
    (0, b"BM", "BMP"),
    (0, b"\0\0\0\x0cjP  ", "JPEG 2000"),
)
"""Offset and first bytes of formats that Pillow reads; such a file that fails to decode is damaged."""

_FOREIGN = (
    (0, b"%PDF", "a PDF document", "convert the page to PNG"),
    (0, b"%!PS", "a PostScript file", "convert it to PNG"),
    (0, b"\xc5\xd0\xd3\xc6", "an EPS file", "convert it to PNG"),
    (0, b"PK\x03\x04", "a zip archive", "unpack it"),
    (0, b"\x1f\x8b", "a gzip archive", "unpack it"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it"),
    (0, b"Rar!", "a RAR archive", "unpack it"),
    (257, b"ustar", "a tar archive", "name the image inside as archive.tar/member"),
    (0, b"\xff\x0a", "a JPEG XL image", "convert it to PNG or JPEG"),
    (0, b"\0\0\0\x0cJXL ", "a JPEG XL image", "convert it to PNG or JPEG"),
    (0, b"\x1aE\xdf\xa3", "a Matroska or WebM video", "save a frame as PNG"),
    (0, b"PAR1", "a Parquet table", "read the images out of it"),
)
_ISO_BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), "a HEIC/HEIF photograph"),
    **dict.fromkeys((b"avif", b"avis"), "an AVIF image"),
}
_AGAIN = "download or make it again"


def describe_file(content: bytes) -> tuple[str, str]:
    """Return two phrases for a message about an undecodable file: its kind, and what to do."""
    if not content:
        return "the file is empty", _AGAIN
    for offset, magic, name in _KNOWN:
        if content.startswith(magic, offset):
            return f"a {name} file that is cut off or damaged, of {len(content):,} bytes", _AGAIN
    for offset, magic, what, advice in _FOREIGN:
        if content.startswith(magic, offset):
            return what, advice
    if content[4:8] == b"ftyp":
        what = _ISO_BRANDS.get(content[8:12], "an MP4 or QuickTime video")
        return f"{what}, which cannot be decoded here", (
            "save a frame as PNG" if "video" in what else "convert it to PNG or JPEG"
        )
    return _describe_text(content) or (
        f"of no known image format, {len(content):,} bytes that begin with {content[:8].hex(' ')}",
        "replace or remove the file",
    )


def runs_a_program(content: bytes) -> bool:
    """Return whether Pillow would start another program (Ghostscript) to read the file."""
    return content.startswith((b"%!PS", b"\xc5\xd0\xd3\xc6"))


def _describe_text(content: bytes) -> tuple[str, str] | None:
    """Return `describe_file` for readable text; None for anything else."""
    head = content[:512].decode("utf-8-sig", "ignore").lstrip()
    start = head.lower()
    if start.startswith("version https://git-lfs"):
        return "a Git LFS pointer instead of the image", "run `git lfs pull` where it came from"
    if "<svg" in start and start.startswith("<"):
        return "an SVG drawing", "convert it to PNG"
    if start.startswith(("<!doctype html", "<html")):
        return "an HTML page, as a failed download leaves behind", "download the image again"
    if start.startswith("<"):
        return "an XML or HTML document, as a failed download leaves behind", "download the image again"
    if start.startswith(("{", "[")):
        return f"JSON text that begins with {head[:40]!r}", "download the image again"
    if head and all(sign.isprintable() or sign.isspace() for sign in head):
        return f"text that begins with {head[:40]!r}", "download the image again"
    return None


def without_metadata(content: bytes) -> Iterator[bytes]:
    """Yield files with the same pixels and less metadata, for decoders that fail on metadata.

    First with orientation and ICC profile, then without; nothing for formats whose metadata decoders ignore, and for
    files with a broken structure. Damaged pixels stay damaged.
    """
    for strip in (_strip_png, _strip_jpeg, _strip_webp, _strip_tiff, _strip_avif):
        for bare in (False, True):
            try:
                stripped = strip(content, bare)
            except (struct.error, IndexError):
                continue
            if stripped is not None:
                yield stripped


_PNG_PIXELS = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
_PNG_BESIDE = (b"tRNS", b"eXIf", b"iCCP", b"sRGB")


def _strip_png(content: bytes, bare: bool) -> bytes | None:
    """Remove unneeded chunks, and optional ones with a wrong checksum, as libpng does."""
    if not content.startswith(b"\x89PNG\r\n\x1a\n"):
        return None
    kept, place = [content[:8]], 8
    while place + 12 <= len(content):
        (size,) = struct.unpack_from(">I", content, place)
        end = place + 12 + size
        kind, body = content[place + 4 : place + 8], content[place + 8 : end - 4]
        sound = content[end - 4 : end] == struct.pack(">I", zlib.crc32(kind + body))
        if kind in _PNG_PIXELS or (sound and kind in (_PNG_BESIDE[:1] if bare else _PNG_BESIDE)):
            kept.append(content[place:end])
        place = end
    return b"".join(kept)


_JPEG_ALONE = (0x01, *range(0xD0, 0xD9))
"""Markers without a segment."""


def _strip_jpeg(content: bytes, bare: bool) -> bytes | None:
    """Remove application segments and comments, except Adobe's, which defines the colour space of the pixels."""
    if not content.startswith(b"\xff\xd8\xff"):
        return None
    kept, place = [content[:2]], 2
    while True:
        # Skip bytes outside of segments, as libjpeg does.
        place = content.find(b"\xff", place)
        if place < 0:
            return None
        while content[place] == 0xFF:
            place += 1
        marker = content[place]
        if marker == 0xDA:  # the pixels, until the end of the file
            return b"".join([*kept, content[place - 1 :]])
        place += 1
        if marker == 0 or marker in _JPEG_ALONE:
            continue
        (size,) = struct.unpack_from(">H", content, place)
        if _is_needed(marker, content[place + 2 : place + 16], bare):
            kept.append(content[place - 2 : place + size])
        place += size


def _is_needed(marker: int, head: bytes, bare: bool) -> bool:
    if marker == 0xFE:
        return False
    if not 0xE0 <= marker <= 0xEF or marker == 0xEE:
        return True
    return not bare and (head.startswith((b"Exif\0", b"ICC_PROFILE\0")) or (head.startswith(b"JFIF") and len(head) > 8))


_WEBP_PIXELS = (b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF")
_WEBP_BESIDE = (b"ICCP", b"EXIF")
_WEBP_FLAGS = 0x10 | 0x02
"""VP8X flags of transparency and animation."""


def _strip_webp(content: bytes, bare: bool) -> bytes | None:
    if not (content.startswith(b"RIFF") and content.startswith(b"WEBP", 8)):
        return None
    kept, place = [], 12
    while place + 8 <= len(content):
        kind = content[place : place + 4]
        (size,) = struct.unpack_from("<I", content, place + 4)
        end = place + 8 + size + size % 2
        chunk = content[place:end]
        if kind == b"VP8X" and bare and len(chunk) > 8:
            chunk = chunk[:8] + bytes([chunk[8] & _WEBP_FLAGS]) + chunk[9:]
        if kind in _WEBP_PIXELS or (not bare and kind in _WEBP_BESIDE and end <= len(content)):
            kept.append(chunk)
        place = end
    body = b"WEBP" + b"".join(kept)
    return b"RIFF" + struct.pack("<I", len(body)) + body


_TIFF_PIXELS = frozenset(
    {254, 256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325, 332, 336}
    | {338, 339, 340, 341, 347, *range(512, 522), *range(529, 533)}
)
_TIFF_BESIDE = frozenset({274, 34675})
"""Tags of orientation and ICC profile."""


def _strip_tiff(content: bytes, bare: bool) -> bytes | None:
    """Append a directory that lists the first picture's pixels only."""
    order = {b"II": "<", b"MM": ">"}.get(content[:2])
    if order is None or struct.unpack_from(f"{order}H", content, 2)[0] not in (42, 43):
        return None
    # BigTIFF (43) has longer fields: position and format of the offset, format of the count, bytes of an entry.
    big = struct.unpack_from(f"{order}H", content, 2)[0] == 43
    at, offset, number, length = (8, "Q", "Q", 20) if big else (4, "I", "H", 12)
    (start,) = struct.unpack_from(order + offset, content, at)
    (count,) = struct.unpack_from(order + number, content, start)
    first = start + struct.calcsize(number)
    wanted: Collection[int] = _TIFF_PIXELS if bare else _TIFF_PIXELS | _TIFF_BESIDE
    entries = [content[place : place + length] for place in range(first, first + count * length, length)]
    kept = [entry for entry in entries if struct.unpack_from(f"{order}H", entry)[0] in wanted]
    padding = b"\0" * (len(content) % 2)
    head = struct.pack(order + offset, len(content) + len(padding))
    directory = struct.pack(order + number, len(kept)) + b"".join(kept) + struct.pack(order + offset, 0)
    return content[:at] + head + content[at + len(head) :] + padding + directory


def _strip_avif(content: bytes, bare: bool) -> bytes | None:
    """Rename the EXIF and XMP items to a type that no decoder knows, keeping all positions."""
    if content[4:8] != b"ftyp":
        return None
    plain, place = bytearray(content), content.find(b"infe")
    while place >= 0:
        kind = slice(place + 12, place + 16)  # after version and flags, the item's number, and its protection
        if bytes(plain[kind]) in (b"Exif", b"mime"):
            plain[kind] = b"none"
        place = content.find(b"infe", place + 4)
    return bytes(plain)
