"""One judge on one benchmark: each distinct triplet is scored once, in shards that survive a kill.

Folder of one evaluation:
    shards/00000.jsonl, 00000.done.json   cards of some triplets, and the marker that they are whole
    cards.jsonl                           all cards, in the benchmark's order
    pairs.jsonl                           every pair with both values and its outcome
    values.npz                            the scores of every pass and card as arrays
    done.json                             marker, written last; the shards are removed then
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from editjudge.asking.base import BaseJudge
from editjudge.errors import DataError
from editjudge.files.io import digest, is_done, read_jsonl, read_marker, write_jsonl, write_marker
from editjudge.records.types import EditTriplet, ScoreCard
from editjudge.system.progress import bar
from eval.evaluations.cost import usage
from eval.evaluations.evaluation import (
    CARDS,
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
    """Score what is not scored yet and write the folder's files. `label` names it in the progress bar.

    Raises `StaleOutputError` when the folder was made with another judge or benchmark, `EngineError` when the engine
    cannot work; what was scored before stays and is not asked for again.
    """
    if judge.reads_images and not bench.has_images:
        raise DataError(
            f"{bench.source}: holds labels without images, so no judge can be asked; give the images, or `scores:`"
        )
    described = judge.describe()
    identity = {"judge": described, "benchmark": bench.identity, "shard_triplets": shard_triplets}
    triplets = bench.triplets
    if not is_done(folder / DONE, identity):
        shards = [triplets[start : start + shard_triplets] for start in range(0, len(triplets), shard_triplets)]
        with bar(label, len(triplets)) as advance:
            _score_shards(judge, shards, bench.root, folder, advance)
        _collect(bench, folder, identity, len(shards))
    shutil.rmtree(folder / "shards", ignore_errors=True)
    table = build_table(
        bench.pairs, ((row.better_score, row.worse_score) for row in read_jsonl(folder / PAIRS, ScoredPair))
    )
    marker = read_marker(folder / DONE)
    info = {} if marker is None else marker["info"]
    used: dict[str, Any] = {
        name: info[name] for name in ("judgments", "prompt_tokens", "completion_tokens") if name in info
    }
    return Evaluation(
        folder,
        bench,
        described,
        table,
        len(triplets),
        float(info.get("seconds", 0.0)),
        cost=used,
        unreadable=info.get("unreadable", {}),
    )


def _score_shards(
    judge: BaseJudge[Any],
    shards: Sequence[Sequence[EditTriplet]],
    root: Path,
    folder: Path,
    advance: Callable[[int], None],
) -> None:
    """Score the shards whose marker does not say that they are done.

    They go to the judge as one stream, so that images of the next shard are read while this one is judged; no chunk
    holds triplets of two shards, so that a resumed run puts the same batches to the engine.
    """
    waiting = []
    for number, shard in enumerate(shards):
        content = digest([[triplet.id, triplet.edited.sha256] for triplet in shard])
        identity = {"judge": judge.describe(), "triplets": content}
        if is_done(_shard_files(folder, number)[1], identity):
            advance(len(shard))
        else:
            waiting.append((number, shard, identity))
    chunks = (
        shard[start : start + judge.chunk] for _, shard, _ in waiting for start in range(0, len(shard), judge.chunk)
    )
    with closing(judge.score_chunks(chunks, root)) as scored:
        for number, shard, identity in waiting:
            data, marker = _shard_files(folder, number)
            start = time.monotonic()
            cards: list[ScoreCard] = []
            while len(cards) < len(shard):
                found = next(scored)
                cards += found
                advance(len(found))
            write_jsonl(data, cards)
            write_marker(marker, identity, {"triplets": len(shard), "seconds": time.monotonic() - start})


def _shard_files(folder: Path, number: int) -> tuple[Path, Path]:
    stem = folder / "shards" / f"{number:05d}"
    return stem.with_suffix(".jsonl"), stem.with_suffix(".done.json")


def _collect(bench: Benchmark, folder: Path, identity: dict[str, Any], n_shards: int) -> None:
    """Join the shards, decide the pairs, and mark the folder complete."""
    files = [_shard_files(folder, number) for number in range(n_shards)]
    cards = {card.triplet.id: card for data, _ in files for card in read_jsonl(data, ScoreCard)}
    write_jsonl(folder / CARDS, cards.values())
    values_of([*cards.values()]).save(folder / VALUES)
    write_jsonl(folder / PAIRS, scored_pairs(bench, [pair_values(pair, cards) for pair in bench.pairs]))
    markers = [read_marker(marker) for _, marker in files]
    seconds = sum(float(marker["info"]["seconds"]) for marker in markers if marker is not None)
    info = {"seconds": seconds, **usage(cards.values())}
    write_marker(folder / DONE, identity, describe_content(bench, cards) | info)
