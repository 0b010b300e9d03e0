from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from importlib import metadata

import pytest
from packaging.requirements import Requirement
from places import ROOT

from editjudge import __version__
from editjudge.__main__ import main, run
from editjudge.cli import catalog, doctor
from editjudge.cli.commands import COMMANDS, load_command
from editjudge.errors import DataError, RecipeError

RECIPE = ROOT / "recipes" / "quickstart" / "curate.yaml"


def fix_recipe(arguments):
    raise RecipeError("a.yaml", ["seed: wrong", "out: missing"])


def fix_data(arguments):
    raise DataError("rows.jsonl:3: broken")


def interrupt(arguments):
    # Python's own handler, called as for Ctrl-C: a suite started in the background has the signal itself ignored.
    signal.default_int_handler(signal.SIGINT, None)


def need_package(arguments):
    raise ModuleNotFoundError("No module named 'httpx'", name="httpx.client")


def own_mistake(arguments):
    raise ModuleNotFoundError("No module named 'curation.nothing'", name="curation.nothing")


def echo(arguments):
    print(arguments)


def count(arguments):
    return len(arguments)


@pytest.mark.parametrize(
    ("function", "status", "message"),
    [
        ("fix_recipe", 2, "a.yaml: seed: wrong\na.yaml: out: missing\n"),
        ("fix_data", 1, "rows.jsonl:3: broken\n"),
        ("interrupt", 130, "editjudge test: interrupted\n"),
        (
            "need_package",
            1,
            "editjudge test: the package httpx is needed and not installed; "
            "install it with: pip install 'editjudge[annotation]'\n",
        ),
        ("echo", 0, ""),
        ("count", 3, ""),
    ],
)
def test_how_a_command_ends(capsys, function, status, message):
    assert run("test", globals()[function], ["a", "b", "c"]) == status
    assert capsys.readouterr().err == message


def test_a_mistake_of_ours_keeps_its_traceback():
    with pytest.raises(ModuleNotFoundError):
        run("test", own_mistake, [])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_exists_and_explains_itself(name, capsys):
    assert callable(load_command(name))
    try:
        status: object = main([*name.split(), "--help"])
    except SystemExit as ended:
        status = ended.code
    assert status == 0
    assert f"usage: editjudge {name}" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"], ["help"]])
def test_help_names_every_command(capsys, arguments):
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert all(f"\n  {name} " in out and command.help in out for name, command in COMMANDS.items())


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"editjudge {__version__}\n"


@pytest.mark.parametrize(
    ("name", "message"),
    [("curat", "no command `curat`; did you mean `curate`?"), ("xyz", f"there are: {', '.join(COMMANDS)}")],
)
def test_an_unknown_command(capsys, name, message):
    assert main([name]) == 2
    assert message in capsys.readouterr().err


def test_help_imports_nothing_that_takes_time():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "editjudge", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "editjudge" in imported
    slow = {"pydantic", "numpy", "PIL", "yaml", "rich", "torch", "transformers", "argparse", "curation", "sft", "eval"}
    assert imported & slow == set()


