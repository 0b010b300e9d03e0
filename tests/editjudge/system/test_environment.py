"""Every command on terminals, pipes and in locales that are not UTF-8, and on machines that lack something."""

from __future__ import annotations

import os
import pty
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_ground import CURATE, STREAMS, editjudge, evaluation, example, score
from places import ROOT
from sft_ground import make_run

from annotation.label_studio.home import default_home
from annotation.label_studio.install import VENV_VARIABLE, default_venv
from editjudge.cli.commands import COMMANDS
from editjudge.errors import StorageError
from editjudge.system.environment import user_folder

ASCII_STREAMS = {"PYTHONIOENCODING": "ascii:strict"}
ASCII_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
"""Also the names of files are ASCII there."""
LATIN = {"PYTHONIOENCODING": "latin-1"}

SLOW = ("sft", "curate", "merge")
"""Not run a second time: the locale changes the streams as well."""


@pytest.mark.parametrize(
    ("name", "variables"),
    [*[(name, ASCII_LOCALE) for name in COMMANDS], *[(name, ASCII_STREAMS) for name in COMMANDS if name not in SLOW]],
)
def test_every_command_prints_where_there_is_only_ascii(tmp_path, name, variables):
    folder = tmp_path / "Welt_ü"
    folder.mkdir()
    with example(name, folder) as (arguments, status, shown):
        ran = editjudge(arguments, variables)
    printed = ran.stdout + ran.stderr
    assert "Traceback" not in printed
    assert "Error:" not in printed
    assert ran.returncode == status, printed
    assert printed.isascii()
    assert shown in printed


@pytest.mark.parametrize(
    ("variables", "shown"),
    [
        ({"PYTHONIOENCODING": "latin-1"}, "Schön - \\u5f88\\u597d."),  # read back as Latin-1
        ({"PYTHONIOENCODING": "cp1252:strict"}, "Schön \x96 \\u5f88\\u597d."),
        ({"PYTHONIOENCODING": "utf-8"}, "Schön – 很好.".encode().decode("latin-1")),
        ({"LANG": "C", "LC_ALL": "C"}, "Schön – 很好.".encode().decode("latin-1")),  # Python itself takes UTF-8 then
    ],
)
def test_what_a_terminal_can_show_is_shown_as_it_is(tmp_path, variables, shown):
    with score(tmp_path) as (arguments, _, _):
        ran = editjudge(arguments, variables)
    assert ran.returncode == 0, ran.stderr
    assert shown in ran.stdout


def test_text_that_is_no_unicode_is_printed_too(tmp_path):
    ran = editjudge(["doctor", os.fsdecode(bytes(tmp_path) + b"/\xff")], {})
    assert "Traceback" not in ran.stderr
    assert ran.returncode == 2
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize("variables", [{"TERM": "dumb"}, {"COLUMNS": "1", "TERM": "xterm"}, {"TERM": "xterm"}])
def test_tables_and_bars_on_odd_terminals(tmp_path, variables):
    """A real terminal that is dumb, or one column wide, and shows ASCII only."""
    main, terminal = pty.openpty()
    shown = b""
    process_arguments = evaluation(tmp_path, "图")
    environment = {key: value for key, value in os.environ.items() if key not in (*STREAMS, "COLUMNS")}
    process = subprocess.Popen(
        [sys.executable, "-m", "editjudge", *process_arguments],
        env=environment | ASCII_STREAMS | variables,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    try:
        while piece := os.read(main, 65536):
            shown += piece
    except OSError:  # Linux says EIO at the end of a terminal's output
        pass
    os.close(main)
    assert process.wait(60) == 0, shown.decode()
    assert shown.isascii()
    assert b"report: " in shown


CLOSED = [
    ("ls | head -n 1", "sources"),
    ("--help | head -n 1", "Build"),
    ("curate --help | head -c 5", "usage"),
    (f"check {CURATE} | head -n 1", "no mistakes"),
    (f"check {CURATE} | true", ""),
    ("ls 2>&1 | true", ""),
    ("no-such-command 2>&1 | true", ""),
    ("ls >&-", ""),
    ("no-such-command >&- 2>&-", ""),
    ("ls <&- | head -n 1", "sources"),
]


@pytest.mark.parametrize(("line", "shown"), CLOSED)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_closed_pipe_is_no_error(line, shown, unbuffered):
    bash = shutil.which("bash")
    script = f"{{ {sys.executable} -m editjudge {line}; }} 2>&1"
    if "2>" in line:
        script = script.removesuffix(" 2>&1")
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run([bash, "-c", script], capture_output=True, text=True, env=environment, cwd=ROOT, check=False)
    assert "Traceback" not in done.stdout + done.stderr
    assert "Error" not in done.stdout + done.stderr
    assert shown in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("arguments", [["ls"], ["--help"], ["check", str(CURATE)]])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_behind_the_output_is_one_line(arguments, unbuffered):
    with Path("/dev/full").open("w") as full:
        ran = editjudge(arguments, {"PYTHONUNBUFFERED": unbuffered}, capture_output=False, stdout=full, stderr=-1)
    assert ran.returncode == 1
    assert "No space left on device" in ran.stderr
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize("script", [["-m", "editjudge", "sft"], [str(ROOT / "sft" / "train.py")]])
def test_training_started_as_a_file_prints_as_the_command_does(tmp_path, script):
    recipe = make_run(tmp_path, tmp_path / "图")
    command = [sys.executable, *script, str(recipe)]
    environment = {key: value for key, value in os.environ.items() if key not in STREAMS} | ASCII_LOCALE
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT, check=False)
    assert "Traceback" not in ran.stderr
    assert "\\u56fe" in ran.stderr
    assert ran.returncode in (1, 2)


def test_a_folder_that_was_removed_is_one_line(tmp_path):
    (tmp_path / "gone").mkdir()
    commands = f"cd {tmp_path}/gone && rmdir {tmp_path}/gone && exec {sys.executable} -m editjudge"
    for arguments, status in (("doctor", 1), (f"check {CURATE}", 0), ("--help", 0)):
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        line = [shutil.which("bash"), "-c", f"{commands} {arguments}"]
        done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
        (tmp_path / "gone").mkdir()
        assert "Traceback" not in done.stderr
        assert done.returncode == status, done.stderr
        if status:
            assert "current folder" in done.stderr


def test_without_git_home_and_temporary_folder(tmp_path):
    """No program on PATH, no HOME, a TMPDIR that is not there, and a locale with decimal commas."""
    variables = {"PATH": "", "TMPDIR": str(tmp_path / "nowhere"), "TERM": "dumb", "LC_NUMERIC": "de_DE.UTF-8"}
    environment = {key: value for key, value in os.environ.items() if key not in (*STREAMS, "HOME")} | variables
    command = [sys.executable, "-m", "editjudge", *evaluation(tmp_path, "out")]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_user_without_a_home_is_told_which_variable_to_set(monkeypatch, tmp_path):
    def unknown(number):
        raise KeyError(f"getpwuid(): uid not found: {number}")

    for name in ("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", VENV_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)  # as in a container started with a user number of its own
    with pytest.raises(StorageError, match="XDG_DATA_HOME"):
        default_home(tmp_path)
    with pytest.raises(StorageError, match="XDG_CACHE_HOME"):
        default_venv()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert user_folder("cache") == tmp_path / "editjudge"
