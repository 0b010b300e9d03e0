"""Reading members of tar files in place: WebDataset shards and other archives of images."""

from __future__ import annotations

import posixpath
import tarfile
from dataclasses import dataclass
from pathlib import Path

from editjudge.errors import ImageError

MAX_LINKS = 16
"""Maximum number of links followed from one member, to detect loops."""

_COMPRESSED = ((b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ\0", "xz"), (b"\x28\xb5\x2f\xfd", "zstd"))


@dataclass(frozen=True)
class _Bytes:
    """Position of a member in the archive."""

    offset: int
    size: int


_Entry = _Bytes | str
"""Entry of an archive: bytes, or the target of a symbolic link, as written in it."""


def shard_of(root: Path, parts: tuple[str, ...]) -> tuple[Path, str] | None:
    """Return the tar file that a path below `root` leads into, and the member; None when all its folders are folders.

    Raises `ImageError` for a compressed tar file, which allows no random access.
    """
    for depth, part in enumerate(parts[:-1], start=1):
        name = part.lower()
        packed = name.endswith((".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst"))
        if (name.endswith(".tar") or packed) and (shard := root.joinpath(*parts[:depth])).is_file():
            if packed:
                raise ImageError(f"{shard}: a compressed tar file; unpack it, or recompress it as a plain .tar")
            return shard, "/".join(parts[depth:])
    return None


class Shards:
    """Tar files by path. Each is indexed once, and again when the file changes."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[tuple[int, int], dict[str, _Entry]]] = {}

    def read(self, shard: Path, member: str) -> bytes:
        """Return the bytes of a member. The last of several with one name counts, as when tar unpacks.

        Symbolic and hard links are followed within the archive. Raises `ImageError` when the archive or the member
        cannot be read, or a link is circular, leaves the archive, or is broken.
        """
        try:
            entry = _resolve(shard, self._index(shard), member)
            with shard.open("rb") as handle:
                handle.seek(entry.offset)
                content = handle.read(entry.size)
        except (OSError, tarfile.TarError) as error:
            raise ImageError(
                f"{shard}: not a readable tar file ({_why(shard, error)}); fetch or make it again"
            ) from error
        if len(content) != entry.size:
            raise ImageError(f"{shard}: ends within member {member!r}; fetch or make it again")
        return content

    def _index(self, shard: Path) -> dict[str, _Entry]:
        stat = shard.stat()
        version = (stat.st_mtime_ns, stat.st_size)
        if shard not in self._known or self._known[shard][0] != version:
            self._known[shard] = (version, _members(shard))
        return self._known[shard][1]


def _members(shard: Path) -> dict[str, _Entry]:
    found: dict[str, _Entry] = {}
    with tarfile.open(shard, "r:") as archive:
        for info in archive:
            name = _plain(info.name)
            if info.issym():
                found[name] = info.linkname
            elif info.islnk():
                # A hard link refers to the bytes under that name so far; a later member of the name is another file.
                found[name] = found.get(_plain(info.linkname), f"/{info.linkname}")
            elif info.isreg() and not info.issparse():
                found[name] = _Bytes(info.offset_data, info.size)
    return found


def _resolve(shard: Path, index: dict[str, _Entry], member: str) -> _Bytes:
    name = _plain(member)
    for _ in range(MAX_LINKS + 1):
        entry = index.get(name)
        if isinstance(entry, _Bytes):
            return entry
        link = name if entry is not None else _linked_folder(index, name)
        if link is None:
            followed = "" if name == _plain(member) else f", which is a link to {name!r}"
            raise ImageError(f"{shard}: has no member {member!r}{followed}", reason="missing_image")
        target = index[link]
        assert isinstance(target, str)
        if target.startswith("/"):
            raise ImageError(
                f"{shard}: member {member!r} is a link out of the archive, to {target!r}; add the file itself"
            )
        name = posixpath.normpath(posixpath.join(posixpath.dirname(link), target)) + name[len(link) :]
        if name.startswith("../"):
            raise ImageError(
                f"{shard}: member {member!r} is a link out of the archive, to {target!r}; add the file itself"
            )
    raise ImageError(f"{shard}: member {member!r} is a link that leads in a circle; add the file itself")


def _linked_folder(index: dict[str, _Entry], name: str) -> str | None:
    """Return the folder above `name` that is a symbolic link."""
    parts = name.split("/")
    folders = ("/".join(parts[:depth]) for depth in range(1, len(parts)))
    return next((folder for folder in folders if isinstance(index.get(folder), str)), None)


def _plain(name: str) -> str:
    """Return a member's name without the parts that tar ignores: `./` in front, doubled and leading slashes."""
    return posixpath.normpath(name.lstrip("/"))


def _why(shard: Path, error: Exception) -> str:
    """Return the error, or the kind of a file that is not a tar file."""
    try:
        with shard.open("rb") as handle:
            head = handle.read(6)
    except OSError:
        return str(error)
    kind = next((name for magic, name in _COMPRESSED if head.startswith(magic)), None)
    return str(error) if kind is None else f"it is compressed with {kind}: unpack it to a plain .tar"
