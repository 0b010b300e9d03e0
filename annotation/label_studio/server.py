"""Start, recognise (by its token) and stop the local Label Studio server of a campaign."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from annotation.label_studio.client import Studio, StudioError
from annotation.label_studio.home import Credentials, Home, ServerState

HOST = "127.0.0.1"
PORTS_TRIED = 20
"""Number of ports, from the preferred one upwards."""
ANSWER_S = 10.0
"""Time-out, in seconds, after which a server counts as not running."""
CLOCK_S = 2.0
"""Tolerance for a process's start time, in seconds: it is relative to a boot time that clock changes move."""
STOP_S = 15.0
"""Seconds after which a server that does not end on request is killed."""


@dataclass(frozen=True)
class Running:
    """A server that accepted our own token."""

    url: str
    pid: int
    new: bool
    """Whether this call started it."""


def start(home: Home, program: Path, served: Path, port: int, timeout_s: float) -> Running:
    """Start the home's server unless it is running, and return it. `StudioError` when it does not start.

    It listens on the loopback address only. A server of this home that does not answer is ended first.
    """
    home.prepare()
    (served / "images").mkdir(parents=True, exist_ok=True)
    root = str(served.resolve())
    with home.locked():
        credentials = home.make_credentials()
        state = home.state()
        if state is not None and _lives(state):
            check_serves(home, served)
            if answers_to(address(state.port), credentials):
                return Running(address(state.port), state.pid, new=False)
            _end(state.pid)
        home.forget_state()
        for candidate in range(port, port + PORTS_TRIED):
            if not _is_free(candidate):
                continue
            running = start_on(home, program, root, candidate, credentials, timeout_s)
            if running is not None:
                return running
    raise StudioError(
        f"ports {port} to {port + PORTS_TRIED - 1} of {HOST} are all taken by other programs; choose another "
        "server.local.port"
    )


def running(home: Home) -> Running | None:
    """Return the home's server if it is running and accepts our token, else None."""
    state, credentials = home.state(), home.credentials()
    if state is None or credentials is None or not _lives(state):
        return None
    url = address(state.port)
    return Running(url, state.pid, new=False) if answers_to(url, credentials) else None


def check_serves(home: Home, served: Path) -> None:
    """Raise `StudioError` when the home's server serves the images of another campaign."""
    state = home.state()
    if state is not None and state.root != str(served.resolve()):
        raise StudioError(
            f"{home.folder}: its server runs for another campaign, whose images are in {state.root}; "
            "give this one its own server.local.data"
        )


def stop(home: Home) -> bool:
    """End the home's server and return whether one was running. Other processes are never touched."""
    if not home.folder.is_dir():
        return False
    with home.locked():
        state = home.state()
        if state is None:
            return False
        lived = _lives(state)
        if lived:
            _end(state.pid)
        home.forget_state()
        return lived


def wait(home: Home, pid: int, every_s: float = 0.5) -> None:
    """Wait until the process has ended."""
    state = home.state()
    while state is not None and state.pid == pid and _lives(state):
        time.sleep(every_s)
        state = home.state()


def address(port: int) -> str:
    """Return a local server's URL."""
    return f"http://{HOST}:{port}"


def answers_to(url: str, credentials: Credentials) -> bool:
    """Whether a Label Studio at `url` accepts our secret token, which identifies it as ours."""
    try:
        with Studio(url, credentials.token, ANSWER_S) as studio:
            return studio.whoami() == credentials.user
    except StudioError:
        return False


def start_on(
    home: Home, program: Path, root: str, port: int, credentials: Credentials, timeout_s: float
) -> Running | None:
    """Start on this port; None if another program took it: Label Studio would silently use another one."""
    process = _spawn(home, program, root, port, credentials)
    started = _started(process.pid)
    state = ServerState(process.pid, 0.0 if started is None else started, port, root)
    home.write_state(state)
    deadline = time.monotonic() + timeout_s
    try:
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise StudioError(
                    f"Label Studio ended at once with status {process.returncode}:\n{_log_end(home, credentials)}"
                )
            if not _is_free(port):
                if answers_to(address(port), credentials):
                    return Running(address(port), process.pid, new=True)
                if _moved_on(home, port):
                    break
            time.sleep(0.25)
        else:
            raise StudioError(
                f"Label Studio did not answer on {address(port)} within {timeout_s:g} s; raise "
                f"server.local.start_timeout_s. The end of {home.log}:\n{_log_end(home, credentials)}"
            )
    except BaseException:
        _end(process.pid)
        home.forget_state()
        raise
    _end(process.pid)
    home.forget_state()
    return None


def _spawn(home: Home, program: Path, root: str, port: int, credentials: Credentials) -> subprocess.Popen[bytes]:
    command = [str(program), "start", "--no-browser", "--internal-host", HOST, "--port", str(port)]
    with os.fdopen(os.open(home.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as log:
        # In a new session, Ctrl-C reaches only the command, which then stops the server cleanly.
        return subprocess.Popen(
            [*command, "--log-level", "WARNING"],
            env=environment(home, root, credentials),
            cwd=home.folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def environment(home: Home, root: str, credentials: Credentials) -> dict[str, str]:
    """Return the server's environment variables: folder, first user and images; its telemetry is off."""
    foreign = ("LABEL_STUDIO_", "DJANGO_", "POSTGRE_", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    return kept | {
        "LABEL_STUDIO_BASE_DATA_DIR": str(home.folder.resolve()),
        "LABEL_STUDIO_USERNAME": credentials.user,
        "LABEL_STUDIO_PASSWORD": credentials.password,
        "LABEL_STUDIO_USER_TOKEN": credentials.token,
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": root,
        "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
        "COLLECT_ANALYTICS": "false",
        "LATEST_VERSION_CHECK": "false",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
        "FEATURE_FLAGS_OFFLINE": "true",
    }


def _is_free(port: int) -> bool:
    """Whether no program listens on the port. Closing connections do not count."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _moved_on(home: Home, port: int) -> bool:
    """Whether the server's log reports another port than ours."""
    text = home.log.read_text(encoding="utf-8", errors="replace") if home.log.exists() else ""
    return any(f"Port {port} is in use" in line for line in text.splitlines())


def _log_end(home: Home, credentials: Credentials) -> str:
    text = home.log.read_text(encoding="utf-8", errors="replace") if home.log.exists() else ""
    for secret in (credentials.password, credentials.token):
        text = text.replace(secret, "***")
    return "\n".join(text.strip().splitlines()[-12:])


def _lives(state: ServerState) -> bool:
    """Whether the started process is still running; another process may have its number now."""
    started = _started(state.pid)
    return started is not None and abs(started - state.started) < CLOCK_S


def _started(pid: int) -> float | None:
    """Return a process's start time in seconds since 1970; None for a missing or zombie process."""
    try:
        process = psutil.Process(pid)
        return process.create_time() if _runs(process) else None
    except psutil.NoSuchProcess:
        return None


def _runs(process: psutil.Process) -> bool:
    """Whether a process is running; a zombie is not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _end(pid: int) -> None:
    """Terminate a process and its children, and kill those that do not end."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for wish in (psutil.Process.terminate, psutil.Process.kill):
        for member in family:
            with suppress(psutil.NoSuchProcess):
                wish(member)
        deadline = time.monotonic() + STOP_S
        while time.monotonic() < deadline:
            if not any(_runs(member) for member in family):
                return
            time.sleep(0.1)
