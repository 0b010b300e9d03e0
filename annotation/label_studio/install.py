"""Install Label Studio into its own virtual environment: its pinned versions conflict with other packages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from filelock import FileLock

from annotation.label_studio.client import StudioError
from editjudge.errors import DataError, StorageError
from editjudge.files.io import read_json, write_json
from editjudge.system.environment import user_folder

REQUIREMENT = "label-studio>=1.23.2,<1.24"
"""The versions with which pages and answers were tested."""

VENV_VARIABLE = "EDITJUDGE_LABEL_STUDIO_VENV"


def default_venv() -> Path:
    """Return the environment of all campaigns: the folder in the variable, or one in the user's cache."""
    named = os.environ.get(VENV_VARIABLE)
    if named:
        return Path(named)
    return user_folder("cache") / "label-studio-1.23"


def installed(venv: Path) -> bool:
    """Whether the environment is completely installed, with the required version."""
    try:
        return bool(read_json(_stamp(venv)) == {"requirement": REQUIREMENT}) and program(venv).exists()
    except DataError:
        return False


def program(venv: Path) -> Path:
    """Return the path of the server's program."""
    return venv / "bin" / "label-studio"


def ensure_installed(venv: Path) -> Path:
    """Install the server if needed, and return the path of its program. An interrupted installation is repeated.

    `StudioError` with the end of pip's output when it fails.
    """
    try:
        venv.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(venv.with_name(f"{venv.name}.lock"))
        lock.acquire()  # of two commands at once, the second waits and finds it installed
    except OSError as error:
        raise StorageError(
            f"{venv.parent}: cannot be written ({error.strerror}); choose another server.local.venv"
        ) from error
    try:
        if not installed(venv):
            _install(venv)
    finally:
        lock.release()
    return program(venv)


def _install(venv: Path) -> None:
    if venv.exists() and any(venv.iterdir()):
        if not (venv / "pyvenv.cfg").is_file():
            raise StudioError(
                f"{venv}: holds other files and is no virtual environment; choose another server.local.venv"
            )
        print(
            f"The installation in {venv} is incomplete or of another version; it is installed again.", file=sys.stderr
        )
        shutil.rmtree(venv)
    log = venv.with_name(f"{venv.name}.log")
    print(
        f"Installing Label Studio into {venv}: about 1.5 GB, a few minutes, only once. What pip says: {log}",
        file=sys.stderr,
        flush=True,
    )
    with log.open("w", encoding="utf-8") as output:
        _step([sys.executable, "-m", "venv", str(venv)], output.fileno(), log)
        pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check"]
        _step([*pip, "--no-input", "--progress-bar", "off", REQUIREMENT], output.fileno(), log)
    if not program(venv).exists():
        raise StudioError(f"{venv}: pip said it installed {REQUIREMENT}, but there is no {program(venv)}; see {log}")
    write_json(_stamp(venv), {"requirement": REQUIREMENT})


def _step(command: list[str], output: int, log: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment, check=False
    )
    if done.returncode != 0:
        last = "\n".join(log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-8:])
        raise StudioError(
            f"Label Studio could not be installed: `{' '.join(command)}` ended with {done.returncode}:\n{last}\n"
            "Check the connection and the disk, then run the command again; it starts afresh."
        )


def _stamp(venv: Path) -> Path:
    return venv / "installed.json"
