"""The records in files between the applications. All are immutable and refuse unknown fields.

Ids are digests of content (`io.digest`), so reruns and other machines agree on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from editjudge.files.io import digest
from editjudge.files.text import printable_id, valid_text
from editjudge.records.tasks import Aspect, Dimension, canonical_task_type

Text = Annotated[str, BeforeValidator(lambda value: valid_text(value) if isinstance(value, str) else value)]
"""Text from people or models, passed through `valid_text`."""

Id = Annotated[str, AfterValidator(printable_id)]
"""Name of a record in files, messages and on pages."""

TaskType = Annotated[str, AfterValidator(canonical_task_type)]
"""Kind of the edit, see `tasks.canonical_task_type`; `tasks.UNKNOWN_TASK` when not recorded."""

Score10 = Annotated[float, Field(ge=0, le=10)]


class Record(BaseModel):
    """Base class of all rows of JSONL files."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ImageRef(Record):
    """Reference to a stored image."""

    path: str
    """Relative to the data root, or `shard.tar/member` inside a WebDataset shard."""
    sha256: str
    """SHA-256 of the file's bytes, hexadecimal."""
    width: int = Field(gt=0)
    """In pixels."""
    height: int = Field(gt=0)
    """In pixels."""


class Origin(Record):
    """Source of a task."""

    source: Text
    """Id of the photograph, or of the upstream row; it must not be in both training and benchmark (data leakage)."""
    licence: Text
    """Licence of the source image, as its publisher states it."""
    plan: dict[str, Any] | None = None
    """Parameters of a programmatic editor; None for tasks from people or a model."""


class EditTask(Record):
    """A task for an editor."""

    id: Id
    inputs: tuple[ImageRef, ...] = Field(min_length=1)
    """Input images, in the order in which the instruction refers to them."""
    instruction: Text
    task_type: TaskType
    language: Text = "en"
    """BCP 47 tag of the instruction."""
    origin: Origin


class EditTriplet(Record):
    """A task with one candidate output. The triplets of one task are a group."""

    id: Id
    task: EditTask
    edited: ImageRef
    editor: Text
    """Identity of the editor that made the output."""
    seed: int
    """Seed of the editor."""


class Judgment(Record):
    """One reply of a judge about one aspect of one triplet."""

    triplet_id: Id
    aspect: Aspect
    """"semantic": sees input, output and instruction. "quality": sees the output only."""
    scores: tuple[float, float] | None
    """Raw, on 0..scale. Semantic: (editing success, little over-editing). Quality: (naturalness, no artefacts)."""
    scale: float = Field(gt=0)
    """Best possible raw score; the worst is 0."""
    rationale: Text
    """The judge's text before the scores; may be empty."""
    raw: Text
    """The reply; invalid Unicode is U+FFFD."""
    score_logprob: float | None = None
    """Natural log-probability of the scores given the text before them; None without `Sampling.logprobs`, and for
    replies in which the list of scores is not plain JSON."""
    parsed_by: str
    """How the scores were read: "json", "repaired", or "none"."""
    failure: str | None = None
    """Why `scores` is None, in snake_case; None when the reply was readable."""
    pass_index: int = Field(ge=0)
    seed: int
    engine: str
    """Identity of the engine that wrote the reply."""
    prompt_version: str
    prompt_tokens: int = Field(0, ge=0)
    """Tokens read for it, image tokens and repeated questions included. Passes that share a prefill count it once, in
    the first of them, so that sums are what was paid; 0 if the engine does not report it."""
    completion_tokens: int = Field(0, ge=0)
    """Tokens generated, retries of unreadable replies included; 0 if the engine does not report it."""

    @model_validator(mode="after")
    def _scores_or_reason(self) -> Judgment:
        if (self.scores is None) == (self.failure is None):
            raise ValueError("a judgment has either scores or a failure, not both and not neither")
        return self


class ScoreCard(Record):
    """All judgments of a triplet. Values are means over the readable passes, 0 to 10."""

    triplet: EditTriplet
    judgments: tuple[Judgment, ...]
    prompt_following: Score10 | None
    consistency: Score10 | None
    perceptual_quality: Score10 | None
    overall: Score10 | None
    """sqrt(min(semantic) * min(quality)), computed per pass, then averaged (EditScore, section 4.1)."""
    n_ok: int = Field(ge=0)
    """Passes in which both aspects were readable."""
    n_failed: int = Field(ge=0)
    """Passes in which at least one aspect stayed unreadable."""
    spread: float | None = Field(ge=0)
    """Population standard deviation of `overall` across passes, 0 to 10 scale; None with fewer than two."""
    failure: str | None = None
    """Why a card without judgments has no values, in snake_case; None without a reason, or with judgments."""

    @property
    def failures(self) -> tuple[str, ...]:
        """Reasons for missing scores: of every judgment without scores, or of the whole card."""
        found = (self.failure, *(judgment.failure for judgment in self.judgments))
        return tuple(reason for reason in found if reason is not None)

    @property
    def rationale(self) -> str:
        """The first readable semantic rationale, or "" when there is none."""
        for judgment in self.judgments:
            if judgment.aspect == "semantic" and judgment.scores is not None:
                return judgment.rationale
        return ""

    def value(self, dimension: Dimension) -> float | None:
        """Return the score that decides a dimension of EditReward-Bench, 0 to 10; None when unscored."""
        if dimension == "prompt_following":
            return self.prompt_following
        if dimension == "consistency":
            return self.consistency
        return self.overall


