from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from children import environment, start

from editjudge import __version__
from editjudge.system.provenance import RunRecord, git_state, machine


def read(folder):
    return json.loads((folder / "run.json").read_text())


def test_run_json_holds_what_made_the_result(tmp_path):
    RunRecord(tmp_path / "run", {"seed": 1, "stages": [{"use": "min_side"}]})
    record = read(tmp_path / "run")
    assert record["recipe"] == {"seed": 1, "stages": [{"use": "min_side"}]}
    assert record["versions"]["editjudge"] == __version__
    assert record["python"] == ".".join(str(part) for part in sys.version_info[:3])
    assert record["machine"]["cores"] >= 1
    assert record["machine"]["memory_gb"] > 0.1
    assert record["machine"]["cpu"]
    assert record["earlier"] == []


def test_seconds_per_phase(tmp_path, monkeypatch):
    clock = iter([10.0, 12.5, 20.0, 21.0])
    monkeypatch.setattr("editjudge.system.provenance.time", SimpleNamespace(monotonic=lambda: next(clock)))
    record = RunRecord(tmp_path, {})
    with record.phase("curate"):
        assert read(tmp_path)["seconds"] == {}
    assert read(tmp_path)["seconds"] == {"curate": 2.5}
    with record.phase("curate"):
        pass
    assert record.seconds == read(tmp_path)["seconds"] == {"curate": 3.5}


def test_a_phase_that_fails_is_timed_too(tmp_path):
    record = RunRecord(tmp_path, {})
    with pytest.raises(ZeroDivisionError), record.phase("train"):
        raise ZeroDivisionError
    assert "train" in read(tmp_path)["seconds"]


def test_earlier_runs_in_the_same_folder_are_kept(tmp_path):
    with RunRecord(tmp_path, {"seed": 1}).phase("curate"):
        pass
    started = read(tmp_path)["started"]
    with RunRecord(tmp_path, {"seed": 1}).phase("train"):
        pass
    RunRecord(tmp_path, {"seed": 1})
    earlier = read(tmp_path)["earlier"]
    assert [list(run["seconds"]) for run in earlier] == [["curate"], ["train"]]
    assert earlier[0]["started"] == started


def test_a_damaged_run_json_does_not_stop_a_run(tmp_path):
    (tmp_path / "run.json").write_text('{"started": "20')
    RunRecord(tmp_path, {})
    assert read(tmp_path)["earlier"] == []


def test_git_state(tmp_path):
    def git(*arguments):
        author = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        done = subprocess.run(["git", *author, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    assert git_state(tmp_path) is None
    git("init", "-q")
    assert git_state(tmp_path) is None  # no commit yet
    (tmp_path / "a.txt").write_text("1")
    git("add", "a.txt")
    git("commit", "-q", "-m", "first")
    assert git_state(tmp_path) == {"commit": git("rev-parse", "HEAD"), "dirty": False}
    (tmp_path / "b.txt").write_text("1")
    assert git_state(tmp_path) == {"commit": git("rev-parse", "HEAD"), "dirty": False}
    (tmp_path / "a.txt").write_text("2")
    assert git_state(tmp_path) == {"commit": git("rev-parse", "HEAD"), "dirty": True}


def test_versions_are_read_without_importing_the_packages(tmp_path):
    code = f"""
import sys
from editjudge.system.provenance import RunRecord
RunRecord({str(tmp_path)!r}, {{}})
print(sorted({{"torch", "transformers", "scipy", "peft"}} & set(sys.modules)))"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_machine_names_no_host_or_user():
    names = set(machine()) - {"cpu_capability"}  # only where torch is imported
    assert names == {"cpu", "cores", "memory_gb", "gpus", "threads", "blas"}


THREADS = """
import json, sys
from editjudge.system.provenance import RunRecord
record = RunRecord(sys.argv[1], {})
before = json.load(open(record.path))["machine"]
with record.phase("train"):
    import torch
    torch.set_num_threads(3)
print(json.dumps([before, json.load(open(record.path))["machine"], torch.backends.cpu.get_cpu_capability()]))
"""


def test_threads_blas_and_instructions_are_recorded(tmp_path):
    """What is known at the start, and what is known once torch is there; torch is not imported for it."""
    pytest.importorskip("torch")
    process = start(["-c", THREADS, str(tmp_path)], env=environment(OMP_NUM_THREADS="2"), stderr=None)
    before, after, capability = json.loads(process.communicate()[0])
    assert (before["threads"]["OMP_NUM_THREADS"], after["threads"]["OMP_NUM_THREADS"]) == ("2", "2")
    assert "torch" not in before["threads"]
    assert "cpu_capability" not in before
    assert after["threads"]["torch"] == 3
    assert after["cpu_capability"] == capability
    name = np.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"]
    assert before["blas"]["numpy"].startswith(name)
    assert after["blas"]["torch"] != "unknown"
