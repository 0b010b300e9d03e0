"""Make `sft/tiny_base/`: the tiny judge's base, pretrained to describe edits. It never sees the score of an edit.

    torchrun --nproc_per_node 2 scripts/make_tiny_base.py --minutes 40

Each example shows a photograph before and after a programmatic edit. Asked what was done, the model answers
`half negative`. Given an instruction (the one carried out or another), it says in words how far that was done and
whether the rest was kept. Shown one image, it names the artefact: `{"reasoning": "Full of noise."}`.
It also copies sentences with two random numbers into the judge's format: a model cannot distinguish digits that it
never wrote, and LoRA, which does not change the embeddings, cannot teach it to.
SFT teaches the meaning of the numbers, and the judge's own prompts.
Several questions about one edit share one sequence, because the images cost more than the words; no question sees
another's words, otherwise the model would copy answers instead of looking.
Every answer has the same weight, whatever its length: with a weight per token, long answers dominate, and the model
learns to copy instructions long before it looks at an image.
Tasks are the quickstart's, and photographs of its benchmark are not used; both are read from its recipe.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import random
import re
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import datetime, timezone
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
import torch.distributed as dist
import yaml
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from curation.judging import SCALE
from curation.synthetic import measure
from curation.synthetic.artefacts import ARTEFACTS, Artefact
from curation.synthetic.drawing import Array, to_array, to_image
from curation.synthetic.edits import EDITS, input_kind, redraw
from curation.synthetic.photographs import PHOTOGRAPHS
from curation.synthetic.programmatic import Fault, carry_out
from curation.synthetic.scenes import Plan, Scene, choose
from editjudge.families import get_family, render_chat
from editjudge.files.io import read_json, write_json
from editjudge.files.paths import user_path
from editjudge.images.pixels import load_image
from editjudge.prompts.prompt_sets import IMAGE_MARK, format_completion, get_prompts
from editjudge.system.provenance import cores, git_state, installed_versions
from sft.tiny import SPECIAL_TOKENS, build_model, build_tokenizer, save_tiny

FAMILY = "qwen2_5_vl"
Name = TypeVar("Name", bound=str)
SIDE_PX = 56
"""Side of the model's images; edits are drawn at `DRAWN_PX` and reduced, as in the judge's recipe."""
DRAWN_PX = 112
DESCRIBE_EDIT = "Describe the edit."
COMPARE = "{instruction}\nDescribe success and restraint."
DESCRIBE_PICTURE = "Describe naturalness and cleanness."
WRITE = "Write as JSON: {text} {first} {second}"
_FAULT_SHARES: dict[Fault, float] = {
    "right": 0.3,
    "half_done": 0.2,
    "over_edited": 0.2,
    "untouched": 0.08,
    "wrong_result": 0.1,
    "wrong_target": 0.12,
}
_ARTEFACT_SHARES: dict[Artefact, float] = {
    "none": 0.28,
    "noise": 0.2,
    "blocks": 0.2,
    "watermark": 0.16,
    "seams": 0.16,
}


class Example(NamedTuple):
    """One edit and the answers about it."""

    before: np.ndarray
    """uint8, (SIDE_PX, SIDE_PX, 3)."""
    after: np.ndarray
    seen: str
    """Answer to `DESCRIBE_EDIT`."""
    compared: tuple[tuple[str, str], ...]
    """(instruction, answer to `COMPARE`): first the one carried out, then others that the same input allows."""
    picture: str
    """Answer to `DESCRIBE_PICTURE`."""

    def about_edit(self, instructions: Sequence[int]) -> list[tuple[str, str]]:
        """Return questions and answers about both images; `instructions` are indices of `compared`."""
        asked = [self.compared[index] for index in instructions]
        return [(DESCRIBE_EDIT, self.seen)] + [(COMPARE.replace("{instruction}", text), told) for text, told in asked]


class Viewing(NamedTuple):
    """Images, and questions about them with their answers; each question is independent of the others."""

    images: list[np.ndarray]
    questions: list[tuple[str, str]]


def quickstart() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the photographs that are not in the quickstart's benchmark, and its tasks."""
    recipe = yaml.safe_load((ROOT / "recipes" / "quickstart" / "curate.yaml").read_text(encoding="utf-8"))
    held_out = recipe["parts"]["benchmark"]["sources"]
    (tasks,) = (stage["tasks"] for stage in recipe["stages"] if stage["use"] == "templates")
    return tuple(name for name in PHOTOGRAPHS if name not in held_out), tuple(tasks)


