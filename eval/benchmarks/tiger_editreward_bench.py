"""TIGER-Lab's EditReward-Bench: groups of 2, 3 or 4 candidates; a group is right only if all its comparisons are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from editjudge.errors import RowError
from editjudge.files.paths import ModelName
from editjudge.records.types import EditTask, EditTriplet
from eval.benchmarks.parquet import Schema, local_files, parquet_rows
from eval.benchmarks.rows import AbsentImages, TableImages, make_task, make_triplet, row_name
from eval.labels.benchmark import Benchmark, checked
from eval.labels.findings import Findings
from eval.labels.types import Label, Multiway, Preference

_SCHEMA = Schema(
    "TIGER EditReward-Bench",
    columns=(
        *("id", "instruction", "source_image", "candidate_1", "candidate_2", "ranking", "comparison_type", "dataset"),
        *("model_1", "model_2"),
    ),
    images=("source_image", "candidate_1", "candidate_2"),
)
CANDIDATES = {"2pair": 2, "3pair": 3, "4pair": 4}
"""Candidates per group, by the column `dataset`."""
_TYPE = re.compile(r"([A-D])\s*vs\.?\s*([A-D])", re.IGNORECASE)
_RANKING = re.compile(r"([A-D])([<>=])([A-D])(=GOOD|=BAD)?")


@dataclass(frozen=True)
class RankedPair:
    """One parsed comparison."""

    name: str
    group: str
    n_candidates: int
    task: EditTask
    letters: tuple[str, str]
    candidates: tuple[EditTriplet, EditTriplet]
    label: Label


class TigerEditRewardBench(BaseModel):
    """TIGER-Lab/EditReward-Bench (arXiv 2509.26346): groups of 2, 3 or 4 candidates with all their comparisons.

    One row per comparison. Columns: `id` (for 3pair and 4pair its prefix names the group), `instruction`,
    `source_image`, `candidate_1`, `candidate_2`, `ranking` ("A>B", "C>B", "A=B"), `comparison_type` ("AvsB"),
    `dataset` (2pair, 3pair, 4pair), `model_1`, `model_2`. Published: 186 + 150 + 148 groups.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: ModelName = "TIGER-Lab/EditReward-Bench"
    """Folder with Parquet files, or a name on the Hugging Face hub."""
    split: str = "train"
    """Split of a hub data set; a local folder is read completely."""
    sizes: tuple[Literal["2pair", "3pair", "4pair"], ...] = ("2pair", "3pair", "4pair")
    """Group sizes to use; the published overall figure pools all three."""
    labels_only: bool = False
    """Read no images, whose columns may be missing: enough to measure external scores and votes. The candidates are
    named `<group>-A`, `<group>-B`, ..., with the group as in the `id` of its rows."""
    name: str | None = "TIGER-EditReward-Bench"
    """Name in reports; null: the last part of `path`."""

    @property
    def title(self) -> str:
        """Return the name in reports."""
        return Path(self.path).name if self.name is None else self.name

    def load(self, cache: Path) -> Benchmark:
        """Read the benchmark, see `BenchmarkSource.load`. Incomplete groups are left out: they would be too easy."""
        left_out, notes = Findings(), Findings()
        store = AbsentImages() if self.labels_only else TableImages(cache)
        groups: dict[str, list[RankedPair]] = {}
        rows = parquet_rows(self.path, local_files(self.path), _SCHEMA.of(self.labels_only), cache, self.split)
        names: set[str] = set()
        for number, cells in enumerate(rows):
            if cells["dataset"] in CANDIDATES and cells["dataset"] not in self.sizes:
                continue
            try:
                row = _read_row(cells, store)
            except RowError as problem:
                left_out.add(problem.kind, f"row {number}: {problem}")
                continue
            if row.name in names:
                notes.add("repeated_id", f"row {number}: {row.name}")
                row = replace(row, name=f"{row.name}#{number}")
            names.add(row.name)
            groups.setdefault(row.group, []).append(row)
        multiways = []
        for name, group in groups.items():
            try:
                multiways.append(_read_group(name, group, notes))
            except RowError as problem:
                left_out.add(problem.kind, f"group {name}: {problem}")
        has_images = not self.labels_only
        return checked(self.title, self.path, (), cache, left_out, notes, multiways=multiways, has_images=has_images)


