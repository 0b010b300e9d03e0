"""Engine for transformers models in this process, on any GPU or the CPU."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationInfo, field_validator, model_validator
from pydantic_core import InitErrorDetails

from editjudge.engines.attention import attention_problem, needs_gpu
from editjudge.engines.base import BatchEffect, Completion, Engine, Problem, Reply, Request, Sampling
from editjudge.engines.decoding import Written, write_passes
from editjudge.engines.weights import (
    adapter_digest,
    adapter_problem,
    load_model,
    model_digest,
    model_problem,
    model_window,
)
from editjudge.errors import CheckpointError, EditJudgeError, EngineError, RequestError
from editjudge.families import FAMILIES, get_family, render_chat
from editjudge.files.paths import InputPath, ModelName
from editjudge.formats.judge_settings import Trained, read_trained
from editjudge.images.pixels import MAX_RATIO, unfit
from editjudge.prompts.prompt_sets import IMAGE_MARK
from editjudge.recipes.recipe_use import about_to_run, mistake, refuse

logger = logging.getLogger(__name__)

_DEFAULT_FAMILY = "qwen2_5_vl"


@dataclass(frozen=True)
class _Loaded:
    model: Any
    processor: Any
    device: str
    stop_tokens: frozenset[int]
    max_tokens: int


@dataclass(frozen=True)
class _Prompt:
    number: int
    """Index of the request."""
    request: Request
    chat: str
    n_tokens: int


class HFEngine(Engine, BaseModel):
    """Runs a transformers model in this process. Loaded on first use; one caller at a time.

    Only `Sampling` affects decoding: repetition penalty and temperature of the model's `generation_config.json` are not
    applied.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: ModelName
    """Folder, or name on the Hugging Face hub, of the full weights."""
    adapter: InputPath | None = None
    """Folder of a PEFT adapter trained on `model`, such as a checkpoint."""
    family: str = Field("", validate_default=True)
    """A row of `families.FAMILIES`: the chat layout. It must fit the model's `model_type`. Default: the family that the
    weights were trained with (`judge.yaml`), or qwen2_5_vl."""
    revision: str | None = None
    """Branch, tag or commit of a hub model; None: main."""
    dtype: Literal["bfloat16", "float16", "float32"] = "bfloat16"
    """Precision of the weights and the computation."""
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    """"auto": the first GPU if there is one, otherwise the CPU."""
    batch_size: int = Field(16, ge=1)
    """Requests per batch, each with all of its passes. Halved automatically when GPU memory runs out."""
    attention: Literal["sdpa", "eager", "flash_attention_2"] = "sdpa"
    """Attention implementation in transformers; flash_attention_2 needs its package and a GPU."""

    _loaded: _Loaded | None = PrivateAttr(None)
    _identity: str | None = PrivateAttr(None)
    _fitting: int | None = PrivateAttr(None)

    @field_validator("family")
    @classmethod
    def _known_family(cls, value: str, info: ValidationInfo) -> str:
        if not value and "model" in info.data and "adapter" in info.data:
            try:
                trained = _trained(info.data["model"], info.data["adapter"])
            except CheckpointError as error:
                raise ValueError(str(error)) from error
            return _DEFAULT_FAMILY if trained is None else trained.settings.family
        if value not in FAMILIES:
            raise ValueError(f"unknown model family; known: {', '.join(FAMILIES)}")
        return value

    @model_validator(mode="after")
    def _would_load(self, info: ValidationInfo) -> HFEngine:
        if about_to_run(info):
            refuse(self._load_problems())
        return self

    def _load_problems(self) -> Iterator[InitErrorDetails]:
        """Yield problems that would end the loading of the model, as far as they show without loading it."""
        if (found := model_problem(self.model, self.family)) is not None:
            yield mistake(found[1], found[0], seen=getattr(self, found[0]))
        if self.adapter is not None and self.adapter.is_dir() and (text := adapter_problem(self.adapter)) is not None:
            yield mistake(text, "adapter", seen=str(self.adapter))
        if (text := attention_problem(self.attention)) is not None:
            yield mistake(text, "attention", seen=self.attention)
        elif needs_gpu(self.attention) and self.device == "cpu":
            yield mistake("needs a GPU, and `device` is cpu", "attention", seen=self.attention)
        try:
            trained = self.trained
        except CheckpointError as error:
            yield mistake(str(error), "model" if self.adapter is None else "adapter")
            return
        for name, text in () if trained is None else trained.problems({"family": self.family}):
            if name == "family":  # the judge checks the rest
                yield mistake(text, name)

    @property
    def trained(self) -> Trained | None:
        """The settings that the weights were trained with; None for weights from elsewhere."""
        return _trained(self.model, self.adapter)

    @property
    def identity(self) -> str:
        """Model content or commit, adapter content, dtype and family; without options that affect speed only."""
        if self._identity is None:
            adapter = "none" if self.adapter is None else adapter_digest(self.adapter)
            model = model_digest(self.model, self.revision)
            self._identity = f"hf:{model}:adapter@{adapter}:{self.dtype}:{self.family}"
        return self._identity

    @property
    def batch_effect(self) -> BatchEffect:
        """Return "rounding": padding and the batch size change how sums are rounded."""
        return "rounding"

    def check(self, sampling: Sampling) -> list[Problem]:
        """Return a problem when `max_new_tokens` leaves no token of the model's context window for the prompt."""
        window = model_window(self.model)
        if window is None or sampling.max_new_tokens < window:
            return []
        return [Problem("max_new_tokens", f"the model takes {window} tokens in all, prompt and images included")]

    def with_adapter(self, path: Path) -> HFEngine:
        """Return an engine with an adapter on `model`, or with full weights in place of `model` and its adapter."""
        if (path / "adapter_config.json").is_file():
            return self._changed(adapter=path)
        if (path / "config.json").is_file():
            return self._changed(model=str(path), adapter=None)
        raise CheckpointError(f"{path}: neither adapter_config.json nor config.json in it; train it again")

    def _changed(self, **changes: Any) -> HFEngine:
        """Return a new engine; a copy would share the loaded model."""
        return type(self).model_validate({name: getattr(self, name) for name in self.model_fields_set} | changes)

    def close(self) -> None:
        """Free the model. The next use checks its files again."""
        was_loaded = self._loaded is not None
        self._loaded = self._identity = self._fitting = None
        if was_loaded:
            import torch

            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[tuple[int, Reply]]:
        """Yield replies batch by batch, long prompts first. A request that the model cannot read (marks without images,
        too long, too narrow, out of memory) gives `Reply.failed`. Raises `EngineError` or `CheckpointError` when the
        model cannot be loaded.
        """
        loaded = self._load()
        prompts = []
        for number, request in enumerate(requests):
            try:
                prompts.append(self._prompt(loaded, number, request, sampling))
            except RequestError as error:
                yield number, Reply.failed(request, str(error), error.reason)
            except (EditJudgeError, ValueError, TypeError) as error:  # from tokenizers and processors for odd input
                yield number, Reply.failed(request, str(error))
        # Similar lengths need little padding; the longest come first, so that out of memory happens early or never.
        prompts.sort(key=lambda prompt: -prompt.n_tokens)
        for prompt, reply in self._answer(loaded, prompts, sampling):
            yield prompt.number, reply

    def _load(self) -> _Loaded:
        if self._loaded is None:
            import torch

            available = torch.cuda.is_available()
            if self.device.startswith("cuda") and not available:
                raise EngineError(f"device {self.device}: torch sees no GPU here; use `device: auto` or `cpu`")
            device = ("cuda:0" if available else "cpu") if self.device == "auto" else self.device
            if needs_gpu(self.attention) and device == "cpu":
                raise EngineError(f"attention {self.attention}: needs a GPU, and torch sees none here; use sdpa")
            logger.info("loading %s", self.identity)  # before loading: computing the digests finds missing files
            family = get_family(self.family)
            processor = family.load_processor(self.model, revision=self.revision)
            model = load_model(
                self.model,
                self.adapter,
                revision=self.revision,
                family=self.family,
                dtype=self.dtype,
                device=device,
                attention=self.attention,
            )
            turn_end = processor.tokenizer.convert_tokens_to_ids(family.turn_end)
            ends = model.generation_config.eos_token_id
            stop_tokens = {turn_end, *(ends if isinstance(ends, list) else [ends])} - {None}
            max_tokens = model.config.text_config.max_position_embeddings
            self._loaded = _Loaded(model, processor, device, frozenset(stop_tokens), max_tokens)
        return self._loaded

    def _prompt(self, loaded: _Loaded, number: int, request: Request, sampling: Sampling) -> _Prompt:
        """Return the request as the model will read it, measured without decoding pixels. Raises if unreadable."""
        marks = request.text.count(IMAGE_MARK)
        if marks != len(request.images) or not request.images:
            raise RequestError(
                f"the text has {marks} image marks for {len(request.images)} images; one each, at least 1",
                "image_marks",
            )
        if not request.seeds:
            raise EngineError("the request asks for no pass: it has no seeds")
        chat = render_chat(self.family, request.text, request.system)
        n_tokens = len(loaded.processor.tokenizer(chat, add_special_tokens=False)["input_ids"])
        family = get_family(self.family)
        for image in request.images:
            if 0 in image.size:
                raise RequestError(f"an image of {image.width} x {image.height} pixels", "empty_image")
            if (reason := unfit(image.size)) is not None:
                raise RequestError(
                    f"an image of {image.width} x {image.height} pixels; the model's processor takes a longer side of "
                    f"at most {MAX_RATIO} times the shorter one",
                    reason,
                )
            n_tokens += family.image_tokens(loaded.processor, image.size) - 1  # the text already contains one
        if n_tokens + sampling.max_new_tokens > loaded.max_tokens:
            raise RequestError(
                f"{n_tokens} tokens to read and {sampling.max_new_tokens} to write are more than the model's "
                f"{loaded.max_tokens}; lower max_pixels or shorten the instruction",
                "too_long",
            )
        return _Prompt(number, request, chat, n_tokens)

    def _answer(self, loaded: _Loaded, prompts: list[_Prompt], sampling: Sampling) -> Iterator[tuple[_Prompt, Reply]]:
        """Yield replies batch by batch; after out of memory, with half as many requests per batch."""
        import torch

        size = self.batch_size if self._fitting is None else self._fitting
        start = 0
        while start < len(prompts):
            batch = prompts[start : start + size]
            replies: list[Reply] | None = None
            # Retry outside the block: the exception keeps the tensors alive that filled the memory.
            with suppress(torch.OutOfMemoryError):
                replies = self._run(loaded, batch, sampling)
            if replies is None:
                if torch.cuda.is_available():
                    torch.cuda.empty_cache()
                if len(batch) > 1:
                    size = self._fitting = len(batch) // 2
                    logger.warning("out of GPU memory with %d requests; continuing with %d at a time", len(batch), size)
                    continue
                reason = f"out of GPU memory with {batch[0].n_tokens} tokens and {len(batch[0].request.seeds)} passes"
                replies = [Reply.failed(batch[0].request, reason)]
            yield from zip(batch, replies, strict=True)
            start += len(batch)

    def _run(self, loaded: _Loaded, batch: list[_Prompt], sampling: Sampling) -> list[Reply]:
        inputs = loaded.processor(
            text=[prompt.chat for prompt in batch],
            images=[image for prompt in batch for image in prompt.request.images],
            padding=True,
            padding_side="left",
            return_tensors="pt",
        ).to(loaded.device)
        seeds = [prompt.request.seeds for prompt in batch]
        passes = write_passes(loaded.model, get_family(self.family), dict(inputs), seeds, sampling, loaded.stop_tokens)
        return [
            Reply(tuple(self._completion(loaded, written) for written in row), prompt.n_tokens)
            for prompt, row in zip(batch, passes, strict=True)
        ]

    def _completion(self, loaded: _Loaded, written: Written) -> Completion:
        n_tokens = len(written.tokens)
        if written.broken:
            reason = (
                f"the model's logits are NaN or infinite at token {n_tokens + 1}; its numbers do not fit into "
                f"{self.dtype}, or its weights are damaged: try another dtype or an earlier checkpoint"
            )
            return Completion("", "error", n_tokens, reason)
        tokenizer = loaded.processor.tokenizer
        text = tokenizer.decode(written.tokens, skip_special_tokens=True)
        pieces = tokenizer.batch_decode([[token] for token in written.tokens], skip_special_tokens=True)
        tokens = tuple(zip(pieces, written.logprobs, strict=True)) if written.logprobs else ()
        return Completion(text, "stop" if written.ended else "length", n_tokens, tokens=tokens)


def _trained(model: str, adapter: Path | None) -> Trained | None:
    """Return the settings that the adapter, or without one the model folder, was trained with."""
    return read_trained(Path(model) if adapter is None else adapter)
