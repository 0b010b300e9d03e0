"""Train a judge.

    deepspeed sft/train.py RECIPE [key=value ...]      under DeepSpeed, one process per GPU
    editjudge sft RECIPE [key=value ...]               starts the right number of processes itself
    deepspeed --module sft.train RECIPE                the same without a checkout
    torchrun --nproc_per_node 8 sft/train.py RECIPE    any other launcher
    python sft/train.py RECIPE                         the same as `editjudge sft`

The same command resumes an interrupted run from its last complete checkpoint.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # run as a file: the packages are one folder up, and sft/ itself must not be on the path
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from editjudge.cli.options import add_recipe
from editjudge.engines.quiet import quiet
from editjudge.errors import (
    CheckpointError,
    DataError,
    ImageError,
    MissingExtraError,
    RecipeError,
    StaleOutputError,
    StorageError,
)
from editjudge.formats.checkpoint import Checkpoint, scan
from editjudge.recipes.recipe import dump_recipe, load_for_run
from editjudge.system.provenance import RunRecord
from editjudge.training import checkpoints
from editjudge.training.gradients import trainable_line
from editjudge.training.journal import JOURNAL, forget_after
from editjudge.training.launch import World, end_with_launcher, launch, process_count
from editjudge.training.processes import join_processes, leave_processes, wait_for_all
from sft.callbacks import Observer
from sft.check import RunnableRecipe, machine_problems, require_base
from sft.identity import claimed_identity, run_identity
from sft.model import lora_modules
from sft.prepare import prepare_data
from sft.recipe import SFTRecipe
from sft.trainer import build_trainer


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. User errors are raised as `EditJudgeError`."""
    parser = argparse.ArgumentParser(prog="editjudge sft", description="Train a judge.")
    add_recipe(parser)
    parser.add_argument("--local_rank", type=int, help=argparse.SUPPRESS)  # DeepSpeed's launcher passes it
    options = parser.parse_intermixed_args(argv)
    world = World.from_environment()
    quiet(world.main)
    recipe = load_for_run(options.recipe, RunnableRecipe, options.overrides)
    _require_packages(recipe)
    _require_runnable(options.recipe, recipe)
    if world.launched:
        end_with_launcher()
        return train(recipe, world)
    processes = process_count(recipe.processes, deepspeed=recipe.deepspeed is not None)
    if processes == 1 and recipe.deepspeed is None:
        return train(recipe, world)
    status = launch(
        Path(__file__).resolve(), [str(options.recipe), *options.overrides], bool(recipe.deepspeed), processes
    )
    # DeepSpeed's launcher exits with 0 when a signal ended its processes.
    unfinished = status == 0 and not scan(recipe.out).finished
    return 1 if unfinished else status


def train(recipe: SFTRecipe, world: World) -> int:
    """Train in this process, one of `world.size`; resume from the last complete checkpoint, if any."""
    if not world.main:
        identity = claimed_identity(recipe)
        return 0 if checkpoints.finished(recipe.out, identity) else _train(recipe, world, identity, None)
    with checkpoints.only_writer(recipe.out):
        identity = run_identity(recipe)
        checkpoints.claim(recipe.out, identity)
        if checkpoints.finished(recipe.out, identity):
            print(f"{recipe.out}: this run is finished; choose another `out` for a new one")
            return 0
        for path in checkpoints.discard_incomplete(recipe.out):
            print(f"{path}: was left half-written, removed")
        return _train(recipe, world, identity, RunRecord(recipe.out, dump_recipe(recipe)))


