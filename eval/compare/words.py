"""A comparison of two judges in words for readers without statistics knowledge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from editjudge.statistics.bootstrap import MIN_GROUPS

ContrastJson = Mapping[str, Any]

EXPLANATION = (
    "How to read this: whole groups are resampled {rounds:,} times, the same ones for both judges. Brackets hold the\n"
    "95 % interval of the difference. One-sided p: share of resamples in which A is not better than B (EditScore,\n"
    "appendix D); near 0 speaks for A, near 1 for B. The verdict uses the two-sided p, twice the smaller tail, since\n"
    "nobody said beforehand which judge should win. It is corrected for the number of figures looked at (Holm); below\n"
    "0.05 the difference is called significant."
)


def describe(verdict: ContrastJson, rounds: int) -> str:
    """Return the text for one benchmark, from `Verdict.as_json`."""
    size = ", ".join(f"{n:,} {what}" for what, n in verdict["sizes"].items())
    lines = [f"{verdict['benchmark']}: {size}"]
    for name in ("a", "b"):
        reading = verdict[f"reading_{name}"]
        lines.append(f"  {name.upper()} = {verdict[name]}{'' if reading is None else f' (file read: {reading})'}")
    if verdict["left_out_a"] or verdict["left_out_b"]:
        lines.append(
            f"  PARTIAL: rows of the benchmark could not be used ({verdict['left_out_a']:,} for A, "
            f"{verdict['left_out_b']:,} for B)."
        )
    if verdict["unscored_a"] or verdict["unscored_b"]:
        lines.append(
            f"  Without a readable answer, which counts as wrong: A {verdict['unscored_a']:,}, "
            f"B {verdict['unscored_b']:,}."
        )
    if verdict["only_a"] or verdict["only_b"]:
        lines.append(
            f"  PARTIAL: {verdict['only_a']:,} of A's questions were not put to B and {verdict['only_b']:,} of B's not "
            "to A; they are left out."
        )
    if verdict["unscored_ratings_a"] or verdict["unscored_ratings_b"]:
        lines.append(
            f"  Rated outputs without a readable score, which are left out for both: A "
            f"{verdict['unscored_ratings_a']:,}, B {verdict['unscored_ratings_b']:,} of {verdict['n_ratings']:,}."
        )
    rows = verdict["differences"]
    for row in rows:
        if row["scope"] == "all":
            lines += ["", *_headline(row)]
            for scope, name in _MEANS:
                lines += [f"  {name}: {_numbers(other)}" for other in rows if _is(other, row, scope)]
            lines += _parts([other for other in rows if _is(other, row, "task")], "task")
            lines += _parts([other for other in rows if _is(other, row, "model")], "editing model")
    return "\n".join([*lines, "", EXPLANATION.format(rounds=rounds)])


_MEANS = (("task_mean", "Mean over tasks"), ("viescore", "As VIEScore prints it"))


def _is(other: ContrastJson, row: ContrastJson, scope: str) -> bool:
    return bool(other["scope"] == scope and other["figure"] == row["figure"])


def _headline(row: ContrastJson) -> list[str]:
    title = row["figure"][:1].upper() + row["figure"][1:].replace("_", " ")
    things, groups, size = "pairs", "groups", f"right of {row['n']:,} in {row['n_groups']:,} groups"
    if row["unit"] == "correlation":
        things, groups = "ratings", "images"
        size = f"over {row['n']:,} ratings of {row['n_groups']:,} images, mean over editing models"
    start = f"{title}: A {_value(row, 'a')}, B {_value(row, 'b')} {size}."
    if row["value"] is None:
        return [start, "  No verdict: where a judge scores all outputs alike, its correlation is undefined."]
    if row["p_holm"] is None:
        return [start, f"  No verdict: it has fewer than {MIN_GROUPS} {groups}."]
    lines = [start, f"  {_sentence(row)} Contrast {_numbers(row)}"]
    power = row["power"]
    if power is None:
        return lines
    if row["value"] == 0:
        lines.append(f"  A benchmark of this size shows differences from {_size(row, power['detectable'])} on.")
    elif row["significant"]:
        lines.append(
            f"  About {power['pairs']:,} {things} ({power['groups']:,} {groups}) would do to see a difference of this "
            "size in 8 of 10 cases."
        )
    else:
        lines.append(
            f"  To see a difference of this size in 8 of 10 cases about {power['pairs']:,} {things} "
            f"({power['groups']:,} {groups}) would be needed; this benchmark shows differences from "
            f"{_size(row, power['detectable'])} on."
        )
    return lines


def _sentence(row: ContrastJson) -> str:
    if row["value"] == row["low"] == row["high"] == 0:
        return "No difference at all, whichever groups are drawn: is it one judge twice?"
    if row["value"] == 0 or not row["significant"]:
        return "The difference is within the noise: these questions do not say which judge is better."
    return f"{'A' if row['value'] > 0 else 'B'} is better, by more than noise (significant)."


def _parts(rows: list[ContrastJson], what: str) -> list[str]:
    """Return lines by task or editing model."""
    if not rows:
        return []
    significant = [row for row in rows if row["significant"]]
    if all(row["p_holm"] is None for row in rows):
        return [f"  None of its {len(rows)} {what}s alone has enough groups for a test.", *map(_part, rows)]
    if not significant:
        return [f"  In none of its {len(rows)} {what}s alone is the difference significant.", *map(_part, rows)]
    sides = [("A", 1), ("B", -1)]
    better = [
        f"{name} is better in {', '.join(row['task'] for row in mine)}"
        for name, sign in sides
        if (mine := [row for row in significant if row["value"] * sign > 0])
    ]
    return [f"  By {what}, corrected for all {what}s and figures: {'; '.join(better)}.", *map(_part, rows)]


def _part(row: ContrastJson) -> str:
    mark = "*" if row["significant"] else " "
    return f"  {mark} {row['task']:<18} A {_value(row, 'a'):>8}  B {_value(row, 'b'):>8}  {_numbers(row)}"


def _numbers(row: ContrastJson) -> str:
    """Return "+6.8 points [+4.9, +8.7]" with p values; without interval and p values when there are too few groups."""
    if row["value"] is None:
        return "undefined: people or a judge scored all its outputs alike"
    text = _size(row, row["value"], "+")
    if row["p_holm"] is None:
        return f"{text} (fewer than {MIN_GROUPS} groups, no test)"
    interval = f"[{_signed(row, row['low'])}, {_signed(row, row['high'])}]"
    return (
        f"{text} {interval}; p one-sided {_p(row['p_one_sided'])}, two-sided {_p(row['p_two_sided'])}, "
        f"corrected {_p(row['p_holm'])}"
    )


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _value(row: ContrastJson, side: str) -> str:
    """Return a judge's value: a share in per cent, or a correlation."""
    value = row[side]
    if value is None:
        return "–"
    return f"{100 * value:.1f} %" if row["unit"] == "share" else f"{value:.3f}"


def _size(row: ContrastJson, value: float, sign: str = "") -> str:
    """Format a difference, for shares in points."""
    return f"{100 * value:{sign}.1f} points" if row["unit"] == "share" else f"{value:{sign}.3f}"


def _signed(row: ContrastJson, value: float) -> str:
    return _size(row, value, "+").removesuffix(" points")
