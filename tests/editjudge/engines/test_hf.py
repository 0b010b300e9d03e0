"""The engine against transformers' own generate(), and against itself: batches, passes and faults change nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from factories import make_image
from PIL import Image
from tiny_model import tiny_adapter, tiny_folder

from editjudge.engines.base import Reply, Request, Sampling
from editjudge.engines.decoding import choose, write_passes
from editjudge.engines.hf import HFEngine
from editjudge.errors import CheckpointError, EngineError
from editjudge.families import get_family, render_chat
from editjudge.prompts.prompt_sets import get_prompts

GREEDY = Sampling(temperature=0, max_new_tokens=12)
WARM = Sampling(temperature=1.5, top_p=0.95, top_k=0, max_new_tokens=12)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_folder(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="module")
def adapter(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_adapter(folder, tmp_path_factory.mktemp("tiny") / "adapter")


def make_engine(folder: Path, **changes: Any) -> HFEngine:
    return HFEngine(**({"model": str(folder), "dtype": "float32", "device": "cpu"} | changes))


def in_float64(engine: HFEngine) -> HFEngine:
    """The engine with its weights in float64.

    A batch, a thread or another library rounds sums in another way. In float32 that can turn a close choice between
    two tokens on one machine and not on another; in float64 it cannot be seen.
    """
    engine._load().model.double()
    return engine


@pytest.fixture(scope="module")
def engine(folder: Path) -> HFEngine:
    return in_float64(make_engine(folder))


def make_request(number: int = 0, seeds: tuple[int, ...] = (0,)) -> Request:
    """Semantic and quality requests of different lengths and image sizes."""
    if number % 2:
        text = get_prompts("brief-v1").quality.ask()
        return Request(text, (make_image(56 + 28 * (number % 3), 56, seed=number),), seeds)
    text = get_prompts("brief-v1").semantic.ask("Make it pink. " * (1 + number))
    return Request(text, (make_image(84, 56, seed=number), make_image(56, 56 + 14 * number, seed=number + 50)), seeds)


def texts(replies: list[Reply]) -> list[tuple[str, ...]]:
    return [tuple(completion.text for completion in reply.completions) for reply in replies]


@pytest.mark.parametrize("with_adapter", [False, True])
def test_greedy_text_is_that_of_generate(folder: Path, adapter: Path, with_adapter: bool) -> None:
    from peft import PeftModel
    from transformers import Qwen2_5_VLForConditionalGeneration

    engine = in_float64(make_engine(folder, adapter=adapter if with_adapter else None))
    model: Any = Qwen2_5_VLForConditionalGeneration.from_pretrained(folder).eval()
    if with_adapter:
        model = PeftModel.from_pretrained(model, adapter).merge_and_unload()
    model.double()
    processor = get_family("qwen2_5_vl").load_processor(folder)
    requests = [make_request(number) for number in range(4)]
    for request, reply in zip(requests, engine.answer_all(requests, GREEDY), strict=True):
        chat = render_chat("qwen2_5_vl", request.text)
        inputs = processor(text=[chat], images=list(request.images), return_tensors="pt")
        tokens = model.generate(**inputs, do_sample=False, max_new_tokens=12)[0, inputs["input_ids"].shape[1] :]
        assert reply.completions[0].text == processor.tokenizer.decode(tokens, skip_special_tokens=True)
        assert reply.prompt_tokens == inputs["input_ids"].shape[1]


@pytest.mark.parametrize("sampling", [GREEDY, WARM])
def test_log_probabilities_are_those_of_the_model_reading_its_own_reply(folder: Path, sampling: Sampling) -> None:
    """Whatever the temperature, in a batch with others, and of each of several passes."""
    from transformers import Qwen2_5_VLForConditionalGeneration

    engine = in_float64(make_engine(folder))
    model: Any = Qwen2_5_VLForConditionalGeneration.from_pretrained(folder).eval().double()
    family, stops = get_family("qwen2_5_vl"), engine._load().stop_tokens
    processor = family.load_processor(folder)
    requests = [make_request(number, (7, 8)) for number in range(3)]
    wanted = sampling.model_copy(update={"logprobs": True})
    for request, reply in zip(requests, engine.answer_all(requests, wanted), strict=True):
        chat = render_chat("qwen2_5_vl", request.text)
        inputs = dict(processor(text=[chat], images=list(request.images), return_tensors="pt"))
        for written, completion in zip(
            write_passes(model, family, inputs, [request.seeds], sampling, stops)[0], reply.completions, strict=True
        ):
            tokens = torch.tensor(written.tokens)
            rest = {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}
            reread = {
                name: torch.cat([value, rest.get(name, torch.zeros_like(tokens))[None]], dim=1)
                if value.shape == inputs["input_ids"].shape
                else value
                for name, value in inputs.items()
            }
            with torch.no_grad():
                read = model(**reread)
            own = read.logits[0, -len(tokens) - 1 : -1].log_softmax(-1).gather(1, tokens[:, None])[:, 0]
            assert [logprob for _, logprob in completion.tokens] == pytest.approx(own.tolist(), abs=1e-4)
            assert processor.tokenizer.decode(tokens, skip_special_tokens=True) == completion.text


def test_an_adapter_changes_what_is_said(folder: Path, adapter: Path, engine: HFEngine) -> None:
    request = make_request(2)
    adapted = make_engine(folder, adapter=adapter)
    assert texts(adapted.answer_all([request], GREEDY)) != texts(engine.answer_all([request], GREEDY))


@pytest.mark.parametrize("sampling", [GREEDY, WARM])
def test_a_batch_gives_what_single_requests_give_in_order(engine: HFEngine, sampling: Sampling) -> None:
    requests = [make_request(number, seeds=(number, 100 + number)) for number in (3, 0, 5, 2, 1, 4)]
    together = texts(engine.answer_all(requests, sampling))
    alone = [texts(engine.answer_all([request], sampling))[0] for request in requests]
    assert together == alone
    assert len(set(together)) > 3


def test_passes_from_one_prefill_are_separate_passes(engine: HFEngine) -> None:
    seeds = (5, 6, 7, 8)
    (reply,) = engine.answer_all([make_request(2, seeds)], WARM)
    separate = [engine.answer_all([make_request(2, (seed,))], WARM)[0].completions[0] for seed in seeds]
    assert list(reply.completions) == separate
    assert len({completion.text for completion in separate}) == 4


def test_equal_seeds_give_equal_texts_and_requests_may_want_different_numbers(engine: HFEngine) -> None:
    replies = engine.answer_all([make_request(0, (1,)), make_request(0, (2, 1, 3))], WARM)
    assert [len(reply.completions) for reply in replies] == [1, 3]
    assert replies[0].completions[0] == replies[1].completions[1]


def test_greedy_passes_are_copies_of_one(engine: HFEngine) -> None:
    (reply,) = engine.answer_all([make_request(0, (1, 2, 3))], GREEDY)
    assert len(reply.completions) == 3
    assert len(set(reply.completions)) == 1


def test_a_pass_ends_at_the_end_of_turn_and_says_whether_it_did(folder: Path) -> None:
    engine = make_engine(folder)
    sampling = Sampling(temperature=3, top_p=1, top_k=0, max_new_tokens=300)
    completions = engine.answer_all([make_request(0, tuple(range(12)))], sampling)[0].completions
    stops = {completion.stop for completion in completions}
    assert "stop" in stops
    for completion in completions:
        assert "<|im_end|>" not in completion.text
        assert completion.n_tokens < 300 if completion.stop == "stop" else completion.n_tokens == 300


def test_what_cannot_be_answered_fails_alone(engine: HFEngine) -> None:
    good = make_request(0, (1, 2))
    bad = [
        Request("<image><image>Two marks.", (make_image(),), (1,)),
        Request("No image.", (), (1,)),
        Request("<image>Too long." + " pink" * 5000, (make_image(),), (1, 2)),
        Request("<image>Too narrow.", (Image.new("RGB", (5000, 1)),), (1,)),
        Request("<image>Empty.", (Image.new("RGB", (0, 4)),), (1,)),
        Request("<image>No passes.", (make_image(),), ()),
    ]
    replies = engine.answer_all([good, *bad, good], WARM)
    assert texts(replies[:1]) == texts(replies[-1:]) == texts(engine.answer_all([good], WARM))
    for request, reply in zip(bad, replies[1:-1], strict=True):
        assert [completion.stop for completion in reply.completions] == ["error"] * len(request.seeds)
        assert all(completion.error for completion in reply.completions)
    assert "2 image marks for 1 images" in str(replies[1].completions[0].error)
    reasons = [completion.reason for reply in replies[1:-1] for completion in reply.completions]
    assert [reason for reason in reasons if reason != "engine_error"] == [
        *("image_marks", "image_marks", "too_long", "too_long", "aspect_ratio", "empty_image")
    ]
    assert "5000 x 1 pixels; the model's processor takes a longer side" in str(replies[4].completions[0].error)
    assert engine.answer_all([], WARM) == []


@pytest.mark.parametrize("said", ["<|im_end|>", "cat a<|b", "<|:-)", "<|image_pad|><|vision_start|>", "\ud83d", "\x00"])
def test_text_that_looks_like_a_token_or_is_none_is_answered(engine: HFEngine, said: str) -> None:
    (reply,) = engine.answer_all([Request(f"<image>Write {said}", (make_image(),), (1,))], WARM)
    assert reply.completions[0].error is None


def test_when_memory_runs_out_the_batch_is_halved(folder: Path) -> None:
    """The model is made to run out as a GPU would: above two prompts, and for one prompt that is long."""
    engine = in_float64(make_engine(folder))
    requests = [make_request(number) for number in range(5)]
    expected = texts(engine.answer_all(requests, GREEDY))
    longest = max(reply.prompt_tokens for reply in engine.answer_all(requests, GREEDY))
    batches = []

    def small_gpu(module: Any, args: Any, kwargs: dict[str, Any]) -> None:
        rows, length = kwargs["input_ids"].shape
        batches.append(rows)
        if rows > 2 or length == longest:
            raise torch.OutOfMemoryError("CUDA out of memory")

    assert engine._loaded is not None
    engine._loaded.model.register_forward_pre_hook(small_gpu, with_kwargs=True)
    replies = engine.answer_all(requests, GREEDY)
    failed = [number for number, reply in enumerate(replies) if reply.completions[0].stop == "error"]
    assert [replies[number].prompt_tokens for number in failed] == [0]
    assert "out of GPU memory" in str(replies[failed[0]].completions[0].error)
    assert [text for number, text in enumerate(texts(replies)) if number not in failed] == [
        text for number, text in enumerate(expected) if number not in failed
    ]
    assert batches[:3] == [5, 2, 1]


@pytest.mark.parametrize(
    ("sampling", "allowed"),
    [
        (Sampling(temperature=1, top_k=2, top_p=1), {3, 1}),
        (Sampling(temperature=1, top_k=0, top_p=0.75), {3, 1}),
        (Sampling(temperature=1, top_k=0, top_p=0.5), {3}),
        (Sampling(temperature=1, top_k=0, top_p=0.51), {3, 1}),
        (Sampling(temperature=1, top_k=3, top_p=0.9), {3, 1, 0}),
        (Sampling(temperature=0.01, top_k=0, top_p=1), {3}),
        (Sampling(temperature=1, top_k=0, top_p=1), {0, 1, 2, 3}),
        (Sampling(temperature=0), {3}),
    ],
)
def test_tokens_that_may_be_drawn(sampling: Sampling, allowed: set[int]) -> None:
    chances = torch.tensor([0.15, 0.25, 0.1, 0.5])
    draws = torch.arange(0, 1, 0.01, dtype=torch.float64)
    drawn = choose(chances.log().expand(len(draws), -1), sampling, draws)
    assert set(drawn.tolist()) == allowed


def test_tokens_are_drawn_as_often_as_their_chance_says() -> None:
    chances = torch.tensor([0.15, 0.25, 0.1, 0.5])
    draws = (torch.arange(1000, dtype=torch.float64) + 0.5) / 1000
    drawn = choose(chances.log().expand(1000, -1), Sampling(temperature=1, top_k=3, top_p=1), draws)
    assert torch.bincount(drawn, minlength=4).tolist() == pytest.approx([167, 278, 0, 556], abs=1)
    softer = choose(chances.log().expand(1000, -1), Sampling(temperature=2, top_k=0, top_p=1), draws)
    roots = chances.sqrt() / chances.sqrt().sum()
    assert torch.bincount(softer, minlength=4).tolist() == pytest.approx((1000 * roots).tolist(), abs=1)


def test_identity_follows_content_not_place_or_speed(folder: Path, adapter: Path, tmp_path: Path) -> None:
    base = make_engine(folder).identity
    moved = shutil.copytree(folder, tmp_path / "moved")
    (moved / "trainer_state.json").write_text("{}")
    assert make_engine(moved, batch_size=1, device="auto", attention="eager").identity == base

    adapted = make_engine(folder, adapter=adapter).identity
    moved_adapter = shutil.copytree(adapter, tmp_path / "adapter")
    settings = json.loads((moved_adapter / "adapter_config.json").read_text())
    (moved_adapter / "adapter_config.json").write_text(json.dumps(settings | {"base_model_name_or_path": "elsewhere"}))
    assert make_engine(folder, adapter=moved_adapter).identity == adapted

    (moved_adapter / "adapter_config.json").write_text(json.dumps(settings | {"lora_alpha": 9}))
    other_weights = tiny_adapter(folder, tmp_path / "other", seed=1)
    identities = {
        base,
        adapted,
        make_engine(folder, adapter=moved_adapter).identity,
        make_engine(folder, adapter=other_weights).identity,
        make_engine(tiny_folder(tmp_path / "seed1", seed=1)).identity,
        make_engine(folder, dtype="bfloat16").identity,
    }
    assert len(identities) == 6


def test_no_half_written_model_is_taken_for_a_whole_one(folder: Path, adapter: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    lacking = {name: weight for name, weight in weights.items() if not name.endswith("layers.1.mlp.up_proj.weight")}
    broken = {
        "no weights": lambda copy: (copy / "model.safetensors").unlink(),
        "cut weights": lambda copy: (copy / "model.safetensors").write_bytes(
            (folder / "model.safetensors").read_bytes()[:50_000]
        ),
        "a weight missing": lambda copy: save_file(lacking, copy / "model.safetensors", {"format": "pt"}),
        "cut configuration": lambda copy: (copy / "config.json").write_text('{"model_type": "qwen2'),
    }
    for name, damage in broken.items():
        copy = shutil.copytree(folder, tmp_path / name)
        damage(copy)
        with pytest.raises(CheckpointError, match=name):
            make_engine(copy).answer_all([make_request()], GREEDY)
    cut = shutil.copytree(adapter, tmp_path / "cut adapter")
    (cut / "adapter_model.safetensors").write_bytes((adapter / "adapter_model.safetensors").read_bytes()[:2000])
    with pytest.raises(CheckpointError, match="cut adapter"):
        make_engine(folder, adapter=cut).answer_all([make_request()], GREEDY)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_not_finite_are_told_when_they_are_loaded(
    folder: Path, adapter: Path, tmp_path: Path, value: float
) -> None:
    from safetensors.torch import load_file, save_file

    bad = shutil.copytree(adapter, tmp_path / "adapter")
    weights = load_file(bad / "adapter_model.safetensors")
    first, second, *_ = sorted(weights)
    for name in (first, second):
        weights[name][0, 0] = value
    save_file(weights, bad / "adapter_model.safetensors")
    with pytest.raises(CheckpointError) as told:
        make_engine(folder, adapter=bad).answer_all([make_request()], GREEDY)
    assert str(told.value).startswith(f"{bad}: 2 weights hold NaN or infinity: {first}, {second};")

    damaged = shutil.copytree(folder, tmp_path / "model")
    weights = load_file(damaged / "model.safetensors")
    name = next(name for name in weights if name.endswith("layers.1.mlp.up_proj.weight"))
    weights[name][-1, -1] = value
    save_file(weights, damaged / "model.safetensors", {"format": "pt"})
    for changes in ({}, {"adapter": adapter}, {"dtype": "bfloat16"}):
        with pytest.raises(CheckpointError, match=r"model: 1 weights .*NaN.*layers\.1\.mlp\.up_proj"):
            make_engine(damaged, **changes).answer_all([make_request()], GREEDY)


def test_largest_numbers_are_finite() -> None:
    from editjudge.engines.weights import not_finite

    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        most = torch.finfo(dtype).max
        weights = {"most": torch.tensor([most, -most] * 9, dtype=dtype), "none": torch.zeros(0, 3, dtype=dtype)}
        weights |= {"one": torch.tensor(1.0, dtype=dtype), "whole": torch.arange(3), "nan": torch.tensor(torch.nan)}
        assert not_finite(weights.items()) == ["nan"]


@pytest.mark.parametrize("sampling", [GREEDY, WARM])
def test_logits_that_overflow_are_an_error_of_the_engine(folder: Path, tmp_path: Path, sampling: Sampling) -> None:
    from safetensors.torch import load_file, save_file

    large = shutil.copytree(folder, tmp_path / "large")
    weights = load_file(large / "model.safetensors")
    norm = next(name for name in weights if name.endswith("language_model.norm.weight") or name == "model.norm.weight")
    weights[norm] = torch.full_like(weights[norm], 3e38)  # finite, but no sum of its products is
    save_file(weights, large / "model.safetensors", {"format": "pt"})
    (reply,) = make_engine(large).answer_all([make_request(seeds=(1, 2))], sampling)
    assert [(completion.text, completion.stop) for completion in reply.completions] == [("", "error")] * 2
    assert "NaN or infinite at token 1" in str(reply.completions[0].error)


def test_a_pass_whose_logits_break_on_the_way_leaves_the_others_alone(folder: Path) -> None:
    engine = make_engine(folder)
    requests = [make_request(number, (1, 2)) for number in range(3)]
    expected = texts(engine.answer_all(requests, WARM))
    assert engine._loaded is not None
    calls = []

    def break_one(module: Any, args: Any, output: Any) -> None:
        calls.append(len(output.logits))
        if len(calls) == 4 and len(output.logits) == 6:
            output.logits[2] = torch.nan  # the longest request comes first: its second pass, and two of the next

    handle = engine._loaded.model.register_forward_hook(break_one)
    replies = engine.answer_all(requests, WARM)
    handle.remove()
    assert calls[:4] == [3, 6, 6, 6]
    completions = [completion for reply in replies for completion in reply.completions]
    broken = [completion for completion in completions if completion.stop == "error"]
    assert [completion.n_tokens for completion in broken] == [3]
    assert "at token 4" in str(broken[0].error)
    same = [
        completion.text == text
        for completion, text in zip(completions, [text for row in expected for text in row], strict=True)
    ]
    assert same.count(False) == 1


def test_models_that_are_not_there_or_do_not_fit(folder: Path, adapter: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    with pytest.raises(CheckpointError, match="neither a folder"):
        make_engine(tmp_path / "nowhere").answer_all([make_request()], GREEDY)
    with pytest.raises(CheckpointError, match=r"nowhere: .*adapter_config\.json"):
        make_engine(folder, adapter=tmp_path / "nowhere").answer_all([make_request()], GREEDY)
    with pytest.raises(CheckpointError, match="'qwen2_5_vl'"):
        make_engine(folder, family="qwen3_vl").answer_all([make_request()], GREEDY)
    deeper = shutil.copytree(adapter, tmp_path / "deeper")
    weights = load_file(adapter / "adapter_model.safetensors")
    extra = {
        name.replace("layers.1.", "layers.7."): weight.clone()
        for name, weight in weights.items()
        if "layers.1." in name
    }
    save_file(weights | extra, deeper / "adapter_model.safetensors")
    with pytest.raises(CheckpointError, match="does not fit"):
        make_engine(folder, adapter=deeper).answer_all([make_request()], GREEDY)
    if not torch.cuda.is_available():
        with pytest.raises(EngineError, match="no GPU"):
            make_engine(folder, device="cuda").answer_all([make_request()], GREEDY)


@pytest.mark.gpu
def test_on_a_gpu_in_bf16(folder: Path, adapter: Path) -> None:
    engine = make_engine(folder, adapter=adapter, device="cuda", dtype="bfloat16")
    requests = [make_request(number, (1, 2)) for number in range(4)]
    first, again = (texts(engine.answer_all(requests, WARM)) for _ in range(2))
    assert first == again
    on_cpu = make_engine(folder, adapter=adapter)
    on_gpu = make_engine(folder, adapter=adapter, device="cuda", dtype="float32")
    assert texts(on_gpu.answer_all(requests, GREEDY)) == texts(on_cpu.answer_all(requests, GREEDY))
