from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys

import pytest

from editjudge.system.progress import duration, plain_lines, track


def test_track_gives_the_same_items_and_ends_with_a_line(capfd):
    assert list(track(iter([3, 1, 2]), "reading")) == [3, 1, 2]
    assert list(track([5, 6], "judging")) == [5, 6]
    assert list(track([], "nothing")) == []
    lines = capfd.readouterr().err.splitlines()
    assert [line.partition(" in ")[0] for line in lines] == ["reading: 3", "judging: 2/2", "nothing: 0/0"]


def test_plain_lines_come_in_between(capfd):
    stream = io.StringIO()
    with plain_lines("judging", 4, stream, every_s=0) as advance:
        advance(1)
        advance(2)
    first, second, last = stream.getvalue().splitlines()
    assert re.fullmatch(r"judging: 1/4 \(25%\), [\d.]+/s, about 0 s left", first)
    assert re.fullmatch(r"judging: 3/4 \(75%\), [\d.]+/s, about 0 s left", second)
    assert re.fullmatch(r"judging: 3/4 in 0 s \([\d.]+/s\)", last)


def test_a_quick_loop_writes_one_line_only():
    stream = io.StringIO()
    with plain_lines("judging", None, stream) as advance:
        for _ in range(1000):
            advance(1)
    assert stream.getvalue().count("\n") == 1


def test_an_error_passes_through_and_says_how_far_it_came(capfd):
    def one_item():
        yield 1
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(track(one_item(), "judging", total=3))
    assert capfd.readouterr().err.startswith("judging: 1/3 in")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (59.6, "1 min 00 s"), (125, "2 min 05 s"), (3600, "1 h 00 min"), (11_250, "3 h 07 min")],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_nested_bars_on_a_terminal():
    code = """
from editjudge.system.progress import track
for outer in track(range(2), "shards"):
    for inner in track(range(3), f"judging {outer}"):
        pass
"""
    main, terminal = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    done = subprocess.run([sys.executable, "-c", code], stderr=terminal, env=environment, check=False)
    os.close(terminal)
    shown = b""
    while True:
        try:
            piece = os.read(main, 65536)
        except OSError:  # Linux says EIO at the end of a terminal's output
            break
        if not piece:
            break
        shown += piece
    os.close(main)
    assert done.returncode == 0, shown.decode()
    text = shown.decode()
    assert "shards" in text
    assert "judging 1" in text
    assert "2/2" in text
    assert "3/3" in text
