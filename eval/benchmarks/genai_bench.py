"""GenAI-Bench, image editing: two outputs of one instruction, with a vote that may be a tie."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict

from editjudge.errors import RowError
from editjudge.files.io import read_objects
from editjudge.files.paths import ModelName
from editjudge.records.types import ImageRef
from eval.benchmarks.parquet import Schema, local_files, parquet_rows
from eval.benchmarks.rows import AbsentImages, TableImages, absent_image, make_task, make_triplet
from eval.labels.benchmark import Benchmark, checked
from eval.labels.findings import Findings
from eval.labels.types import Comparison, Label, as_index

_RESULTS = (".json", ".jsonl")
"""File endings of vote files; all other files are the data set itself."""
CONFIG = "image_edition"
NO_PROMPT = "instruction of row"
"""Replaces the instruction in labels of a results file without `instruct_prompt`."""
_SCHEMA = Schema(
    "GenAI-Bench",
    columns=(
        *("instruct_prompt", "source_image", "left_output_image", "right_output_image"),
        *("left_model", "right_model", "vote_type"),
    ),
    images=("source_image", "left_output_image", "right_output_image"),
)
VOTES: dict[str, Label] = {
    "leftvote": "A>B",
    "rightvote": "B>A",
    "tievote": "A=B=Good",
    "bothbad_vote": "A=B=Bad",
}
"""Labels by the data set's `vote_type`; the left output is A."""
assert set(VOTES.values()) <= set(get_args(Label))


class GenAIBench(BaseModel):
    """GenAI-Bench, image editing (TIGER-Lab/GenAI-Bench, arXiv 2406.04485): two outputs and a vote with ties.

    Columns: `instruct_prompt`, `source_image`, `left_model`, `left_output_image`, `right_model`,
    `right_output_image`, `vote_type`. The published figures are for the 919 rows of the split test_v1.
    The id of a row's comparison is `genai_bench-<row>`, from 0, like the `idx` of public results files.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: ModelName = "TIGER-Lab/GenAI-Bench"
    """Folder with Parquet files, a name on the Hugging Face hub, or a public results file (.json, .jsonl) with
    `idx` and `human_vote`: labels without images, enough to measure external votes and scores. Its candidates are
    named `<idx>-left` and `<idx>-right`."""
    split: str = "test_v1"
    """Split of a hub data set, or of a folder with files named after splits; other folders are read completely."""
    labels_only: bool = False
    """Read no images from Parquet files, whose image columns may be missing."""
    name: str | None = None
    """Name in reports. Default: the last part of `path`."""

    @property
    def title(self) -> str:
        """Return the name in reports."""
        path = Path(self.path)
        return (path.stem if path.suffix in _RESULTS else path.name) if self.name is None else self.name

    def load(self, cache: Path) -> Benchmark:
        """Read the benchmark, see `BenchmarkSource.load`."""
        path = Path(self.path)
        from_results = path.suffix in _RESULTS
        left_out = Findings()
        store = AbsentImages() if self.labels_only else TableImages(cache)
        comparisons: list[Comparison] = []
        seen: set[str] = set()
        for number, row in enumerate(results_rows(path) if from_results else self._rows(cache)):
            try:
                found = _read_result(row, number) if from_results else _read_row(row, number, store)
                if found.id in seen:
                    raise RowError("repeated_index", f"{found.id}: an earlier row has the same idx")
                seen.add(found.id)
                comparisons.append(found)
            except RowError as problem:
                left_out.add(problem.kind, f"row {number}: {problem}")
        notes = Findings()
        return checked(
            self.title,
            self.path,
            (),
            cache,
            left_out,
            notes,
            comparisons=comparisons,
            has_images=not from_results and not self.labels_only,
        )

    def _rows(self, cache: Path) -> Iterator[dict[str, Any]]:
        files = local_files(self.path)
        of_config = [file for file in files if file.parent.name == CONFIG] or files
        of_split = [file for file in of_config if file.name.startswith(f"{self.split}-")] or of_config
        return parquet_rows(self.path, of_split, _SCHEMA.of(self.labels_only), cache, self.split, CONFIG)


def results_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a public results file, a JSON list or JSONL; raises `DataError` otherwise."""
    for _, row in read_objects(path):
        yield row


def _label(vote: object) -> Label:
    label = VOTES.get(vote) if isinstance(vote, str) else None
    if label is None:
        raise RowError("unknown_label", f"{vote!r}; known: {', '.join(VOTES)}")
    return label


def _read_row(row: dict[str, Any], number: int, store: TableImages | AbsentImages) -> Comparison:
    called = zip(_SCHEMA.images, ("source", "left", "right"), strict=True)
    before, left, right = (store.add(row[name], f"{number}-{side}") for name, side in called)
    models = (str(row["left_model"]), str(row["right_model"]))
    return _comparison(number, row["instruct_prompt"], (before, left, right), models, row["vote_type"])


def _read_result(row: dict[str, Any], number: int) -> Comparison:
    idx = as_index(row.get("idx", number))
    if idx is None:
        raise RowError("no_index", f"idx {row['idx']!r}; it counts the rows of the data set, from 0")
    refs = tuple(absent_image(f"{idx}-{side}") for side in ("source", "left", "right"))
    # Only votes are compared. The prompts of a results file only describe the row, and may be missing.
    instruction = row.get("instruct_prompt") or f"{NO_PROMPT} {idx}"
    return _comparison(idx, instruction, (refs[0], refs[1], refs[2]), ("left", "right"), row.get("human_vote"))


def _comparison(
    idx: int, instruction: object, refs: tuple[ImageRef, ImageRef, ImageRef], models: tuple[str, str], vote: object
) -> Comparison:
    label = _label(vote)
    task = make_task("genai_bench", instruction, refs[0])
    first, second = (make_triplet(task, ref, model) for ref, model in zip(refs[1:], models, strict=True))
    return Comparison(id=f"genai_bench-{idx}", task=task, first=first, second=second, dimension="overall", label=label)
