"""Evaluation of one judge on one benchmark: its cards (`asking.score_set`) and its results on the labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from editjudge.asking.base import BaseJudge
from editjudge.asking.score_set import score_set
from editjudge.errors import DataError
from editjudge.files.io import is_done, read_jsonl, read_marker, write_jsonl, write_marker
from eval.evaluations.evaluation import (
    DONE,
    PAIRS,
    VALUES,
    Evaluation,
    ScoredPair,
    describe_content,
    scored_pairs,
)
from eval.labels.benchmark import Benchmark
from eval.metrics.pairs import build_table, pair_values
from eval.metrics.values import values_of


def evaluate(judge: BaseJudge[Any], bench: Benchmark, folder: Path, shard_triplets: int, label: str) -> Evaluation:
    """Score missing triplets and write the folder's files. `label` names it in the progress bar.

    Each distinct triplet is scored once. Raises `StaleOutputError` when the folder was made with another judge or
    benchmark, `EngineError` when the engine fails; existing scores are kept and reused when the run resumes.
    """
    if judge.reads_images and not bench.has_images:
        raise DataError(
            f"{bench.source}: holds labels without images, so no judge can be asked; give the images, or `scores:`"
        )
    described = judge.describe()
    identity = {"judge": described, "benchmark": bench.identity, "shard_triplets": shard_triplets}
    if not is_done(folder / DONE, identity):
        scored = score_set(judge, bench.triplets, bench.root, folder, shard_triplets, label)
        cards = {card.triplet.id: card for card in scored.cards()}
        values_of([*cards.values()]).save(folder / VALUES)
        write_jsonl(folder / PAIRS, scored_pairs(bench, [pair_values(pair, cards) for pair in bench.pairs]))
        took = {"seconds": scored.seconds, "usage": scored.usage}
        write_marker(folder / DONE, identity, describe_content(bench, cards) | took)
    table = build_table(
        bench.pairs, ((row.better_score, row.worse_score) for row in read_jsonl(folder / PAIRS, ScoredPair))
    )
    marker = read_marker(folder / DONE)
    info: dict[str, Any] = {} if marker is None else marker["info"]
    return Evaluation(
        folder,
        bench,
        described,
        table,
        int(info.get("triplets", 0)),
        float(info.get("seconds", 0.0)),
        cost=info.get("usage", {}),
        unreadable=info.get("unreadable", {}),
    )
