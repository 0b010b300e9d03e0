from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from factories import make_ref, make_task, make_triplet
from pydantic import BaseModel

from editjudge.errors import DataError, StaleOutputError, StorageError
from editjudge.files.io import (
    atomic_write,
    derive_seed,
    digest,
    is_done,
    read_json,
    read_jsonl,
    read_marker,
    rng,
    write_json,
    write_jsonl,
    write_marker,
)
from editjudge.files.storage import sync_files
from editjudge.records.types import EditTask, EditTriplet


def test_digest_is_sha256_of_canonical_json():
    # the sha256sum command over [1,{"a":[null,true],"b":"\u00e9"}]
    assert digest(1, {"b": "é", "a": (None, True)}) == "d821c20aee7fc66f9b60"


def test_digest_of_records_mappings_and_order():
    assert digest(make_task()) == digest(make_task().model_dump(mode="json"))
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest("ab", "c") != digest("a", "bc")
    assert digest(make_task()) != digest(make_task(language="de"))


class Loose(BaseModel):
    value: float


@pytest.mark.parametrize("value", [float("nan"), {"a": [float("inf")]}, Loose(value=float("nan"))])
def test_digest_refuses_what_is_no_number(value):
    with pytest.raises(ValueError, match="JSON"):
        digest(value)


def test_digest_refuses_unknown_kinds():
    with pytest.raises(TypeError, match="set "):
        digest({1, 2})


def test_seeds_depend_on_their_arguments_only():
    assert derive_seed(1, "a") == derive_seed(1, "a")
    seeds = {derive_seed(seed, key) for seed in range(50) for key in range(50)}
    assert len(seeds) == 2500
    assert 0 <= min(seeds) < 2**25
    assert 2**31 - 2**25 < max(seeds) < 2**31
    assert rng(1, "a").integers(1000, size=3).tolist() == rng(1, "a").integers(1000, size=3).tolist()
    assert rng(1, "a").random() != rng(1, "b").random()


def test_atomic_write_makes_folders_and_replaces(tmp_path):
    path = tmp_path / "a" / "b.txt"
    atomic_write(path, "first")
    atomic_write(path, b"second")
    assert path.read_bytes() == b"second"
    assert [item.name for item in path.parent.iterdir()] == ["b.txt"]


def test_files_are_synced_where_they_lie_or_the_folder_is_named(tmp_path):
    atomic_write(tmp_path / "a", "text", sync=False)
    sync_files(tmp_path)
    assert (tmp_path / "a").read_text() == "text"
    with pytest.raises(StorageError, match="nowhere"):
        sync_files(tmp_path / "nowhere")


def test_jsonl_round_trip(tmp_path):
    rows = [make_triplet(id=str(index), task=make_task(instruction="grün\u2028\n")) for index in range(3)]
    assert write_jsonl(tmp_path / "rows.jsonl", iter(rows)) == 3
    assert list(read_jsonl(tmp_path / "rows.jsonl", EditTriplet)) == rows


def test_read_jsonl_takes_plain_rows_and_skips_blank_lines(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"a": 1}\n\n{"a": 2}')
    assert list(read_jsonl(tmp_path / "rows.jsonl", dict)) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            '{"id": "x", "inp',
            r"not valid JSON .*column 13",
        ),
        ('{"id": "x"}', r"not a valid EditTask: inputs: .*\{'id': 'x'\} \(and 3 more\)"),
        (json.dumps(make_task().model_dump() | {"id": 5}), "not a valid EditTask: id: "),
    ],
)
def test_read_jsonl_names_file_and_line(tmp_path, line, message):
    path = tmp_path / "tasks.jsonl"
    path.write_text(make_task().model_dump_json() + "\n" + line + "\n")
    rows = read_jsonl(path, EditTask)
    assert next(rows) == make_task()
    with pytest.raises(DataError, match=rf"tasks\.jsonl:2: {message}"):
        next(rows)


def test_missing_and_broken_json_files(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_json(tmp_path / "a.json")
    with pytest.raises(DataError, match="no such file"):
        list(read_jsonl(tmp_path / "a.jsonl", EditTask))
    (tmp_path / "b.json").write_text("{")
    with pytest.raises(DataError, match="not valid JSON"):
        read_json(tmp_path / "b.json")


def test_rows_that_fail_leave_nothing(tmp_path):
    def rows():
        yield make_ref()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_jsonl(tmp_path / "rows.jsonl", rows())
    with pytest.raises(DataError, match=r"rows\.jsonl:2: "):
        write_jsonl(tmp_path / "rows.jsonl", [make_ref(), {"value": float("nan")}])
    with pytest.raises(DataError, match=r"x\.json: .*JSON"):
        write_json(tmp_path / "x.json", [float("inf")])
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_rows_is_not_taken_for_a_full_disk(tmp_path):
    def rows():
        yield make_ref()
        Path(tmp_path / "nowhere").read_bytes()

    with pytest.raises(FileNotFoundError):
        write_jsonl(tmp_path / "rows.jsonl", rows())


def test_writing_below_a_file_is_a_storage_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="a file stands"):
        atomic_write(tmp_path / "file" / "x.json", "1")
    with pytest.raises(StorageError, match="a file stands"):
        atomic_write(tmp_path / "file" / "sub" / "x.json", "1")


