"""Rows of a training set in the model's format: prompt and images as at inference, and the reply."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import Image
from pydantic import BaseModel, ConfigDict

from editjudge.errors import DataError, EditJudgeError
from editjudge.families import get_family, render_chat, render_reply
from editjudge.files.io import read_jsonl
from editjudge.files.text import is_blank
from editjudge.images.colors import Colors
from editjudge.images.pixels import MAX_RATIO, fit_size, show_images, unfit
from editjudge.images.store import ImageStore, image_faults
from editjudge.prompts.prompt_sets import IMAGE_MARK, PROMPT_SETS, PromptSet, get_prompts
from editjudge.records.tasks import counts_by_task
from editjudge.records.types import SFTExample

TokenCounter = Callable[[SFTExample], int]


class DroppedRow(BaseModel):
    """A row that cannot be trained on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    reason: str
    """Reason in snake_case."""
    detail: str


@dataclass(frozen=True)
class TrainingRow:
    """One row in the trainer's format."""

    images: tuple[Image.Image, ...]
    """RGB, in the size that a judge gets."""
    prompt: str
    """The whole chat up to the model's reply."""
    completion: str
    """The reply and its end token, as `families.render_reply` writes them."""


class RowReader:
    """The rows of a training set by number; images are decoded on demand."""

    def __init__(
        self,
        examples: Sequence[SFTExample],
        root: Path,
        family: str,
        max_pixels: int | None,
        colors: Colors = "srgb",
    ) -> None:
        self.examples = examples
        self.root = root
        self._store = ImageStore(root, colors)
        self._family = family
        self._max_pixels = max_pixels

    def __len__(self) -> int:
        return len(self.examples)

    def row(self, number: int) -> TrainingRow:
        """Return one row. Raises `ImageError` when an image is missing or changed; nothing replaces it."""
        example = self.examples[number]
        return TrainingRow(
            images=show_images([self._store.read(ref) for ref in example.images], example.shown_size, self._max_pixels),
            prompt=self.chat(example),
            completion=render_reply(self._family, example.completion),
        )

    def chat(self, example: SFTExample) -> str:
        """Return the prompt of a row as at inference, with the system turn of its prompt set."""
        prompts = PROMPT_SETS.get(example.prompt_version)
        return render_chat(self._family, example.prompt, None if prompts is None else prompts.system)

    def __call__(self, batch: dict[str, list[int]]) -> dict[str, list[Any]]:
        """Map {"row": numbers} to columns of TRL's prompt-completion rows with images: a transform for `datasets`."""
        rows = [self.row(number) for number in batch["row"]]
        return {
            "images": [list(row.images) for row in rows],
            "prompt": [row.prompt for row in rows],
            "completion": [row.completion for row in rows],
        }

    def dataset(self) -> Any:
        """Return a `datasets.Dataset` of the rows, in order, decoded lazily."""
        from datasets import Dataset

        return Dataset.from_dict({"row": list(range(len(self)))}).with_transform(self)

    def shown_sizes(self, example: SFTExample) -> list[tuple[int, int]]:
        """Return width and height of each image of a row in the size that a judge gets, without decoding it."""
        sizes = [*((ref.width, ref.height) for ref in example.images[:-1]), example.shown_size]
        return [fit_size(size, self._max_pixels) for size in sizes]


