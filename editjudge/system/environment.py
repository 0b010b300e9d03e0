"""Adapting a command to its machine: terminals, locales, pipes, proxies, user folders."""

from __future__ import annotations

import codecs
import errno
import os
import select
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Literal, TextIO

from editjudge.errors import StorageError
from editjudge.system.network import spare_loopback

_ERRORS = "editjudge"
"""Name of our error handler for characters that a terminal cannot show."""

_PLAIN = {"–": "-", "−": "-", "×": "x", "…": "...", "•": "*", "‘": "'", "’": "'", "“": '"', "”": '"'}
"""ASCII replacements of characters in our own messages and rich's."""

_OF_THE_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE)
"""Errors of the machine, not of our code: full or read-only disk, too many open files."""


def prepare() -> None:
    """Make this process and its children work on any terminal and behind any proxy. Call it first in a command.

    Restarts the process once when the locale is not UTF-8, because files named by a recipe could not be opened.
    """
    _open_missing_streams()
    _use_utf8()
    _print_anything()
    spare_loopback()


def _open_missing_streams() -> None:
    """Redirect streams closed by the caller (`>&-`) to nowhere; otherwise the next opened file would get their number,
    and receive what libraries print."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - for good


def _use_utf8() -> None:
    """Restart in Python's UTF-8 mode (PEP 540) when file names have another encoding, such as ASCII.

    Output keeps the terminal's encoding.
    """
    if sys.flags.utf8_mode or sys.getfilesystemencoding() == "utf-8" or "EDITJUDGE_UTF8" in os.environ:
        return
    os.environ |= {
        "EDITJUDGE_UTF8": "1",  # restart at most once
        "PYTHONUTF8": "1",
        "PYTHONIOENCODING": f"{sys.stdout.encoding}:backslashreplace",
    }
    os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])


def _print_anything() -> None:
    """Never fail for a character that the terminal or pipe cannot show, here and in child processes."""
    codecs.register_error(_ERRORS, _in_plain)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=_ERRORS)
    encoding = os.environ.get("PYTHONIOENCODING", "").partition(":")[0]
    os.environ["PYTHONIOENCODING"] = f"{encoding}:backslashreplace"


def _in_plain(error: UnicodeError) -> tuple[str, int]:
    """Replace a character by its nearest ASCII, else by Python's escape (codec error handler)."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    shown = (_PLAIN.get(character) for character in error.object[error.start : error.end])
    escaped = (
        text or character.encode("ascii", "backslashreplace").decode("ascii")
        for text, character in zip(shown, error.object[error.start : error.end], strict=True)
    )
    return "".join(escaped), error.end


def flush() -> str | None:
    """Flush the output. Return the error in one line; "" when the reader (`| head`) has closed the pipe.

    The stream is then redirected to nowhere, so that Python does not report the error again at exit.
    """
    problem = None
    for stream, name in ((sys.stdout, "standard output"), (sys.stderr, "standard error")):
        try:
            stream.flush()
        except (OSError, ValueError) as error:
            _lead_nowhere(stream)
            gone = isinstance(error, BrokenPipeError)
            problem = problem or ("" if gone else f"{name} cannot be written ({error})")
    return problem


def reader_left() -> bool:
    """Return whether standard output or standard error is a pipe without a reader."""
    poll = select.poll()
    for number in (1, 2):
        poll.register(number, select.POLLERR)
    return any(events & select.POLLERR for _, events in poll.poll(0))


def _lead_nowhere(stream: TextIO) -> None:
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    except (OSError, ValueError):
        return


def explain(error: OSError) -> str | None:
    """Return an operating system error caused by the machine in one line; None for all others.

    Returns "" when the reader of a pipe (`| head`) has closed it.
    """
    if isinstance(error, BrokenPipeError):
        return "" if reader_left() else None
    try:
        os.getcwd()
    except FileNotFoundError:
        return "the current folder no longer exists; change into another one and run the command again"
    try:
        tempfile.gettempdir()
    except FileNotFoundError as missing:
        return f"{missing.strerror}; set the environment variable TMPDIR to a folder that can be written"
    if error.errno in _OF_THE_MACHINE:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}"
    return None


def user_folder(kind: Literal["cache", "data"]) -> Path:
    """Return EditJudge's folder for user data, or for data that can be regenerated, at the system's usual place.

    XDG_DATA_HOME and XDG_CACHE_HOME override it. Raises `StorageError` without a home folder, such as for a user id
    that is unknown in a container.
    """
    from platformdirs import user_cache_path, user_data_path

    with suppress(RuntimeError):
        folder = user_cache_path("editjudge") if kind == "cache" else user_data_path("editjudge")
        if folder.is_absolute():
            return folder
    raise StorageError(
        f"this user has no home folder (HOME is not set); set the environment variable XDG_{kind.upper()}_HOME to a "
        "folder that can be written"
    )
