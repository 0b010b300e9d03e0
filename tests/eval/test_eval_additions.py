"""What a benchmark format takes to add: a module, a line in a table, a test. Here all three are this file."""

from __future__ import annotations

from pathlib import Path

import yaml
from eval_world import PixelEngine, marked
from pydantic import BaseModel

import eval.benchmarks
from editjudge.cli.catalog import catalog
from editjudge.engines import ENGINES
from editjudge.formats.results.results import read_results
from editjudge.images.store import ImageStore
from eval.benchmarks.rows import make_task, make_triplet
from eval.labels.benchmark import Benchmark, checked
from eval.labels.findings import Findings
from eval.labels.types import Comparison
from eval.run import main


class Ladder(BaseModel):
    """Three steps, each better than the next."""

    folder: Path

    @property
    def title(self) -> str:
        return "ladder"

    def load(self, cache: Path) -> Benchmark:
        store = ImageStore(self.folder)
        task = make_task("ladder", "Make it pink", store.add(marked(0, 9), "before.png"))
        steps = [make_triplet(task, store.add(marked(24 - 8 * n, n), f"{n}.png"), f"step {n}") for n in range(3)]
        said = [(0, 1), (0, 2), (1, 2)]
        labels = [
            Comparison(
                id=f"{one}{two}", task=task, first=steps[one], second=steps[two], dimension="overall", label="A>B"
            )
            for one, two in said
        ]
        return checked("ladder", "made", (), self.folder, Findings(), Findings(), comparisons=labels)


class Sharp(PixelEngine):
    """Sees without noise."""

    @property
    def noise(self) -> float:
        return 0.0


def test_a_format_of_ones_own_is_loaded_judged_and_measured(tmp_path, monkeypatch):
    monkeypatch.setitem(eval.benchmarks.BENCHMARKS, "ladder", f"{__name__}:Ladder")
    monkeypatch.setitem(ENGINES, "sharp", f"{__name__}:Sharp")
    recipe = {
        "out": str(tmp_path / "out"),
        "bench": [{"use": "ladder", "folder": str(tmp_path / "images")}],
        "judge": {"engine": {"use": "sharp"}, "prompts": "brief-v1"},
    }
    (tmp_path / "eval.yaml").write_text(yaml.safe_dump(recipe))
    assert main([str(tmp_path / "eval.yaml")]) == 0
    [found] = read_results(tmp_path / "out" / "results.json").evaluations
    assert found.labels.comparisons["overall"].without_ties.value == 1
    assert "ladder" in str(catalog())
