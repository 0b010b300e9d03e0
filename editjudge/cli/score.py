"""`editjudge score`: judge one edit."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from math import exp
from statistics import fmean

from editjudge.asking.judge import Judge
from editjudge.cli.options import add_json, add_overrides, json_results
from editjudge.files.paths import user_path
from editjudge.recipes.shipped import RECIPES
from editjudge.records.tasks import ASPECTS
from editjudge.records.types import ScoreCard

DEFAULT_RECIPE = RECIPES / "judge" / "qwen2_5_vl_7b.yaml"


def main(argv: Sequence[str] | None = None) -> int:
    """Print the card of an edit; return 1 when it could not be scored."""
    parser = argparse.ArgumentParser(prog="editjudge score", description="Judge one edit.")
    parser.add_argument("--instruction", required=True, help="what the editor was asked to do")
    parser.add_argument("--input", type=user_path, required=True, help="image before the edit")
    parser.add_argument("--output", type=user_path, required=True, help="image after the edit")
    parser.add_argument(
        "--judge", type=user_path, default=DEFAULT_RECIPE, help="recipe of the judge (default: %(default)s)"
    )
    add_json(parser)
    add_overrides(parser)
    arguments = parser.parse_intermixed_args(argv)
    with json_results(arguments.json) as write, Judge.from_recipe(arguments.judge, arguments.overrides) as judge:
        card = judge.score(arguments.instruction, arguments.input, arguments.output)
        write(card)
        print(_table(card))
    return 0 if card.overall is not None else 1


def _table(card: ScoreCard) -> str:
    """Format the card for a terminal."""
    lines = []
    for name in ("prompt_following", "consistency", "perceptual_quality", "overall"):
        value = getattr(card, name)
        lines.append(f"{name.replace('_', ' '):<20}{'unscored' if value is None else f'{value:5.2f} / 10'}")
    spread = "" if card.spread is None else f", spread {card.spread:.2f}"
    lines.append(f"{'passes':<20}{card.n_ok} readable, {card.n_failed} not{spread}")
    for aspect in ASPECTS:
        said = next((row.rationale for row in card.judgments if row.aspect == aspect and row.scores is not None), None)
        if said:
            lines.append(f"{aspect:<20}{said}")
    likely = {
        aspect: [row.score_logprob for row in card.judgments if row.aspect == aspect and row.score_logprob is not None]
        for aspect in ASPECTS
    }
    if any(likely.values()):
        shown = ", ".join(f"{aspect} {fmean(map(exp, found)):.2f}" for aspect, found in likely.items() if found)
        lines.append(f"{'score probability':<20}{shown}, mean over passes")
    if card.failure is not None:
        lines.append(f"{'not judged':<20}{card.failure}")
    failures = Counter(f"{row.aspect}: {row.failure}" for row in card.judgments if row.failure is not None)
    lines += [
        f"{'unreadable':<20}{reason} ({count} of {card.n_ok + card.n_failed} passes)"
        for reason, count in failures.items()
    ]
    return "\n".join(lines)
