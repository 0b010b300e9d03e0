"""Labels with scores, for tests of metrics other than plain pair accuracy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from factories import make_card, make_ref, make_task, make_triplet

from editjudge.files.io import write_jsonl
from editjudge.records.types import EditTriplet, ScoreCard
from eval.evaluations.evaluation import Evaluation
from eval.labels.benchmark import Benchmark
from eval.labels.findings import Findings
from eval.labels.types import Comparison, Multiway, Preference, Rating
from eval.metrics.pairs import build_table, pair_values


def candidate(task_id: str, name: str, editor: str = "editor", source: str = "photo0") -> EditTriplet:
    task = make_task(id=task_id, task_type="unknown")
    return make_triplet(id=f"{task_id}-{name}", task=task, edited=make_ref(path=f"{task_id}/{name}.png"), editor=editor)


def card(triplet: EditTriplet, **values: Any) -> ScoreCard:
    """Return a card without passes, as if made elsewhere."""
    empty = dict.fromkeys(("prompt_following", "consistency", "perceptual_quality", "overall"))
    return make_card(triplet=triplet, judgments=(), n_ok=0, **(empty | values))


def comparison(name: str, label: str, **changes: Any) -> Comparison:
    first, second = candidate(name, "a"), candidate(name, "b")
    values = {"id": name, "task": first.task, "first": first, "second": second, "dimension": "overall", "label": label}
    return Comparison(**(values | changes))


def scored(comparisons: list[Comparison], margins: list[float | None]) -> dict[str, ScoreCard]:
    """Return cards whose overall values differ by the margins; None leaves the first candidate unscored."""
    cards = {}
    for item, margin in zip(comparisons, margins, strict=True):
        cards[item.first.id] = card(item.first, overall=None if margin is None else 5 + margin)
        cards[item.second.id] = card(item.second, overall=5)
    return cards


def group(name: str, labels: dict[str, str], task_id: str | None = None) -> Multiway:
    """Return a group of the letters in `labels`: {"AB": "A>B", ...} says whether the first letter wins ("A>B")."""
    letters = sorted({letter for pair in labels for letter in pair})
    triplets = [candidate(task_id or name, letter) for letter in letters]
    preferences = [
        Preference(id=f"{name}_{one}vs{two}", first=letters.index(one), second=letters.index(two), label=label)
        for (one, two), label in labels.items()
    ]
    return Multiway(
        id=name,
        task=triplets[0].task,
        candidates=tuple(triplets),
        preferences=tuple(preferences),
        dimension="overall",
    )


def group_cards(multiway: Multiway, values: list[float | None]) -> dict[str, ScoreCard]:
    return {
        triplet.id: card(triplet, overall=value) for triplet, value in zip(multiway.candidates, values, strict=True)
    }


def evaluation(folder: Path, bench: Benchmark, cards: dict[str, ScoreCard], passes: int = 1) -> Evaluation:
    """Write an evaluation in which a judge gave these cards; candidates without a card are unscored."""
    write_jsonl(folder / "cards.jsonl", cards.values())
    table = build_table(bench.pairs, [pair_values(pair, cards) for pair in bench.pairs])
    return Evaluation(
        folder,
        bench,
        {"engine": "", "prompts": None, "passes": passes, "identity": str(folder)},
        table,
        len(cards),
        1.0,
    )


def benchmark(name: str = "bench", **labels: Any) -> Benchmark:
    """Return a benchmark with these `comparisons`, `multiways` or `ratings`, and no pairs."""
    return Benchmark(name, name, (), Path(), Findings(), Findings(), **labels)


def rating(image: str, model: str, value: float, raters: tuple[float, ...] = (), scale: str = "overall") -> Rating:
    triplet = candidate(image, model, editor=model)
    return Rating(id=f"{model}/{image}/{scale}", triplet=triplet, scale=scale, value=value, raters=raters)