def crop(photograph: Image.Image, draw: np.random.Generator) -> Array:
    """Return a square crop with visible content, sometimes mirrored, recoloured or with less contrast."""
    while True:
        side = int(min(photograph.size) * draw.uniform(0.4, 1))
        left = int(draw.integers(photograph.width - side + 1))
        top = int(draw.integers(photograph.height - side + 1))
        box = (left, top, left + side, top + side)
        image = photograph.resize((DRAWN_PX, DRAWN_PX), Image.Resampling.LANCZOS, box=box)
        if np.asarray(image.convert("L"), dtype=np.float32).std() / 255 > 0.06:
            break
    if draw.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    array = to_array(image)
    if draw.random() < 0.3:
        array = array[:, :, draw.permutation(3)]
    if draw.random() < 0.5:
        array = np.clip(array ** np.float32(draw.uniform(0.6, 1.6)) * np.float32(draw.uniform(0.7, 1.2)), 0, 1)
    if draw.random() < 0.3:
        contrast = np.float32(draw.uniform(0, 1))
        array = array * contrast + array.mean(axis=(0, 1)) * (1 - contrast)
    return array.astype(np.float32)


def _drawn(draw: np.random.Generator, shares: dict[Name, float]) -> Name:
    return list(shares)[int(draw.choice(len(shares), p=list(shares.values())))]


def make_example(photographs: dict[str, Image.Image], tasks: Sequence[str], draw: np.random.Generator) -> Example:
    """Return one edit with its description, two instructions of the same task and one of another."""
    done: Plan = redraw({}, choose(draw, tasks), draw)
    same_input = [task for task in tasks if input_kind(task) == input_kind(done["task"])]
    asked = [done, *(redraw(done, task, draw) for task in (done["task"], done["task"], choose(draw, same_input)))]
    photo = crop(photographs[choose(draw, tuple(photographs))], draw)
    fault, artefact = _drawn(draw, _FAULT_SHARES), _drawn(draw, _ARTEFACT_SHARES)
    outcome = carry_out(fault, artefact, photo, done, draw)
    intended, clean, output = (_halved(step) for step in (outcome.intended, outcome.clean, outcome.output))
    halved = replace(outcome, intended=intended, clean=clean, output=output)
    compared = []
    for plan in asked:
        scene = EDITS[plan["task"]].scene(photo, plan)
        targets = tuple(_halved(target) for target in scene.targets)
        scene = Scene(_halved(scene.before), _halved(scene.after), targets)
        told = measure.semantic_rationale(outcome.seen, measure.semantic_scores(replace(halved, scene=scene)))
        compared.append((EDITS[plan["task"]].instruction(plan, draw), reasoning(told)))
    return Example(
        before=_reduced(outcome.scene.before),
        after=_reduced(outcome.output),
        seen=outcome.seen,
        compared=tuple(compared),
        picture=reasoning(measure.quality_rationale(measure.quality_scores(outcome, artefact), artefact)),
    )


def _halved(array: Array) -> Array:
    """Reduce to half the size: measuring is four times as fast, and nearly as exact."""
    height, width, *channels = array.shape
    return array.reshape(height // 2, 2, width // 2, 2, *channels).mean(axis=(1, 3), dtype=np.float32)


def reasoning(text: str) -> str:
    """Return a judge's reply without its scores."""
    return json.dumps({"reasoning": text})


def _reduced(array: Array) -> np.ndarray:
    return np.asarray(to_image(array).resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS))


def make_examples(job: tuple[int, int, int]) -> list[Example]:
    """Return the examples of one (seed, number, count), the same in every process."""
    seed, number, count = job
    names, tasks = quickstart()
    photographs = {name: load_image(PHOTOGRAPHS[name].locate()) for name in names}
    draw = np.random.default_rng([seed, number])
    return [make_example(photographs, tasks, draw) for _ in range(count)]


