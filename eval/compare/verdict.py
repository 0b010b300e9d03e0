"""Comparison of two judges on one benchmark: shared questions and differences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from editjudge.errors import DataError
from editjudge.files.io import read_jsonl, read_marker
from editjudge.statistics.bootstrap import ROUNDS
from eval.compare.paired import AnsweredByBoth, Contrast, corrected, differences
from eval.compare.ratings import RatedByBoth, rating_differences
from eval.evaluations.answers import ANSWERS, RATINGS, Answer, AnswerKind, RatedOutput
from eval.evaluations.evaluation import DONE, PAIRS, ScoredPair

QuestionKey = tuple[str, str, str, int]
"""Figure, task type, id of the question, and its count of earlier occurrences: benchmarks contain duplicates."""


@dataclass(frozen=True)
class Verdict:
    """Comparison of two judges on one benchmark."""

    benchmark: str
    a: Path
    b: Path
    sizes: dict[str, int]
    """Number of shared pairs, comparisons, groups and ratings; only these count."""
    n_common: int
    """Their sum. A comparison or group counts once, even if several figures use it."""
    only_a: int
    only_b: int
    left_out_a: int
    """Unusable rows of the benchmark when A was measured."""
    left_out_b: int
    unscored_a: int
    """Shared questions without a readable answer from A, without ratings; they count as wrong."""
    unscored_b: int
    n_ratings: int
    """Number of shared ratings."""
    unscored_ratings_a: int
    """Rated outputs without a readable score from A; left out for both."""
    unscored_ratings_b: int
    reading_a: str | None
    """Reading of A's score file, if its publisher's code and ours differ."""
    reading_b: str | None
    differences: list[Contrast]

    def as_json(self) -> dict[str, Any]:
        """Return everything that is printed, with six decimals."""
        rows = []
        for item in self.differences:
            row = asdict(item) | {
                "significant": item.significant,
                "power": None if item.power is None else item.power.as_json(),
            }
            rows.append({key: round(value, 6) if isinstance(value, float) else value for key, value in row.items()})
        return {
            "benchmark": self.benchmark,
            "a": str(self.a),
            "b": str(self.b),
            "sizes": self.sizes,
            "n_common": self.n_common,
            "only_a": self.only_a,
            "only_b": self.only_b,
            "left_out_a": self.left_out_a,
            "left_out_b": self.left_out_b,
            "unscored_a": self.unscored_a,
            "unscored_b": self.unscored_b,
            "n_ratings": self.n_ratings,
            "unscored_ratings_a": self.unscored_ratings_a,
            "unscored_ratings_b": self.unscored_ratings_b,
            "reading_a": self.reading_a,
            "reading_b": self.reading_b,
            "partial": any((self.only_a, self.only_b, self.left_out_a, self.left_out_b)),
            "differences": rows,
        }


def compare_folders(a: Path, b: Path, rounds: int = ROUNDS, seed: int = 0) -> list[Verdict]:
    """Return one verdict per benchmark that both `a` and `b` were measured on, by name.

    Each is the folder of one evaluation, the `out` of an eval recipe, or a results.json in it. Raises `DataError`
    when a folder contains no finished evaluation or several judges, and when the two share no benchmark or question.
    """
    pairs = _matched(find_evaluations(a), find_evaluations(b), a, b)
    return [_verdict(name, *folders, rounds, seed) for name, folders in sorted(pairs.items())]


def find_evaluations(path: Path) -> dict[str, Path]:
    """Return one judge's finished evaluations by benchmark folder. Raises `DataError` for none or several judges."""
    root = path.parent if path.is_file() else path
    found = [root] if _is_evaluation(root) else sorted(folder for folder in root.glob("*") if _is_evaluation(folder))
    waiting = [folder for folder in (root, *root.glob("*")) if (folder / "shards").is_dir()]
    if waiting:
        raise DataError(f"{waiting[0]}: this evaluation is not finished; run its recipe again to resume it")
    if not found:
        inside = {file.parent for file in root.rglob(PAIRS) if _is_evaluation(file.parent)}
        deeper = sorted({folder.parent for folder in inside if folder.parent not in inside})
        if deeper:
            listed = "\n".join(f"  {folder}" for folder in deeper)
            raise DataError(f"{path}: evaluations of several judges; give the folder of one of them:\n{listed}")
        raise DataError(f"{path}: no evaluation in it; give the `out` of an eval recipe, or a checkpoint's folder")
    return {folder.name: folder for folder in found}


def _is_evaluation(folder: Path) -> bool:
    return (folder / PAIRS).is_file() and read_marker(folder / DONE) is not None