class TierRanking(Record):
    """One annotator's (or judge's) ranking of a group in one dimension, ties allowed."""

    task_id: Id
    dimension: Dimension
    annotator: Text
    tiers: tuple[tuple[Id, ...], ...]
    """Triplet ids, best tier first; the order within a tier has no meaning."""
    seconds: float | None = None
    """Time the annotator took for the whole task."""
    annotation_id: str | None = None

    @model_validator(mode="after")
    def _each_once(self) -> TierRanking:
        ids = [triplet_id for tier in self.tiers for triplet_id in tier]
        if not ids or len(set(ids)) != len(ids) or not all(self.tiers):
            raise ValueError("every tier holds at least one triplet and no triplet is in it twice")
        return self


class PreferencePair(Record):
    """Two candidates of one group, one of them preferred in one dimension."""

    id: Id
    task: EditTask
    better: EditTriplet
    worse: EditTriplet
    dimension: Dimension
    tier_gap: int = Field(ge=1)
    """Number of tiers between the two."""
    n_annotators: int = Field(ge=1)
    agreement: float = Field(gt=0, le=1)
    """Share of the annotators who prefer `better`."""

    @classmethod
    def of(
        cls,
        better: EditTriplet,
        worse: EditTriplet,
        dimension: Dimension,
        *,
        tier_gap: int = 1,
        n_annotators: int = 1,
        agreement: float = 1.0,
    ) -> PreferencePair:
        """Return the pair of two candidates of one task; its id depends on them and the dimension."""
        return cls(
            id=digest("pair", better.id, worse.id, dimension),
            task=better.task,
            better=better,
            worse=worse,
            dimension=dimension,
            tier_gap=tier_gap,
            n_annotators=n_annotators,
            agreement=agreement,
        )


OLD_ROW = "old_training_row"
"""Type of the validation error for an `SFTExample` of an older version: it lacks group, source or size."""

_SINCE = ("group_id", "task_type", "source", "shown_width", "shown_height")


class SFTExample(Record):
    """One row of a judge's training set."""

    id: Id
    triplet_id: Id
    aspect: Aspect
    group_id: Id
    """Id of the `EditTask`: the triplets of one task are a group."""
    task_type: TaskType
    """Task type of the task."""
    source: Text
    """`Origin.source` of the task: photograph or upstream row that must not be in a benchmark (data leakage)."""
    images: tuple[ImageRef, ...] = Field(min_length=1)
    """In the order of the `<image>` marks in `prompt`; the last one is the output of the edit."""
    shown_width: int = Field(gt=0)
    """In pixels: the output is shown at the size of the input, before `max_pixels` bounds both. A quality row has no
    input, so this is its size."""
    shown_height: int = Field(gt=0)
    prompt: Text
    """User turn, with one `<image>` mark per image."""
    completion: Text
    """Target reply of the judge: {"reasoning": ..., "score": [a, b]}."""
    scale: float = Field(gt=0)
    score_bin: int = Field(ge=0)
    """Balancing bin of the triplet's overall score."""
    prompt_version: str

    @property
    def shown_size(self) -> tuple[int, int]:
        """Width and height of the output as shown, before `max_pixels`."""
        return self.shown_width, self.shown_height

    @model_validator(mode="before")
    @classmethod
    def _made_by_this_version(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and "completion" in value:
            lacking = [name for name in _SINCE if name not in value]
            if lacking:
                raise PydanticCustomError(
                    OLD_ROW,
                    "made by an older version of EditJudge, without {fields}; run the curation again",
                    {"fields": ", ".join(lacking)},
                )
        return value

    @model_validator(mode="after")
    def _shown_as_its_input(self) -> SFTExample:
        first = self.images[0]
        if self.aspect == "semantic" and (first.width, first.height) != self.shown_size:
            raise ValueError(
                f"shown_width and shown_height are {self.shown_width} x {self.shown_height}, the input is "
                f"{first.width} x {first.height}; a judge shows the output at the size of the input"
            )
        return self
