"""Decoding K passes from one prefill: each prompt of a batch is read once and continued once per seed.

`transformers.generate(num_return_sequences=K)` reads the prompt K times, images included; with two images and a short
reply, reading is most of the work.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from editjudge.engines.base import Sampling
from editjudge.families.base import Family

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Written:
    """A generated continuation."""

    tokens: tuple[int, ...]
    """Tokens, without the end-of-turn token."""
    ended: bool
    """False: cut at `max_new_tokens`, or `broken`."""
    broken: bool = False
    """The logits after the last token contain NaN or an infinity, so that no token can be chosen."""
    logprobs: tuple[float, ...] = ()
    """Log-probability of each token, with `Sampling.logprobs`."""


def write_passes(
    model: Any,
    family: Family,
    inputs: dict[str, Tensor],
    seeds: Sequence[tuple[int, ...]],
    sampling: Sampling,
    stop_tokens: Collection[int],
) -> list[list[Written]]:
    """Continue each prompt of a left-padded batch once per seed; the outer list is in the order of the batch.

    A pass draws its random numbers from its own seed alone. At temperature 0 each prompt is continued once.
    """
    import torch

    rows = [
        (prompt, seed) for prompt, own in enumerate(seeds) for seed in (own[:1] if sampling.temperature == 0 else own)
    ]
    device = inputs["input_ids"].device
    with torch.inference_mode():
        read = model(**family.prompt_inputs(inputs), use_cache=True, logits_to_keep=1)
        owners = torch.tensor([prompt for prompt, _ in rows], device=device)
        mask = inputs["attention_mask"][owners]
        positions = family.next_positions(model, inputs["attention_mask"])[owners]
        cache, logits = read.past_key_values, read.logits[owners, -1]
        cache.batch_select_indices(owners)
        draws = _draws([seed for _, seed in rows], sampling).to(device)
        written: list[list[int]] = [[] for _ in rows]
        logprobs: list[list[float]] = [[] for _ in rows]
        live = list(range(len(rows)))
        broken: set[int] = set()
        for step in range(sampling.max_new_tokens):
            usable = logits.amax(-1).isfinite()
            chosen = choose(logits, sampling, draws[:, step])
            likely = _logprobs(logits, chosen) if sampling.logprobs else []
            slots = []
            for slot, (row, token) in enumerate(zip(live, chosen.where(usable, -1).tolist(), strict=True)):
                if token < 0:
                    broken.add(row)
                elif token not in stop_tokens:
                    written[row].append(token)
                    logprobs[row] += likely[slot : slot + 1]
                    slots.append(slot)
            if len(slots) < len(live):
                live = [live[slot] for slot in slots]
                if not live:
                    break
                kept = torch.tensor(slots, device=device)
                cache.batch_select_indices(kept)
                chosen, mask, positions, draws = chosen[kept], mask[kept], positions[kept], draws[kept]
            if step + 1 == sampling.max_new_tokens:
                break
            mask = torch.cat([mask, mask.new_ones(len(live), 1)], dim=-1)
            read = model(
                input_ids=chosen[:, None],
                attention_mask=mask,
                position_ids=family.position_ids(positions),
                past_key_values=cache,
                use_cache=True,
            )
            logits = read.logits[:, -1]
            positions = positions + 1
    cut = set(live) | broken
    passes: list[list[Written]] = [[] for _ in seeds]
    for row, (prompt, _) in enumerate(rows):
        result = Written(tuple(written[row]), row not in cut, row in broken, tuple(logprobs[row]))
        passes[prompt] += [result] * (len(seeds[prompt]) if sampling.temperature == 0 else 1)
    return passes


def choose(logits: Tensor, sampling: Sampling, draws: Tensor) -> Tensor:
    """Return the next token of each row. `logits`: (rows, vocabulary); `draws`: (rows,), uniform in [0, 1).

    Applies temperature, then `top_k`, then `top_p` to the remaining tokens; the draw selects among the rest by
    cumulative probability. Temperature 0 takes the best.
    """
    if sampling.temperature == 0:
        return logits.argmax(-1)
    best = logits.shape[-1] if sampling.top_k == 0 else min(sampling.top_k, logits.shape[-1])
    values, tokens = logits.float().topk(best)
    chances = (values.double() / sampling.temperature).softmax(-1)
    before = chances.cumsum(-1) - chances
    reached = chances.masked_fill(before >= sampling.top_p, 0).cumsum(-1)
    slots = (reached <= draws[:, None] * reached[:, -1:]).sum(-1, keepdim=True)
    return tokens.gather(-1, slots.clamp(max=best - 1)).squeeze(-1)


def _logprobs(logits: Tensor, tokens: Tensor) -> list[float]:
    """Return the natural log-probability of each row's token. `logits`: (rows, vocabulary); `tokens`: (rows,)."""
    found: list[float] = logits.float().log_softmax(-1).gather(-1, tokens[:, None]).squeeze(-1).tolist()
    return found


def _draws(seeds: Sequence[int], sampling: Sampling) -> Tensor:
    """Return uniform numbers (passes, max_new_tokens), each row from its own generator; on the CPU, equal anywhere."""
    import torch

    steps = sampling.max_new_tokens
    rows = [torch.rand(steps, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) for seed in seeds]
    return torch.stack(rows)
