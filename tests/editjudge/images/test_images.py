from __future__ import annotations

import hashlib
import io
import struct
import subprocess
import sys
import tarfile
import zlib

import numpy as np
import pytest
from factories import make_image, make_ref
from PIL import Image
from places import SUPPORT

from editjudge.errors import ImageError
from editjudge.images.pixels import fit_pixels, load_image, match_size, pixel_digest
from editjudge.images.store import ImageStore


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def same(first: Image.Image, second: Image.Image) -> bool:
    return first.mode == second.mode and first.size == second.size and first.tobytes() == second.tobytes()


def test_load_from_path_text_bytes_and_image(tmp_path):
    image = make_image()
    (tmp_path / "a.png").write_bytes(encoded(image))
    for source in (tmp_path / "a.png", str(tmp_path / "a.png"), encoded(image), image):
        assert same(load_image(source), image)


def test_exif_orientation_is_applied():
    image = make_image(6, 4)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rows of the file are columns of the picture
    loaded = load_image(encoded(image, exif=exif))
    assert same(loaded, image.transpose(Image.Transpose.ROTATE_270))
    assert loaded.info == {}
    assert same(load_image(loaded), loaded)


def test_transparency_is_laid_on_white():
    image = Image.new("RGBA", (3, 1))
    for across, alpha in enumerate((0, 255, 51)):
        image.putpixel((across, 0), (200, 0, 100, alpha))
    # 51/255 is one fifth: 0.2 * 200 + 0.8 * 255 = 244, and so on
    assert np.asarray(load_image(encoded(image)))[0].tolist() == [[255, 255, 255], [200, 0, 100], [244, 204, 224]]


def test_transparent_palette_colour_is_white():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    assert np.asarray(load_image(encoded(image, transparency=1)))[0].tolist() == [[10, 20, 30], [255, 255, 255]]


def test_grey_of_8_and_16_bits():
    assert load_image(encoded(Image.new("L", (1, 1), 77))).getpixel((0, 0)) == (77, 77, 77)
    deep = Image.fromarray(np.array([[0, 0x7FFF, 0xFFFF]], dtype=np.uint16))
    assert np.asarray(load_image(encoded(deep)))[0, :, 0].tolist() == [0, 127, 255]


def test_first_frame_of_an_animation():
    frames = [make_image(seed=1), make_image(seed=2)]
    content = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    assert same(load_image(content), frames[0])


def claims(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header claims a size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a readable image"),
        (b"no image at all", "not a readable image"),
        (encoded(make_image())[:-500], "not a readable image"),
        (encoded(make_image(), "JPEG")[:-300], "not a readable image"),
        (encoded(make_image())[:20], "not a readable image"),
        (claims(30, 30), "not a readable image"),
        (claims(8001, 8000), "8001 x 8000 pixels .*64000000"),
        (claims(60_000, 60_000), "3600000000"),
        (encoded(Image.new("F", (2, 2)), "TIFF"), "pixels of kind 'F'"),
    ],
)
def test_bad_images_are_named(tmp_path, content, message):
    path = tmp_path / "bad.png"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=rf"bad\.png: .*{message}"):
        load_image(path)
    with pytest.raises(ImageError, match=f"row 7: .*{message}"):
        load_image(content, name="row 7")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ImageError, match=r"gone\.png: no such image file"):
        load_image(tmp_path / "gone.png")


@pytest.mark.parametrize("size", [(640, 480), (1000, 10), (10_000, 1), (1, 10_000), (3000, 3)])
@pytest.mark.parametrize("max_pixels", [1, 100, 1000, 5000])
def test_fit_pixels_stays_within(size, max_pixels):
    fitted = fit_pixels(Image.new("RGB", size), max_pixels)
    assert 0 < fitted.width * fitted.height <= max_pixels
    assert fitted.width <= size[0]
    assert fitted.height <= size[1]


def test_fit_pixels_keeps_the_aspect_and_never_enlarges():
    assert fit_pixels(Image.new("RGB", (640, 480)), 160 * 120).size == (160, 120)
    small = make_image()
    assert fit_pixels(small, small.width * small.height) is small


def test_match_size():
    small, large = make_image(20, 10), make_image(40, 30)
    assert match_size(small, large.size).size == (40, 30)
    assert match_size(large, small.size).size == (20, 10)
    assert match_size(small, small.size) is small


def test_pixel_digest_tells_pictures_apart():
    assert pixel_digest(make_image()) == pixel_digest(load_image(encoded(make_image())))
    others = [make_image(seed=1), Image.new("RGB", (2, 8)), Image.new("RGB", (8, 2)), Image.new("L", (8, 6))]
    assert len({pixel_digest(image) for image in others}) == 4
    assert pixel_digest(Image.new("L", (1, 1), 5)) == hashlib.sha256(b"L 1 1 \x05").hexdigest()


