"""Which torch `scripts/venv.sh` installs: a real index on this machine, programs that record how they are called."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from places import ROOT

TORCH = "torch>=2.11,<2.14"
PYTHON = f"cp{sys.version_info.major}{sys.version_info.minor}"
LINUX = pytest.mark.skipif(platform.system() != "Linux", reason="other systems have CPU builds only")

specification = importlib.util.spec_from_file_location("torch_build", ROOT / "scripts" / "torch_build.py")
assert specification is not None
torch_build = importlib.util.module_from_spec(specification)
specification.loader.exec_module(torch_build)


def wheel(version: str, python: str = PYTHON, machine: str = platform.machine()) -> str:
    name = f"torch-{version}%2Bcpu-{python}-{python}-manylinux_2_28_{machine}.whl"
    return f'<a href="/whl/cpu/{name}#sha256=0">{name.replace("%2B", "+")}</a><br>'


@pytest.fixture
def index() -> Iterator[ThreadingHTTPServer]:
    """A package index; `index.page` is what it says of torch, None that it knows no torch."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:
            pass

        def do_GET(self) -> None:
            found = self.path == "/torch/" and self.server.page is not None
            self.send_response(200 if found else 404)
            self.end_headers()
            self.wfile.write(self.server.page.encode() if found else b"")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.page, server.url = wheel("2.13.0"), f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def project(tmp_path):
    """The scripts in a folder of their own, with a Python whose pip only records what it is asked for.

    `torch_version` in the folder: the torch it has.
    """
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts", ignore=shutil.ignore_patterns("bench", "__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    python = tmp_path / "python"
    python.write_text(
        f"""#!/bin/sh
cd {tmp_path}
case "$*" in
    "-m venv .venv") mkdir -p .venv/bin; cp python .venv/bin/python ;;
    "-m pip "*) shift 2; echo "$*" >> pip.log ;;
    *) PYTHONPATH={tmp_path}/packages exec {sys.executable} "$@" ;;
esac
"""
    )
    python.chmod(0o755)
    write_torch(tmp_path, "1.0")
    return tmp_path


def write_torch(project: Path, version: str) -> None:
    """Let the project's Python find this torch: one that is too old is as good as none."""
    folder = project / "packages" / "torch-0.dist-info"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n")


def install(project: Path, **variables: str) -> tuple[list[str], str]:
    """What pip was asked for, command by command, and what people were told."""
    script = f"set -euo pipefail; source {project}/scripts/venv.sh dev"
    environment = os.environ | {"PYTHON": str(project / "python"), "EDITJUDGE_TORCH": "cpu"} | variables
    environment.pop("PIP_NO_INDEX", None)
    ran = subprocess.run(
        [shutil.which("bash"), "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    log = project / "pip.log"
    flags = "install --quiet --disable-pip-version-check "
    calls = [line.removeprefix(flags) for line in log.read_text().splitlines()] if log.exists() else []
    return calls, ran.stderr


REST = ["setuptools>=77 wheel ninja", "--no-build-isolation -e .[dev]"]


@LINUX
def test_the_cpu_build_is_asked_for_torch_only_and_once(project, index):
    calls, told = install(project, EDITJUDGE_TORCH_INDEX=index.url)
    assert calls == [f"--extra-index-url {index.url} {TORCH}", *REST]
    assert told == f"EDITJUDGE_TORCH=cpu: torch comes as the CPU build from {index.url}\n"
    assert install(project, EDITJUDGE_TORCH_INDEX=index.url) == (calls, "")  # the stamp: nothing is installed again


@LINUX
@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (None, "cannot be reached (Not Found)"),
        ("", "has no torch>=2.11,<2.14 for"),
        (wheel("2.10.1") + wheel("2.14.0"), "has no torch>=2.11,<2.14 for"),
        (wheel("2.13.0", python="cp38"), f"has no torch>=2.11,<2.14 for {PYTHON}"),
        (wheel("2.13.0", machine="other"), f"for {PYTHON} on {platform.machine()}"),
    ],
)
def test_an_index_without_a_fitting_build_is_not_used(project, index, page, reason):
    index.page = page
    calls, told = install(project, EDITJUDGE_TORCH_INDEX=index.url)
    assert calls == [TORCH, *REST]
    assert reason in told
    assert told.endswith(": torch comes from the ordinary index\n")
    assert told.count("\n") == 1


@LINUX
def test_an_index_that_cannot_be_reached_is_not_used(project, index):
    index.shutdown()
    index.server_close()
    calls, told = install(project, EDITJUDGE_TORCH_INDEX=index.url)
    assert calls == [TORCH, *REST]
    assert f"{index.url} cannot be reached" in told


@pytest.mark.parametrize("version", ["2.11.0", "2.13.5+cu130"])
def test_a_torch_that_fits_stays(project, index, version):
    write_torch(project, version)
    assert install(project, EDITJUDGE_TORCH_INDEX=index.url) == ([TORCH, *REST], "")


def test_the_cuda_build_can_be_asked_for(project, index):
    assert install(project, EDITJUDGE_TORCH_INDEX=index.url, EDITJUDGE_TORCH="cuda") == ([TORCH, *REST], "")


def test_a_wrong_choice_ends_the_script(project):
    assert install(project, EDITJUDGE_TORCH="gpu") == ([], "EDITJUDGE_TORCH=gpu: expected cpu, cuda or auto\n")


@pytest.mark.parametrize(
    ("says", "found"),
    [
        ("echo 'GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-0)'", True),
        ("echo 'No devices were found'", False),
        ("echo 'NVIDIA-SMI has failed: no GPU driver'; exit 9", False),
        (None, False),
    ],
)
def test_a_gpu_is_found_by_nvidia_smi(tmp_path, monkeypatch, says, found):
    if says is not None:
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{says}\n")
        (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert torch_build.has_nvidia_gpu(files=()) is found


def test_a_gpu_is_found_by_its_driver(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "nvidia0").touch()
    assert torch_build.has_nvidia_gpu(files=(tmp_path / "version", tmp_path / "nvidia0"))
    assert not torch_build.has_nvidia_gpu(files=(tmp_path / "version",))


@LINUX
@pytest.mark.parametrize("gpu", [False, True])
def test_this_machine_decides_when_nothing_is_said(monkeypatch, capsys, index, gpu):
    for name, value in {"EDITJUDGE_TORCH": "", "EDITJUDGE_TORCH_INDEX": index.url, "PIP_NO_INDEX": ""}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch_build, "has_nvidia_gpu", lambda: gpu)
    monkeypatch.setattr(torch_build, "is_satisfied", lambda requirement: False)
    assert torch_build.main(TORCH) == 0
    printed = capsys.readouterr()
    assert printed.out == ("" if gpu else f"--extra-index-url {index.url}\n")
    assert ("No NVIDIA GPU here" in printed.err) is not gpu
