"""The local Label Studio server of a campaign: started, recognised by its token, stopped."""

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
"""From the preferred port upwards."""
ANSWER_S = 10.0
"""A server that says nothing for so long does not run."""
CLOCK_S = 2.0
"""By how much the start of one process may seem to differ: the system counts from a boot time that clocks move."""
STOP_S = 15.0
"""A server that has not ended this long after it was asked to is killed."""


@dataclass(frozen=True)
class Running:
    """A server that answered to our own token."""

    url: str
    pid: int
    new: bool
    """Whether it was started by this call."""


def start(home: Home, program: Path, served: Path, port: int, timeout_s: float) -> Running:
    """The home's server, started unless it runs already. `StudioError` when it does not come up.

    It listens on the loopback address only. A server of this home that no longer answers is ended first.
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
    """The home's server when it runs and answers to our token, else None. Starts nothing."""
    state, credentials = home.state(), home.credentials()
    if state is None or credentials is None or not _lives(state):
        return None
    url = address(state.port)
    return Running(url, state.pid, new=False) if answers_to(url, credentials) else None


def check_serves(home: Home, served: Path) -> None:
    """`StudioError` when the home's server gives out the images of another campaign."""
    state = home.state()
    if state is not None and state.root != str(served.resolve()):
        raise StudioError(
            f"{home.folder}: its server runs for another campaign, whose images are in {state.root}; "
            "give this one its own server.local.data"
        )


def stop(home: Home) -> bool:
    """End the home's server; whether there was one. Processes that are not its own are never touched."""
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
    """Return when the process has ended."""
    state = home.state()
    while state is not None and state.pid == pid and _lives(state):
        time.sleep(every_s)
        state = home.state()


def address(port: int) -> str:
    """Where a local server is found."""
    return f"http://{HOST}:{port}"


def answers_to(url: str, credentials: Credentials) -> bool:
    """Whether a Label Studio answers there that knows our secret token, and so is ours."""
    try:
        with Studio(url, credentials.token, ANSWER_S) as studio:
            return studio.whoami() == credentials.user
    except StudioError:
        return False


def start_on(
    home: Home, program: Path, root: str, port: int, credentials: Credentials, timeout_s: float
) -> Running | None:
    """Start on this very port; None when another program took it first: Label Studio would move on silently."""
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
        # A session of its own: Ctrl-C reaches the command, which then ends the server in order.
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
    """Environment of the server: its folder, its first user, whose images; nothing is reported to its makers."""
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
    """Whether nobody listens there. Connections that are being closed do not count."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _moved_on(home: Home, port: int) -> bool:
    """Whether the server says that it took another port than ours."""
    text = home.log.read_text(encoding="utf-8", errors="replace") if home.log.exists() else ""
    return any(f"Port {port} is in use" in line for line in text.splitlines())


def _log_end(home: Home, credentials: Credentials) -> str:
    text = home.log.read_text(encoding="utf-8", errors="replace") if home.log.exists() else ""
    for secret in (credentials.password, credentials.token):
        text = text.replace(secret, "***")
    return "\n".join(text.strip().splitlines()[-12:])


def _lives(state: ServerState) -> bool:
    """Whether the very process that was started still runs; its number may belong to another by now."""
    started = _started(state.pid)
    return started is not None and abs(started - state.started) < CLOCK_S


def _started(pid: int) -> float | None:
    """When a process was started, in seconds since 1970; None when there is none, or only its remains."""
    try:
        process = psutil.Process(pid)
        return process.create_time() if _runs(process) else None
    except psutil.NoSuchProcess:
        return None


def _runs(process: psutil.Process) -> bool:
    """Whether a process has not ended; one that its parent has not asked about yet has."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _end(pid: int) -> None:
    """Ask a process and those that it started to end, and kill those that do not."""
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
