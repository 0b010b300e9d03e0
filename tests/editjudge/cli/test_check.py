"""`editjudge check` finds what would end a run after it was launched, and so does the command before it starts."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from curation_ground import make_recipe
from sft_ground import make_base, make_run

from editjudge.__main__ import main
from editjudge.errors import RecipeError
from editjudge.recipes.recipe import examine, load_for_run
from sft.check import RunnableRecipe
from sft.deepspeed_config import SHIPPED, deepspeed_problems, read_deepspeed
from sft.settings import training_problems


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("base"))


@pytest.fixture
def run(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return make_run(tmp_path, base)


ATTENTION = "train.model_init_kwargs.attn_implementation"
MISTAKES = [
    ('train.learning_rate="1e-3"', "train.learning_rate", "should be a valid number; write it without quotes"),
    ("train.learning_rate=-1", "train.learning_rate", "must be greater than 0, got -1"),
    ("train.learning_rate=.nan", "train.learning_rate", "must be a finite number, got nan"),
    ("train.max_steps=2.5", "train.max_steps", "should be a valid integer, got 2.5"),
    ("train.max_steps=0", "train.max_steps", "must be at least 1, or -1"),
    ("train.max_steps=true", "train.max_steps", "should be a valid integer, got True"),
    ("train.lr_scheduler_type=cosin", "train.lr_scheduler_type", "did you mean `cosine`?"),
    ("train.lr_scheduler_type=cosine_with_min_lr", "train.lr_scheduler_type", "min_lr"),
    ("train.lr_scheduler_kwargs={num_cycels: 2}", "train.lr_scheduler_kwargs", "num_cycels"),
    ("train.optim=adamw_9bit", "train.optim", "did you mean `adamw_8bit`?"),
    ("train.optim_args=lr", "train.optim_args", "unpack"),
    ("train.logging_steps=0", "train.logging_steps", "must be greater than 0, got 0"),
    ("train.num_train_epochs=three", "train.num_train_epochs", "should be a valid number, got 'three'"),
    ("train.num_train_epochs=-1", "train.num_train_epochs", "must be greater than 0, got -1"),
    ("train.save_strategy=epochs", "train.save_strategy", "did you mean `epoch`?"),
    ("train.save_strategy=no", "train.save_strategy", "there would be no checkpoints"),
    ("train.save_steps=2.5", "train.save_steps", "a whole number of steps"),
    ("train.report_to=wandbb", "train.report_to", "did you mean `wandb`?"),
    ("train.report_to=[wandb, flyt]", "train.report_to", "did you mean `flyte`?"),
    ("train.report_to=null", "train.report_to", "did you mean `none`?"),
    ("train.bf16=yes", "train.bf16", "should be a valid boolean, got 'yes'"),
    ("train.adam_beta2=1", "train.adam_beta2", "less than 1, got 1"),
    ("train.weight_decay=-0.1", "train.weight_decay", "must not be negative"),
    ("train.save_total_limit=0", "train.save_total_limit", "must be greater than 0"),
    ("train.loss_type=dfft", "train.loss_type", "did you mean `dft`?"),
    ("train.auto_find_batch_size=true", "train.auto_find_batch_size", "must not be set here"),
    ("train.train_sampling_strategy=group_by_length", "train.train_sampling_strategy", "known: random, sequential"),
    ("train.accelerator_config={split: true}", "train.accelerator_config", "split"),
    ("train.model_init_kwargs={dtype: bf16}", "train.model_init_kwargs.dtype", "known: auto, bfloat16"),
    (
        "train.model_init_kwargs={atn_implementation: sdpa}",
        "train.model_init_kwargs.atn_implementation",
        "did you mean",
    ),
    ("train.model_init_kwargs={use_cash: 1}", "train.model_init_kwargs.use_cash", "the model takes no such setting"),
    ("train.model_init_kwargs={attn_implementation: spda}", ATTENTION, "did you mean `sdpa`?, got 'spda'"),
    ("train.model_init_kwargs={attn_implementation: flash_attention_3}", ATTENTION, "needs the package flash-attn-3"),
    ("train.model_init_kwargs={revision: v2}", "train.model_init_kwargs.revision", "must not be set here"),
    ("train.model_init_kwargs=sdpa", "train.model_init_kwargs", "must be a mapping"),
    (
        *("train.model_init_kwargs={quantization_config: {quant_method: bitsandbytes, load_in_4bit: true}}",),
        *("train.model_init_kwargs.quantization_config", "needs the package bitsandbytes"),
    ),
    (
        *("train.gradient_checkpointing_kwargs={use_reentrent: false}",),
        *("train.gradient_checkpointing_kwargs.use_reentrent", "did you mean `use_reentrant`?"),
    ),
    (
        *("train.gradient_checkpointing_kwargs={selective: true, use_reentrant: true}",),
        *("train.gradient_checkpointing_kwargs", "selective goes with `use_reentrant: false` only"),
    ),
    ("train.gradient_checkpointing_kwargs=on", "train.gradient_checkpointing_kwargs", "must be a mapping"),
    ("train.torch_compile_mode=max-autotun", "train.torch_compile_mode", "did you mean `max-autotune`?"),
    ("train.dataloader_multiprocessing_context=spawn", "train", "can only be used with multi-process loading"),
    ("train.pad_to_multiple_of=8", "train.pad_to_multiple_of", "must not be set here"),
    ("train.pad_token=<pad>", "train.pad_token", "must not be set here"),
    ("train.push_to_hub=true", "train.push_to_hub", "must not be set here"),
    ("train.data_seed=18446744073709551616", "train.data_seed", "less than 2**63"),
    ("seed=-1", "seed", "greater than or equal to 0, got -1"),
    ("seed=4294967296", "seed", "less than 4294967296"),
    ("train.torch_compile_backend=inductr", "train.torch_compile_backend", "did you mean `inductor`?"),
    ("train.dataloader_persistent_workers=true", "train", "needs num_workers > 0"),
    ("train={per_device_train_batch_size: 2, bf16: true, fp16: true}", "train", "At most one of fp16 and bf16"),
    ("global_batch_size=33", "global_batch_size", "33 is no multiple of 1 processes x per_device_train_batch_size 2"),
    ("processes=3", "global_batch_size", "4 is no multiple of 3 processes"),
    ("max_pixels=10", "max_pixels", "less than one patch of qwen2_5_vl, which is 28 x 28 = 784 pixels, got 10"),
    ("max_pixels=true", "max_pixels", "must be a number, got True"),
    ("lora.alpha=.inf", "lora.alpha", "must be a finite number, got inf"),
    ("seed=true", "seed", "must be a number, got True"),
    ("model=/nope", "model", "no such file or folder: /nope"),
    ("model=./nope", "model", "no such file or folder: nope"),
    ("model=.", "model", "the folder has no weights"),
    ("family=qwen3_vl", "family", "is a 'qwen2_5_vl' model"),
    ("lora.target=nothing", "lora.target", "no module of"),
    ("lora.modules_to_save=[visual.merger]", "lora.modules_to_save", "in a part that `freeze` names"),
    ("lora.modules_to_save=[lm_heads]", "lora.modules_to_save", "no module of"),
    ("data=/nope.jsonl", "data", "no such file or folder: /nope.jsonl"),
    ("data_root=/nope", "data_root", "no such file or folder: /nope"),
    ("deepspeed=zero4", "deepspeed", "did you mean `zero3`?"),
    ("deepspeed=recipe.yaml", "deepspeed", "not valid JSON"),
]


@pytest.mark.parametrize(("override", "where", "text"), MISTAKES, ids=[row[0] for row in MISTAKES])
def test_a_mistake_is_found_by_check_and_by_the_command(
    run: Path, capsys: pytest.CaptureFixture[str], override: str, where: str, text: str
) -> None:
    overrides = [override]
    said = []
    for command in ("check", "sft"):
        assert main([command, str(run), *overrides]) == 2
        said.append(capsys.readouterr().err)
    assert said[0] == said[1]
    (line,) = said[0].splitlines()
    assert line.startswith(f"{run}: {where}: ")
    assert text in line
    assert not (run.parent / "out").exists()


def test_all_mistakes_are_in_one_message_also_those_between_values(run: Path) -> None:
    """One in `train`, two that only show beside other values, and a missing file."""
    wrong = ["train.max_steps=0", "global_batch_size=33", "max_pixels=10", "data=/nope.jsonl", "sed=1"]
    with pytest.raises(RecipeError) as caught:
        load_for_run(run, RunnableRecipe, wrong)
    assert sorted(problem.partition(":")[0] for problem in caught.value.problems) == [
        *("data", "global_batch_size", "max_pixels", "sed", "train.max_steps")
    ]


def test_a_sound_recipe_has_no_mistakes(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = "train.model_init_kwargs={attn_implementation: sdpa, dtype: bfloat16, device_map: auto}"
    checkpointing = "train.gradient_checkpointing_kwargs={use_reentrant: false, preserve_rng_state: false}"
    values = ["train.bf16=true", "train.report_to=none", "train.max_grad_norm=0", "train.torch_compile_mode=default"]
    assert main(["check", str(run), *values, model, checkpointing]) == 0
    assert f"{run}: no mistakes (sft recipe)\n" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["Qwen/Qwen2.5-VL-7B-Instruct", "gpt2"])
def test_a_name_on_the_hub_cannot_be_checked(run: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    found = examine(run, RunnableRecipe, [f"model={name}"])
    assert (found.problems, found.missing) == ((), ())
    assert "not checked" in found.recipe.describe()


def test_the_family_of_a_cached_hub_model_is_checked(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    cache = run.parent / "hub"
    commit = cache / "models--acme--judge" / "snapshots" / "c0ffee"
    commit.mkdir(parents=True)
    (commit / "config.json").write_text('{"model_type": "qwen3_vl"}')
    (cache / "models--acme--judge" / "refs").mkdir()
    (cache / "models--acme--judge" / "refs" / "main").write_text("c0ffee")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    assert examine(run, RunnableRecipe, ["model=acme/judge"]).problems == (
        "family: acme/judge is a 'qwen3_vl' model, not one of family 'qwen2_5_vl'; use family 'qwen3_vl', "
        "got 'qwen2_5_vl'",
    )
    assert examine(run, RunnableRecipe, ["model=acme/judge", "family=qwen3_vl"]).problems == ()


@pytest.mark.parametrize("name", ["fp16", "tf32"])
def test_what_needs_a_gpu_is_refused_where_the_run_would_be_and_not_by_check(
    run: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    if torch.cuda.device_count():
        pytest.skip("this machine has a GPU")
    assert main(["check", str(run), f"train.{name}=true"]) == 0
    capsys.readouterr()
    assert main(["sft", str(run), f"train.{name}=true"]) == 2
    assert f"train.{name}: needs a GPU" in capsys.readouterr().err


TRAIN = {"per_device_train_batch_size": 16, "bf16": False, "max_steps": 600, "learning_rate": 4e-3}


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_deepspeed_configuration_has_no_mistakes(name: str) -> None:
    assert list(deepspeed_problems(read_deepspeed(name), TRAIN, world_size=2, accumulation=1)) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"zero_optimisation": {"stage": 2}}, "zero_optimisation: DeepSpeed does not know this key; did you mean"),
        ({"zero_optimization": {"stage": 7}}, "zero_optimization.stage: Input should be 0, 1, 2, 3"),
        ({"zero_optimization": {"stge": 2}}, "zero_optimization.stge: Extra inputs are not permitted, got 2"),
        ({"zero_optimization": "x"}, "zero_optimization: "),
        ({"zero_optimization": {"offload_param": {"device": "gpu"}}}, "zero_optimization.offload_param.device: Input"),
        ({"train_batch_size": 7}, "train_batch_size: 7 here, but train_batch_size (calculated)=32 in the recipe"),
        ({"train_micro_batch_size_per_gpu": 4}, "train_micro_batch_size_per_gpu: 4 here, but per_device_train_batch"),
        ({"gradient_accumulation_steps": 8}, "gradient_accumulation_steps: 8 here, but gradient_accumulation_steps=1"),
        ({"gradient_clipping": 0.5}, "gradient_clipping: 0.5 here, but max_grad_norm=1.0 in the recipe"),
        ({"bf16": {"enabled": True}}, "bf16.enabled: True here, but bf16|bf16_full_eval=False in the recipe"),
        ({"optimizer": {"type": "AdamW", "params": {"lr": 1}}}, "optimizer.params.lr: 1 here, but learning_rate=0.004"),
    ],
)
def test_a_mistake_in_deepspeeds_file(change: dict[str, Any], problem: str) -> None:
    (found,) = deepspeed_problems(read_deepspeed("zero2") | change, TRAIN, world_size=2, accumulation=1)
    assert found.startswith(problem)


def test_deepspeeds_file_is_checked_with_the_recipe(run: Path) -> None:
    file = run.parent / "mine.json"
    file.write_text(json.dumps(read_deepspeed("zero2") | {"zero_optimisation": {}, "train_batch_size": 7}))
    assert examine(run, RunnableRecipe, ["deepspeed=mine.json"]).problems == (
        "deepspeed: mine.json: zero_optimisation: DeepSpeed does not know this key; did you mean `zero_optimization`?",
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[1]", "object.*list"),
        ('{"a": 1, "a": 2}', "'a'.* twice"),
        ('{"gradient_clipping": NaN}', "NaN"),
    ],
)
def test_deepspeeds_file_is_strict_json(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(ValueError, match=problem):
        read_deepspeed(str(tmp_path / "x.json"))


def test_checking_settings_leaves_no_trace(base: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """No process group is joined and the environment stays as it is, or the run itself would start differently."""
    import torch.distributed as dist
    from accelerate.state import PartialState

    before, shared = dict(os.environ), dict(PartialState._shared_state)
    settings = {"per_device_train_batch_size": 1, "bf16": True, "torch_compile": True}
    settings |= {"model_init_kwargs": {"attn_implementation": "sdpa", "ignore_mismatched_sizes": False}}
    assert list(training_problems(settings)) == []
    assert "Loading weights" not in capfd.readouterr().err
    assert dict(os.environ) == before
    assert PartialState._shared_state == shared
    assert not dist.is_initialized()


JUDGE = {"engine": {"use": "scripted", "replies": ['{"score": [1, 2]}']}, "prompts": "brief-v1"}


def eval_recipe(folder: Path, **changes: Any) -> Path:
    values: dict[str, Any] = {"out": str(folder / "out"), "bench": [{"use": "pairs", "path": "bench.jsonl"}]}
    path = folder / "eval.yaml"
    path.write_text(yaml.safe_dump(values | {"judge": JUDGE} | changes))
    (folder / "bench.jsonl").write_text("")
    return path


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("bench.0.path=nope.jsonl", "bench.0.path: no such file or folder: nope.jsonl"),
        ("bench.0={use: editreward_bench, path: /nope}", "bench.0.path: no such file or folder: /nope"),
        ("bench.0.root=/nope", "bench.0.root: no such file or folder: /nope"),
        ("judge.engine={use: hf, model: /nope}", "judge.engine.model: no such file or folder: /nope"),
        ("judge.engine={use: hf, model: a/b, adapter: .}", "judge.engine.adapter: no adapter there: adapter_config"),
        ("judge={engine: {use: hf, model: a/b}, max_pixels: 9}", "judge.max_pixels: less than one patch of"),
        ("judge.sampling={temperature: .nan}", "judge.sampling.temperature: "),
        ("judge.sampling={max_new_tokens: true}", "judge.sampling.max_new_tokens: must be a number, got True"),
        ("judge.passes=true", "judge.passes: must be a number, got True"),
        ("human={rankings: nope.jsonl}", "human.rankings: no such file or folder: nope.jsonl"),
        ("report={funnel: nope.json}", "report.funnel: no such file or folder: nope.json"),
        ("leaderboard={results: [nope.json]}", "leaderboard.results.0: no such file or folder: nope.json"),
    ],
)
def test_a_mistake_in_an_evaluation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], override: str, problem: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = eval_recipe(tmp_path)
    for command in ("check", "eval"):
        assert main([command, str(path), override]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"{path}: {problem}")
    assert not (tmp_path / "out").exists()


def test_scores_made_elsewhere_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["eval", str(eval_recipe(tmp_path)), "judge=null", "scores=nope.csv"]) == 2
    assert "scores" in capsys.readouterr().err


SWEEP = {"run": "runs/train", "last": None}


@pytest.mark.parametrize(
    ("wandb", "problem"),
    [
        ({"project": "a/b"}, "wandb: "),
        ({"project": "x" * 200}, "wandb: "),
        ({"mode": "online"}, "wandb.mode: online needs an API key"),
        ({"mode": "on-line"}, "wandb.mode: Input should be 'offline' or 'online'"),
    ],
)
def test_a_mistake_in_a_wandb_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, wandb: dict[str, str], problem: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))
    monkeypatch.setenv("HOME", str(tmp_path))
    path = eval_recipe(tmp_path, **SWEEP, wandb=wandb)
    assert main(["check", str(path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{path}: {problem}")


def test_an_input_that_another_recipe_makes_is_not_there_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = eval_recipe(tmp_path, bench=[{"use": "pairs", "path": "runs/mine/benchmark.jsonl"}])
    (tmp_path / "curate.yaml").write_text("out: runs/mine\nstages: []\n")
    assert main(["check", str(path)]) == 0
    said = capsys.readouterr().out
    assert "not ready" in said
    assert f"editjudge curate {tmp_path / 'curate.yaml'}" in said
    assert main(["eval", str(path)]) == 2
    assert ": runs/mine/benchmark.jsonl" in capsys.readouterr().err


def test_a_watched_training_need_not_have_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    path = eval_recipe(tmp_path, **SWEEP)
    assert main(["sweep", str(path)]) == 2
    assert "run: no such file or folder: runs/train" in capsys.readouterr().err
    main(["sweep", str(path), "runtime.give_up_s=0.01", "--watch", "runtime.poll_s=0.01"])
    assert "no such file or folder" not in capsys.readouterr().err


@pytest.mark.parametrize("block", [{}, {"sampling": {"top_k": 5}}])
def test_sampling_that_an_engine_does_not_know_is_told_where_it_is_written_or_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], block: dict[str, Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    engine = {"use": "scripted", "replies": ["a"], "without": ["top_k"]}
    mended = {"sampling": {"top_k": 0}}
    stages = [*make_recipe()["stages"][:3], {"use": "judge", "engine": "teacher"} | block]
    parts = {"train": {"stages": [{"use": "sft", "prompts": "brief-v1"}]}}
    curation = make_recipe(engines={"teacher": engine}, stages=stages, parts=parts)
    (tmp_path / "curate.yaml").write_text(yaml.safe_dump(curation))
    judge = {"engine": engine, "prompts": "brief-v1"}
    places = {
        str(eval_recipe(tmp_path, judge=judge | block)): "judge.sampling.top_k",
        str(tmp_path / "curate.yaml"): "stages.3.sampling.top_k",
    }
    for command, (path, place) in zip(("eval", "curate"), places.items(), strict=True):
        for words in (["check", path], [command, path]):
            assert main(words) == 2
            (line,) = capsys.readouterr().err.splitlines()
            assert line.startswith(f"{path}: {place}: the engine 'scripted' takes no top_k; set it to 0")
    assert main(["check", str(tmp_path / "curate.yaml"), "stages.3.sampling.top_k=0"]) == 0
    last = {"passes": 2, "sampling": {"top_k": 7}}
    path = str(eval_recipe(tmp_path, run="runs/train", last=last, judge=judge | mended))
    assert main(["check", path]) == 2
    assert "last.sampling.top_k: " in capsys.readouterr().err