def _train(recipe: SFTRecipe, world: World, identity: Mapping[str, Any], record: RunRecord | None) -> int:
    from safetensors import SafetensorError

    latest = _resume_point(recipe, world)
    with _phase(record, "data"):
        reader, processor, settings = prepare_data(recipe, world, identity)
    with _phase(record, "load"), _images_stay():
        if world.main and recipe.lora is not None:
            print(f"LoRA on {len(lora_modules(recipe))} modules of {recipe.model}")
        join_processes(deepspeed=recipe.deepspeed is not None)
        keep = recipe.train.get("save_total_limit")
        observer = Observer(recipe.out, identity, settings, world.size, world.main, keep)
        try:
            trainer = build_trainer(recipe, world.size, reader, processor, observer)
        except SafetensorError as error:
            raise CheckpointError(f"{recipe.model}: its weights are damaged ({error}); fetch them again") from error
    if world.main:
        print(trainable_line(trainer.model), flush=True)
        forget_after(recipe.out / JOURNAL, latest.step if latest else 0)
    with _phase(record, "train"), _images_stay():
        try:
            if latest is None:
                trainer.train()
            else:
                with checkpoints.under_plain_name(latest.path) as path:
                    trainer.train(resume_from_checkpoint=str(path))
        except (OSError, RuntimeError, SafetensorError) as error:
            problem = _saving_problem(recipe.out, error)
            if problem is None:
                raise
            raise problem from error
        finally:
            observer.end()
        wait_for_all()
    if world.main:
        last = scan(recipe.out).complete[-1]
        info = {"step": last.step, "checkpoint": last.path.name, "rows": len(reader)}
        checkpoints.finish(recipe.out, identity, info)
        print(f"{last.path}: trained, {last.step} steps", flush=True)
    leave_processes()
    return 0


@contextmanager
def _images_stay() -> Iterator[None]:
    """Raise `DataError` with advice when an image can no longer be read although its row was checked."""
    try:
        yield
    except ImageError as error:
        # From a process that loads batches, the message is a traceback.
        line = str(error).strip().splitlines()[-1].removeprefix(f"{ImageError.__module__}.{ImageError.__qualname__}: ")
        raise DataError(
            f"{line}\nIt could be read when its row was checked. Restore it, then the same command resumes from the "
            "last complete checkpoint."
        ) from error


def _saving_problem(out: Path, error: Exception) -> StorageError | None:
    """Return a training error as a storage error, if it is one. A full disk raises another type for each file format.

    Half-written checkpoints were removed before training began: one that exists now failed to save.
    """
    broken = scan(out).incomplete
    if not broken:
        return None
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return StorageError(
        f"{broken[-1]}: could not be written whole ({reason}); free some space, then rerun the command to resume from "
        "the last complete checkpoint"
    )


def _phase(record: RunRecord | None, name: str) -> AbstractContextManager[None]:
    return nullcontext() if record is None else record.phase(name)


def _resume_point(recipe: SFTRecipe, world: World) -> Checkpoint | None:
    """Return the checkpoint to resume from. `CheckpointError` when its parts belong to another number of processes."""
    found = scan(recipe.out).complete
    if not found:
        return None
    latest = found[-1]
    if recipe.deepspeed is not None and latest.world_size != world.size:
        raise CheckpointError(
            f"{latest.path}: written by {latest.world_size} processes, DeepSpeed cannot resume it with "
            f"{world.size}; start {latest.world_size} again"
        )
    if world.main:
        checkpoints.verify_weights(latest.path, 0)
        print(f"resuming from {latest.path}")
    return latest


def _require_runnable(path: Path, recipe: SFTRecipe) -> None:
    """Check, before anything starts, requirements of the machine of the run: the GPU, a base on the hub."""
    problems = machine_problems(recipe)
    if problems:
        raise RecipeError(str(path), problems)
    require_base(recipe)


def _require_packages(recipe: SFTRecipe) -> None:
    from importlib.util import find_spec

    needed = ["torch", "transformers", "trl", "peft", "datasets", *(["deepspeed"] if recipe.deepspeed else [])]
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        raise MissingExtraError(f"training needs {', '.join(missing)}; install with: pip install 'editjudge[train]'")


def _one_of_many(arguments: list[str]) -> int:
    """Run `main`, and report only once an error that every process of a run finds."""
    try:
        return main(arguments)
    except (DataError, RecipeError, StaleOutputError) as error:
        if World.from_environment().main:
            raise
        return error.exit_code


if __name__ == "__main__":
    from editjudge.__main__ import run, run_process

    sys.exit(run_process(lambda arguments: run("sft", _one_of_many, arguments)))
