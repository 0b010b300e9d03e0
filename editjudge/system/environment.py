"""What a command makes of the machine it runs on: terminals, locales, pipes, proxies, folders of the user."""

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
"""Name of our handler for characters that a terminal cannot show."""

_PLAIN = {"–": "-", "−": "-", "×": "x", "…": "...", "•": "*", "‘": "'", "’": "'", "“": '"', "”": '"'}
"""Characters of our own messages and of rich's, in ASCII."""

_OF_THE_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE)
"""Errors that no code of ours causes, wherever they come from: full or read-only disk, too many open files."""


def prepare() -> None:
    """Make this process, and those it starts, work on any terminal and behind any proxy. First thing in a command.

    Restarts the process once where the locale is not UTF-8: files named by a recipe could not be opened otherwise.
    """
    _open_missing_streams()
    _use_utf8()
    _print_anything()
    spare_loopback()


def _open_missing_streams() -> None:
    """Streams closed by the caller (`>&-`) lead nowhere; otherwise the next file that is opened would get their number,
    and what a library prints would end up in it."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - for good


def _use_utf8() -> None:
    """Start again in Python's UTF-8 mode (PEP 540) when file names are in another encoding, such as ASCII.

    What is printed keeps the terminal's encoding.
    """
    if sys.flags.utf8_mode or sys.getfilesystemencoding() == "utf-8" or "EDITJUDGE_UTF8" in os.environ:
        return
    os.environ |= {
        "EDITJUDGE_UTF8": "1",  # whatever happens, once
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
    """A codec error handler: the nearest ASCII of a few characters, else the escape that Python would write."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    shown = (_PLAIN.get(character) for character in error.object[error.start : error.end])
    escaped = (
        text or character.encode("ascii", "backslashreplace").decode("ascii")
        for text, character in zip(shown, error.object[error.start : error.end], strict=True)
    )
    return "".join(escaped), error.end


def flush() -> str | None:
    """Write out what was printed. What went wrong when that fails, in one line; "" when the reader (`| head`) left.

    The stream then leads nowhere, so that Python does not complain once more when it ends.
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
    """Whether standard output or standard error is a pipe that nobody reads any more."""
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
    """An error of the operating system that the machine is to blame for, in one line; None for all others.

    "" when the reader of a pipe (`| head`) left: there is nobody to tell.
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
    """EditJudge's folder for what the user keeps, or for what can be made again, where the system has such folders.

    XDG_DATA_HOME and XDG_CACHE_HOME decide where they are set. `StorageError` when there is no home, as for a user
    number that a container knows no name of.
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
