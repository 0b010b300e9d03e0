"""Run a curation recipe: plan the steps, skip complete ones, do the rest, and write the parts."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from curation.filters.leakage import check_images, check_known, check_sources
from curation.recipe import CurationRecipe
from curation.runner.dryrun import dry
from curation.runner.executors import Executors, Opening, local_executors
from curation.runner.funnel import count_stages, infos
from curation.runner.report import write_report
from curation.runner.steps import Step, plan_passes, plan_steps
from curation.runner.work import Task, Work
from curation.stage import group_id, row_id
from editjudge.cli.options import add_json, add_recipe, json_results
from editjudge.engines.cache import CachedEngine
from editjudge.errors import DataError, StaleOutputError
from editjudge.formats.funnel import Funnel, PartCount, write_funnel
from editjudge.images.store import ImageStore
from editjudge.recipes.recipe import dump_recipe, load_for_run, load_recipe
from editjudge.system.processes import alone_in
from editjudge.system.progress import track
from editjudge.system.provenance import RunRecord

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CurationResult:
    """Output of a run."""

    out: Path
    funnel: Funnel
    parts: Mapping[str, Path]
    """File or folder that the first sink of each part wrote."""


def run_curation(recipe: CurationRecipe, executors: Executors = local_executors) -> CurationResult:
    """Run or resume a curation.

    Raises `StaleOutputError` when `out` was made by another recipe, `DataError` when a part ends up empty or a source
    is unknown, `StorageError` when writing to disk fails, `EditJudgeError` when a worker dies. In every case the same
    command resumes after the last complete shard.
    """
    recipe = recipe.resolved()
    steps = plan_steps(recipe)
    for part in recipe.parts.values():
        for sink in part.written(recipe.stages[-1].gives)[1]:
            sink.check()
    passes = {steps[-1].name: steps for steps in plan_passes(steps)}
    work = Work(recipe.out, recipe.seed, recipe.shards, passes, _cached_engines(recipe))
    with alone_in(recipe.out, "another run is writing here"):
        done = _check_done(work, steps)
        _remove_partial_files(recipe.out)
        record = RunRecord(recipe.out, dump_recipe(recipe))
        with executors(work, recipe.runtime) as executor:
            _run_passes(recipe, work, done, record, executor)
        with record.phase("export"):
            return _finish(recipe, work, steps)


def _cached_engines(recipe: CurationRecipe) -> dict[str, CachedEngine]:
    return {role: CachedEngine(engine, recipe.out / "cache" / role) for role, engine in recipe.engines.items()}


def _check_done(work: Work, steps: Sequence[Step]) -> set[Task]:
    """Return the complete tasks; all are checked before any work starts."""
    stages = work.out / "stages"
    known = {step.name for step in steps}
    others = [path for path in stages.iterdir() if path.name not in known] if stages.is_dir() else []
    # A step that failed in its first shard leaves a folder without a marker; it contains no results.
    unknown = sorted(path.name for path in others if any(path.glob("*.done.json")))
    left = f"{stages}: holds {', '.join(unknown)}, which the recipe does not have (any more)"
    done: set[Task] = set()
    try:
        for name in work.passes:
            done.update(task for task in work.tasks(name) if work.is_done(task))
    except StaleOutputError as error:
        lines = [str(error), *([left] if unknown else []), f"Whatever was made from it has to go too, in {stages}."]
        raise StaleOutputError("\n".join(lines)) from error
    if unknown:
        raise StaleOutputError(f"{left}; remove {stages} to make it again, or choose another `out`")
    return done


def _run_passes(recipe: CurationRecipe, work: Work, done: set[Task], record: RunRecord, executor: Opening) -> None:
    """Do the missing tasks, pass by pass."""
    total = sum(len(work.tasks(name)) for name in work.passes)

    def results() -> Iterator[None]:
        for name, steps in work.passes.items():
            tasks = [task for task in work.tasks(name) if task not in done]
            with record.phase(name), executor(steps, len(tasks)) as at_work:
                for task, future in at_work.run(tasks):
                    for step, tally in future.result().items():
                        logger.info("%s: %s", replace(task, work=step), tally.line())
                    yield
            if steps[0].reads is None:
                _check_sources_exist(recipe, work, steps[0])

    for _ in track(results(), "curate", total - len(done)):
        pass


def _check_sources_exist(recipe: CurationRecipe, work: Work, source: Step) -> None:
    wanted = [name for part in recipe.parts.values() for name in part.sources or ()]
    check_known(wanted, {name for info in infos(work, source) for name in info["sources"]})


def _finish(recipe: CurationRecipe, work: Work, steps: Sequence[Step]) -> CurationResult:
    """Check the parts against each other and write their files, the funnel and the report."""
    splits = {step.part: step for step in steps if step.part is not None and step.name == f"{step.part}-split"}
    for check in (check_sources, check_images):
        check({name: work.read(step.name) for name, step in splits.items()})
    parts: dict[str, PartCount] = {}
    images = ImageStore(recipe.out)
    for name, part in recipe.parts.items():
        last = [step for step in steps if step.part == name][-1]
        # Sorted by id, the file does not depend on the number of shards.
        rows = sorted(work.read(last.name), key=lambda row: (group_id(row), row_id(row)))
        record, sinks = part.written(last.row_type)
        files = [sink.write(rows, record, images, recipe.out / name) for sink in sinks]
        file = files[0].relative_to(recipe.out).as_posix()
        parts[name] = PartCount(file=file, record=record.__name__, rows=len(rows))
    funnel = Funnel(stages=count_stages(work, steps), parts=parts)
    write_funnel(recipe.out, funnel)
    write_report(recipe.out)
    empty = [name for name, part in parts.items() if part.rows == 0]
    if empty:
        raise DataError(
            f"nothing is left in part {', '.join(empty)}: {recipe.out / 'report.html'} shows which stage dropped the "
            "rows; use more photographs or weaker filters"
        )
    return CurationResult(recipe.out, funnel, {name: recipe.out / part.file for name, part in parts.items()})


def _remove_partial_files(out: Path) -> None:
    """Remove the partial files of a killed run; complete files have their final names."""
    for pattern in (".tmp-*", "*.partial"):
        for path in out.rglob(pattern):
            path.unlink(missing_ok=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run `editjudge curate`."""
    parser = argparse.ArgumentParser(prog="editjudge curate", description="Run or resume a curation recipe.")
    add_recipe(parser)
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="a few photographs and no models: stand-ins edit and score, into OUT-dry-run",
    )
    add_json(parser)
    options = parser.parse_intermixed_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if options.dry_run:  # stand-ins replace models and images: none need to exist
        recipe = dry(load_recipe(options.recipe, CurationRecipe, options.overrides))
    else:
        recipe = load_for_run(options.recipe, CurationRecipe, options.overrides)
    with json_results(options.json) as write:
        result = run_curation(recipe)
        write({"out": result.out, "parts": result.parts, "funnel": result.funnel})
        for name, part in result.funnel.parts.items():
            print(f"{name}: {part.rows} {part.record} rows in {result.parts[name]}")
        print(f"report: {result.out / 'report.html'}")
    return 0
