"""Recipe of an annotation campaign: groups, units, page, server, pairs and agreement."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from editjudge.files.paths import InputPath, OutputPath
from editjudge.recipes.recipe import Recipe
from editjudge.records.tasks import DIMENSIONS, Dimension

UnitKind = Literal["single", "pair"]
Rule = Literal["unanimous", "majority", "adjudicated"]

UNIT_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,23}$"
MIN_CANDIDATES = 2
MAX_CANDIDATES = 20
MAX_TITLE = 50
"""Most characters that Label Studio allows in a project's title."""


class _Block(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Unit(_Block):
    """One person, or two who discuss and agree; gives one ranking per task (EditScore, section 3.3).

    Every unit has its own project, because Label Studio's Community edition lets everyone change all annotations.
    """

    name: str = Field(pattern=UNIT_NAME)
    """Name of the unit in files and reports; letters, digits, `-` and `_`."""
    kind: UnitKind = "single"
    """One person, or two who discuss and submit one ranking."""
    members: tuple[str, ...] = ()
    """Names of the people, for reports; a pair has two. Empty: the unit's name is used."""

    @model_validator(mode="after")
    def _as_many_as_the_kind_says(self) -> Unit:
        wanted = 2 if self.kind == "pair" else 1
        if self.members and len(self.members) != wanted:
            raise ValueError(f"members: a {self.kind} has {wanted}, this lists {len(self.members)}")
        if len(set(self.members)) != len(self.members):
            raise ValueError("members: a person is listed twice")
        return self


class Gold(_Block):
    """Tasks with a known ranking, mixed in unrecognisably to measure attention."""

    rankings: InputPath
    """Known rankings: JSONL of `TierRanking`, or the rankings.jsonl of a campaign. `task_id` names the group."""
    groups: InputPath | None = None
    """File with the groups of these rankings; null: `project.groups`. A gold group is not an ordinary task."""
    rate: float = Field(gt=0, le=1)
    """Gold tasks per ordinary task."""


class Project(_Block):
    """The tasks and the page of the annotators."""

    title: str = Field(min_length=3, max_length=MAX_TITLE)
    """Title of the campaign; a unit's project in Label Studio is named after it and the unit."""
    groups: InputPath
    """JSONL of `EditTriplet` or `ScoreCard`, a folder of such files, or the `out` folder of a curation run."""
    images: InputPath | None = None
    """Folder that image paths are relative to; null: the curation run's folder, or the folder of `groups`."""
    units: tuple[Unit, ...] = Field(min_length=1)
    task_types: str | None = None
    """Task type of groups without one ("unknown"): one of `records.tasks` for all of them, or a CSV, JSONL or
    JSON table with the columns `task_id` and `task_type`."""
    candidates: int = Field(5, ge=MIN_CANDIDATES, le=MAX_CANDIDATES)
    """Candidates shown per task. From larger groups they are drawn by hash; smaller groups and groups without
    an instruction are left out and counted."""
    max_tasks: int | None = Field(None, ge=1)
    """Most groups shown, drawn by hash; null: all. Gold and repeats are additional."""
    dimensions: tuple[Dimension, ...] = Field(DIMENSIONS, min_length=1)
    """Ranked independently of each other, in this order on the page."""
    screen_px: int = Field(768, ge=64, le=4096)
    """Longer side of the shown copies; a click opens the original of a larger image."""
    instructions: str = ""
    """Text shown to annotators before the first task; plain text, blank lines separate paragraphs."""
    gold: Gold | None = None
    repeats: float = Field(0.0, ge=0, le=0.5)
    """Tasks repeated in another order, per ordinary task: they measure how far a unit agrees with itself."""
    predictions: InputPath | None = None
    """JSONL of `ScoreCard`: pages open with a judge's ranking. It can bias people: leave it out when measuring."""
    prediction_gap: float = Field(1.0, gt=0, le=10)
    """Gap between a judge's scores (0 to 10) that begins a new tier."""

    @field_validator("dimensions")
    @classmethod
    def _distinct(cls, value: tuple[Dimension, ...]) -> tuple[Dimension, ...]:
        if len(set(value)) != len(value):
            raise ValueError("a dimension is listed twice")
        return value

    @model_validator(mode="after")
    def _units_fit(self) -> Project:
        names = [unit.name.casefold() for unit in self.units]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"units: each needs its own name; twice: {', '.join(twice)}")
        long = [title for unit in self.units if len(title := self.project_title(unit)) > MAX_TITLE]
        if long:
            raise ValueError(
                f"title: Label Studio allows {MAX_TITLE} characters for title and unit, too long: {long[0]}"
            )
        return self

    def project_title(self, unit: Unit) -> str:
        """Return the title of the unit's project in Label Studio."""
        return f"{self.title} - {unit.name}"


class LocalServer(_Block):
    """A local Label Studio that EditJudge installs, starts and stops."""

    port: int = Field(8089, ge=1024, le=65_515)
    """Preferred port; if it is taken, one of the next twenty."""
    data: OutputPath | None = None
    """Folder of database, password and token; null: one for this `out` in the user's data folder. Keep it out of
    repositories."""
    venv: OutputPath | None = None
    """Virtual environment, about 1.5 GB; null: one for all campaigns in the user's cache folder."""
    start_timeout_s: float = Field(300.0, gt=0)
    """Time-out of a start. The first one creates the database: half a minute, longer on a busy machine."""


