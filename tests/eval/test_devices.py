"""Which devices there are, and what a process sees of its own."""

from __future__ import annotations

import pytest

from editjudge.errors import RecipeError
from editjudge.system.devices import environment, resolve_devices, seats


def test_on_the_cpu_the_cores_are_divided_and_no_gpu_is_seen(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert environment("cpu", 10_000) == {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert environment("cpu", 1)["OMP_NUM_THREADS"] == "3"


def test_devices_are_counted_within_what_is_visible(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6,7")
    assert resolve_devices("auto") == ("cuda:0", "cuda:1", "cuda:2")
    assert environment("cuda:1,2", 0) == {"CUDA_VISIBLE_DEVICES": "6,7"}
    with pytest.raises(RecipeError, match=r"runtime\.devices: cuda:3: .* 3 GPUs"):
        resolve_devices(["cuda:0", "cuda:3"])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4")
    assert resolve_devices("auto") == ()
    assert resolve_devices(["cpu", "cpu"]) == ("cpu", "cpu")


def test_each_device_has_a_seat_with_a_log_of_its_own(tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    found = seats(["cuda:0", "cuda:1,2", "cpu"], tmp_path)
    assert [seat.environment["CUDA_VISIBLE_DEVICES"] for seat in found] == ["0", "1,2", ""]
    assert [seat.log.name for seat in found] == ["0-cuda0.log", "1-cuda1-2.log", "2-cpu.log"]