def read_ranking(ranking: object, letters: tuple[str, str]) -> Label:
    """Return the label of a comparison of two letters, the first being A; raises `RowError` for any other text."""
    text = ranking.upper().replace(" ", "") if isinstance(ranking, str) else ""
    match = _RANKING.fullmatch(text)
    if match is None or {match[1], match[3]} != set(letters) or (match[4] is not None and match[2] != "="):
        raise RowError("unknown_label", f"ranking {ranking!r} of {' and '.join(letters)}")
    if match[2] == "=":
        return {None: "A=B", "=GOOD": "A=B=Good", "=BAD": "A=B=Bad"}[match[4]]  # type: ignore[return-value]
    winner = match[1] if match[2] == ">" else match[3]
    return "A>B" if winner == letters[0] else "B>A"


def _read_row(row: dict[str, Any], store: TableImages | AbsentImages) -> RankedPair:
    kind, data_set = row["comparison_type"], row["dataset"]
    if data_set not in CANDIDATES:
        raise RowError("unknown_group_size", f"dataset {data_set!r}; known: {', '.join(CANDIDATES)}")
    name = row_name(row["id"])
    match = _TYPE.fullmatch(kind.strip()) if isinstance(kind, str) else None
    if match is None or match[1].upper() == match[2].upper():
        raise RowError("unknown_comparison_type", f"{kind!r} of {name}; such as AvsB")
    letters = (match[1].upper(), match[2].upper())
    label = read_ranking(row["ranking"], letters)
    # The authors' scripts name a group of several rows by the text before the first underscore, or by 10 characters.
    group = name if data_set == "2pair" else name.partition("_")[0] if "_" in name else name[:10]
    called = ("source", *letters)
    before, *after = (
        store.add(row[column], f"{group}-{which}") for column, which in zip(_SCHEMA.images, called, strict=True)
    )
    task = make_task("tiger_editreward_bench", row["instruction"], before)
    first, second = (
        make_triplet(task, ref, str(row[model])) for ref, model in zip(after, ("model_1", "model_2"), strict=True)
    )
    return RankedPair(name, f"{data_set}-{group}", CANDIDATES[data_set], task, letters, (first, second), label)


def _read_group(name: str, rows: Sequence[RankedPair], notes: Findings) -> Multiway:
    size = rows[0].n_candidates
    if len({row.task.id for row in rows}) > 1:
        raise RowError("group_of_two_tasks", f"{len(rows)} rows differ in instruction or source image")
    known: dict[str, EditTriplet] = {}
    for row in rows:
        for letter, triplet in zip(row.letters, row.candidates, strict=True):
            if known.setdefault(letter, triplet).id != triplet.id:
                raise RowError("letter_names_two_images", f"candidate {letter}")
    compared = {frozenset(row.letters) for row in rows}
    if len(known) != size or len(compared) != size * (size - 1) // 2:
        raise RowError("incomplete_group", f"{len(compared)} comparisons of {len(known)} candidates, not of {size}")
    if len(rows) > len(compared):
        notes.add("repeated_comparison", name)
    places = {letter: place for place, letter in enumerate(sorted(known))}
    preferences = tuple(
        Preference(id=row.name, first=places[row.letters[0]], second=places[row.letters[1]], label=row.label)
        for row in rows
    )
    candidates = tuple(known[letter] for letter in places)
    return Multiway(id=name, task=rows[0].task, candidates=candidates, preferences=preferences, dimension="overall")
