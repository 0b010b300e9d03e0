"""Settings that a judge was trained with: `judge.yaml`, which training writes beside every checkpoint.

A judge whose weights have the file uses the same settings: values that a recipe omits are taken from it, and other
values are refused. Weights from elsewhere have no such file; recipes then define every value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from editjudge.errors import CheckpointError
from editjudge.files.io import atomic_write, digest
from editjudge.images.colors import Colors
from editjudge.images.pixels import IMAGE_RULES
from editjudge.prompts.prompt_sets import PROMPT_SETS, PromptSet, get_prompts

JUDGE_FILE = "judge.yaml"

CHOICES = ("prompts", "max_pixels", "colors")
"""Values that a recipe may leave to the file, besides the engine's family."""


class LeftOut(Enum):
    """Default of a parameter for which None is also a value."""

    LEFT_OUT = "left out"


LEFT_OUT = LeftOut.LEFT_OUT


class JudgeSettings(BaseModel):
    """The content of `judge.yaml`: everything besides the weights that affects the judge's input."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    family: str
    """Chat layout."""
    prompts: str
    """Name of the prompt set."""
    prompts_digest: str
    """`PromptSet.identity`: digest of the prompt set."""
    max_pixels: int | None = Field(gt=0)
    """Maximum area of each image, in pixels; None: unlimited."""
    colors: Colors
    image_rules: int
    """`images.pixels.IMAGE_RULES`."""

    @classmethod
    def of(cls, family: str, prompts: PromptSet, max_pixels: int | None, colors: Colors) -> JudgeSettings:
        """Return the settings for a training that starts now."""
        return cls(
            family=family,
            prompts=prompts.name,
            prompts_digest=prompts.identity,
            max_pixels=max_pixels,
            colors=colors,
            image_rules=IMAGE_RULES,
        )

    def write(self, folder: Path) -> None:
        """Write the file into a folder, completely or not at all."""
        values = {**self.model_dump(mode="json"), "digest": digest(self)}
        head = "# Written by training. A judge with these weights is asked in this way; see docs/architecture.md.\n"
        atomic_write(folder / JUDGE_FILE, head + yaml.safe_dump(values, sort_keys=False))


@dataclass(frozen=True)
class Trained:
    """Settings and the path of their file."""

    path: Path
    settings: JudgeSettings

    def problems(self, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield (name, problem) for each of the `given` values that contradicts the file, and for settings that this
        version of EditJudge no longer supports. A prompt set is given as the `PromptSet`."""
        own = self.settings
        prompts = given.get("prompts", PROMPT_SETS.get(own.prompts))
        if prompts is None or prompts.name != own.prompts:
            here = "not a prompt set that is known" if prompts is None else repr(prompts.name)
            yield "prompts", self._contradiction("prompts", here, repr(own.prompts))
        elif prompts.identity != own.prompts_digest:
            yield "prompts", self._version(f"the wording of {own.prompts!r}", prompts.identity, own.prompts_digest)
        for name in ("family", "max_pixels", "colors"):
            if name in given and given[name] != getattr(own, name):
                yield name, self._contradiction(name, _shown(given[name]), _shown(getattr(own, name)))
        if own.image_rules != IMAGE_RULES:
            yield "engine", self._version("the version of the image rules", IMAGE_RULES, own.image_rules)

    def require(self, given: Mapping[str, Any]) -> None:
        """Raise `CheckpointError` with the first of the `problems`."""
        for name, text in self.problems(given):
            raise CheckpointError(f"{name}: {text}")

    def _contradiction(self, name: str, here: str, trained: str) -> str:
        return f"{here} here, but the judge was trained with {trained} ({self.path}); leave `{name}` out"

    def _version(self, what: str, here: object, trained: object) -> str:
        return (
            f"{what} is {here} here, but the judge was trained with {trained} ({self.path}); use the version of "
            "EditJudge that trained it, or train it again"
        )


def read_trained(folder: Path) -> Trained | None:
    """Read a folder's `judge.yaml`; None without one. Raises `CheckpointError` when it was changed or is incomplete."""
    path = folder / JUDGE_FILE
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        stated = content.pop("digest", None)
        settings = JudgeSettings.model_validate(content)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{path}: not what training has written ({reason}); copy it from the run again") from None
    if stated != digest(settings):
        raise CheckpointError(
            f"{path}: was changed after training: its digest is {stated}, its values have {digest(settings)}; "
            "copy the file from the run again"
        )
    return Trained(path, settings)


def contradictions(block: BaseModel, engine: object, trained: Trained) -> Iterator[tuple[str, str]]:
    """Yield `Trained.problems` of the given values of a block with the fields `CHOICES`, and of its engine."""
    given: dict[str, Any] = {name: getattr(block, name) for name in CHOICES if name in block.model_fields_set}
    if "prompts" in given:
        given["prompts"] = get_prompts(given["prompts"])
    if not isinstance(engine, BaseModel) or "family" in engine.model_fields_set:
        given |= family_of(engine)
    yield from trained.problems(given)


def trained_of(engine: object) -> Trained | None:
    """Return the settings that an engine's weights were trained with, if it has them (`engine.trained`)."""
    found = getattr(engine, "trained", None)
    return found if isinstance(found, Trained) else None


def family_of(engine: object) -> dict[str, str]:
    """Return an engine's family as a value for `Trained.problems`; empty for engines without one."""
    family = getattr(engine, "family", None)
    return {"family": family} if isinstance(family, str) else {}


def settings_for(engine: object, values: Mapping[str, object]) -> JudgeSettings | None:
    """Return the settings of the engine's weights, if known. Raises `CheckpointError` when `values` contradict them.

    An omitted value is `LEFT_OUT`, or None where None is not a value.
    """
    trained = trained_of(engine)
    if trained is None:
        return None
    given = {name: value for name, value in values.items() if value is not LEFT_OUT}
    for name in ("prompts", "colors"):
        if given[name] is None:
            del given[name]
    trained.require(given | family_of(engine))
    return trained.settings


def place_of(name: str) -> tuple[str, ...]:
    """Return the place of a value of `Trained.problems` in a judge's recipe."""
    return ("engine", name) if name == "family" else (name,)


def _shown(value: object) -> str:
    return "images as they are (null)" if value is None else str(value)
