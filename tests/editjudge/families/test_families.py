"""Every family through chat, reading, training, merge and judging, on tiny models of transformers' own classes."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from factories import make_image
from places import ROOT
from sft_ground import PROMPTS, make_run
from tiny_families import family_folder

from editjudge import families
from editjudge.__main__ import main as command
from editjudge.engines.base import Request, Sampling
from editjudge.engines.hf import HFEngine
from editjudge.engines.merge import merge
from editjudge.errors import CheckpointError, EditJudgeError
from editjudge.families import FAMILIES, families_for, get_family, render_chat, too_few_pixels
from editjudge.files.io import read_jsonl
from editjudge.recipes.recipe import load_recipe
from editjudge.records.types import SFTExample
from sft.recipe import SFTRecipe
from sft.train import main as train

GREEDY = Sampling(temperature=0, max_new_tokens=10)
SAMPLED = Sampling(temperature=1.5, top_p=0.95, top_k=0, max_new_tokens=8)


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def folder(family: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return family_folder(family, tmp_path_factory.mktemp(family) / "model")


def make_engine(folder: Path, family: str, **changes: Any) -> HFEngine:
    """In float64, where rounding turns no choice between two tokens."""
    engine = HFEngine(**({"model": str(folder), "family": family, "dtype": "float32", "device": "cpu"} | changes))
    engine._load().model.double()
    return engine


def requests(seeds: tuple[int, ...] = (0,)) -> list[Request]:
    """Of different lengths, with one and two images of different shapes: a batch that needs padding."""
    return [
        Request(PROMPTS.quality.ask(), (make_image(56, 112, seed=1),), seeds),
        Request(PROMPTS.semantic.ask("Paint it."), (make_image(130, 60, seed=2), make_image(64, 64, seed=3)), seeds),
        Request(PROMPTS.semantic.ask("Remove the dog. " * 5), (make_image(80, 90), make_image(90, 80)), seeds),
    ]


def said(engine: HFEngine, asked: list[Request], sampling: Sampling) -> list[list[str]]:
    return [[completion.text for completion in reply.completions] for reply in engine.answer_all(asked, sampling)]


@pytest.mark.parametrize(
    ("name", "head", "image"),
    [
        (
            "qwen2_5_vl",
            "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n",
            "<|vision_start|><|image_pad|><|vision_end|>",
        ),
        ("qwen3_vl", "", "<|vision_start|><|image_pad|><|vision_end|>"),
        (
            "mimo_vl",
            "<|im_start|>system\nYou are MiMo, an AI assistant developed by Xiaomi.<|im_end|>\n",
            "<|vision_start|><|image_pad|><|vision_end|>",
        ),
        ("internvl", "", "<IMG_CONTEXT>"),
    ],
)
def test_the_chat_of_each_family_to_the_byte(name: str, head: str, image: str) -> None:
    chat = f"{head}<|im_start|>user\nA {image} b.<|im_end|>\n<|im_start|>assistant\n"
    assert render_chat(name, "A <image> b.") == chat


def test_all_modules_and_weights_belong_to_a_part(family: str, folder: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForImageTextToText

    own, model = get_family(family), AutoModelForImageTextToText.from_pretrained(folder)
    names = [name for name, _ in itertools.chain(model.named_modules(), model.named_parameters())]
    named = [name for name in names if name not in ("", "model")]
    expected = {name: own.part_of(name) for name in named}
    assert {*expected.values()} == {"vision", "projector", "language"}
    for part, pattern in own.lora_layers.items():
        layers = [name for name in expected if re.fullmatch(pattern, name)]
        assert layers
        assert {expected[name] for name in layers} == {part}
        assert all(layer.weight.ndim == 2 for layer in map(model.get_submodule, layers))
    # All linear layers but those of the output and the input embeddings.
    linear = {name for name, module in model.named_modules() if type(module).__name__ == "Linear"}
    assert linear - {"lm_head"} == {
        name for name in expected if any(re.fullmatch(pattern, name) for pattern in own.lora_layers.values())
    }
    wrapped = get_peft_model(model, LoraConfig(target_modules=own.lora_layers["vision"]))
    adapters = {own.part_of(name) for name, weight in wrapped.named_parameters() if weight.requires_grad}
    assert adapters == {"vision"}


@pytest.mark.parametrize("name", ["model.towers.0.mlp", "model.my_language_model.layers.0", "model.audio_tower.conv1"])
def test_a_module_of_an_unknown_architecture_is_refused(family: str, name: str) -> None:
    with pytest.raises(CheckpointError, match=re.escape(name)):
        get_family(family).part_of(name)


def test_greedy_text_is_that_of_generate(family: str, folder: Path) -> None:
    from transformers import AutoModelForImageTextToText

    model: Any = AutoModelForImageTextToText.from_pretrained(folder).eval().double()
    processor = get_family(family).load_processor(folder)
    for request, reply in zip(requests(), make_engine(folder, family).answer_all(requests(), GREEDY), strict=True):
        chat = render_chat(family, request.text)
        inputs = processor(text=[chat], images=list(request.images), return_tensors="pt")
        tokens = model.generate(**inputs, do_sample=False, max_new_tokens=10)[0, inputs["input_ids"].shape[1] :]
        assert reply.completions[0].text == processor.tokenizer.decode(tokens, skip_special_tokens=True)
        assert reply.prompt_tokens == inputs["input_ids"].shape[1]


def test_a_batch_gives_what_single_requests_give(family: str, folder: Path) -> None:
    engine, asked = make_engine(folder, family), requests((3, 4))
    together = said(engine, asked, SAMPLED)
    assert together == [said(engine, [request], SAMPLED)[0] for request in asked]
    assert len({text for texts in together for text in texts}) > 3


def test_the_bound_on_pixels_takes_effect(family: str, folder: Path) -> None:
    own = get_family(family)
    free, bound = own.load_processor(folder), own.load_processor(folder, max_pixels=64 * 64)
    size = (128, 64)
    inputs = bound(text=[render_chat(family, "<image>")], images=[make_image(*size)], return_tensors="pt")
    chat = bound.tokenizer(render_chat(family, "<image>"))["input_ids"]
    assert inputs["input_ids"].shape[1] == len(chat) - 1 + own.image_tokens(bound, size)
    assert own.image_tokens(bound, size) < own.image_tokens(free, size)
    with pytest.raises(EditJudgeError, match="100 pixels"):
        own.load_processor(folder, max_pixels=100)


def test_the_processor_is_saved_as_the_publishers(family: str, folder: Path, tmp_path: Path) -> None:
    own = get_family(family)
    first = own.load_processor(folder)
    first.save_pretrained(tmp_path)
    again = own.load_processor(tmp_path)
    asked = {"text": [render_chat(family, "<image> and <image>")], "images": [make_image(100, 70), make_image(56, 56)]}
    one, two = (processor(**asked, return_tensors="np") for processor in (first, again))
    assert one["input_ids"].tolist() == two["input_ids"].tolist()
    assert (one["pixel_values"] == two["pixel_values"]).all()
    assert json.loads((tmp_path / "processor_config.json").read_text())["processor_class"] == type(first).__name__
    assert "transformers" in [base.__module__.partition(".")[0] for base in type(first).__bases__]


def test_training_merge_and_judging(family: str, folder: Path, tmp_path: Path) -> None:
    """All three parts learn, the merged weights say what base and adapter say, and that is not what the base says."""
    recipe = make_run(
        tmp_path,
        folder,
        family=family,
        max_pixels=64 * 64,
        freeze={"vision": False, "projector": False},
        train={"max_steps": 3, "save_steps": 3, "learning_rate": 2e-2},
    )
    assert train([str(recipe)]) == 0
    checkpoint, merged = tmp_path / "out" / "checkpoint-3", tmp_path / "merged"
    assert merge(checkpoint, merged) < 1e-5
    untrained = said(make_engine(folder, family), requests((1, 2)), SAMPLED)
    adapted = said(make_engine(folder, family, adapter=checkpoint), requests((1, 2)), SAMPLED)
    judged = said(make_engine(merged, family), requests((1, 2)), SAMPLED)
    assert judged == adapted != untrained


def test_fully_trained_weights_are_judged(family: str, folder: Path, tmp_path: Path) -> None:
    """With checkpointing, as on a GPU."""
    settings = {"max_steps": 2, "save_steps": 2, "learning_rate": 1e-2, "gradient_checkpointing": True}
    unfrozen = {"vision": False, "projector": False}
    recipe = make_run(tmp_path, folder, family=family, lora=None, freeze=unfrozen, train=settings)
    assert train([str(recipe)]) == 0
    judged = said(make_engine(tmp_path / "out" / "checkpoint-2", family), requests((1, 2)), SAMPLED)
    assert judged != said(make_engine(folder, family), requests((1, 2)), SAMPLED)


def test_full_fine_tuning_leaves_frozen_parts_alone(family: str, folder: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForImageTextToText

    from sft.model import freeze

    recipe = load_recipe(make_run(tmp_path, folder, family=family, lora=None), SFTRecipe)
    model = AutoModelForImageTextToText.from_pretrained(folder)
    freeze(model, recipe)
    part_of = get_family(family).part_of
    assert {part_of(name) for name, weight in model.named_parameters() if weight.requires_grad} == {"language"}
    fixed = {part_of(name) for name, weight in model.named_parameters() if not weight.requires_grad}
    assert fixed == {"vision", "projector"}


def test_tokens_are_counted_without_decoding(family: str, folder: Path, tmp_path: Path) -> None:
    from sft.data import RowReader, token_counter

    recipe = load_recipe(make_run(tmp_path, folder, family=family), SFTRecipe)
    examples = list(read_jsonl(recipe.data, SFTExample))[:4]
    processor = get_family(family).load_processor(folder)
    reader = RowReader(examples, recipe.image_root, family, recipe.max_pixels)
    count = token_counter(reader, processor, family)
    for number, example in enumerate(examples):
        row = reader.row(number)
        inputs = processor(text=[row.prompt + row.completion], images=list(row.images), return_tensors="pt")
        assert count(example) == inputs["input_ids"].shape[1]


def test_a_family_need_not_be_the_model_type(tmp_path: Path) -> None:
    """MiMo-VL is Qwen2.5-VL's architecture with another chat, so a folder cannot say which of the two it is."""
    assert [family.name for family in families_for("qwen2_5_vl")] == ["qwen2_5_vl", "mimo_vl"]
    folder = family_folder("mimo_vl", tmp_path)
    engines = [make_engine(folder, name) for name in ("qwen2_5_vl", "mimo_vl")]
    lengths = [engine.answer_all(requests()[:1], GREEDY)[0].prompt_tokens for engine in engines]
    assert lengths[1] > lengths[0]
    assert len({engine.identity for engine in engines}) == 2


