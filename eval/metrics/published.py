"""Figures as the publishers' own code computes them, where it differs from our definitions; each names its publisher.

Our figures are under `dimensions` and `labels` of an evaluation, these under `published`.

- EditScore, pairs (calculate_statistics.py of VectorSpaceLab/EditScore): per row of a result folder, right when
  score[0] > score[1]; the share per task, then the mean over tasks. A row's scores were sampled for this row, so an
  output may have another score in another row.
- GenAI-Bench, votes (`parse_response` in inference.py of TIGER-AI-Lab/GenAI-Bench): share of the rows of a results file
  with the right vote, in one of the strings that the code accepts. Rows missing from the file are not counted.
- EditReward, scores of two candidates (`calc_accuracy_with_ties` in evaluate/eval_bench.py of TIGER-AI-Lab/EditReward):
  pairs become ties one by one, the closest scores first, and the best share on the way is printed. Unlike in Deutsch
  et al. 2023 and here, pairs with equal differences are not moved together, and zero ties are not tried.
- EditReward, scores of groups (`evaluate_edit_reward_bench`, same file): a group is right when its scores, highest
  first, give the people's order. Equal scores are in the reverse order of the candidates. Of two candidates that
  people tied, a difference up to the best threshold is right, and that threshold decides nothing else; a group of three
  or four with a tie is never right.
- EditReward, votes on groups (evaluate/inference_*pair_hf.py): letters must be those of the label; a group needs all
  its comparisons, and groups missing from the file are not counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from editjudge.formats.results.evaluation import CountedElsewhere
from editjudge.records.tasks import DIMENSIONS
from editjudge.records.types import EditTriplet, PreferencePair, ScoreCard
from editjudge.statistics.arrays import Floats, Ints, ratio
from editjudge.statistics.bootstrap import MIN_GROUPS, draw_weights, share_ends
from editjudge.statistics.estimate import Estimate, estimate
from editjudge.statistics.shares import Share, group_index, share_figures
from eval.labels.benchmark import Benchmark
from eval.labels.types import SIGN, Comparison, Label, Multiway
from eval.metrics.comparisons import same_label
from eval.metrics.intervals import intervals
from eval.metrics.pairs import build_table, count
from eval.metrics.ties import best_threshold, margin


@dataclass(frozen=True)
class AsPublished:
    """Content of a file of scores or votes, read as its publisher's code does."""

    votes: Mapping[str, Sequence[Label | None]] = field(default_factory=dict)
    """By id of a comparison, one entry per row of the file; None for a vote that the code does not accept."""
    rows: Sequence[tuple[PreferencePair, float | None, float | None]] = ()
    """Rows of an EditScore result folder with both scores, unchanged."""


def published_figures(
    bench: Benchmark,
    cards: Mapping[str, ScoreCard],
    by_votes: bool,
    said: AsPublished,
    rounds: int,
    seed: int,
) -> list[CountedElsewhere]:
    """Return all figures that follow a publisher's code.

    `by_votes`: the judge voted, and its scores, if any, are ignored. Intervals resample groups, like ours; figures
    without one have no interval.
    """
    found = [*_editscore(said.rows, rounds, seed)]
    for dimension in DIMENSIONS:
        asked = [item for item in bench.comparisons if item.dimension == dimension]
        if not any(SIGN[item.label] == 0 for item in asked):
            continue  # these figures exist only for benchmarks with ties
        if by_votes and said.votes:
            found.append(_genai(asked, said.votes, dimension, rounds, seed))
        elif not by_votes:
            found.append(_with_ties(asked, cards, dimension, rounds, seed))
    if bench.multiways and (said.votes or not by_votes):
        groups = _voted(bench.multiways, said.votes) if by_votes else _ranked(bench.multiways, cards)
        found += _by_size(bench.multiways, groups, by_votes, rounds, seed)
    if len({item.dimension for item in bench.comparisons}) > 1:
        columns = [f"{one.dimension}.{one.column}" if one.kind == "comparisons" else one.column for one in found]
        found = [one.model_copy(update={"column": name}) for one, name in zip(found, columns, strict=True)]
    return found


def _entry(
    by: str,
    kind: Literal["pairs", "comparisons", "multiway"],
    dimension: str,
    column: str,
    says: str,
    n: int,
    value: Estimate,
) -> CountedElsewhere:
    ends = dict(value)
    return CountedElsewhere(by=by, kind=kind, dimension=dimension, column=column, says=says, n=n, **ends)


def _editscore(
    rows: Sequence[tuple[PreferencePair, float | None, float | None]], rounds: int, seed: int
) -> Iterator[CountedElsewhere]:
    if not rows:
        return
    pairs = [pair for pair, _, _ in rows]
    # Strictly higher by any amount: only the sign of the difference counts.
    signs = [(1.0 if one is not None and other is not None and one > other else 0.0, 0.0) for _, one, other in rows]
    found = intervals([count(build_table(pairs, signs))], rounds, seed)[0]
    for place, dimension in enumerate(DIMENSIONS):
        n = sum(pair.dimension == dimension for pair in pairs)
        if n:
            value = found.estimate("task_mean", place)
            yield _entry("EditScore", "pairs", dimension, dimension, "per row, mean over tasks", n, value)


def _genai(
    asked: Sequence[Comparison], votes: Mapping[str, Sequence[Label | None]], dimension: str, rounds: int, seed: int
) -> CountedElsewhere:
    rows = [(item, vote) for item in asked for vote in votes.get(item.id, ())]
    right = [same_label(item.label, vote) for item, vote in rows]
    share = Share.of(right, *group_index([item.task.id for item, _ in rows]))
    value = share_figures({"four_label": share}, rounds, seed)["four_label"] if rows else estimate(float("nan"))
    return _entry("GenAI-Bench", "comparisons", dimension, "four_label", "rows with the right vote", len(rows), value)


