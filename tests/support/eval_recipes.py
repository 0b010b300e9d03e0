"""Recipes and engines that several tests of evaluations and sweeps use."""

from __future__ import annotations

import json
from pathlib import Path

from eval_world import PixelEngine

from editjudge.asking.recipe import JudgeRecipe
from editjudge.engines.base import Completion, Reply
from editjudge.errors import (
    EngineError,
)
from eval.checkpoints.recipe import SweepRecipe
from eval.external import read_scores
from eval.external.reading import ScoresFile
from eval.recipe import EvalRecipe


def eval_recipe(out: Path, pairs: Path, engine: PixelEngine | None = None, **changes) -> EvalRecipe:
    engine = PixelEngine() if engine is None else engine
    values = {
        "out": out,
        "bench": [{"use": "pairs", "path": pairs}],
        "judge": JudgeRecipe(engine=engine, prompts="brief-v1", retries=0),
        "bootstrap_rounds": 200,
        "report": {"examples": 4},
    }
    if changes.get("judge", values["judge"]) is not None:
        values["shard_triplets"] = 4
    return EvalRecipe(**(values | changes))


class ByBatch(PixelEngine):
    """Gives scores that depend slightly on the batch size; records each batch when it starts."""

    log: Path

    def generate(self, requests, sampling):
        with self.log.open("a") as handle:
            print(len(requests), file=handle)
        for index, reply in super().generate(requests, sampling):
            yield index, Reply(tuple(self._lowered(completion, len(requests)) for completion in reply.completions))

    @staticmethod
    def _lowered(completion, size):
        said = json.loads(completion.text)
        said["score"] = [score * (1 - size / 1000) for score in said["score"]]
        return Completion(json.dumps(said), "stop")


def recipe_by_batch(out: Path, pairs: Path) -> EvalRecipe:
    """Return a recipe with shards of six triplets, in batches of four and two."""
    judge = JudgeRecipe(engine=ByBatch(log=out.with_suffix(".log")), prompts="brief-v1", retries=0, chunk=4)
    return eval_recipe(out, pairs, judge=judge, shard_triplets=6)


def labels_recipe(out: Path, bench: dict, **changes) -> EvalRecipe:
    values = {
        "out": out,
        "bench": [bench],
        "judge": JudgeRecipe(engine=PixelEngine(adapter=str(out / "adapter")), prompts="brief-v1", retries=0),
        "bootstrap_rounds": 200,
        "report": {"examples": 4},
    }
    return EvalRecipe(**(values | changes))


def scores_recipe(out: Path, pairs: Path, scores, **changes) -> EvalRecipe:
    return eval_recipe(out, pairs, judge=None, scores=scores, **changes)


def read_external(path, bench, **options):
    return read_scores(ScoresFile(path=path, **options), bench)


def rows_for(bench, **columns) -> list[dict]:
    """Return a row with the same values for every triplet of the benchmark."""
    return [{"triplet_id": triplet.id, **columns} for triplet in bench.triplets]


class FragileEngine(PixelEngine):
    """Fails with an adapter whose folder contains a file `broken`."""

    def generate(self, requests, sampling):
        if self.adapter is not None and (Path(self.adapter) / "broken").exists():
            raise EngineError(f"{self.adapter}: the weights are damaged")
        return super().generate(requests, sampling)


def sweep_recipe(folder: Path, pairs: Path, **changes) -> SweepRecipe:
    engine = changes.pop("engine", FragileEngine())
    values = {
        "out": folder / "sweep",
        "run": folder / "run",
        "bench": [{"use": "pairs", "path": pairs}],
        # Training begins with a measurement of the base only if the judge's settings do not depend on the training.
        "judge": JudgeRecipe(engine=engine, prompts="brief-v1", max_pixels=None, colors="srgb", retries=0),
        "bootstrap_rounds": 200,
        "shard_triplets": 4,
        "report": {"examples": 0},
        "runtime": {"poll_s": 0.05},
    }
    return SweepRecipe(**(values | changes))


def measured(results) -> list:
    return [(row["run"], row["step"], row["passes"]) for row in results["evaluations"]]


class CountingEngine(PixelEngine):
    """Records every batch, by adapter."""

    log: Path

    def generate(self, requests, sampling):
        with self.log.open("a") as handle:
            passes = sum(len(request.seeds) for request in requests)
            print(json.dumps([None if self.adapter is None else Path(self.adapter).name, passes]), file=handle)
        return super().generate(requests, sampling)


def probes_recipe(folder: Path, pairs: Path, **changes):
    engine = CountingEngine(log=folder / "log")
    judge = JudgeRecipe(engine=engine, prompts="brief-v1", retries=0, chunk=4)
    return sweep_recipe(folder, pairs, **({"judge": judge, "probes": {"groups": 6}} | changes))