def test_a_model_that_no_family_fits_is_refused_by_merge(tmp_path: Path) -> None:
    base, adapter = tmp_path / "base", tmp_path / "adapter"
    base.mkdir()
    (base / "config.json").write_text('{"model_type": "llava"}')
    (base / "model.safetensors").write_bytes(b"")
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(base)}))
    (adapter / "adapter_model.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"'llava' .*: qwen2_5_vl"):
        merge(adapter, tmp_path / "out")


def test_an_unknown_family_names_the_known_ones() -> None:
    with pytest.raises(EditJudgeError, match=r"'qwen9'.*: qwen2_5_vl, qwen3_vl"):
        get_family("qwen9")


@pytest.mark.parametrize(("name", "side"), [("qwen2_5_vl", 28), ("qwen3_vl", 32), ("mimo_vl", 28), ("internvl", 28)])
def test_less_than_a_token_of_an_image_is_no_bound(name: str, side: int) -> None:
    assert too_few_pixels(name, side**2) is None
    assert f"{side} x {side}" in str(too_few_pixels(name, side**2 - 1))


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A family of its own: one file, and one line in the table."""
    (tmp_path / "acme_vl.py").write_text(
        '"""Acme-VL."""\n'
        "from editjudge.families.qwen2_5_vl import Qwen25VL\n\n\n"
        "class AcmeVL(Qwen25VL):\n"
        '    """Acme-VL 9B: a judge of Acme\'s."""\n\n'
        '    system = "You are Acme."\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(families.FAMILIES, "acme_vl", "acme_vl:AcmeVL")
    yield "acme_vl"
    get_family.cache_clear()


def test_a_family_is_one_file_and_one_line(added: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["ls"]) == 0
    listed = capsys.readouterr().out.partition("model families:\n")[2].partition("\n\n")[0]
    assert re.search(r"acme_vl +Acme-VL 9B: a judge of Acme's\.$", listed)
    folder = family_folder("qwen2_5_vl", tmp_path / "base")
    recipe = make_run(tmp_path, folder, family=added, train={"max_steps": 1, "save_steps": 1})
    assert command(["check", str(recipe)]) == 0
    assert train([str(recipe)]) == 0
    engine = make_engine(folder, added, adapter=tmp_path / "out" / "checkpoint-1")
    assert engine.answer_all(requests()[:1], GREEDY)[0].completions[0].text
    assert merge(tmp_path / "out" / "checkpoint-1", tmp_path / "merged") < 1e-5


def test_families_are_named_nowhere_else() -> None:
    """A family's name, model types and architecture stand in its own file and the table."""
    own = {path.stem for path in (ROOT / "editjudge" / "families").glob("*.py")} & {*FAMILIES}
    assert own == {*FAMILIES}
    files = [
        path for room in ("editjudge", "sft", "eval", "curation", "annotation") for path in (ROOT / room).rglob("*.py")
    ]
    found = {
        (path.relative_to(ROOT).as_posix(), name)
        for path in files
        if "families" not in path.parts and path.name != "tiny.py"  # which builds a model
        for name in (*FAMILIES, "rope_deltas", "language_model", "visual.", "image_grid_thw", "merge_size")
        if name in path.read_text(encoding="utf-8")
    }
    assert found == {
        ("editjudge/engines/hf.py", "qwen2_5_vl"),  # the default
        ("editjudge/cli/score.py", "qwen2_5_vl"),  # the name of a recipe
    }


def test_importing_families_imports_no_heavy_package() -> None:
    names = ", ".join(target.partition(":")[0] for target in FAMILIES.values())
    code = f"import sys, {names}; print(*(name for name in ('torch', 'transformers', 'numpy') if name in sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ran.stdout.split() == []


def test_folders_of_the_processor_are_not_those_of_autoprocessor(family: str, folder: Path, tmp_path: Path) -> None:
    """Without the image processor's file there is nothing to fall back on."""
    broken = shutil.copytree(folder, tmp_path / "broken")
    (broken / "preprocessor_config.json").unlink()
    with pytest.raises(CheckpointError, match="broken"):
        get_family(family).load_processor(broken)
