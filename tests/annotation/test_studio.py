"""The local server: started, known to be ours, stopped. A small process stands for Label Studio; sockets are real."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
import zipfile
from types import SimpleNamespace

import psutil
import pytest
from children import NEVER_S
from fake_studio import TOKEN, fake_studio
from places import ROOT, SUPPORT
from studio_ground import annotate, free_port, make_recipe, write_groups

from annotation.label_studio import install, server
from annotation.label_studio.client import Studio, StudioError
from annotation.label_studio.connect import connect
from annotation.label_studio.home import Home, ServerState, default_home
from annotation.label_studio.install import VENV_VARIABLE, default_venv, ensure_installed
from annotation.steps.push import push
from editjudge.errors import DataError

START_S = 120
"""Enough on any machine; nothing waits for it to pass."""


@pytest.fixture
def venv(tmp_path):
    """A virtual environment whose label-studio is the small program."""
    folder = tmp_path / "venv"
    (folder / "bin").mkdir(parents=True)
    (folder / "installed.json").write_text(json.dumps({"requirement": install.REQUIREMENT}))
    program = folder / "bin" / "label-studio"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(SUPPORT)!r})\n"
        "import fake_program\nfake_program.main()\n"
    )
    program.chmod(0o755)
    return folder


@pytest.fixture
def home(tmp_path):
    found = Home(tmp_path / "home")
    yield found
    server.stop(found)


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def start(tmp_path, home, venv, port):
    return lambda timeout_s=START_S: server.start(home, ensure_installed(venv), tmp_path / "served", port, timeout_s)


def behave(home, how):
    home.prepare()
    (home.folder / "behaviour").write_text(how)


def alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_it_starts_once_and_stops(home, start, port):
    found = start()
    assert (found.url, found.new) == (f"http://127.0.0.1:{port}", True)
    again = start()
    assert (again.pid, again.new) == (found.pid, False)
    assert server.running(home) == again
    assert server.stop(home)
    assert not alive(found.pid)
    assert server.running(home) is None
    assert not server.stop(home)


def test_it_listens_here_only_serves_the_images_only_and_reports_nothing(tmp_path, home, start, monkeypatch):
    monkeypatch.setenv("LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT", "/")
    monkeypatch.setenv("LABEL_STUDIO_USERNAME", "somebody")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    start()
    told = json.loads((home.folder / "environment.json").read_text())
    assert told["LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT"] == str(tmp_path / "served")
    assert told["LABEL_STUDIO_USERNAME"] != "somebody"
    assert told["COLLECT_ANALYTICS"] == "false"
    assert told["SENTRY_DSN"] == told["FRONTEND_SENTRY_DSN"] == ""
    assert "PYTHONPATH" not in told
    assert "--internal-host 127.0.0.1" in home.log.read_text()


def test_secrets_are_for_the_owner_only_and_stay(home, start):
    start()
    credentials = home.credentials()
    for path in (home.credentials_file, home.log):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.folder.stat().st_mode) == 0o700
    assert re.fullmatch("[0-9a-f]{40}", credentials.token)
    assert credentials.token not in repr(credentials)
    assert credentials.password not in repr(credentials)
    assert home.make_credentials() == credentials
    home.credentials_file.chmod(0o644)
    home.credentials()
    assert stat.S_IMODE(home.credentials_file.stat().st_mode) == 0o600
    for damaged in ("{}", "{"):
        home.credentials_file.write_text(damaged)
        with pytest.raises(DataError, match="user, password and token"):
            home.credentials()


def test_a_busy_port_is_left_to_its_owner(start, port):
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        assert start().url == f"http://127.0.0.1:{port + 1}"


def test_a_server_that_moves_on_silently_is_noticed(home, venv, start):
    behave(home, "move")
    with fake_studio() as stranger:
        # Somebody took the port between our look and the start; the stranger even looks like Label Studio.
        taken = int(stranger.url.rpartition(":")[2])
        credentials = home.make_credentials()
        assert not server.answers_to(stranger.url, credentials)
        found = server.start_on(home, venv / "bin" / "label-studio", "/", taken, credentials, START_S)
        assert found is None
    assert home.state() is None
    assert start().new


def test_a_killed_server_is_replaced(home, start):
    found = start()
    os.kill(found.pid, signal.SIGKILL)
    while alive(found.pid):
        time.sleep(0.02)
    assert server.running(home) is None
    again = start()
    assert again.new
    assert again.pid != found.pid


def test_one_that_no_longer_answers_is_ended_first(home, start, monkeypatch):
    found = start()
    os.kill(found.pid, signal.SIGSTOP)
    monkeypatch.setattr(server, "STOP_S", 0.5)
    monkeypatch.setattr(server, "ANSWER_S", 0.5)
    again = start()
    assert again.new
    assert not alive(found.pid)


def test_a_foreign_process_with_the_same_number_is_not_touched(home, port):
    home.prepare()
    home.make_credentials()
    with subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({NEVER_S})"]) as other:
        home.write_state(ServerState(other.pid, "another start", port, "/x"))
        assert server.running(home) is None
        assert not server.stop(home)
        assert alive(other.pid)
        other.kill()


def test_a_stubborn_one_is_killed(home, start, monkeypatch):
    behave(home, "stubborn")
    monkeypatch.setattr(server, "STOP_S", 0.3)
    found = start()
    assert server.stop(home)
    assert not alive(found.pid)


@pytest.mark.parametrize(
    ("how", "expected"), [("die", "(?s)3:.*no such table: users"), ("hang", "did not answer .* 4 s")]
)
def test_one_that_does_not_come_up_is_told_with_its_log_and_without_secrets(home, start, monkeypatch, how, expected):
    def seconds():
        """Time stands still until the program has said something, and then runs out."""
        return 5.0 if home.log.exists() and "token" in home.log.read_text() else 0.0

    behave(home, how)
    if how == "hang":
        monkeypatch.setattr(server, "time", SimpleNamespace(monotonic=seconds, sleep=time.sleep))
    with pytest.raises(StudioError, match=expected) as caught:
        start(timeout_s=4)
    assert home.make_credentials().token not in str(caught.value)
    assert "token ***" in str(caught.value)
    assert home.state() is None


def test_a_folder_is_for_one_campaign(tmp_path, home, venv, start, port):
    start()
    with pytest.raises(StudioError, match="another campaign"):
        server.start(home, venv / "bin" / "label-studio", tmp_path / "elsewhere", port, START_S)


def test_a_push_of_another_campaign_is_refused_before_it_makes_a_project(tmp_path, home, venv, start):
    start()
    _, recipe = write_recipe(tmp_path, venv)
    with fake_studio() as fake, Studio(fake.url, TOKEN) as studio:
        server.check_serves(home, tmp_path / "served")
        with pytest.raises(StudioError, match=r"another campaign, .*served"):
            push(recipe, studio)
        assert studio.projects() == []


def test_the_default_folder_is_outside_of_the_campaign(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    one, other = default_home(tmp_path / "out"), default_home(tmp_path / "more" / "out")
    assert one != other
    assert one.folder.is_relative_to(tmp_path / "data")


def write_recipe(tmp_path, venv, **server_values):
    write_groups(tmp_path / "data", 1)
    local = {"data": str(tmp_path / "home"), "venv": str(venv), "port": free_port(), "start_timeout_s": START_S}
    recipe = make_recipe(tmp_path / "out", tmp_path / "data" / "groups.jsonl", server={"local": local, **server_values})
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe.model_dump_json())
    return path, recipe


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_serve_tells_where_and_ends_in_order(tmp_path, venv, how):
    path, recipe = write_recipe(tmp_path, venv)
    command = [sys.executable, "-m", "editjudge", "annotate", "serve", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "stop it" in line:
                break
        home = Home(tmp_path / "home")
        pid = home.state().pid
        assert alive(pid)
        with connect(recipe) as studio:
            assert studio.whoami() == home.credentials().user
        process.send_signal(how)
        _, errors = process.communicate()
    told = "".join(lines) + errors
    assert process.returncode == 0, told
    assert not alive(pid)
    assert f"http://127.0.0.1:{recipe.server.local.port}" in told
    assert "Ctrl-C" in told
    assert home.credentials().password not in told
    assert home.credentials().token not in told


def test_serve_in_the_background_and_stop(tmp_path, venv, capsys):
    path, recipe = write_recipe(tmp_path, venv)
    with pytest.raises(StudioError, match="annotate serve"):
        connect(recipe)
    told = tmp_path / "serve.json"
    assert annotate(["serve", str(path), "--background", "--json", str(told)]) == 0
    found, credentials = json.loads(told.read_text()), Home(tmp_path / "home").credentials()
    assert found["url"] == f"http://127.0.0.1:{recipe.server.local.port}"
    assert alive(found["pid"])
    assert found["new"]
    assert credentials is not None
    assert credentials.password not in told.read_text()
    assert credentials.token not in told.read_text()
    assert "--stop" in capsys.readouterr().out
    assert annotate(["serve", str(path)]) == 0, "it runs already: nothing to wait for"
    assert "It runs already." in capsys.readouterr().out
    assert annotate(["serve", str(path), "--stop"]) == 0
    assert "stopped" in capsys.readouterr().out
    assert annotate(["serve", str(path), "--stop"]) == 0
    assert "No Label Studio runs" in capsys.readouterr().out


def test_a_server_of_somebody_else_is_not_started(tmp_path, venv, monkeypatch):
    monkeypatch.delenv("LABEL_STUDIO_API_KEY", raising=False)
    path, recipe = write_recipe(tmp_path, venv, url="https://studio.example", images_url="/images/")
    with pytest.raises(StudioError, match="somebody else's"):
        annotate(["serve", str(path)])
    with pytest.raises(StudioError, match="LABEL_STUDIO_API_KEY"):
        connect(recipe)


def make_wheel(folder, version):
    """A package that brings a `label-studio` command and nothing else."""
    name = f"label_studio-{version}"
    path = folder / f"{name}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("tiny_studio.py", "def main():\n    print('tiny')\n")
        wheel.writestr(f"{name}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: label-studio\nVersion: {version}\n")
        wheel.writestr(
            f"{name}.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{name}.dist-info/entry_points.txt", "[console_scripts]\nlabel-studio = tiny_studio:main\n")
        wheel.writestr(f"{name}.dist-info/RECORD", "")
    return path


@pytest.mark.slow
def test_installing_is_done_once_and_an_interrupted_one_again(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(install, "REQUIREMENT", str(make_wheel(tmp_path, "1.0")))
    venv = tmp_path / "cache" / "venv"
    program = ensure_installed(venv)
    assert subprocess.run([program], capture_output=True, text=True, check=True).stdout == "tiny\n"
    stamp = (venv / "installed.json").stat().st_mtime_ns
    ensure_installed(venv)
    assert (venv / "installed.json").stat().st_mtime_ns == stamp
    (venv / "installed.json").unlink()  # killed before the end
    program.unlink()
    capsys.readouterr()
    assert ensure_installed(venv).exists()
    assert "incomplete" in capsys.readouterr().err


def test_a_failed_installation_says_what_pip_said(tmp_path, monkeypatch):
    monkeypatch.setattr(install, "REQUIREMENT", str(tmp_path / "missing-1.0-py3-none-any.whl"))
    with pytest.raises(StudioError, match=r"(?s)installed.*missing-1\.0"):
        ensure_installed(tmp_path / "venv")
    assert not install.installed(tmp_path / "venv")


def test_a_folder_with_other_things_is_not_emptied(tmp_path):
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / "thesis.txt").write_text("all of it")
    with pytest.raises(StudioError, match="no virtual environment"):
        ensure_installed(tmp_path / "venv")
    assert (tmp_path / "venv" / "thesis.txt").exists()


def test_the_place_of_the_installation_can_be_named(monkeypatch, tmp_path):
    monkeypatch.setenv(VENV_VARIABLE, str(tmp_path / "here"))
    assert default_venv() == tmp_path / "here"


def personal_token(lives_s):
    import jwt

    return jwt.encode({"exp": int(time.time()) + lives_s}, "0" * 32)


def test_a_personal_access_token_is_exchanged_before_use():
    token, unknown, old = personal_token(3600), personal_token(3601), personal_token(-60)
    with fake_studio() as studio:
        studio.access = {token: personal_token(300)}
        with Studio(studio.url, token) as connection:
            assert connection.whoami() == connection.whoami() == "admin@example.com"
        asked = ["POST /api/token/refresh", "GET /api/current-user/whoami", "GET /api/current-user/whoami"]
        assert studio.requests == asked, "it is exchanged once"
        with Studio(studio.url, unknown) as connection, pytest.raises(StudioError, match="token is refused"):
            connection.whoami()
        assert studio.requests == [*asked, asked[0]]
        with pytest.raises(StudioError, match="token is refused"):
            Studio(studio.url, old)
        studio.fault = lambda studio, method, path: (502, b"<html>Bad gateway</html>")
        with Studio(studio.url, unknown) as connection, pytest.raises(StudioError, match="whose token"):
            connection.whoami()
