"""Members of tar files, as other people pack them."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from pathlib import Path

import pytest
from factories import make_image, make_ref
from PIL import Image

from editjudge.errors import ImageError
from editjudge.images.shards import MAX_LINKS
from editjudge.images.store import ImageStore


def png(seed: int) -> bytes:
    buffer = io.BytesIO()
    make_image(seed=seed).save(buffer, "PNG")
    return buffer.getvalue()


def write_tar(path: Path, *members: tuple[str, bytes | str, bytes]) -> Path:
    """Members as (name, content or link target, kind of member)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, content, kind in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            if isinstance(content, str):
                info.linkname = content
            else:
                info.size = len(content)
            archive.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return path


FILE, HARD, SYM = tarfile.REGTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE


def read(root: Path, path: str, content: bytes) -> Image.Image:
    return ImageStore(root).read(make_ref(path=path, sha256=hashlib.sha256(content).hexdigest(), width=64, height=48))


@pytest.mark.parametrize(
    "member",
    [
        pytest.param("hard.png", id="hard link"),
        pytest.param("b/hard.png", id="hard link from another folder"),
        pytest.param("soft.png", id="symbolic link"),
        pytest.param("b/up.png", id="symbolic link that goes up"),
        pytest.param("b/chain.png", id="link to a link"),
        pytest.param("folder/one.png", id="below a linked folder"),
        pytest.param("a/one.png", id="./ in front"),
        pytest.param("root.png", id="leading slash"),
    ],
)
def test_links_inside_an_archive_are_members(tmp_path: Path, member: str) -> None:
    write_tar(
        tmp_path / "00.tar",
        ("b/up.png", "../a/one.png", SYM),
        ("./a/one.png", png(1), FILE),
        ("hard.png", "./a/one.png", HARD),
        ("b/hard.png", "a/one.png", HARD),
        ("soft.png", "a/one.png", SYM),
        ("b/chain.png", "up.png", SYM),
        ("folder", "a", SYM),
        ("/root.png", png(1), FILE),
    )
    assert read(tmp_path, f"00.tar/{member}", png(1)).tobytes() == make_image(seed=1).tobytes()


def test_of_two_members_with_one_name_the_last_counts_and_earlier_links_keep_the_first(tmp_path: Path) -> None:
    write_tar(tmp_path / "00.tar", ("a.png", png(1), FILE), ("hard.png", "a.png", HARD), ("./a.png", png(2), FILE))
    with tarfile.open(tmp_path / "00.tar") as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    for name, seed in (("a.png", 2), ("hard.png", 1)):
        assert read(tmp_path, f"00.tar/{name}", png(seed)).tobytes() == make_image(seed=seed).tobytes()
    assert (tmp_path / "unpacked" / "a.png").read_bytes() == png(2)


@pytest.mark.parametrize(
    ("members", "message", "reason"),
    [
        ([("x.png", "x.png", SYM)], "circle", "unreadable_image"),
        ([("x.png", "y.png", SYM), ("y.png", "x.png", SYM)], "circle", "unreadable_image"),
        ([("x.png", "x.png/x.png", SYM)], "circle", "unreadable_image"),
        ([("x.png", "../secret.png", SYM)], "link out of .*'../secret.png'", "unreadable_image"),
        ([("x.png", "/secret.png", SYM)], "link out of .*'/secret.png'", "unreadable_image"),
        ([("x.png", "../secret.png", HARD)], "no member|link out of", "unreadable_image"),
        ([("x.png", "gone.png", SYM)], "no member 'x.png'.*'gone.png'", "missing_image"),
    ],
)
def test_links_that_lead_nowhere_are_named(
    tmp_path: Path, members: list[tuple[str, str, bytes]], message: str, reason: str
) -> None:
    (tmp_path / "secret.png").write_bytes(png(1))
    write_tar(tmp_path / "data" / "00.tar", *members)
    with pytest.raises(ImageError, match=rf"00\.tar: .*({message})") as caught:
        read(tmp_path / "data", "00.tar/x.png", png(1))
    assert caught.value.reason == reason


def test_a_chain_of_links_is_followed_up_to_a_bound(tmp_path: Path) -> None:
    links = [(f"{n}.png", f"{n + 1}.png", SYM) for n in range(MAX_LINKS + 1)]
    write_tar(tmp_path / "00.tar", *links, (f"{MAX_LINKS + 1}.png", png(1), FILE))
    assert read(tmp_path, "00.tar/1.png", png(1)).size == (64, 48)
    with pytest.raises(ImageError, match="circle"):
        read(tmp_path, "00.tar/0.png", png(1))


def test_the_ending_may_be_in_capitals(tmp_path: Path) -> None:
    write_tar(tmp_path / "00.TAR", ("a.png", png(1), FILE))
    assert read(tmp_path, "00.TAR/a.png", png(1)).size == (64, 48)


@pytest.mark.parametrize("name", ["00.tar.gz", "00.tgz", "00.tar"])
def test_a_compressed_archive_is_named(tmp_path: Path, name: str) -> None:
    plain = write_tar(tmp_path / "plain.tar", ("a.png", png(1), FILE)).read_bytes()
    (tmp_path / name).write_bytes(gzip.compress(plain))
    with pytest.raises(ImageError, match=rf"{name}: .*compressed"):
        read(tmp_path, f"{name}/a.png", png(1))