def test_store_gives_back_what_was_added(tmp_path):
    store, image = ImageStore(tmp_path), make_image(30, 20)
    ref = store.add(image, "images/a/b.png")
    assert (ref.path, ref.width, ref.height) == ("images/a/b.png", 30, 20)
    assert ref.sha256 == hashlib.sha256((tmp_path / "images/a/b.png").read_bytes()).hexdigest()
    assert same(ImageStore(tmp_path).read(ref), image)


def test_stored_bytes_follow_from_the_pixels_alone(tmp_path):
    image, noted = make_image(), make_image()
    noted.info |= {"dpi": (300, 300), "icc_profile": b"profile", "transparency": (1, 2, 3), "exif": b"Exif\0\0"}
    store = ImageStore(tmp_path)
    assert store.add(image, "a.png").sha256 == store.add(noted, "b.png").sha256
    code = f"""
import sys; sys.path.insert(0, {str(SUPPORT)!r})
from factories import make_image
from editjudge.images.store import ImageStore
print(ImageStore({str(tmp_path)!r}).add(make_image(), "c.png").sha256)"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == store.add(image, "a.png").sha256


def test_add_file_keeps_the_bytes(tmp_path):
    content = encoded(make_image(12, 8), "JPEG")
    ref = ImageStore(tmp_path).add_file(content, "a.jpg")
    assert (tmp_path / "a.jpg").read_bytes() == content
    assert ImageStore(tmp_path).read(ref).size == (12, 8)
    with pytest.raises(ImageError, match=r"b\.jpg: not a readable image"):
        ImageStore(tmp_path).add_file(b"x", "b.jpg")
    assert not (tmp_path / "b.jpg").exists()


def test_a_changed_file_is_refused(tmp_path):
    store = ImageStore(tmp_path)
    ref = store.add(make_image(), "a.png")
    store.add(make_image(seed=1), "a.png")
    with pytest.raises(ImageError, match=r"a\.png: the file changed"):
        store.read(ref)


def test_a_wrong_size_in_the_record_is_refused(tmp_path):
    ref = ImageStore(tmp_path).add(make_image(30, 20), "a.png")
    with pytest.raises(ImageError, match=r"a\.png: .*30 x 20.*40 x 20"):
        ImageStore(tmp_path).read(ref.model_copy(update={"width": 40}))


@pytest.mark.parametrize("path", ["../a.png", "/a.png", "b/../../a.png", "..", ".", "", "b\\..\\a.png", "a\0.png"])
def test_paths_do_not_leave_the_root(tmp_path, path):
    root = tmp_path / "root"
    ImageStore(tmp_path).add(make_image(), "a.png")
    ImageStore(root).add(make_image(), "b/c.png")
    with pytest.raises(ImageError, match="below the data root"):
        ImageStore(root).read(make_ref(path=path))
    with pytest.raises(ImageError):
        ImageStore(root).add(make_image(seed=3), path)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["a.png", "root"]


def test_only_png_is_made(tmp_path):
    with pytest.raises(ImageError, match=r"end in \.png"):
        ImageStore(tmp_path).add(make_image(), "a.jpg")


def write_tar(path, members):
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def tar_ref(path: str, content: bytes):
    return make_ref(path=path, sha256=hashlib.sha256(content).hexdigest(), width=64, height=48)


def test_members_of_a_shard(tmp_path):
    first, second = (encoded(make_image(seed=seed)) for seed in (1, 2))
    (tmp_path / "data").mkdir()
    write_tar(tmp_path / "data/00.tar", {"./x/000.png": first, "001.png": second})
    store = ImageStore(tmp_path)
    assert same(store.read(tar_ref("data/00.tar/x/000.png", first)), make_image(seed=1))
    assert same(store.read(tar_ref("data/00.tar/001.png", second)), make_image(seed=2))
    with pytest.raises(ImageError, match=r"00\.tar: .*'002\.png'"):
        store.read(tar_ref("data/00.tar/002.png", second))
    write_tar(tmp_path / "data/00.tar", {"002.png": second})  # the index follows the file
    assert same(store.read(tar_ref("data/00.tar/002.png", second)), make_image(seed=2))


def test_a_folder_may_be_called_tar(tmp_path):
    ref = ImageStore(tmp_path).add(make_image(), "unpacked.tar/a.png")
    assert same(ImageStore(tmp_path).read(ref), make_image())


@pytest.mark.parametrize("keep", [0, 300, 700])
def test_a_damaged_shard_is_named(tmp_path, keep):
    content = encoded(make_image())
    write_tar(tmp_path / "00.tar", {"000.png": content})
    (tmp_path / "00.tar").write_bytes((tmp_path / "00.tar").read_bytes()[:keep])
    with pytest.raises(ImageError, match=r"00\.tar: "):
        ImageStore(tmp_path).read(tar_ref("00.tar/000.png", content))


def test_a_missing_stored_file_is_named(tmp_path):
    with pytest.raises(ImageError, match=r"no/a\.png: cannot be read"):
        ImageStore(tmp_path).read(make_ref(path="no/a.png"))
