"""The image-only processor: loads the publisher's folders and its own, and its pixel bounds really take effect."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from factories import make_image
from tiny_model import tiny_folder

from editjudge.errors import CheckpointError, EditJudgeError
from editjudge.families import get_family

load_processor = get_family("qwen2_5_vl").load_processor
PROMPT = "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>Score it.<|im_end|>\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_folder(tmp_path_factory.mktemp("tiny") / "model")


def image_tokens(processor: object, width: int, height: int) -> int:
    inputs = processor(text=[PROMPT], images=[make_image(width, height)], return_tensors="np")  # type: ignore[operator]
    return int((inputs["input_ids"] == processor.image_token_id).sum())  # type: ignore[attr-defined]


def test_the_text_gets_one_token_per_merged_patch(folder: Path) -> None:
    processor = load_processor(folder)
    inputs = processor(text=[PROMPT], images=[make_image(56, 84)], return_tensors="np")
    assert inputs["image_grid_thw"].tolist() == [[1, 6, 4]]
    assert (inputs["input_ids"] == processor.image_token_id).sum() == 6 * 4 // 4
    assert inputs["pixel_values"].shape == (24, 3 * 2 * 14 * 14)
    assert processor.tokenizer.decode(inputs["input_ids"][0]).replace("<|image_pad|>", "") == PROMPT.replace(
        "<|image_pad|>", ""
    )


@pytest.mark.parametrize(
    ("max_pixels", "tokens"),
    [
        (None, 16),  # the tiny model's own bound of 112 x 112 pixels, 28 x 28 a token
        (56 * 56, 4),
        (28 * 28 * 100, 100),
    ],
)
def test_pixel_bounds(folder: Path, max_pixels: int | None, tokens: int) -> None:
    processor = load_processor(folder, max_pixels)
    assert image_tokens(processor, 280, 280) == tokens
    assert processor.image_processor.get_number_of_image_patches(280, 280) == 4 * tokens


def test_bounds_that_contradict_each_other(folder: Path) -> None:
    with pytest.raises(EditJudgeError, match=r"784.*100 pixels"):
        load_processor(folder, max_pixels=100)


def test_saved_and_loaded_again(folder: Path, tmp_path: Path) -> None:
    first = load_processor(folder, max_pixels=28 * 28 * 9)
    first.save_pretrained(tmp_path)
    again = load_processor(tmp_path)
    image = make_image(100, 70)
    one, two = (processor(text=[PROMPT], images=[image], return_tensors="np") for processor in (first, again))
    assert one["input_ids"].tolist() == two["input_ids"].tolist()
    assert np.array_equal(one["pixel_values"], two["pixel_values"])
    assert json.loads((tmp_path / "processor_config.json").read_text())["processor_class"] == "Qwen2_5_VLProcessor"


def test_a_folder_with_the_publishers_file_names(folder: Path, tmp_path: Path) -> None:
    """Qwen's own repositories write the bounds at the top level and keep the chat template in a file of its own."""
    published = tmp_path / "published"
    shutil.copytree(folder, published)
    config = {
        "min_pixels": 3136,
        "max_pixels": 28 * 28 * 9,
        "patch_size": 14,
        "temporal_patch_size": 2,
        "merge_size": 2,
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "image_processor_type": "Qwen2VLImageProcessor",
        "processor_class": "Qwen2_5_VLProcessor",
    }
    (published / "preprocessor_config.json").write_text(json.dumps(config))
    (published / "chat_template.json").write_text(json.dumps({"chat_template": "{{ messages[0].content }}"}))
    processor = load_processor(published)
    assert image_tokens(processor, 280, 280) == 9
    assert processor.chat_template == "{{ messages[0].content }}"


@pytest.mark.parametrize("missing", ["everything", "tokenizer.json", "preprocessor_config.json"])
def test_a_folder_without_a_processor(folder: Path, tmp_path: Path, missing: str) -> None:
    broken = tmp_path / "broken"
    if missing != "everything":
        shutil.copytree(folder, broken)
        (broken / missing).unlink()
    with pytest.raises(CheckpointError, match="broken"):
        load_processor(broken)


def test_importing_it_imports_no_heavy_package() -> None:
    code = (
        "import sys, editjudge.families.qwen2_5_vl, editjudge.engines.hf, editjudge.asking.judge; print(*sys.modules)"
    )
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "transformers", "peft"} & set(modules)