def corpus(examples: list[Example]) -> list[str]:
    """Return the training text of the tokenizer: everything that the tiny judge will read or write."""
    prompts = get_prompts("brief-v1")
    chats = [prompts.quality.ask(), DESCRIBE_PICTURE]
    texts: list[str] = []
    for example in examples:
        for question, answer in example.about_edit(range(len(example.compared))):
            chats.append(question)
            texts.append(answer)
        chats += [prompts.semantic.ask(instruction) for instruction, _ in example.compared]
        texts.append(example.picture)
    for first in range(SCALE + 1):
        for second in range(SCALE + 1):
            scores = (first, second)
            texts.append(format_completion(measure.semantic_rationale("nothing", scores), scores))
            texts += [format_completion(measure.quality_rationale(scores, name), scores) for name in ARTEFACTS]
    special = re.compile("|".join(map(re.escape, SPECIAL_TOKENS)))
    return texts + [part for chat in chats for part in special.split(render_chat(FAMILY, chat)) if part]


class Batches:
    """Infinite shuffled batches, alternately about edits and about single images."""

    def __init__(
        self, examples: list[Example], tokenizer: Any, processor: Any, rope_index: Any, size: int, seed: int
    ) -> None:
        self.examples, self.tokenizer, self.processor, self.size = examples, tokenizer, processor, size
        self.rope_index = rope_index
        """The model's own `get_rope_index`."""
        self.random = random.Random(seed)
        self.waiting: list[int] = []
        self.given = 0
        self.image_token = tokenizer.convert_tokens_to_ids("<|image_pad|>")

    def __next__(self) -> dict[str, torch.Tensor]:
        if len(self.waiting) < self.size:
            self.waiting = self.random.sample(range(len(self.examples)), len(self.examples))
        chosen = [self.examples[self.waiting.pop()] for _ in range(self.size)]
        self.given += 1
        if self.given % 2:
            return self.collate([self.edit(example) for example in chosen])
        return self.collate([self.picture(example) for example in chosen])

    def edit(self, example: Example) -> Viewing:
        """Ask about the edit, the instruction carried out and two others."""
        others = self.random.sample(range(1, len(example.compared)), 2)
        return Viewing(self.mirrored(example.before, example.after), example.about_edit([0, *others]))

    def mirrored(self, *images: np.ndarray) -> list[np.ndarray]:
        """Return the images, mirrored together half of the time: no question depends on the side."""
        flip = self.random.random() < 0.5
        return [image[:, ::-1] if flip else image for image in images]

    def picture(self, example: Example) -> Viewing:
        """Ask about the edited image alone, and add a text to copy."""
        return Viewing(self.mirrored(example.after), [(DESCRIBE_PICTURE, example.picture), self.dictation()])

    def dictation(self) -> tuple[str, str]:
        """Return another edit's rationale and two random numbers, to be written in the judge's format."""
        text = json.loads(self.random.choice(self.examples).compared[0][1])["reasoning"]
        first, second = self.random.randint(0, SCALE), self.random.randint(0, SCALE)
        asked = WRITE.replace("{text}", text).replace("{first}", str(first)).replace("{second}", str(second))
        return asked, format_completion(text, (first, second))

    def encode(self, viewing: Viewing) -> list[tuple[list[int], list[int]]]:
        """Return (token ids, labels) of the chat up to the images, then of each question with its answer.

        Labels are the answers with their `<|im_end|>`, -100 elsewhere.
        """
        family = get_family(FAMILY)
        parts: list[tuple[list[int], list[int]]] = []
        for question, answer in viewing.questions:
            chat = render_chat(FAMILY, IMAGE_MARK * len(viewing.images) + question)
            images = chat.rindex(family.image) + len(family.image)
            if not parts:
                head = chat[:images].replace(family.image_pad, family.image_pad * (SIDE_PX // 28) ** 2)
                shown = self.tokenizer(head)["input_ids"]
                parts.append((shown, [-100] * len(shown)))
            asked = self.tokenizer(chat[images:])["input_ids"]
            told = self.tokenizer(answer + family.turn_end)["input_ids"]
            parts.append((asked + told, [-100] * len(asked) + told))
        return parts

    def collate(self, viewings: list[Viewing]) -> dict[str, Any]:
        """Return the model's input tensors; all viewings have the same number of images."""
        rows = [self.encode(viewing) for viewing in viewings]
        shape = len(rows), max(sum(len(ids) for ids, _ in row) for row in rows)
        ids = torch.full(shape, self.tokenizer.pad_token_id)
        labels, part = torch.full(shape, -100), torch.full(shape, -1)
        offset = torch.zeros(shape, dtype=torch.long)
        for index, row in enumerate(rows):
            start = 0
            for number, (tokens, told) in enumerate(row):
                span = slice(start, start + len(tokens))
                ids[index, span], labels[index, span] = torch.tensor(tokens), torch.tensor(told)
                part[index, span], offset[index, span] = number, torch.arange(len(tokens))
                start = span.stop
        images = [Image.fromarray(np.ascontiguousarray(image)) for viewing in viewings for image in viewing.images]
        pixels = self.processor(images=images, return_tensors="pt")
        head = len(rows[0][0][0])
        grid = pixels["image_grid_thw"][: len(viewings[0].images)]
        shown, _ = self.rope_index(ids[:1, :head], (ids[:1, :head] == self.image_token).int(), grid)
        positions = (offset + shown.max() + 1).expand(3, *shape).clone()
        positions[:, :, :head] = shown
        earlier = torch.ones(shape[1], shape[1], dtype=torch.bool).tril()
        seen = earlier & ((part[:, None, :] == 0) | (part[:, None, :] == part[:, :, None]))
        mask = torch.zeros(seen.shape).masked_fill(~seen, torch.finfo(torch.float32).min)
        return {
            "input_ids": ids,
            "labels": labels,
            "attention_mask": {"full_attention": mask[:, None]},
            "position_ids": positions,
            "mm_token_type_ids": (ids == self.image_token).long(),
            **pixels,
        }


def accuracy(model: Any, batches: Batches) -> dict[str, float]:
    """Return the share of answers with every token right (teacher forcing), each question alone."""
    asked: dict[str, Callable[[Example], Viewing]] = {
        "edit": lambda example: Viewing([example.before, example.after], example.about_edit([])),
        "compare": lambda example: Viewing([example.before, example.after], example.about_edit([0])[1:]),
        "compare_other": lambda example: Viewing([example.before, example.after], example.about_edit([1])[1:]),
        "picture": lambda example: Viewing([example.after], [(DESCRIBE_PICTURE, example.picture)]),
        "write": lambda example: Viewing([example.after], [batches.dictation()]),
    }
    model.eval()
    found = {}
    for name, ask in asked.items():
        right = 0
        for start in range(0, len(batches.examples), 50):
            batch = batches.collate([ask(example) for example in batches.examples[start : start + 50]])
            labels = batch.pop("labels")[:, 1:]
            with torch.inference_mode():
                guesses = model(**batch).logits[:, :-1].argmax(-1)
            right += int(((guesses == labels) | (labels == -100)).all(dim=1).sum())
        found[name] = round(right / len(batches.examples), 3)
    model.train()
    return found


def answer_loss(model: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return the mean over the answers of their mean cross-entropy per token."""
    labels = batch.pop("labels")[:, 1:]
    logits = model(**batch).logits[:, :-1]
    told = labels != -100
    # Each answer is one run of labels; its index in the batch is the number of runs that started before it.
    begun = told & ~torch.nn.functional.pad(told, (1, 0))[:, :-1]
    answer = begun.flatten().cumsum(0)[told.flatten()] - 1
    losses = torch.nn.functional.cross_entropy(logits[told], labels[told], reduction="none")
    return (losses / answer.bincount()[answer]).sum() / begun.sum()


def average(model: Any, share: float) -> float:
    """Average gradients over the processes, and the share of time used, because all must stop at the same step."""
    if not dist.is_initialized():
        return share
    gradients = [weights.grad for weights in model.parameters() if weights.grad is not None]
    flat = torch.cat([*(gradient.flatten() for gradient in gradients), torch.tensor([share])])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for gradient, part in zip(gradients, flat[:-1].split([gradient.numel() for gradient in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))
    return float(flat[-1])


def train(
    model: Any,
    batches: Batches,
    seconds: float,
    learning_rate: float,
    report: Callable[[float, int, float], None],
) -> int:
    """Train with a cosine schedule over the given wall-clock time and periodic reports; return the number of steps."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, betas=(0.9, 0.99), weight_decay=0.01)
    started, step, share, shown, loss_mean = time.monotonic(), 0, 0.0, 0.0, math.nan
    model.train()
    while share < 1:
        rate = learning_rate * min(1, (step + 1) / 100) * (0.03 + 0.97 * (1 + math.cos(math.pi * share)) / 2)
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = answer_loss(model, next(batches))
        loss.backward()
        share = average(model, (time.monotonic() - started) / seconds)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        step += 1
        loss_mean = loss.item() if math.isnan(loss_mean) else 0.98 * loss_mean + 0.02 * loss.item()
        if share >= shown:
            report(share, step, loss_mean)
            shown += 0.05
    return step


def main() -> None:
    """Draw examples, train, save the base with its provenance."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=user_path, default=ROOT / "sft" / "tiny_base")
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument("--examples", type=int, default=24_000, help="edits drawn")
    parser.add_argument("--batch-size", type=int, default=16, help="edits in a batch, per process")
    parser.add_argument("--learning-rate", type=float, default=1.5e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=user_path, help="start from the weights and tokenizer in this folder")
    arguments = parser.parse_args()
    rank, processes = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    if processes > 1:
        dist.init_process_group("gloo")
    torch.set_num_threads(max(1, cores() // processes))
    # The first 400 are for validation; every process draws its own share of the rest.
    jobs = [(arguments.seed, number, 100) for number in range(4 + arguments.examples // 100)]
    mine = jobs[:4] + jobs[4 + rank :: processes]
    with ProcessPoolExecutor(max(1, cores() // processes), mp_context=get_context("spawn")) as pool:
        drawn = [example for part in pool.map(make_examples, mine) for example in part]
    held_back, examples = drawn[:400], drawn[400:]
    from transformers import Qwen2_5_VLForConditionalGeneration, Qwen2Tokenizer, Qwen2VLImageProcessor

    if arguments.start is None:
        tokenizer = build_tokenizer(corpus(held_back))
        model = build_model(tokenizer, vision_depth=2, seed=arguments.seed)
    else:
        tokenizer = Qwen2Tokenizer.from_pretrained(arguments.start)
        model = Qwen2_5_VLForConditionalGeneration.from_pretrained(arguments.start, dtype=torch.float32)

    processor = Qwen2VLImageProcessor(min_pixels=28 * 28, max_pixels=SIDE_PX**2)
    rope_index = model.model.get_rope_index
    check = Batches(held_back, tokenizer, processor, rope_index, 50, 0)
    batches = Batches(examples, tokenizer, processor, rope_index, arguments.batch_size, arguments.seed)

    def report(share: float, step: int, loss: float) -> None:
        if rank == 0:
            print(f"{share:4.0%}  step {step}  loss {loss:.3f}  {accuracy(model, check)}", flush=True)
            save_tiny(arguments.out, model, tokenizer)

    step = train(model, batches, arguments.minutes * 60, arguments.learning_rate, report)
    if rank == 0:
        save_tiny(arguments.out, model, tokenizer)
        provenance = {
            "made_by": "scripts/make_tiny_base.py",
            "arguments": {key: str(value) for key, value in vars(arguments).items() if key not in ("out", "start")},
            "went_on_from": None if arguments.start is None else read_json(arguments.start / "provenance.json"),
            "processes": processes,
            "steps": step,
            "answers_right": accuracy(model, check),
            "photographs": {name: PHOTOGRAPHS[name].licence for name in quickstart()[0]},
            "git": git_state(ROOT),
            "versions": installed_versions(),
            "machine": platform.machine(),
            "date": datetime.now(timezone.utc).date().isoformat(),
        }
        write_json(arguments.out / "provenance.json", provenance)
    if processes > 1:
        dist.barrier()
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
