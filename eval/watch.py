"""`editjudge sweep --watch`: measure checkpoints while training writes them."""

from __future__ import annotations

import sys
import time
from typing import Any

from editjudge.errors import CheckpointError
from eval.recipe import SweepRecipe
from eval.sweep import Sweep, only_sweep, sentences


def watch_sweep(recipe: SweepRecipe) -> dict[str, Any]:
    """As `run_sweep`, again and again, until every run says that it is finished; returns the last results.

    A run need not exist yet. results.json and report.html are written again whenever something was measured. The last
    checkpoint's additional passes are made at the end. With `runtime.give_up_s` it also ends when no checkpoint has
    appeared for that long. Raises `CheckpointError` when it ends without one.
    """
    with only_sweep(recipe.out):
        sweep = Sweep(recipe)
        results: dict[str, Any] | None = None
        last_news = time.monotonic()
        while True:
            found = sweep.look()
            finished = all(run.finished for run in found.values())
            quiet_s = time.monotonic() - last_news
            closing = finished or (recipe.runtime.give_up_s is not None and quiet_s > recipe.runtime.give_up_s)
            if sweep.measure(found, closing) or (closing and sweep.measured):
                results = sweep.write()
                last_news = time.monotonic()
                print("\n".join(sentences(results)), file=sys.stderr, flush=True)
            if closing:
                break
            time.sleep(recipe.runtime.poll_s)
        if results is None:
            runs = ", ".join(str(run.path) for run in recipe.named_runs().values())
            raise CheckpointError(
                f"{runs}: no complete checkpoint appeared; is training running, and is `run` its `out`?"
            )
        return results
