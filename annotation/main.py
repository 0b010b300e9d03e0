"""`editjudge annotate`: host a tiered-ranking campaign in Label Studio, and get preference pairs and agreement out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module

STEPS: dict[str, tuple[str, str]] = {
    "serve": ("annotation.steps.serve:main", "run a Label Studio of your own for the campaign (--background, --stop)"),
    "push": ("annotation.steps.push:main", "show every group to every unit; a second push adds what is missing"),
    "pull": ("annotation.steps.pull:main", "fetch what was ranked and check it"),
    "import": (
        "annotation.steps.imports:main",
        "take over rankings made elsewhere: tiers, ranks, two buckets",
    ),
    "status": ("annotation.steps.status:main", "how far each unit is, when it will be done; also as a page of HTML"),
    "agreement": ("annotation.steps.agreement:main", "how far the units agree; also of tables of ratings (--ratings)"),
    "pairs": ("annotation.steps.pairs:main", "preference pairs from the rankings, for the benchmark"),
}
"""Step -> "module:function" and what it does, in the order in which a campaign takes them."""


def main(argv: list[str]) -> int | None:
    """Run one step; its exit status, 2 for wrong use."""
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(usage())
        return 0
    step, *rest = argv
    if step not in STEPS:
        print(f"editjudge annotate: no step `{step}`; there are: {', '.join(STEPS)}", file=sys.stderr)
        return 2
    module, _, name = STEPS[step][0].partition(":")
    run: Callable[[list[str]], int | None] = getattr(import_module(module), name)
    return run(rest)


def usage() -> str:
    """What `editjudge annotate --help` prints."""
    width = max(len(step) for step in STEPS)
    rows = [f"  {step:<{width}}  {text}" for step, (_, text) in STEPS.items()]
    return "\n".join(
        [
            "Rank edits with people: a campaign in Label Studio, from groups to preference pairs.",
            "",
            "usage: editjudge annotate STEP RECIPE [key=value ...] [--json FILE]",
            "",
            *rows,
            "",
            "A first try: editjudge annotate serve recipes/annotation/quick_trial.yaml",
            "More about one step: editjudge annotate STEP --help",
        ]
    )