def _with_ties(
    asked: Sequence[Comparison], cards: Mapping[str, ScoreCard], dimension: str, rounds: int, seed: int
) -> CountedElsewhere:
    human = np.array([SIGN[item.label] for item in asked], dtype=np.int64)
    margins = np.array([margin(item.first, item.second, item.dimension, cards) for item in asked], dtype=np.float64)
    value = _with_ties_figure(human, margins, [item.task.id for item in asked], rounds, seed)
    return _entry("EditReward", "comparisons", dimension, "with_ties", "best share on the way", len(asked), value)


def _with_ties_figure(human: Ints, margins: Floats, group_ids: Sequence[str], rounds: int, seed: int) -> Estimate:
    """Return EditReward's accuracy with ties and its interval: every resample of groups has its own best threshold."""
    group, n_groups = group_index(group_ids)
    value = with_ties(human, margins, np.ones((1, len(human))))
    if n_groups < MIN_GROUPS:
        return estimate(float(value[0]))
    drawn = [with_ties(human, margins, weights[:, group]) for weights in draw_weights(n_groups, rounds, seed)]
    low, high = share_ends(value, np.concatenate(drawn)[:, None], np.array([n_groups]))
    return estimate(float(value[0]), float(low[0]), float(high[0]))


def with_ties(human: Ints, margins: Floats, weights: Floats) -> Floats:
    """Return EditReward's accuracy with ties (see this module) for each row of `weights` [rows, pairs]: the count of
    each pair. Unscored pairs (NaN) are wrong; NaN without pairs."""
    known = ~np.isnan(margins)
    order = np.argsort(np.abs(margins[known]), kind="stable")
    label, difference, times = human[known][order], margins[known][order], weights[:, known][:, order]
    agrees = label * difference > 0
    # A pair that becomes a tie turns right if people tied it, and stops being right if its order was right.
    gain = (label == 0).astype(np.float64) - agrees
    best: Floats = np.zeros(len(weights))
    if len(label):
        drawn = times > 0
        best = np.where(drawn.cumsum(axis=1) > 0, (times * gain).cumsum(axis=1), -np.inf).max(axis=1)
        # A pair that was drawn several times becomes a tie that often, one after the other.
        best = np.where(drawn.any(axis=1), np.maximum(best, gain[drawn.argmax(axis=1)]), 0.0)
    n_pairs = weights.sum(axis=1)
    return ratio(times @ agrees + best, n_pairs)


def _ranked(groups: Sequence[Multiway], cards: Mapping[str, ScoreCard]) -> list[bool | None]:
    """Return whether each group is right by its scores."""
    pairs = [group for group in groups if len(group.candidates) == 2]
    human = np.array([SIGN[group.preferences[0].label] for group in pairs], dtype=np.int64)
    margins = np.array([_margin(group, cards) for group in pairs], dtype=np.float64)
    best = best_threshold(human, margins)
    threshold = 0.0 if best is None else best.value
    return [_is_ranked_right(group, cards, threshold) for group in groups]


def _margin(group: Multiway, cards: Mapping[str, ScoreCard]) -> float:
    item = group.preferences[0]
    return margin(group.candidates[item.first], group.candidates[item.second], group.dimension, cards)


def _is_ranked_right(group: Multiway, cards: Mapping[str, ScoreCard], threshold: float) -> bool:
    scores = [_score(triplet, group, cards) for triplet in group.candidates]
    known = [score for score in scores if score is not None]
    if len(known) < len(scores):
        return False
    signs = {(item.first, item.second): SIGN[item.label] for item in group.preferences}
    if 0 in signs.values():
        return len(known) == 2 and abs(known[0] - known[1]) <= threshold
    beats = {(first, second) if sign > 0 else (second, first) for (first, second), sign in signs.items()}
    wins = [sum(first == place for first, _ in beats) for place in range(len(known))]
    if sorted(wins) != list(range(len(wins))):
        return False  # contradicting preferences define no order
    people = sorted(range(len(wins)), key=lambda place: -wins[place])
    return people == sorted(range(len(known)), key=lambda place: (known[place], place))[::-1]


def _score(triplet: EditTriplet, group: Multiway, cards: Mapping[str, ScoreCard]) -> float | None:
    card = cards.get(triplet.id)
    return None if card is None else card.value(group.dimension)


def _voted(groups: Sequence[Multiway], votes: Mapping[str, Sequence[Label | None]]) -> list[bool | None]:
    """Return whether each group is right by its votes; None for one that is missing from the file."""
    found: list[bool | None] = []
    for group in groups:
        rows = [(item.label, vote) for item in group.preferences for vote in votes.get(item.id, ())]
        n = len(group.candidates)
        whole = len(rows) == n * (n - 1) // 2 and all(label == vote for label, vote in rows)
        found.append(whole if rows else None)
    return found


def _by_size(
    groups: Sequence[Multiway], right: Sequence[bool | None], by_votes: bool, rounds: int, seed: int
) -> Iterator[CountedElsewhere]:
    place, n_places = group_index([group.task.id for group in groups])
    sizes = np.array([len(group.candidates) for group in groups])
    counted = np.array([flag is not None for flag in right])
    flags = np.array([bool(flag) for flag in right])
    masks = {f"k{size}": counted & (sizes == size) for size in sorted(set(sizes.tolist()))} | {"overall": counted}
    shares = {name: Share.of(flags[mask], place[mask], n_places) for name, mask in masks.items()}
    says = "groups with every vote right" if by_votes else "groups ranked right"
    for name, value in share_figures(shares, rounds, seed).items():
        yield _entry("EditReward", "multiway", "overall", name, says, int(masks[name].sum()), value)
