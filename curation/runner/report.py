"""`out/report.html`: the funnel, contents and scores of the set, and a gallery, in one file that opens offline."""

from __future__ import annotations

import argparse
import base64
import io
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curation.filters.balance import score_bin
from curation.stage import groups
from editjudge.errors import ImageError
from editjudge.files.io import atomic_write, digest, read_jsonl
from editjudge.files.paths import user_path
from editjudge.formats.funnel import FUNNEL, Funnel, read_funnel
from editjudge.images.store import ImageStore
from editjudge.records.tasks import in_task_order
from editjudge.records.types import ImageRef, ScoreCard

GALLERY_GROUPS = 8
THUMBNAIL_PX = 160
BINS = 20


@dataclass
class _Scores:
    """Running counts over score cards; `count` and `total` are by key."""

    count: Counter[str] = field(default_factory=Counter)
    total: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, key: str, value: float) -> None:
        self.count[key] += 1
        self.total[key] += value

    def mean(self, key: str) -> float | None:
        return self.total[key] / self.count[key] if self.count[key] else None


@dataclass
class _Survey:
    """Figures and examples of one stage's cards."""

    tasks: _Scores = field(default_factory=_Scores)
    editors: _Scores = field(default_factory=_Scores)
    bins: list[int] = field(default_factory=lambda: [0] * BINS)
    shown: dict[str, list[ScoreCard]] = field(default_factory=dict)
    """One group per task type: the one whose id has the lowest hash."""


def write_report(out: Path) -> Path:
    """Write the report of a finished curation; `DataError` when `out` does not contain one."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    funnel = read_funnel(out / FUNNEL)
    environment = Environment(loader=PackageLoader("curation.runner"), autoescape=True, undefined=StrictUndefined)
    html = environment.get_template("report.html").render(**_content(out, funnel))
    path = out / "report.html"
    atomic_write(path, html)
    return path


def _content(out: Path, funnel: Funnel) -> dict[str, Any]:
    scored = [stage for stage in funnel.stages if stage.part is None and stage.gives == "ScoreCard"]
    first, last = (_survey(out, stage.name) for stage in (scored[0], scored[-1])) if scored else (_Survey(), _Survey())
    return {
        "title": out.name,
        "funnel": funnel,
        "tasks": _table(first.tasks, last.tasks, in_task_order(first.tasks.count)),
        "editors": _table(first.editors, last.editors, sorted(first.editors.count)),
        "bars": _bars(first.bins, last.bins),
        "gallery": [_group(out, last.shown[name]) for name in sorted(last.shown)[:GALLERY_GROUPS]],
    }


def _survey(out: Path, stage: str) -> _Survey:
    survey = _Survey()
    best: dict[str, str] = {}
    for task_id, cards in _groups(out, stage):
        task_type = cards[0].triplet.task.task_type
        rank = digest("gallery", task_id)
        if rank < best.get(task_type, "g"):
            best[task_type], survey.shown[task_type] = rank, cards
        for card in cards:
            if card.overall is None:
                continue
            survey.tasks.add(task_type, card.overall)
            survey.editors.add(card.triplet.editor, card.overall)
            survey.bins[score_bin(card.overall, BINS)] += 1
    return survey


def _groups(out: Path, stage: str) -> Iterator[tuple[str, list[ScoreCard]]]:
    for path in sorted((out / "stages" / stage).glob("*.jsonl")):
        yield from groups(read_jsonl(path, ScoreCard))


def _table(first: _Scores, last: _Scores, keys: Sequence[str]) -> list[dict[str, Any]]:
    return [{"name": key, "scored": first.count[key], "mean": first.mean(key), "kept": last.count[key]} for key in keys]


def _bars(first: list[int], last: list[int]) -> list[dict[str, float]]:
    """Return one entry per bin of 0 to 10: its start, and two heights as shares of the highest."""
    top = max(*first, 1)
    return [
        {
            "start": index * 10 / BINS,
            "scored": scored,
            "kept": kept,
            "scored_share": scored / top,
            "kept_share": kept / top,
        }
        for index, (scored, kept) in enumerate(zip(first, last, strict=True))
    ]


def _group(out: Path, cards: list[ScoreCard]) -> dict[str, Any]:
    store = ImageStore(out)
    task = cards[0].triplet.task
    ranked = sorted(cards, key=lambda card: (-(card.overall or 0.0), card.triplet.id))
    return {
        "instruction": task.instruction,
        "task_type": task.task_type,
        "source": task.origin.source,
        "licence": task.origin.licence,
        "inputs": [_thumbnail(store, ref) for ref in task.inputs],
        "cards": [
            {"image": _thumbnail(store, card.triplet.edited), "card": card, "reasons": _rationales(card)}
            for card in ranked
        ],
    }


def _rationales(card: ScoreCard) -> list[str]:
    """Return the first readable rationale of each aspect."""
    found: dict[str, str] = {}
    for judgment in card.judgments:
        if judgment.scores is not None:
            found.setdefault(judgment.aspect, judgment.rationale)
    return list(found.values())


def _thumbnail(store: ImageStore, ref: ImageRef) -> str | None:
    """Return a small JPEG as a data URI; None when the image cannot be read (the report says so in its place)."""
    try:
        image = store.read(ref)
    except ImageError:
        return None
    image.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run `editjudge curate report OUT`."""
    parser = argparse.ArgumentParser(prog="editjudge curate report", description="Write the report of a run again.")
    parser.add_argument("out", metavar="OUT", type=user_path, help="folder of the run")
    print(write_report(parser.parse_args(argv).out))
    return 0