def token_counter(reader: RowReader, processor: Any, family: str) -> TokenCounter:
    """Return a function that counts an example's tokens, prompt and completion together, without decoding images."""
    tokenizer = processor.tokenizer

    @lru_cache(maxsize=4096)
    def image_tokens(size: tuple[int, int]) -> int:
        return get_family(family).image_tokens(processor, size)

    def count(example: SFTExample) -> int:
        texts = [reader.chat(example), render_reply(family, example.completion)]
        words = sum(len(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"])
        # The text already contains one pad token for each image.
        return words + sum(image_tokens(size) - 1 for size in reader.shown_sizes(example))

    return count


def check_examples(reader: RowReader, count_tokens: TokenCounter, max_tokens: int | None) -> Iterator[DroppedRow]:
    """Decode every image once, and yield the rows that cannot be trained on, in order."""
    # With colours as stored: profiles do not affect whether an image can be read.
    refs = (ref for example in reader.examples for ref in example.images)
    faults = image_faults(refs, ImageStore(reader.root, "stored"))
    for example in reader.examples:
        problem = (
            _text_fault(example)
            or next(((faults[ref].reason, str(faults[ref])) for ref in example.images if ref in faults), None)
            or _shape_fault(reader.shown_sizes(example))
            or _length_fault(example, count_tokens, max_tokens)
        )
        if problem is not None:
            yield DroppedRow(id=example.id, reason=problem[0], detail=problem[1])


def refuse_too_many(rows: int, dropped: Sequence[DroppedRow], max_share: float, source: str) -> None:
    """Raise `DataError` with reasons and examples when no row is left, or more than `max_share` of them is dropped."""
    if rows - len(dropped) > 0 and len(dropped) <= max_share * rows:
        return
    reasons = "\n".join(f"  {reason}: {count}" for reason, count in _reasons(dropped))
    shown = "\n".join(f"  {row.id}: {row.detail}" for row in dropped[:5])
    raise DataError(
        f"{source}: {len(dropped)} of {rows} rows cannot be trained on, allowed is a share of {max_share:g} "
        f"(max_dropped)\n{reasons}\nfirst of them:\n{shown}\nRepair the data, or raise max_dropped."
    )


def summary(rows: int, dropped: Sequence[DroppedRow]) -> str:
    """Return one line: rows kept, and dropped by reason."""
    reasons = ", ".join(f"{reason} {count}" for reason, count in _reasons(dropped))
    return f"{rows - len(dropped):,} of {rows:,} rows" + (f"; dropped: {reasons}" if reasons else "")


def task_counts(examples: Iterable[SFTExample]) -> str:
    """Return one line: rows by task type, those of the benchmark first."""
    counts = counts_by_task(example.task_type for example in examples)
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def read_examples(path: str) -> list[SFTExample]:
    """Read the training set. Raises `DataError` with file and line, also for duplicate ids, and for an empty file."""
    examples = list(read_jsonl(path, SFTExample))
    twice = [name for name, count in Counter(example.id for example in examples).items() if count > 1]
    if twice:
        raise DataError(f"{path}: {len(twice)} duplicate ids, {twice[0]!r} among them; remove the duplicates")
    if not examples:
        raise DataError(f"{path}: holds no rows; run the curation that makes it")
    return examples


def prompts_of(examples: Sequence[SFTExample], source: str) -> PromptSet:
    """Return the prompt set of the rows. Raises `DataError` unless there is exactly one, it is known here, and it still
    has the wording of the rows: a judge gets the current wording."""
    name, *others = sorted({example.prompt_version for example in examples})
    if others:
        raise DataError(
            f"{source}: rows of several prompt sets ({', '.join([name, *others])}); a judge is asked with one, "
            "so train on rows of one"
        )
    try:
        prompts = get_prompts(name)
    except EditJudgeError as error:
        raise DataError(f"{source}: {error}; a judge trained on these rows could not be asked") from error
    for example in examples:
        prompt = prompts.prompt(example.aspect)
        if example.scale != prompt.scale or not prompt.asks(example.prompt, len(example.images)):
            raise DataError(
                f"{source}: row {example.id} asks with another wording or scale than prompt set {name!r} has now; "
                "run the curation again"
            )
    return prompts


def _reasons(dropped: Iterable[DroppedRow]) -> list[tuple[str, int]]:
    return Counter(row.reason for row in dropped).most_common()


def _text_fault(example: SFTExample) -> tuple[str, str] | None:
    marks = example.prompt.count(IMAGE_MARK)
    if marks != len(example.images):
        return "image_marks", f"{marks} {IMAGE_MARK} marks for {len(example.images)} images"
    prompts = PROMPT_SETS.get(example.prompt_version)
    prompt = None if prompts is None else prompts.prompt(example.aspect)
    lacking = prompt is not None and prompt.lacks_instruction(example.prompt, len(example.images))
    if lacking or is_blank(example.prompt.replace(IMAGE_MARK, "")):
        return "no_instruction", f"the prompt asks about no instruction: {example.prompt[-60:]!r}"
    if is_blank(example.completion):
        return "empty_completion", "the completion is empty"
    return None


def _shape_fault(sizes: Iterable[tuple[int, int]]) -> tuple[str, str] | None:
    for size in sizes:
        if (reason := unfit(size)) is not None:
            return (
                reason,
                f"{size[0]} x {size[1]} pixels as shown; no side may be more than {MAX_RATIO} times the other",
            )
    return None


def _length_fault(example: SFTExample, count_tokens: TokenCounter, limit: int | None) -> tuple[str, str] | None:
    try:
        tokens = count_tokens(example)
    except (ValueError, TypeError) as error:  # errors of tokenizers and processors for unsupported input
        return "not_processable", " ".join(str(error).split())
    return None if limit is None or tokens <= limit else ("too_long", f"{tokens} tokens, the limit is {limit}")
