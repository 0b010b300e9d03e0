"""Log a sweep to Weights & Biases: one W&B run per training run, offline by default."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from editjudge.errors import DataError, MissingExtraError
from editjudge.files.io import digest, read_json, write_json
from editjudge.formats.results.evaluation import JudgeOnBenchmark
from editjudge.formats.results.results import Results
from editjudge.system.network import check_network
from eval.checkpoints.options import Wandb
from eval.metrics.figures import keys_in, read_coverage, read_figure


def require_wandb() -> None:
    """Raise `MissingExtraError` when the package is not installed, before hours of judging."""
    if find_spec("wandb") is None:
        raise MissingExtraError(
            "the recipe's `wandb` block needs the package wandb: pip install 'editjudge[train]', or remove the block"
        )


class Tracker:
    """Logs new evaluations, also over several commands in one folder: `out/wandb.json` records the logged ones.

    Online, a run is resumed and receives the new ones. Offline runs cannot be resumed, and the last uploaded copy of
    a run replaces the others, so each copy contains all evaluations so far.
    """

    def __init__(self, options: Wandb, out: Path) -> None:
        require_wandb()
        self._options = options
        self._out = out
        self._path = out / "wandb.json"
        self._logged = _read_logged(self._path)

    def log(self, results: Results) -> int:
        """Log the new evaluations and return their number."""
        fresh: dict[str, list[JudgeOnBenchmark]] = {}
        for found in results.evaluations:
            if found.run is not None and _name(found) not in self._logged:
                fresh.setdefault(found.run, []).append(found)
        for run, new in fresh.items():
            of_run = [found for found in results.evaluations if found.run == run]
            self._log_run(run, new if self._options.mode == "online" else of_run, results)
            self._logged |= {_name(found) for found in new}
            write_json(self._path, {"logged": sorted(self._logged)})
        return sum(map(len, fresh.values()))

    def _log_run(self, run: str, evaluations: list[JudgeOnBenchmark], results: Results) -> None:
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
            # Checkpoints may arrive out of order, so the step is a logged value instead of wandb's counter.
            handle.define_metric("checkpoint_step")
            handle.define_metric("*", step_metric="checkpoint_step")
            for step in sorted({found.step or 0 for found in evaluations}):
                values: dict[str, float] = {"checkpoint_step": step}
                for found in evaluations:
                    values |= metrics(found) if found.step == step else {}
                handle.log(values)
            best = results.runs[run].best.step
            if best is not None:
                handle.summary["best_step"] = best


def metrics(evaluation: JudgeOnBenchmark) -> dict[str, float]:
    """Return the logged figures of one evaluation, without undefined ones.

    Pairs: `<benchmark>/k<passes>/<dimension>/<figure>`. Other labels: the main figure of each kind, as
    `<benchmark>/k<passes>/<kind>/<dimension>/<figure>`.
    """
    found: dict[str, float | None] = {}
    start = f"{evaluation.benchmark}/k{evaluation.passes}"
    for key in keys_in(evaluation):
        prefix = f"{start}/{key.dimension}" if key.kind == "pairs" else f"{start}/{key.kind}/{key.dimension}"
        figure = read_figure(evaluation, key)
        for name, value in ({} if figure is None else dict(figure)).items():
            found[f"{prefix}/{key.figure}{'' if name == 'value' else '_' + name}"] = value
        found[f"{prefix}/coverage"] = read_coverage(evaluation, key)
    for dimension, about in evaluation.dimensions.items():
        found[f"{start}/{dimension}/task_mean"] = about.task_mean.value
    return {name: value for name, value in found.items() if value is not None}


def _name(found: JudgeOnBenchmark) -> str:
    return digest(found.run, found.step, found.passes, found.benchmark, found.judge.identity)


def _read_logged(path: Path) -> set[str]:
    """Read the logged keys; a missing or damaged file only causes duplicate log rows."""
    try:
        content = read_json(path)
    except DataError:
        return set()
    return set(content["logged"]) if isinstance(content, dict) and isinstance(content.get("logged"), list) else set()
