"""scripts/test_conditions.py: what its runs are made under, what it counts, and that it continues."""

from __future__ import annotations

import importlib.util
import json
import os
import sys

import pytest
from children import alive, children_of
from places import ROOT

SUITE = """
import json, os, pathlib, pytest
FOLDER = pathlib.Path({folder!r})

def busy():
    lines = [path.read_bytes() for path in pathlib.Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    return sum(b"while True: pass" in line for line in lines)

def test_note():
    found = dict(threads=os.environ.get("OMP_NUM_THREADS"), cores=len(os.sched_getaffinity(0)), busy=busy())
    with (FOLDER / "noted").open("a") as handle:
        print(json.dumps(found), file=handle)

@pytest.mark.parametrize("number", range(8))
def test_order(number):
    with (FOLDER / "order").open("a") as handle:
        print(number, end="", file=handle)

def test_bad():
    assert not (FOLDER / "bad").exists()
"""


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("test_conditions_script", ROOT / "scripts" / "test_conditions.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_every_condition_is_what_it_says_and_a_repeated_command_continues(script, tmp_path, capsys, monkeypatch):
    pytest.importorskip("xdist")
    pytest.importorskip("pytest_randomly")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setattr(script, "git_state", lambda folder: {"commit": "0123456789abcdef", "dirty": False})
    suite = tmp_path / "test_suite.py"
    suite.write_text(SUITE.format(folder=str(tmp_path)))
    command = ["--suites", "default", "--repeats", "1", "--out", str(tmp_path / "out"), "--", str(suite), "-n", "0"]
    assert script.main(command) == 0
    noted = [json.loads(line) for line in (tmp_path / "noted").read_text().splitlines()]
    assert [row["threads"] for row in noted] == ["1", "2", None, None, None]
    assert noted[2]["cores"] == 1
    assert noted[3]["busy"] >= script.cores()
    orders = (tmp_path / "order").read_text()
    assert orders.startswith("01234567" * 4)
    assert orders != "01234567" * 5
    table = (tmp_path / "out" / "table.md").read_text()
    assert "commit 0123456789ab," in table
    assert table.count("| default |") == 5
    assert table.count("10 passed") == 5
    assert table in capsys.readouterr().out

    assert script.main(command) == 0
    assert len((tmp_path / "noted").read_text().splitlines()) == 5, "runs that were made are not made again"
    (tmp_path / "bad").touch()
    again = ["--conditions", "threads-1", "--repeats", "2", *command[:2], *command[4:]]
    assert script.main(again) == 1
    assert "| 10 passed" in (tmp_path / "out" / "table.md").read_text()
    assert "**1 failed**, 9 passed" in (tmp_path / "out" / "table.md").read_text()


def test_a_run_that_never_began_is_a_failure(script):
    row = {"passed": 0, "failed": 0, "skipped": 0, "seconds": 0.4, "status": 4}
    assert script.cell(row) == "**pytest ended with status 4**, 0 passed, 0 s"


def test_tests_are_counted_by_outcome_and_the_table_has_every_run(script, tmp_path):
    report = tmp_path / "report.xml"
    report.write_text('<testsuites><testsuite tests="9" failures="1" errors="2" skipped="1"/></testsuites>')
    counts = script.count(report)
    assert counts == {"passed": 5, "failed": 3, "skipped": 1}
    row = {"suite": "slow", "condition": "load", "status": 1, "seconds": 61.2, **counts}
    table = script.table([row | {"run": 1}, row | {"run": 3, "failed": 0, "status": 0}], "0123456789ab")
    assert "commit 0123456789ab," in table
    assert table.splitlines()[2:] == [
        "| suite | condition | run 1 | run 3 |",
        "|---|---|---|---|",
        "| slow | a busy process on every core | **3 failed**, 5 passed, 1 skipped, 61 s | 5 passed, 1 skipped, 61 s |",
    ]


def test_a_busy_machine_is_quiet_again_afterwards(script):
    before = {*children_of(os.getpid())}
    with script.busy(2):
        started = {*children_of(os.getpid())} - before
        assert len(started) == 2
    assert not any(alive(pid) for pid in started)