def test_writing_onto_a_folder_leaves_no_temporary_file(tmp_path):
    (tmp_path / "x.json").mkdir()
    with pytest.raises(StorageError, match="a folder stands"):
        atomic_write(tmp_path / "x.json", "1")
    assert [item.name for item in tmp_path.iterdir()] == ["x.json"]


@pytest.mark.parametrize("call", ["atomic_write(path, b'x' * 100_000)", "write_jsonl(path, [{'a': 'x' * 50}] * 5000)"])
def test_no_room_left_is_a_storage_error_and_keeps_the_old_file(tmp_path, call):
    """A real failing write: the process may not write files above 4 KiB."""
    path = tmp_path / "rows.jsonl"
    path.write_text("old\n")
    code = f"""
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
from pathlib import Path
from editjudge.errors import StorageError
from editjudge.files.io import atomic_write, write_jsonl
path = Path({str(path)!r})
try:
    {call}
except StorageError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == (
        f"{path}: cannot be written (File too large); the file is larger than this system allows: "
        "raise the limit (ulimit -f) or use more shards\n"
    )
    assert path.read_text() == "old\n"
    assert [item.name for item in tmp_path.iterdir()] == ["rows.jsonl"]


IDENTITY = {"stage": "min_side", "params": {"px": 256, "units": ["px", "cm"]}, "sources": ["a", "b"]}


def test_marker_round_trip(tmp_path):
    path = tmp_path / "0.done.json"
    assert not is_done(path, IDENTITY)
    write_marker(path, IDENTITY, {"kept": 3})
    assert is_done(path, IDENTITY)
    assert is_done(path, {**IDENTITY, "sources": ("a", "b")})  # as JSON they are the same
    assert read_marker(path) == {"identity": IDENTITY, "info": {"kept": 3}}


def test_marker_with_records_in_its_identity(tmp_path):
    write_marker(tmp_path / "m.json", {"ref": make_ref()}, {})
    assert is_done(tmp_path / "m.json", {"ref": make_ref()})
    with pytest.raises(StaleOutputError, match=r"ref\.width: 640 -> 641"):
        is_done(tmp_path / "m.json", {"ref": make_ref(width=641)})


def test_another_identity_names_every_change(tmp_path):
    path = tmp_path / "stages" / "0.done.json"
    write_marker(path, IDENTITY, {})
    other = {"stage": "min_side", "params": {"px": 512, "units": ["px", "mm"], "new": 1}, "sources": ["a"]}
    with pytest.raises(StaleOutputError) as caught:
        is_done(path, other)
    assert str(caught.value).splitlines() == [
        f"{path}: made with other parameters (old -> new):",
        "  params.px: 256 -> 512",
        '  params.units.1: "cm" -> "mm"',
        "  params.new: (absent) -> 1",
        '  sources: ["a", "b"] -> ["a"]',
        f"Remove the folder {path.parent} to make it again, or choose another `out`.",
    ]


def test_values_that_python_calls_equal_are_told_apart(tmp_path):
    write_marker(tmp_path / "m.json", {"flag": 1, "size": 2}, {})
    with pytest.raises(StaleOutputError, match=r"flag: 1 -> true\n  size: 2 -> 2\.0"):
        is_done(tmp_path / "m.json", {"flag": True, "size": 2.0})


@pytest.mark.parametrize("length", [0, 1, 20, -1, -3])
def test_a_truncated_marker_counts_as_absent(tmp_path, length):
    path = tmp_path / "m.json"
    write_marker(path, IDENTITY, {})
    whole = path.read_bytes().strip()
    path.write_bytes(whole[:length])
    assert read_marker(path) is None
    assert not is_done(path, IDENTITY)


@pytest.mark.parametrize("text", ["[]", "null", "{}", '{"identity": {}}', '{"identity": 1, "info": {}}'])
def test_other_json_is_no_marker(tmp_path, text):
    (tmp_path / "m.json").write_text(text)
    assert read_marker(tmp_path / "m.json") is None
