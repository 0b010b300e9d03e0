"""Figures of a sweep as Weights & Biases runs: one per training run, offline unless the recipe says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from editjudge.errors import DataError, MissingExtraError
from editjudge.files.io import digest, read_json, write_json
from editjudge.system.network import check_network
from eval.checkpoints.options import Wandb
from eval.metrics.figures import keys_in, read_coverage, read_figure


def require_wandb() -> None:
    """`MissingExtraError` when the package is not installed; asked before hours are spent on judging."""
    if find_spec("wandb") is None:
        raise MissingExtraError(
            "the recipe's `wandb` block needs the package wandb: pip install 'editjudge[train]', or remove the block"
        )


class Tracker:
    """Logs evaluations that are new, also over several commands in one folder: `out/wandb.json` says which are not.

    Online, a run is resumed and gets the new ones. Offline nothing can be resumed, and of several local copies of a run
    the last one uploaded takes the place of the others, so each copy holds everything up to then.
    """

    def __init__(self, options: Wandb, out: Path) -> None:
        require_wandb()
        self._options = options
        self._out = out
        self._path = out / "wandb.json"
        self._logged = _read_logged(self._path)

    def log(self, results: Mapping[str, Any]) -> int:
        """Log the rows of `results` that were not logged yet, and return their number."""
        fresh: dict[str, list[Mapping[str, Any]]] = {}
        for row in results["evaluations"]:
            if _key(row) not in self._logged:
                fresh.setdefault(row["run"], []).append(row)
        for run, rows in fresh.items():
            of_run = [row for row in results["evaluations"] if row["run"] == run]
            self._log_run(run, rows if self._options.mode == "online" else of_run, results)
            self._logged |= {_key(row) for row in rows}
            write_json(self._path, {"logged": sorted(self._logged)})
        return sum(map(len, fresh.values()))

    def _log_run(self, run: str, rows: list[Mapping[str, Any]], results: Mapping[str, Any]) -> None:
        import wandb

        options = self._options
        if options.mode == "online":
            check_network()
        with wandb.init(
            project=options.project,
            entity=options.entity,
            mode=options.mode,
            group=options.group,
            name=run,
            id=digest(str(self._out.absolute()), run),
            resume="allow" if options.mode == "online" else None,
            dir=str(self._out),
            job_type="sweep",
            settings=wandb.Settings(console="off", quiet=True, x_disable_meta=True, x_disable_stats=True),
        ) as handle:
            # Checkpoints may come out of order, so the step is a value of its own and not wandb's counter.
            handle.define_metric("checkpoint_step")
            handle.define_metric("*", step_metric="checkpoint_step")
            for step in sorted({row["step"] for row in rows}):
                values: dict[str, float] = {"checkpoint_step": step}
                for row in rows:
                    values |= metrics(row) if row["step"] == step else {}
                handle.log(values)
            best = results["runs"][run]["best"]["step"]
            if best is not None:
                handle.summary["best_step"] = best


def metrics(row: Mapping[str, Any]) -> dict[str, float]:
    """What is logged of one evaluation; what is undefined is left out.

    Of pairs `<benchmark>/k<passes>/<dimension>/<figure>`, and of other labels the main figure of each kind, as
    `<benchmark>/k<passes>/<kind>/<dimension>/<figure>`.
    """
    found: dict[str, float] = {}
    for dimension, about in row["dimensions"].items():
        prefix = f"{row['benchmark']}/k{row['passes']}/{dimension}"
        values = {
            "pair_mean": about["pair_mean"]["value"],
            "pair_mean_low": about["pair_mean"]["low"],
            "pair_mean_high": about["pair_mean"]["high"],
            "task_mean": about["task_mean"]["value"],
            "coverage": about["coverage"],
        }
        found |= {f"{prefix}/{name}": value for name, value in values.items() if value is not None}
    for key in keys_in(row):
        if key.kind != "pairs":
            prefix = f"{row['benchmark']}/k{row['passes']}/{key.kind}/{key.dimension}"
            ends = read_figure(row, key) or {}
            values = {f"{key.figure}{'' if name == 'value' else '_' + name}": value for name, value in ends.items()}
            values["coverage"] = read_coverage(row, key)
            found |= {f"{prefix}/{name}": value for name, value in values.items() if value is not None}
    return found


def _key(row: Mapping[str, Any]) -> str:
    return digest(row["run"], row["step"], row["passes"], row["benchmark"], row["judge"].get("identity"))


def _read_logged(path: Path) -> set[str]:
    """A missing or damaged file costs nothing but rows that are logged twice."""
    try:
        content = read_json(path)
    except DataError:
        return set()
    return set(content["logged"]) if isinstance(content, dict) and isinstance(content.get("logged"), list) else set()
