from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sft_ground import make_base, make_run

from editjudge.errors import CheckpointError, EditJudgeError, RecipeError
from editjudge.families import get_family
from editjudge.recipes.recipe import load_recipe
from editjudge.training.gradients import GradientError, GradientWatch
from sft.model import lora_modules
from sft.recipe import SFTRecipe

part_of = get_family("qwen2_5_vl").part_of


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("base"))


def recipe_of(folder: Path, base: Path, **changes: Any) -> SFTRecipe:
    return load_recipe(make_run(folder, base, **changes), SFTRecipe)


def trainer_of(folder: Path, base: Path, **changes: Any) -> Any:
    from sft.data import RowReader, read_examples
    from sft.trainer import build_trainer

    recipe = recipe_of(folder, base, **changes)
    reader = RowReader(read_examples(recipe.data), recipe.image_root, recipe.family, recipe.max_pixels)
    return build_trainer(recipe, 1, reader, get_family(recipe.family).load_processor(recipe.model), None)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("model.visual.blocks.0.mlp.gate_proj", "vision"),
        ("model.visual.patch_embed.proj", "vision"),
        ("model.visual.merger.mlp.0", "projector"),
        ("model.language_model.layers.3.mlp.gate_proj", "language"),
        ("lm_head", "language"),
    ],
)
def test_part_of(name: str, part: str) -> None:
    assert part_of(name) == part


def test_a_module_of_an_unknown_architecture_is_refused() -> None:
    with pytest.raises(CheckpointError, match=r"model\.vision_tower\.layers\.0\.mlp"):
        part_of("model.vision_tower.layers.0.mlp")


@pytest.mark.parametrize(
    ("freeze", "parts", "count"),
    [
        ({}, {"language"}, 2 * 7),
        ({"vision": False}, {"language", "vision"}, 2 * 7 + 5),
        ({"projector": False, "language": True}, {"projector"}, 2),
    ],
)
def test_adapter_goes_where_nothing_is_frozen(
    tmp_path: Path, base: Path, freeze: dict[str, bool], parts: set[str], count: int
) -> None:
    modules = lora_modules(recipe_of(tmp_path, base, freeze=freeze))
    assert {part_of(name) for name in modules} == parts
    assert len(modules) == count


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (r".*nothing", "'.*nothing'"),
        (r".*gate_proj", "1 modules .*`freeze`.*model.visual.blocks.0.mlp.gate_proj"),
    ],
)
def test_target_without_modules_or_in_a_frozen_part_is_refused(
    tmp_path: Path, base: Path, target: str, message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        lora_modules(recipe_of(tmp_path, base, lora={"target": target}))


def test_full_fine_tuning_leaves_frozen_parts_alone(tmp_path: Path, base: Path) -> None:
    trainer = trainer_of(tmp_path, base, lora=None, freeze={"vision": True, "projector": False})
    learning = {part_of(name) for name, weight in trainer.model.named_parameters() if weight.requires_grad}
    fixed = {part_of(name) for name, weight in trainer.model.named_parameters() if not weight.requires_grad}
    assert (learning, fixed) == ({"language", "projector"}, {"vision"})


def test_every_adapter_module_gets_a_gradient(tmp_path: Path, base: Path) -> None:
    trainer = trainer_of(tmp_path, base, freeze={"vision": False, "projector": False})
    watch = GradientWatch(trainer.model)
    batch = next(iter(trainer.get_train_dataloader()))
    trainer.compute_loss(trainer.model, batch).backward()
    watch.stop()
    reached = [weight.grad.any() for name, weight in trainer.model.named_parameters() if "lora_B" in name]
    assert reached
    assert all(reached)


def test_adapter_modules_outside_the_loss_are_named(tmp_path: Path, base: Path) -> None:
    """The vision tower learns nothing from a batch whose images are cut off from the graph."""
    import torch

    trainer = trainer_of(tmp_path, base, freeze={"vision": False})
    watch = GradientWatch(trainer.model)
    tower = trainer.model.get_base_model().model.visual
    tower.register_forward_hook(lambda module, args, output: torch.utils._pytree.tree_map(detached, output))
    batch = next(iter(trainer.get_train_dataloader()))
    trainer.compute_loss(trainer.model, batch).backward()
    with pytest.raises(GradientError, match=r"5 modules .*no gradient(.|\n)*visual\.blocks\.0\.attn\.proj") as caught:
        watch.stop()
    assert "language_model" not in str(caught.value)


def detached(value: Any) -> Any:
    return value.detach() if hasattr(value, "detach") else value


@pytest.mark.parametrize(("world_size", "steps"), [(1, 6), (2, 3), (3, 2), (6, 1)])
def test_accumulation_follows_from_the_world_size(tmp_path: Path, base: Path, world_size: int, steps: int) -> None:
    assert recipe_of(tmp_path, base, global_batch_size=12).accumulation(world_size) == steps


@pytest.mark.parametrize("world_size", [5, 12])
def test_a_batch_that_does_not_divide_is_refused(tmp_path: Path, base: Path, world_size: int) -> None:
    with pytest.raises(EditJudgeError, match=rf"12 .* {world_size} processes .*{2 * world_size}"):
        recipe_of(tmp_path, base, global_batch_size=12).accumulation(world_size)


def test_all_mistakes_of_a_recipe_are_told_with_their_paths(tmp_path: Path, base: Path) -> None:
    path = make_run(
        tmp_path,
        base,
        family="qwen9",
        deepspeed="nowhere.json",
        lora={"rank": 0},
        train={"learning_rat": 1e-4, "max_length": 512, "per_device_train_batch_size": 0},
    )
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, SFTRecipe)
    problems = sorted(problem.split(": ")[0] for problem in caught.value.problems)
    assert problems == [
        "deepspeed",
        "family",
        "lora.rank",
        "train.learning_rat",
        "train.max_length",
        "train.per_device_train_batch_size",
    ]
    assert "did you mean `learning_rate`?" in str(caught.value)


def test_settings_that_change_no_weight_are_outside_the_identity(tmp_path: Path, base: Path) -> None:
    first = recipe_of(tmp_path, base).identity()
    assert recipe_of(tmp_path, base, processes=2, train={"logging_steps": 7}).identity() == first
    assert recipe_of(tmp_path, base, train={"learning_rate": 1e-4}).identity() != first
    assert recipe_of(tmp_path, base, deepspeed="zero2").identity() != first
