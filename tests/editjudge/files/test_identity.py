"""Options that are added later leave identities alone while they are not used."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import BaseModel, ConfigDict

from curation import STAGES
from editjudge.engines.base import Sampling
from editjudge.files.identity import Apart, Neutral, identity_values
from editjudge.files.io import digest
from editjudge.recipes.recipe_use import Use
from eval.probes import Probes
from sft.recipe import SFTRecipe


class Inner(BaseModel):
    kept: int = 1
    added: Annotated[int | None, Neutral(None)] = None


class Outer(BaseModel):
    model_config = ConfigDict(frozen=True)

    name: str = "a"
    suffix: Annotated[str, Neutral("")] = ""
    inner: Inner = Inner()
    several: tuple[Inner, ...] = (Inner(), Inner(added=2))
    by_name: dict[str, Inner] = {"x": Inner()}


def test_a_neutral_option_is_left_out_wherever_it_is():
    assert identity_values(Outer()) == {
        "name": "a",
        "inner": {"kept": 1},
        "several": [{"kept": 1}, {"kept": 1, "added": 2}],
        "by_name": {"x": {"kept": 1}},
    }


def test_what_counts_elsewhere_is_left_out_at_every_value():
    class Stands(BaseModel):
        kept: int = 1
        named: Annotated[Inner | None, Apart()] = None

    assert identity_values(Stands(named=Inner())) == identity_values(Stands()) == {"kept": 1}


@pytest.mark.parametrize("changes", [{"suffix": "b"}, {"inner": Inner(added=0)}, {"by_name": {"x": Inner(added=1)}}])
def test_a_used_option_counts(changes):
    assert digest(Outer(**changes)) != digest(Outer())


def test_a_default_counts_unless_it_is_declared_neutral():
    assert digest(Inner()) != digest(Inner(kept=2))
    assert identity_values(Inner())["kept"] == 1


FIELDS = {
    "Sampling": "max_new_tokens temperature top_k top_p",
    "Probes": "groups jpeg_quality resize seed use",
    "SFTRecipe": "colors data data_root deepspeed family freeze global_batch_size lora max_dropped max_pixels "
    "max_tokens model out processes seed train",
    "photographs": "crops min_contrast photographs side_px",
    "templates": "tasks tasks_per_photo",
    "edit": "editors per_task",
    "measure": "",
    "judge": "colors engine max_pixels passes prompts retries sampling",
    "min_side": "px",
    "aspect_ratio": "max_ratio",
    "group_max": "min_overall",
    "group_std": "min_std",
    "balance": "bins max_ratio per_cell",
    "pick_groups": "per_task",
    "sft": "bins prompts",
    "tiers": "dimensions min_gap",
}
"""Options that identities hold since a stage or block is there. One that is added later is `Neutral` or
`Apart`, not listed."""


@pytest.mark.parametrize("name", ["Sampling", "Probes", "SFTRecipe", *STAGES])
def test_a_later_option_is_neutral(name):
    known: dict[str, type[BaseModel]] = {"Sampling": Sampling, "Probes": Probes, "SFTRecipe": SFTRecipe}
    model = known[name] if name in known else Use(STAGES).load(name)
    later = {key: field for key, field in model.model_fields.items() if key not in FIELDS[name].split()}
    marks = {
        key: [mark for mark in field.metadata if isinstance(mark, Neutral | Apart)] for key, field in later.items()
    }
    assert [key for key, found in marks.items() if not found] == []
