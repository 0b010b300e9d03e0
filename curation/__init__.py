"""Curation: photographs to a training set and a benchmark. Tables of the names its recipes can use."""

from __future__ import annotations

from editjudge import editors

STAGES: dict[str, str] = {
    "photographs": "curation.synthetic.photographs:Photographs",
    "templates": "curation.synthetic.templates:Templates",
    "edit": "curation.editing:EditStage",
    "measure": "curation.synthetic.measure:Measure",
    "judge": "curation.judging:JudgeStage",
    "min_side": "curation.filters.sizes:MinSide",
    "aspect_ratio": "curation.filters.sizes:AspectRatio",
    "group_max": "curation.filters.scores:GroupMax",
    "group_std": "curation.filters.scores:GroupStd",
    "balance": "curation.filters.balance:Balance",
    "pick_groups": "curation.filters.balance:PickGroups",
    "sft": "curation.export.stages:SFT",
    "tiers": "curation.export.stages:Tiers",
}
"""Stages, by the name that `use:` takes."""

SINKS: dict[str, str] = {
    "jsonl": "curation.export.sinks:Jsonl",
    "parquet": "curation.export.sinks:Parquet",
    "webdataset": "curation.export.sinks:WebDataset",
    "editreward_bench": "curation.export.sinks:EditRewardBench",
}
"""Sinks of a part, by the name that `use:` takes."""

EDITORS: dict[str, str] = {"programmatic": "curation.synthetic.programmatic:Programmatic", **editors.EDITORS}
"""Editors of the stage `edit`, by the name that `use:` takes."""
