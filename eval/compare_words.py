"""A comparison of two judges in words that need no statistics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eval.metrics.statistics import MIN_GROUPS

Row = Mapping[str, Any]

EXPLANATION = (
    "How to read this: whole groups are resampled {rounds:,} times, the same ones for both judges. Brackets hold the\n"
    "95 % interval of the difference. One-sided p: share of resamples in which A is not better than B (EditScore,\n"
    "appendix D); near 0 speaks for A, near 1 for B. The verdict uses the two-sided p, twice the smaller tail, since\n"
    "nobody said beforehand which judge should win. It is corrected for the number of figures looked at (Holm); below\n"
    "0.05 the difference is called significant."
)


def describe(verdict: Row, rounds: int) -> str:
    """The text for one benchmark, from `Verdict.as_json`."""
    lines = [f"{verdict['benchmark']}: {verdict['n_common']:,} questions", f"  A = {verdict['a']}"]
    lines.append(f"  B = {verdict['b']}")
    if verdict["left_out_a"] or verdict["left_out_b"]:
        lines.append(
            f"  PARTIAL: rows of the benchmark could not be used ({verdict['left_out_a']:,} for A, "
            f"{verdict['left_out_b']:,} for B)."
        )
    if verdict["unscored_a"] or verdict["unscored_b"]:
        lines.append(
            f"  Pairs without a readable score, which count as wrong: A {verdict['unscored_a']:,}, "
            f"B {verdict['unscored_b']:,}."
        )
    if verdict["only_a"] or verdict["only_b"]:
        lines.append(
            f"  PARTIAL: {verdict['only_a']:,} questions were put to A only and {verdict['only_b']:,} to B only; "
            "they are left out."
        )
    rows = verdict["differences"]
    for row in rows:
        if row["scope"] == "all":
            lines += ["", *_headline(row)]
            lines += [f"  Mean over tasks: {_numbers(other)}" for other in rows if _is(other, row, "task_mean")]
            lines += _tasks([other for other in rows if _is(other, row, "task")])
    return "\n".join([*lines, "", EXPLANATION.format(rounds=rounds)])


def _is(other: Row, row: Row, scope: str) -> bool:
    return bool(other["scope"] == scope and other["figure"] == row["figure"])


def _headline(row: Row) -> list[str]:
    title = row["figure"].replace("_", " ").capitalize()
    start = f"{title}: A {_share(row['a'])}, B {_share(row['b'])} right of {row['n']:,} in {row['n_groups']:,} groups."
    if row["p_holm"] is None:
        return [start, f"  No verdict: fewer than {MIN_GROUPS} groups stand behind it."]
    lines = [start, f"  {_sentence(row)} Difference {_numbers(row)}"]
    power = row["power"]
    if power is None:
        return lines
    if row["value"] == 0:
        lines.append(f"  A benchmark of this size shows differences from {_points(power['detectable'])} points on.")
    elif row["significant"]:
        lines.append(
            f"  About {power['pairs']:,} pairs ({power['groups']:,} groups) would do to see a difference of this size "
            "in 8 of 10 cases."
        )
    else:
        lines.append(
            f"  To see a difference of this size in 8 of 10 cases about {power['pairs']:,} pairs "
            f"({power['groups']:,} groups) would be needed; this benchmark shows differences from "
            f"{_points(power['detectable'])} points on."
        )
    return lines


def _sentence(row: Row) -> str:
    if row["value"] == 0 or not row["significant"]:
        return "The difference is within the noise: these questions do not say which judge is better."
    return f"{'A' if row['value'] > 0 else 'B'} is better, by more than noise (significant)."


def _tasks(rows: list[Row]) -> list[str]:
    if not rows:
        return []
    significant = [row for row in rows if row["significant"]]
    if all(row["p_holm"] is None for row in rows):
        return [f"  None of its {len(rows)} tasks alone has enough groups for a test.", *map(_task, rows)]
    if not significant:
        return [f"  In none of its {len(rows)} tasks alone is the difference significant.", *map(_task, rows)]
    sides = [("A", 1), ("B", -1)]
    better = [
        f"{name} is better in {', '.join(row['task'] for row in mine)}"
        for name, sign in sides
        if (mine := [row for row in significant if row["value"] * sign > 0])
    ]
    return [f"  By task, corrected for all tasks and figures: {'; '.join(better)}.", *map(_task, rows)]


def _task(row: Row) -> str:
    mark = "*" if row["significant"] else " "
    return f"  {mark} {row['task']:<18} A {_share(row['a']):>8}  B {_share(row['b']):>8}  {_numbers(row)}"


def _numbers(row: Row) -> str:
    """+6.8 points [+4.9, +8.7], with its p values; without them when too few groups stand behind it."""
    text = f"{_signed(row['value'])} points"
    if row["p_holm"] is None:
        return f"{text} (fewer than {MIN_GROUPS} groups, no test)"
    interval = f"[{_signed(row['low'])}, {_signed(row['high'])}]"
    return (
        f"{text} {interval}; p one-sided {_p(row['p_one_sided'])}, two-sided {_p(row['p_two_sided'])}, "
        f"corrected {_p(row['p_holm'])}"
    )


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


def _points(value: float) -> str:
    return f"{100 * value:.1f}"


def _signed(value: float) -> str:
    return f"{100 * value:+.1f}"
