"""The scripted engine keeps the promises of engines: length, order, and passes that depend on their seed alone."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from factories import make_image
from pydantic import ValidationError

from editjudge.engines.base import Completion, Request, Sampling
from editjudge.engines.scripted import ScriptedEngine

WARM, GREEDY = Sampling(), Sampling(temperature=0)
LETTERS = tuple("abcdefghijklmnop")


def make_request(text: str = "<image>Score it.", seeds: tuple[int, ...] = (0,), image: int = 0) -> Request:
    return Request(text, (make_image(seed=image),), seeds)


def test_a_pass_depends_on_request_and_seed_not_on_the_batch() -> None:
    engine = ScriptedEngine(replies=LETTERS)
    requests = [make_request(image=number, seeds=tuple(range(4))) for number in range(5)]
    together = engine.answer_all(requests, WARM)
    assert together == [engine.answer_all([request], WARM)[0] for request in requests]
    assert engine.answer_all(requests[::-1], WARM) == together[::-1]
    assert engine.answer_all([make_request(seeds=(3,))], WARM)[0].completions[0] == together[0].completions[3]
    texts = [tuple(completion.text for completion in reply.completions) for reply in together]
    assert len(set(texts)) == 5
    assert len({text for row in texts for text in row}) > 5


def test_greedy_passes_are_equal() -> None:
    (reply,) = ScriptedEngine(replies=LETTERS).answer_all([make_request(seeds=tuple(range(8)))], GREEDY)
    assert len(set(reply.completions)) == 1


def test_a_function_decides_text_and_stop() -> None:
    def script(request: Request, seed: int) -> str | Completion:
        return Completion("cut", "length", 9) if seed == 1 else f"{request.text} {seed}"

    (reply,) = ScriptedEngine(replies=script).answer_all([make_request(seeds=(0, 1))], WARM)
    assert reply.completions == (Completion("<image>Score it. 0", "stop", 3), Completion("cut", "length", 9))


def test_requests_that_match_fail_alone() -> None:
    engine = ScriptedEngine(replies=("a",), fail=("pink$", "^never"))
    bad, good = engine.answer_all([make_request("make it pink", (0, 1)), make_request("pink it is")], WARM)
    assert [completion.stop for completion in bad.completions] == ["error", "error"]
    assert "'pink$'" in str(bad.completions[0].error)
    assert good.completions[0].stop == "stop"


def test_latency_is_per_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("editjudge.engines.scripted.time", SimpleNamespace(sleep=waits.append))
    ScriptedEngine(replies=("a",), latency_s=0.1).answer_all([make_request()] * 5, WARM)
    assert waits == [0.1]


def test_identity() -> None:
    engines = [
        ScriptedEngine(replies=("a",)),
        ScriptedEngine(replies=("b",)),
        ScriptedEngine(replies=("a",), name="other"),
        ScriptedEngine(replies=("a",), fail=("x",)),
    ]
    assert len({engine.identity for engine in engines}) == 4
    assert ScriptedEngine(replies=("a",), latency_s=1).identity == engines[0].identity


@pytest.mark.parametrize("parameters", [{"replies": []}, {"replies": ["a"], "fail": ["("]}, {"replies": [1]}, {}])
def test_bad_parameters(parameters: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ScriptedEngine.model_validate(parameters)
