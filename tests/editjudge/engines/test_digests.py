from __future__ import annotations

import hashlib
import os

import pytest

from editjudge.engines import digests


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The user's cache folder; files of any size are remembered in it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(digests, "REMEMBERED_BYTES", 1)
    return tmp_path / "cache" / "editjudge" / "digests"


def another_process():
    """Forget what this process knows."""
    digests._digest.cache_clear()


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def test_another_process_does_not_read_the_file_again(tmp_path, cache):
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"weights")
    assert digests.digest_file(file) == sha256(b"weights")
    (kept,) = cache.iterdir()
    kept.write_text("from the cache")
    another_process()
    assert digests.digest_file(file) == "from the cache"


def test_a_changed_file_is_read_again_also_when_its_size_and_time_are_the_same(tmp_path, cache):
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"weights")
    digests.digest_file(file)
    before = file.stat()
    file.write_bytes(b"WEIGHTS")
    while file.stat().st_ctime_ns == before.st_ctime_ns or file.stat().st_mtime_ns != before.st_mtime_ns:
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))  # file systems count time in steps
    assert digests.digest_file(file) == sha256(b"WEIGHTS")
    another_process()
    assert digests.digest_file(file) == sha256(b"WEIGHTS")


def test_small_files_leave_nothing(tmp_path, cache, monkeypatch):
    monkeypatch.setattr(digests, "REMEMBERED_BYTES", 8)
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"weights")
    digests.digest_file(file)
    assert not cache.exists()


def test_a_cache_that_cannot_be_written_only_costs_time(tmp_path, cache):
    cache.parent.parent.mkdir()
    cache.parent.write_text("a file where the folder should be")
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"weights")
    assert digests.digest_files([file]) == digests.digest([["model.safetensors", sha256(b"weights")]])
