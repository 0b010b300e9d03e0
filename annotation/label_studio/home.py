"""The folder of a local Label Studio: database, log, process state, and secrets that only their owner can read."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock

from editjudge.errors import DataError, StorageError
from editjudge.files.io import atomic_write, digest, read_json
from editjudge.system.environment import user_folder

USER = "admin@editjudge.local"
"""The first account of a local server."""


@dataclass(frozen=True)
class Credentials:
    """User, password and token. Never printed: `repr` and messages omit the secrets."""

    user: str
    password: str = field(repr=False)
    token: str = field(repr=False)


@dataclass(frozen=True)
class ServerState:
    """Process, port and image folder of the last started server."""

    pid: int
    started: float
    """Start time of the process, in seconds since 1970; a later process can have the same number."""
    port: int
    root: str
    """The folder whose images it serves, resolved."""


@dataclass(frozen=True)
class Home:
    """The folder of one local server."""

    folder: Path

    @property
    def log(self) -> Path:
        """The server's output."""
        return self.folder / "server.log"

    @property
    def credentials_file(self) -> Path:
        """User, password and token."""
        return self.folder / "credentials.json"

    @property
    def state_file(self) -> Path:
        """Process and port of the server."""
        return self.folder / "server.json"

    def prepare(self) -> None:
        """Make the folder, accessible to its owner only. `StorageError` when that fails."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.folder.chmod(0o700)
        except OSError as error:
            raise StorageError(
                f"{self.folder}: cannot be made or closed to others ({error.strerror}); "
                "choose another folder: server.local.data"
            ) from error

    def credentials(self) -> Credentials | None:
        """Return the stored credentials, or None. `DataError` for a damaged file."""
        if not self.credentials_file.exists():
            return None
        self.credentials_file.chmod(0o600)
        try:
            values = read_json(self.credentials_file)
            return Credentials(**{name: str(values[name]) for name in ("user", "password", "token")})
        except (DataError, KeyError, TypeError) as error:
            raise DataError(
                f"{self.credentials_file}: does not hold user, password and token; put the file back, or start over "
                f"by removing the folder {self.folder} (with it, every annotation that was not pulled)"
            ) from error

    def make_credentials(self) -> Credentials:
        """Return the stored credentials; otherwise make new ones, in a file that only its owner can read."""
        stored = self.credentials()
        if stored is not None:
            return stored
        made = Credentials(USER, secrets.token_urlsafe(18), secrets.token_hex(20))
        text = json.dumps({"user": made.user, "password": made.password, "token": made.token}, indent=2)
        temporary = self.folder / f".tmp-{secrets.token_hex(8)}"
        try:
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
                handle.write(f"{text}\n".encode())
            temporary.replace(self.credentials_file)
        except OSError as error:
            raise StorageError(f"{self.credentials_file}: cannot be written ({error.strerror})") from error
        return made

    def state(self) -> ServerState | None:
        """Return the last started server; None without one or for a damaged file."""
        try:
            values = read_json(self.state_file)
            return ServerState(
                pid=int(values["pid"]),
                started=float(values["started"]),
                port=int(values["port"]),
                root=str(values["root"]),
            )
        except (DataError, KeyError, TypeError, ValueError):
            return None

    def write_state(self, state: ServerState) -> None:
        """Record the server that was just started."""
        atomic_write(self.state_file, json.dumps(state.__dict__, indent=2) + "\n")

    def forget_state(self) -> None:
        """Delete the record of a server that has ended."""
        self.state_file.unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Wait until no other command starts or stops the server, then lock it."""
        with FileLock(self.folder / ".lock"):
            yield


def default_home(out: Path) -> Home:
    """Return a campaign's folder below the user's data folder: secrets stay out of repositories."""
    place = out.resolve()
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", place.name).strip("-.") or "campaign"
    return Home(user_folder("data") / "label-studio" / f"{name}-{digest('label-studio', str(place))[:8]}")
