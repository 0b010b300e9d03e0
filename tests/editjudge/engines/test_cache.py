"""The reply cache: asks once, keeps what it has through kill -9, and is keyed by all that can change a byte."""

from __future__ import annotations

import itertools
import subprocess
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from children import start
from factories import make_image

from editjudge.engines.base import Completion, Engine, Reply, Request, Sampling
from editjudge.engines.cache import CachedEngine
from editjudge.engines.scripted import ScriptedEngine
from editjudge.errors import EngineError, StorageError

SAMPLING = Sampling()


class Recorder(Engine):
    """A scripted engine that notes which passes it was asked for."""

    def __init__(self, **changes: Any) -> None:
        self.asked: list[tuple[str, int]] = []
        self.batches = 0
        self.engine = ScriptedEngine(**({"replies": self._script} | changes))

    def _script(self, request: Request, seed: int) -> str:
        self.asked.append((request.text, seed))
        return f"{request.text} {request.images[0].size} {seed}"

    @property
    def identity(self) -> str:
        return self.engine.identity

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[tuple[int, Reply]]:
        self.batches += 1
        return self.engine.generate(requests, sampling)


def make_request(text: str = "a", seeds: tuple[int, ...] = (0,), **image: int) -> Request:
    return Request(text, (make_image(**image),), seeds)


def test_only_missing_passes_are_asked_and_replies_are_the_same(tmp_path: Path) -> None:
    inner = Recorder()
    cached = CachedEngine(inner, tmp_path / "deep" / "cache")
    requests = [make_request("a", (1, 2)), make_request("b", (1,))]
    first = cached.answer_all(requests, SAMPLING)
    assert first == inner.engine.answer_all(requests, SAMPLING)
    assert cached.identity == inner.identity
    inner.asked.clear()
    more = [make_request("b", (1,)), make_request("c", (5,)), make_request("a", (3, 2, 1))]
    replies = CachedEngine(inner, tmp_path / "deep" / "cache").answer_all(more, SAMPLING)
    assert inner.asked == [("c", 5), ("a", 3)]
    assert replies[0] == first[1]
    assert replies[2].completions[1:] == first[0].completions[::-1]
    assert replies[2].prompt_tokens == first[0].prompt_tokens
    inner.batches = 0
    assert cached.answer_all(more, SAMPLING) == replies
    assert inner.batches == 0


def test_the_same_pass_twice_in_a_batch_is_asked_once(tmp_path: Path) -> None:
    inner = Recorder()
    requests = [make_request("a", (1, 1)), make_request("a", (2, 1))]
    one, two = CachedEngine(inner, tmp_path).answer_all(requests, SAMPLING)
    assert inner.asked == [("a", 1), ("a", 2)]
    assert one.completions[0] == one.completions[1] == two.completions[1]


@pytest.mark.parametrize(
    ("engine", "request_", "sampling"),
    [
        ({"name": "other"}, {}, {}),
        ({}, {"text": "b"}, {}),
        ({}, {"seeds": (1,)}, {}),
        ({}, {"seed": 1}, {}),  # other pixels
        ({}, {"width": 48, "height": 64}, {}),
        ({}, {}, {"temperature": 0.6}),
        ({}, {}, {"top_p": 0.8}),
        ({}, {}, {"top_k": 5}),
        ({}, {}, {"max_new_tokens": 100}),
    ],
)
def test_everything_that_can_change_a_byte_is_in_the_key(
    tmp_path: Path, engine: dict[str, Any], request_: dict[str, Any], sampling: dict[str, Any]
) -> None:
    CachedEngine(Recorder(), tmp_path).answer_all([make_request()], SAMPLING)
    other = Recorder(**engine)
    CachedEngine(other, tmp_path).answer_all([make_request(**request_)], Sampling(**sampling))
    assert len(other.asked) == 1


def test_errors_are_not_stored(tmp_path: Path) -> None:
    request = make_request("a", (1, 2))
    failing = CachedEngine(Recorder(fail=("a",)), tmp_path)
    assert [row.stop for row in failing.answer_all([request], SAMPLING)[0].completions] == ["error", "error"]
    assert failing.answer_all([request], SAMPLING)[0].completions[0].error is not None

    answers = iter([Completion("", "error", 0, "busy"), "fine", "fine at last"])
    flaky = CachedEngine(ScriptedEngine(replies=lambda request, seed: next(answers)), tmp_path)
    assert [row.stop for row in flaky.answer_all([request], SAMPLING)[0].completions] == ["error", "stop"]
    assert [row.text for row in flaky.answer_all([request], SAMPLING)[0].completions] == ["fine at last", "fine"]


