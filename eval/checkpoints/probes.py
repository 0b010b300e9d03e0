"""Probes of the last checkpoint of each run of a sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from editjudge.formats.checkpoint import RunFolder
from eval.checkpoints import judge_of
from eval.checkpoints.recipe import SweepRecipe
from eval.probes import Probes, run_probes
from eval.results import Measured


def probe_last(
    recipe: SweepRecipe, probes: Probes, scans: Mapping[str, RunFolder], measured: Sequence[Measured]
) -> list[Measured]:
    """Return `measured` with probe results for the last checkpoint of each run, with the usual number of passes.

    The model is loaded again only when answers are missing. A checkpoint that was removed after it was measured is
    not probed.
    """
    found = list(measured)
    for name, run in recipe.named_runs().items():
        judge_recipe = recipe.judge_of_run(run)
        places = [
            place
            for place, item in enumerate(measured)
            if item.run == name and item.step and item.evaluation.judge["passes"] == judge_recipe.n_passes()
        ]
        last = max((measured[place].step or 0 for place in places), default=0)
        checkpoint = next((each for each in scans[name].complete if each.step == last), None)
        if checkpoint is None:
            continue
        with judge_of(judge_recipe, checkpoint.path).build() as judge:
            for place in places:
                if measured[place].step == last:
                    rows = run_probes(judge, measured[place].evaluation, probes)
                    found[place] = replace(measured[place], probes=tuple(rows))
    return found