def _matched(a: Mapping[str, Path], b: Mapping[str, Path], of_a: Path, of_b: Path) -> dict[str, tuple[Path, Path]]:
    if len(a) == len(b) == 1:
        (name, one), (_, other) = *a.items(), *b.items()
        return {name: (one, other)}
    common = {name: (a[name], b[name]) for name in a if name in b}
    if not common:
        raise DataError(
            f"{of_a} and {of_b} have no benchmark in common: {', '.join(a)} there, {', '.join(b)} here; measure both "
            "on the same one"
        )
    return common


def _verdict(name: str, a: Path, b: Path, rounds: int, seed: int) -> Verdict:
    asked_a, asked_b = dict(_questions(a)), dict(_questions(b))
    rated_a, rated_b = dict(_ratings(a)), dict(_ratings(b))
    for folder, mine, has_ratings in ((a, asked_a, rated_a), (b, asked_b, rated_b)):
        if not has_ratings and (rated_a or rated_b or not mine):
            raise DataError(
                f"{folder}: no {RATINGS} in it; it is of another benchmark, or the file was removed. "
                "Run its recipe again: the file is made from the scores that are there, no judge is asked again"
            )
    common = [(key, asked, asked_b[key]) for key, asked in asked_a.items() if key in asked_b]
    rated = [(row, rated_b[key]) for key, row in rated_a.items() if key in rated_b]
    if not common and not rated:
        raise DataError(f"{a} and {b}: not one question in common; they were measured on different benchmarks")
    relabelled = [key[2] for key, one, other in common if one.label != other.label]
    relabelled += [one.id for one, other in rated if one.human != other.human]
    if relabelled:
        raise DataError(f"{a} and {b}: question {relabelled[0]} has two labels; measure both on the same benchmark")
    questions = [AnsweredByBoth(key[0], key[1], one.group, one.right, other.right) for key, one, other in common]
    ratings = [
        RatedByBoth(one.scale, one.model, one.task_id, one.human, one.judge, other.judge) for one, other in rated
    ]
    found = differences(questions, rounds, seed) + rating_differences(ratings, rounds, seed)
    sizes = Counter(one.counts_as for _, one, _ in common if one.counts_as is not None)
    if rated:
        sizes["ratings"] = len(rated)
    n_common = sum(sizes.values())
    n_a, n_b = (sum(item.counts_as is not None for item in asked.values()) for asked in (asked_a, asked_b))
    return Verdict(
        name,
        a,
        b,
        sizes=dict(sizes),
        n_common=n_common,
        only_a=n_a + len(rated_a) - n_common,
        only_b=n_b + len(rated_b) - n_common,
        left_out_a=int(_info(a).get("left_out", 0)),
        left_out_b=int(_info(b).get("left_out", 0)),
        unscored_a=sum(one.unscored for _, one, _ in common if one.counts_as is not None),
        unscored_b=sum(other.unscored for _, one, other in common if one.counts_as is not None),
        n_ratings=len(ratings),
        unscored_ratings_a=sum(item.a is None for item in ratings),
        unscored_ratings_b=sum(item.b is None for item in ratings),
        reading_a=_info(a).get("reading"),
        reading_b=_info(b).get("reading"),
        differences=corrected(found),
    )


def _info(folder: Path) -> dict[str, Any]:
    """Return the description in an evaluation's marker."""
    marker = read_marker(folder / DONE)
    return {} if marker is None else marker["info"]


@dataclass(frozen=True)
class _Asked:
    """A question and the judge's result."""

    group: str
    label: str
    right: bool
    unscored: bool
    counts_as: str | None
    """Kind it is counted as; None when another figure already counts it."""


_COUNTED: dict[AnswerKind, str] = {"with_ties": "comparisons", "group": "groups"}


def _questions(folder: Path) -> Iterator[tuple[QuestionKey, _Asked]]:
    """Yield the questions of an evaluation, by key."""
    seen: Counter[tuple[str, str]] = Counter()
    for row in read_jsonl(folder / PAIRS, ScoredPair):
        seen[row.dimension, row.pair] += 1
        key = (row.dimension, row.task_type, row.pair, seen[row.dimension, row.pair])
        label = f"{row.better} > {row.worse}"
        yield key, _Asked(row.task_id, label, row.outcome == "right", row.outcome == "unscored", "pairs")
    if (folder / ANSWERS).is_file():
        for item in read_jsonl(folder / ANSWERS, Answer):
            figure = f"{item.dimension}, {item.kind.replace('_', ' ')}"
            seen[figure, item.id] += 1
            asked = _Asked(item.task_id, "", item.right, item.unscored, _COUNTED.get(item.kind))
            yield (figure, item.task_type, item.id, seen[figure, item.id]), asked


def _ratings(folder: Path) -> Iterator[tuple[tuple[str, int], RatedOutput]]:
    """Yield people's and the judge's values, by the rating's id and its count of earlier occurrences."""
    seen: Counter[str] = Counter()
    if (folder / RATINGS).is_file():
        for row in read_jsonl(folder / RATINGS, RatedOutput):
            seen[row.id] += 1
            yield (row.id, seen[row.id]), row