class Server(_Block):
    """The local Label Studio server, or an existing one."""

    url: str | None = Field(None, pattern=r"^https?://[^/\s]+(/\S*)?$")
    """URL of an existing server, with the token in LABEL_STUDIO_API_KEY; null: the local server."""
    images_url: str | None = None
    """With `url`: URL of the folder `out/served/images` for that server's users; ends in `/` or `=`."""
    local: LocalServer = LocalServer()
    batch_tasks: int = Field(1000, ge=1, le=10_000)
    """Tasks per import request, and most unconfirmed tasks when a push is interrupted."""
    timeout_s: float = Field(120.0, gt=0)
    """Time-out of one request."""

    @field_validator("url", "images_url")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is not None:
            parts = urlsplit(value)  # raises ValueError, as does a port that is no number
            if parts.port == 0 or (
                parts.netloc and not parts.hostname
            ):  # images may lie below the server's own address
                raise ValueError("needs a host, and no port or one from 1 to 65535")
        return value

    @model_validator(mode="after")
    def _images_are_found(self) -> Server:
        if self.url is not None and (self.images_url is None or self.images_url[-1:] not in ("/", "=")):
            raise ValueError(
                "images_url: a server that EditJudge does not run needs the address of the images, ending in / or ="
            )
        return self


class Pairs(_Block):
    """Rules that turn the rankings of several units into preference pairs."""

    consensus: Rule = "majority"
    """unanimous: every unit prefers it; majority: more than half do; adjudicated: where units differ, the
    adjudicator decides."""
    adjudicator: str | None = Field(None, pattern=UNIT_NAME)
    """Unit that decides, required by `adjudicated`; its rankings do not vote."""
    min_tier_gap: int = Field(1, ge=1)
    """Smallest distance in tiers at which a unit's ranking counts as a preference."""
    min_units: int = Field(1, ge=1)
    """Fewest units that must have ranked a task."""
    not_in: tuple[InputPath, ...] = ()
    """Training sets (JSONL of `SFTExample`): pairs that share an image with one are left out and counted."""

    @model_validator(mode="after")
    def _has_an_adjudicator(self) -> Pairs:
        if (self.consensus == "adjudicated") != (self.adjudicator is not None):
            raise ValueError("adjudicator: goes with `consensus: adjudicated`, and only with it")
        return self


class Agreement(_Block):
    """Settings of the agreement figures."""

    thresholds: tuple[float, ...] = Field((0.75, 1.0), min_length=1)
    """Shares of units that must give the same ranking for convergence (EditScore, table 7)."""
    bootstrap_rounds: int = Field(1000, ge=0)
    """Resamples of tasks for the intervals; 0: no intervals."""
    level: float = Field(0.95, gt=0, lt=1)
    """Level of the intervals."""

    @field_validator("thresholds")
    @classmethod
    def _shares(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 < share <= 1 for share in value):
            raise ValueError("a threshold is a share, above 0 and at most 1")
        return value


class AnnotationRecipe(Recipe):
    """Recipe of `editjudge annotate`: one campaign. Tasks, rankings and reports go to `out`."""

    project: Project
    server: Server = Server()
    pairs: Pairs = Pairs()
    agreement: Agreement = Agreement()

    @model_validator(mode="after")
    def _adjudicator_is_no_voter(self) -> AnnotationRecipe:
        name = self.pairs.adjudicator
        if name is not None and name.casefold() in [unit.name.casefold() for unit in self.project.units]:
            raise ValueError("pairs.adjudicator: this unit ranks with the others; name one that does not")
        if name is not None and len(self.project.project_title(Unit(name=name))) > MAX_TITLE:
            raise ValueError(f"pairs.adjudicator: Label Studio allows {MAX_TITLE} characters for title and unit")
        return self

    @property
    def served(self) -> Path:
        """The folder whose images the server serves."""
        return self.out / "served"

    @property
    def all_units(self) -> tuple[Unit, ...]:
        """The units that rank, then the adjudicator if there is one."""
        adjudicator = self.pairs.adjudicator
        return (*self.project.units, *([Unit(name=adjudicator)] if adjudicator is not None else []))

    def describe(self) -> str:
        """Describe the campaign in a few sentences, for `editjudge check`."""
        project = self.project
        where = self.server.url or f"a local Label Studio on port {self.server.local.port}"
        units = ", ".join(f"{unit.name} ({unit.kind})" for unit in project.units)
        lines = [
            f"Groups of {project.groups}, {project.candidates} candidates each.",
            f"Ranked in {', '.join(project.dimensions)} by {len(project.units)} units: {units}.",
            f"Server: {where}. Files: {self.out}.",
        ]
        if project.predictions is not None:
            lines.append("Pages open with a judge's ranking: agreement between people is then not independent of it.")
        return "\n".join(lines)
