"""Probes: a judge that sees passes, one that guesses, reads no instruction, or depends on its batch does not."""

import json

import numpy as np
import pytest
from eval_world import write_benchmark
from factories import make_image
from PIL import Image

from editjudge.asking.judge import Judge
from editjudge.engines.base import Completion, Engine, Reply, Sampling
from editjudge.engines.cache import CachedEngine
from editjudge.errors import StaleOutputError
from editjudge.images.store import ImageStore
from editjudge.statistics.estimate import Estimate
from editjudge.statistics.shares import exact_share
from eval.benchmarks.pairs import Pairs
from eval.evaluations.scoring import evaluate
from eval.probes import MUST_FALL, Probes, run_probes
from eval.probes.questions import Altered, couples_of

GREEDY = Sampling(temperature=0)


class Seeing(Engine):
    """Compares images and instruction as a sound judge does; faults can be built in."""

    identity = "seeing"

    def __init__(self, blind=False, deaf=False, by_batch=False, fragile=False):
        self.blind, self.deaf, self.by_batch, self.fragile = blind, deaf, by_batch, fragile
        self.asked = 0

    def generate(self, requests, sampling):
        self.asked += len(requests)
        return ((place, self._reply(request, place)) for place, request in enumerate(requests))

    def _reply(self, request, place):
        images = [np.asarray(image, dtype=float) for image in request.images]
        after = images[-1]
        if self.fragile:  # reads one pixel: not to be trusted after a round trip
            success = after[5, 5, 0] % 7
        elif len(images) == 2:
            # The edit brightens; whoever swaps before and after sees it darken.
            success = 12.5 + (after.mean() - images[0].mean()) * 2 if not np.array_equal(*images) else 0
        else:
            success = 20 if after.any() else 0
        if not self.deaf and len(images) == 2 and self._asks_otherwise(request, after):
            success = 1
        if self.blind:
            success = 15
        if self.by_batch:
            success = min(success, 20) + 0.01 * (place // 2)
        scores = np.clip([success, success], 0.5 if success else 0, 25).round(3).tolist()
        return Reply(tuple(Completion(json.dumps({"reasoning": "", "score": scores}), "stop") for _ in request.seeds))

    def _asks_otherwise(self, request, after):
        """The number of the group stands in the instruction and in the last pixel."""
        return f" {int(after[-1, -1, 0])}." not in request.text


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """Outputs brighter than the input by 4, 2 and 0 levels of 1, group number in the last pixel."""
    folder = tmp_path_factory.mktemp("probed")
    path = write_benchmark(folder, groups=12)
    found = Pairs(path=path).load(folder)
    store, before = ImageStore(folder), np.asarray(make_image(seed=999, width=32, height=24))
    pairs = []
    for pair in found.pairs:
        group = int(pair.task.id.removeprefix("task"))
        made = {}
        for triplet in (pair.better, pair.worse):
            rank = int(triplet.editor.removeprefix("editor"))
            pixels = np.clip(before.astype(int) + 4 - 2 * rank, 0, 255).astype(np.uint8)
            pixels[0, 0], pixels[-1, -1] = 200 - 60 * rank, group
            ref = store.add(Image.fromarray(pixels), f"bright/{group}-{rank}.png")
            made[triplet.id] = triplet.model_copy(update={"edited": ref})
        pairs.append(pair.model_copy(update={"better": made[pair.better.id], "worse": made[pair.worse.id]}))
    return type(found)(found.name, found.source, tuple(pairs), folder, found.left_out, found.notes)


def probe(folder, bench, engine, **changes):
    judge = Judge(engine, "brief-v1", sampling=GREEDY, chunk=8)
    evaluation = evaluate(judge, bench, folder, 8, "test")
    return {row.probe: row.as_json() for row in run_probes(judge, evaluation, Probes(**changes))}


def test_a_judge_that_sees_passes(tmp_path, bench):
    rows = probe(tmp_path, bench, Seeing())
    assert len(rows) == 7
    for name in (*MUST_FALL, "batch_position"):
        assert (rows[name]["passed"], rows[name]["n"], rows[name]["unscored"]) == (12, 12, 0), name
        assert rows[name]["rate"]["value"] == 1
        assert rows[name]["rate"]["low"] == pytest.approx(0.025 ** (1 / 12), abs=1e-6)
        assert rows[name]["failed"] == []
    assert all(rows[name]["mean_change"] < 0 for name in MUST_FALL)
    assert rows["black"]["flips"] is None


def test_what_the_engine_promises_is_said_beside_the_batch_probe(tmp_path, bench):
    class Rounding(Seeing):
        batch_effect = "rounding"

    use = ("jpeg", "batch_position")
    silent = probe(tmp_path / "silent", bench, Seeing(), use=use)
    rounding = probe(tmp_path / "rounding", bench, CachedEngine(Rounding(), tmp_path / "cache"), use=use)
    assert silent["batch_position"]["says"].endswith("; the engine does not promise it")
    assert "up to rounding" in rounding["batch_position"]["says"]
    assert rounding["jpeg"] == silent["jpeg"]


def test_a_judge_that_gives_everything_the_same_fails_what_must_fall(tmp_path, bench):
    rows = probe(tmp_path, bench, Seeing(blind=True))
    assert [rows[name]["passed"] for name in MUST_FALL] == [0] * 4
    assert len(rows["black"]["failed"]) == 12
    assert (rows["jpeg"]["passed"], rows["jpeg"]["flips"]) == (12, 0)  # always a tie, before and after


def test_only_the_probe_of_the_fault_fails(tmp_path, bench):
    deaf = probe(tmp_path / "deaf", bench, Seeing(deaf=True))
    assert deaf["other_instruction"]["passed"] == 0
    assert deaf["identical"]["passed"] == deaf["swapped"]["passed"] == 12
    # The instruction's number is lost in a round trip, so it is the deaf judge whose verdicts stay.
    assert deaf["jpeg"]["passed"] == deaf["resize"]["passed"] == 12
    assert deaf["jpeg"]["flips"] == deaf["resize"]["flips"] == 0
    fragile = probe(tmp_path / "fragile", bench, Seeing(fragile=True, deaf=True))
    assert fragile["resize"]["passed"] < 12
    assert 0 < fragile["resize"]["flips"] <= 12 - fragile["resize"]["passed"]
    assert fragile["batch_position"]["passed"] == 12


def test_scores_that_depend_on_the_batch_are_found_behind_a_cache_too(tmp_path, bench):
    engine = CachedEngine(Seeing(by_batch=True), tmp_path / "cache")
    rows = probe(tmp_path / "out", bench, engine, use=("batch_position",))
    assert rows["batch_position"]["passed"] < 12
    assert rows["batch_position"]["mean_change"] > 0


def test_the_batches_come_in_reverse_order(tmp_path, bench):
    class Listening(Seeing):
        def generate(self, requests, sampling):
            heard.append([request.text for request in requests if len(request.images) == 2])
            return super().generate(requests, sampling)

    heard = []
    probe(tmp_path, bench, Listening(), use=("jpeg",))
    forwards = [text for batch in heard[-3:] for text in batch]  # 12 pairs, 8 edits at once
    heard.clear()
    probe(tmp_path, bench, Listening(), use=("batch_position",))
    assert [text for batch in heard for text in batch] == forwards[::-1]
    assert [len(batch) for batch in heard] == [3] * 8


def test_asked_once_and_other_settings_are_refused(tmp_path, bench):
    engine = Seeing()
    first = probe(tmp_path, bench, engine, use=("black", "jpeg"), groups=5)
    asked = engine.asked
    assert asked == 2 * (36 + 5 + 10)
    assert probe(tmp_path, bench, engine, use=("black", "jpeg"), groups=5) == first
    assert engine.asked == asked
    with pytest.raises(StaleOutputError, match="groups: 5 -> 6"):
        probe(tmp_path, bench, engine, use=("black",), groups=6)


def test_nothing_to_lose_is_skipped_and_unreadable_is_not_passed(tmp_path, bench):
    class Zero(Seeing):
        def _reply(self, request, place):
            text = '{"reasoning": "", "score": [0, 0]}'
            return Reply(tuple(Completion(text, "stop") for _ in request.seeds))

    class Mute(Seeing):
        def _reply(self, request, place):
            fine = Seeing._reply(self, request, place)
            return fine if np.asarray(request.images[-1]).any() else Reply((Completion("No.", "stop"),))

    assert [probe(tmp_path / "zero", bench, Zero())["black"][key] for key in ("n", "skipped")] == [0, 12]
    row = probe(tmp_path / "mute", bench, Mute(), use=("black",))["black"]
    assert (row["n"], row["passed"], row["unscored"], row["mean_change"]) == (12, 0, 12, None)


def test_one_pair_per_group_drawn_by_hash(bench):
    few = couples_of(bench, 5, seed=0)
    assert len({couple.better.task.id for couple in few}) == 5
    assert couples_of(bench, 12, seed=0)[:5] == few
    assert couples_of(bench, 5, seed=1) != few


def test_alterations_keep_the_size():
    image = make_image(width=31, height=17)
    altered = Altered(jpeg_quality=50, resize=0.5)
    for changed in (altered.jpeg(image), altered.resized(image)):
        assert changed.size == image.size
        assert np.asarray(changed).tolist() != np.asarray(image).tolist()


def test_exact_interval():
    """Clopper-Pearson of 8 in 10, as tables have it."""
    assert exact_share(8, 10) == Estimate(value=0.8, low=0.443905, high=0.974789)
    assert exact_share(0, 0) == Estimate(value=None, low=None, high=None)
