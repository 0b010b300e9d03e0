"""The part of results.json about a judge beside people who ranked the same candidates."""

from __future__ import annotations

from editjudge.formats.results.evaluation import Finding
from editjudge.records.tasks import Dimension
from editjudge.statistics.estimate import Block, Estimate


class BesidePeople(Block):
    """One figure of the judge and of people, and the difference judge minus people."""

    judge: Estimate
    people: Estimate
    difference: Estimate


class PeopleFigures(Block):
    """See `eval.human.agreement` for their definitions."""

    preference: BesidePeople
    relation: BesidePeople
    majority: BesidePeople
    kendall_tau_b: BesidePeople


class RankedDimension(Block):
    """A dimension that people ranked."""

    n_tasks: int
    n_pairs: int
    coverage: float
    figures: PeopleFigures
    units: dict[str, PeopleFigures]
    """By annotation unit."""


class JudgeBesidePeople(Block):
    """One judge on the ranked candidates of one benchmark."""

    label: str
    run: str | None
    step: int | None
    passes: int
    benchmark: str
    dimensions: dict[Dimension, RankedDimension]


class HumanResults(Block):
    """Input files, and one entry per evaluation whose candidates people ranked."""

    source: str
    units: list[str]
    n_rankings: int
    left_out: dict[str, Finding]
    evaluations: list[JudgeBesidePeople]
