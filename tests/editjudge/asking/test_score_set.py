"""Scoring a set of edits without any labels: cards in a folder, once, and whole after an interruption."""

from __future__ import annotations

import pytest
from eval_world import PixelEngine, write_benchmark

from editjudge.asking.judge import Judge
from editjudge.asking.score_set import score_set
from editjudge.engines.base import Sampling
from editjudge.errors import EngineError, StaleOutputError
from editjudge.files.io import read_jsonl
from editjudge.records.types import PreferencePair


class Failing(PixelEngine):
    """Cannot work after some requests; the same engine otherwise."""

    left: int

    @property
    def identity(self) -> str:
        return PixelEngine().identity

    def answer(self, request, sampling):
        object.__setattr__(self, "left", self.left - 1)
        if self.left < 0:
            raise EngineError("the server is gone")
        return super().answer(request, sampling)


@pytest.fixture(scope="module")
def edits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("edits")
    pairs = read_jsonl(write_benchmark(folder, groups=4), PreferencePair)
    return folder, list({triplet.id: triplet for pair in pairs for triplet in (pair.better, pair.worse)}.values())


def judge(engine, seed=0):
    return Judge(engine, "brief-v1", sampling=Sampling(temperature=0), seed=seed, retries=0, chunk=2)


def test_cards_in_the_order_of_the_edits_and_nothing_is_asked_twice(tmp_path, edits):
    root, triplets = edits
    with pytest.raises(EngineError, match="gone"):
        score_set(judge(Failing(left=16)), iter(triplets), root, tmp_path, 4)
    assert len(list(tmp_path.glob("shards/*.done.json"))) == 2  # of 12 edits; two questions about each
    resumed = Failing(left=8)
    found = score_set(judge(resumed), iter(triplets), root, tmp_path, 4)
    assert resumed.left == 0
    assert [card.triplet for card in found.cards()] == triplets
    assert found.usage["judgments"] == 24
    assert found.unreadable == {}
    assert {path.name for path in tmp_path.iterdir()} == {"cards.jsonl", "cards.done.json"}
    whole = score_set(judge(PixelEngine()), triplets, root, tmp_path / "whole", 4)
    assert (tmp_path / "cards.jsonl").read_bytes() == (whole.folder / "cards.jsonl").read_bytes()


def test_cards_of_another_judge_or_of_other_edits_are_refused(tmp_path, edits):
    root, triplets = edits
    score_set(judge(PixelEngine()), triplets[:6], root, tmp_path, 4)
    with pytest.raises(StaleOutputError, match="seed"):
        score_set(judge(PixelEngine(), seed=1), triplets[:6], root, tmp_path, 4)
    with pytest.raises(StaleOutputError, match="triplets"):
        score_set(judge(PixelEngine()), triplets, root, tmp_path, 4)