def test_a_dead_engine_stays_an_error_and_stores_nothing(tmp_path: Path) -> None:
    class Dead(Recorder):
        def generate(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[tuple[int, Reply]]:
            raise EngineError("no server")

    with pytest.raises(EngineError, match="no server"):
        CachedEngine(Dead(), tmp_path).answer_all([make_request()], SAMPLING)
    alive = Recorder()
    CachedEngine(alive, tmp_path).answer_all([make_request()], SAMPLING)
    assert len(alive.asked) == 1


def test_a_failure_in_a_batch_loses_only_what_was_not_answered(tmp_path: Path) -> None:
    class Failing(Recorder):
        def generate(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[tuple[int, Reply]]:
            yield from itertools.islice(super().generate(requests, sampling), 5)
            raise EngineError("the credit is used up")

    requests = [make_request("a", (seed, 100 + seed)) for seed in range(8)]
    arrived = []
    with pytest.raises(EngineError, match="used up"):
        arrived += [index for index, _ in CachedEngine(Failing(), tmp_path).generate(requests, SAMPLING)]
    alive = Recorder()
    assert len(CachedEngine(alive, tmp_path).answer_all(requests, SAMPLING)) == 8
    assert alive.asked == [("a", seed) for first in (5, 6, 7) for seed in (first, 100 + first)]


def test_a_reply_is_stored_before_it_is_passed_on_and_the_rest_is_not_asked(tmp_path: Path) -> None:
    inner = Recorder()
    replies = CachedEngine(inner, tmp_path).generate([make_request("a", (seed,)) for seed in range(4)], SAMPLING)
    assert next(replies)[0] == 0
    assert inner.asked == [("a", 0)]
    after = Recorder()
    CachedEngine(after, tmp_path).answer_all([make_request("a", (0,))], SAMPLING)  # while the other is still open
    assert after.asked == []


def test_known_replies_come_at_once_and_network_errors_of_the_engine_stay_its_own(tmp_path: Path) -> None:
    class Offline(Recorder):
        def generate(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[tuple[int, Reply]]:
            raise ConnectionError("no route to host")

    CachedEngine(Recorder(), tmp_path).answer_all([make_request("b")], SAMPLING)
    replies = CachedEngine(Offline(), tmp_path).generate([make_request("a"), make_request("b")], SAMPLING)
    assert next(replies)[0] == 1
    with pytest.raises(ConnectionError, match="no route"):
        next(replies)


def test_unusual_text_comes_back_unchanged(tmp_path: Path) -> None:
    text = 'a\x00b\r\n"\u2028\U0001f600 {}'
    cached = CachedEngine(ScriptedEngine(replies=(text,)), tmp_path)
    for _ in range(2):
        assert cached.answer_all([make_request()], SAMPLING)[0].completions[0].text == text


WRITER = """
import os, signal, sys
from pathlib import Path
from factories import make_image
from editjudge.engines.base import Request, Sampling
from editjudge.engines.cache import CachedEngine
from editjudge.engines.scripted import ScriptedEngine

first, last = int(sys.argv[2]), int(sys.argv[3])
def say(request, seed):
    if seed == last:
        os.kill(os.getpid(), signal.SIGKILL)
    return f"reply {seed} " + "x" * 2000

engine = CachedEngine(ScriptedEngine(replies=say), Path(sys.argv[1]))
image = make_image()
for start in range(first, last + 1, 50):  # the killed ones die in the middle of a batch
    batch = [Request("a", (image,), (seed,)) for seed in range(start, start + 50)]
    for index, _ in engine.generate(batch, Sampling()):
        print(start + index, flush=True)
"""
"""Writes replies from the first seed on, and is killed while it is asked for the last."""

UNENDING = 10**9


def start_writer(folder: Path, first: int, last: int = UNENDING) -> subprocess.Popen[str]:
    return start(["-c", WRITER, str(folder), str(first), str(last)], stderr=None)


def numbers(text: str) -> list[int]:
    """The whole lines; a killed process may have left half of one."""
    return [int(line) for line in text.split("\n")[:-1]]


def test_a_killed_writer_loses_nothing_that_it_had_answered(tmp_path: Path) -> None:
    """One is killed while it is asked, one at whatever moment, beside a third that goes on."""
    neighbour = start_writer(tmp_path, 500_000)
    asked = start_writer(tmp_path, 0, last=20)
    answered = numbers(asked.communicate()[0])
    assert answered == list(range(20))
    interrupted = start_writer(tmp_path, 1000)
    assert interrupted.stdout is not None
    answered += [int(interrupted.stdout.readline()) for _ in range(20)]
    interrupted.kill()
    answered += numbers(interrupted.communicate()[0])
    neighbour.kill()
    neighbour.communicate()
    inner = Recorder()
    (reply,) = CachedEngine(inner, tmp_path).answer_all([make_request("a", tuple(answered))], SAMPLING)
    assert len(answered) >= 40
    assert inner.asked == []
    assert [row.text.split()[1] for row in reply.completions] == [str(seed) for seed in answered]


def test_a_cache_may_be_made_by_several_at_once(tmp_path: Path) -> None:
    """SQLite waits for no lock when it changes how a new database is written: one has to do it, the others to wait."""
    together = threading.Barrier(6)

    def work(folder: Path) -> str:
        together.wait()
        (reply,) = CachedEngine(Recorder(), folder).answer_all([make_request("a")], SAMPLING)
        return reply.completions[0].text

    with ThreadPoolExecutor(6) as pool:
        for round_ in range(40):
            assert len(set(pool.map(work, [tmp_path / str(round_)] * 6))) == 1


def test_threads_may_share_it(tmp_path: Path) -> None:
    cached = CachedEngine(Recorder(), tmp_path)
    problems: list[Exception] = []

    def work(first: int) -> None:
        try:
            for seed in range(first, first + 20):
                cached.answer_all([make_request("a", (seed,))], SAMPLING)
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(10 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    after = Recorder()
    CachedEngine(after, tmp_path).answer_all([make_request("a", tuple(range(50)))], SAMPLING)
    assert after.asked == []


@pytest.mark.parametrize("damage", ["not a database", "a folder in its place", "a file as the folder"])
def test_an_unusable_cache_is_a_clear_error(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "cache"
    if damage == "not a database":
        folder.mkdir()
        (folder / "replies.sqlite").write_bytes(b"garbage" * 1000)
    elif damage == "a folder in its place":
        (folder / "replies.sqlite").mkdir(parents=True)
    else:
        folder.write_text("a file")
    inner = Recorder()
    with pytest.raises(StorageError, match=r"replies\.sqlite: "):
        CachedEngine(inner, folder).answer_all([make_request()], SAMPLING)
    assert inner.asked == []
