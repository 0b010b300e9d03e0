from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from factories import make_image
from sft_ground import PROMPTS, make_base, make_run

from editjudge.asking.judge import Judge
from editjudge.cli.merge import main as merge_command
from editjudge.engines.base import Request, Sampling
from editjudge.engines.hf import HFEngine
from editjudge.engines.merge import merge
from editjudge.engines.weights import adapter_digest
from editjudge.errors import CheckpointError, StorageError
from editjudge.families import render_chat
from editjudge.files.io import read_marker
from editjudge.formats.judge_settings import JUDGE_FILE, Trained, read_trained
from sft.train import main


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run: its base in `base/`, its checkpoints in `out/`."""
    folder = tmp_path_factory.mktemp("run")
    recipe = make_run(folder, make_base(folder / "base"), train={"max_steps": 4, "learning_rate": 2e-2})
    assert main([str(recipe)]) == 0
    return folder


def logits(engine: HFEngine) -> Any:
    import torch

    loaded = engine._load()
    inputs = loaded.processor(
        text=[render_chat("qwen2_5_vl", PROMPTS.quality.ask())], images=[make_image(seed=7)], return_tensors="pt"
    )
    with torch.no_grad():
        return loaded.model(**inputs).logits


def test_train_save_reload_merge_gives_the_same_judge(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    base, checkpoint, out = str(run / "base"), run / "out" / "checkpoint-4", tmp_path / "merged"
    assert merge_command([str(checkpoint), str(out), "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["largest_difference"] < 1e-5
    untrained, adapted, merged = (
        HFEngine(model=base, dtype="float32"),
        HFEngine(model=base, adapter=checkpoint, dtype="float32"),
        HFEngine(model=str(out), dtype="float32"),
    )
    torch.testing.assert_close(logits(merged), logits(adapted), atol=1e-4, rtol=1e-4)
    assert (logits(adapted) - logits(untrained)).abs().max() > 0.1
    request = Request(PROMPTS.quality.ask(), (make_image(seed=8),), seeds=(0,))
    greedy = Sampling(temperature=0, max_new_tokens=12)
    for engine in (merged, adapted):
        engine._load().model.double()  # rounding must not turn a close choice between two tokens
    assert merged.answer_all([request], greedy) == adapted.answer_all([request], greedy)
    trained = read_trained(checkpoint)
    assert trained is not None
    assert merged.trained == Trained(out / JUDGE_FILE, trained.settings)
    assert (Judge(merged).prompts.name, Judge(merged).max_pixels) == ("brief-v1", 56 * 56)
    marker = read_marker(out / "done.json")
    assert marker is not None
    assert marker["identity"]["dtype"] == "float32"
    assert [path.name for path in tmp_path.iterdir()] == ["merged"]  # nothing temporary is left


def test_an_existing_folder_is_not_touched(run: Path, tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(StorageError, match="exists"):
        merge(run / "out" / "checkpoint-4", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


def test_a_half_written_checkpoint_is_refused(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run / "out", tmp_path / "out")
    (tmp_path / "out" / "checkpoint-4" / "done.json").unlink()
    with pytest.raises(CheckpointError, match=r"done\.json"):
        merge(tmp_path / "out" / "checkpoint-4", tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_a_merge_with_other_logits_leaves_nothing(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a tolerance that rounding cannot meet, as a merge that lost something would not meet the real one."""
    monkeypatch.setattr("editjudge.engines.merge.TOLERANCE", {"float32": -1.0})
    with pytest.raises(CheckpointError, match="logits"):
        merge(run / "out" / "checkpoint-4", tmp_path / "merged")
    assert list(tmp_path.iterdir()) == []


def test_an_adapter_of_nan_is_refused(run: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    adapter = tmp_path / "adapter"
    shutil.copytree(run / "out" / "checkpoint-4", adapter)
    weights = load_file(adapter / "adapter_model.safetensors")
    save_file({name: weight * float("nan") for name, weight in weights.items()}, adapter / "adapter_model.safetensors")
    with pytest.raises(CheckpointError, match="NaN"):
        merge(adapter, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_an_adapter_without_a_base_asks_for_one(run: Path, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    shutil.copytree(run / "out" / "checkpoint-4", adapter)
    settings = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps(settings | {"base_model_name_or_path": None}))
    with pytest.raises(CheckpointError, match="--base"):
        merge(adapter, tmp_path / "merged")
    merge(adapter, tmp_path / "merged", base=str(run / "base"))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("", "JSON"),
        ("[" * 100_000, "nested deeper"),
        ('["lora"]', "not a JSON object"),
        ('{"r": 8, "r": 16}', "'r'.* twice"),
    ],
)
def test_settings_of_an_adapter_that_cannot_be_read_are_named(tmp_path: Path, settings: str, said: str) -> None:
    (tmp_path / "adapter_config.json").write_text(settings)
    (tmp_path / "adapter_model.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match=rf"adapter_config\.json: .*{said}"):
        merge(tmp_path, tmp_path / "out")
    with pytest.raises(CheckpointError, match=rf"adapter_config\.json: .*{said}"):
        adapter_digest(tmp_path)


def test_a_base_that_is_not_there_is_named(run: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nowhere"):
        merge(run / "out" / "checkpoint-4", tmp_path / "merged", base=str(tmp_path / "nowhere"))


def test_a_checkpoint_of_another_family_is_not_merged(run: Path, tmp_path: Path) -> None:
    checkpoint = shutil.copytree(run / "out" / "checkpoint-4", tmp_path / "checkpoint-4")
    trained = read_trained(checkpoint)
    assert trained is not None
    trained.settings.model_copy(update={"family": "qwen3_vl"}).write(checkpoint)
    with pytest.raises(CheckpointError, match=r"'qwen2_5_vl'.*'qwen3_vl' .*judge\.yaml"):
        merge(checkpoint, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()