def test_a_recipe_with_three_mistakes_gives_three_lines_and_status_2(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text("out: x\nsed: 1\nstages: [{use: photograph}]\nparts: {train: {stages: 3}}\n")
    command = [sys.executable, "-m", "editjudge", "check", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert sorted(line.removeprefix(f"{path}: ").partition(":")[0] for line in lines) == [
        "parts.train.stages",
        "sed",
        "stages.0.use",
    ]


def test_a_reader_that_goes_away_is_no_error():
    bash = shutil.which("bash")
    script = f"set -o pipefail; {sys.executable} -m editjudge ls | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run([bash, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stderr == ""
    assert done.returncode in (0, 1)


def test_ls_shows_what_recipes_can_name(capsys):
    assert main(["ls"]) == 0
    out = capsys.readouterr().out
    for title, rows in catalog.catalog().items():
        assert f"{title}:\n" in out
        assert rows, title
        for name, text in rows.items():
            assert text, f"{title}: {name} has no documentation"
    assert "min_side" in out
    assert "quickstart/curate" in out


def test_check_prints_the_resolved_recipe(capsys):
    assert main(["check", str(RECIPE), "seed=41"]) == 0
    out = capsys.readouterr().out
    assert "no mistakes (curation recipe)" in out
    assert f"run it with: editjudge curate {RECIPE} seed=41\n" in out
    assert "\nseed: 41\n" in out


def test_doctor_on_this_machine(capsys, tmp_path):
    status = main(["doctor", str(tmp_path / "runs")])
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert status == (1 if any(line.startswith("problem ") for line in lines) else 0)
    assert f"ok       pydantic {metadata.version('pydantic')}" in lines
    assert f"ok       {tmp_path} can be written" in lines


def test_doctor_refuses_a_file_as_out(capsys, tmp_path):
    (tmp_path / "runs").write_text("")
    assert main(["doctor", str(tmp_path / "runs")]) == 1
    assert f"problem  {tmp_path}/runs is a file; choose another `out`" in capsys.readouterr().out


def test_doctor_imports_nothing_heavy():
    code = """
import sys
from editjudge.__main__ import main
main(["doctor"])
print({"torch", "transformers"} & {*sys.modules})"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


@pytest.mark.parametrize(
    ("version", "bounds", "level"),
    [
        ("2.13.0+cpu", ">=2.11,<2.14", "ok"),
        ("2.14.0", ">=2.11,<2.14", "problem"),
        ("1.16.0", "==1.16", "ok"),
        ("2.3.9", "~=2.3", "ok"),
        ("3.0", "~=2.3", "problem"),
        ("3.0rc1", "<3", "problem"),
        ("2.14.0rc1", ">=2.11,<2.15", "problem"),  # PEP 440: a release candidate is not meant unless it is named
        ("2.14.0rc1", ">=2.14.0rc1", "ok"),
        ("1.0", "", "ok"),
    ],
)
def test_version_ranges(version, bounds, level):
    assert doctor.check_package(Requirement(f"torch{bounds}"), "train", version).level == level


@pytest.mark.parametrize(
    ("line", "needed"),
    [
        ("PyYAML>=6", (True, None)),
        ('torch<2.14,>=2.11; extra == "train"', (True, "train")),
        ("editjudge[train]; extra == 'dev'", (True, "dev")),
        ('tomli; python_version < "3"', (False, None)),
        ('tomli; python_version < "3" and extra == "train"', (False, None)),
    ],
)
def test_who_needs_a_package(line, needed):
    assert doctor.needed_by(Requirement(line), ["train", "dev"]) == needed


@pytest.mark.parametrize(("extra", "level"), [(None, "problem"), ("train", None)])
def test_a_missing_package_is_a_problem_unless_it_is_optional(extra, level):
    finding = doctor.check_package(Requirement("pydantic>=2.10"), extra, None)
    assert (finding.level if finding else None) == level


@pytest.mark.parametrize(("torch", "problems"), [("2.13.0+cpu", 1), ("2.13.0", 0), ("2.13.0+cu130", 0), (None, 0)])
def test_doctor_sees_a_cpu_build_beside_a_gpu(torch, problems):
    assert len([*doctor.check_build(torch)]) == problems


def test_doctor_names_a_proxy_setting_that_cannot_be_used(capsys, monkeypatch):
    monkeypatch.setenv("all_proxy", "socks4://127.0.0.1:1080")
    monkeypatch.setenv("no_proxy", "localhost,127.0.0.1,::1")
    assert main(["doctor"]) == 1
    assert (
        "problem  the environment variable all_proxy cannot be used: 'socks4://127.0.0.1:1080'"
        in capsys.readouterr().out
    )
