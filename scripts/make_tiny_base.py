"""Make `sft/tiny_base/`: the tiny judge's base, pretrained to describe edits. It never sees a score.

    python scripts/make_tiny_base.py --minutes 40

Each example asks one of three questions. About a photograph before and after a programmatic edit, the model writes
what is seen: `half negative`. Given an instruction as well (the one carried out or another), it says in words how far
that was done and whether the rest was kept. About one picture it names the artefact: `heavy noise`.
Scores, the judge's prompts and its JSON are left for SFT to teach.
Every answer weighs the same, however long: by the token, the long answers drown the short ones, and the model learns to
copy instructions long before it looks at an image.
Tasks are the quickstart's, and photographs of its benchmark are not used; both are read from its recipe.
"""

from __future__ import annotations

import argparse
import math
import platform
import random
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
import yaml
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from curation import measure
from curation.editors.artefacts import ARTEFACTS, Artefact
from curation.editors.drawing import Array, to_array, to_image
from curation.editors.edits import EDITS, Plan, choose, input_kind, redraw
from curation.editors.programmatic import Fault, Outcome, carry_out
from curation.sources import PHOTOGRAPHS
from editjudge.images import load_image
from editjudge.io import write_json
from editjudge.prompts import FAMILIES, IMAGE_MARK, format_completion, get_prompts, render_chat
from editjudge.provenance import cores, git_state, installed_versions
from sft.tiny import build_model, build_tokenizer, save_tiny

FAMILY = "qwen2_5_vl"
Name = TypeVar("Name", bound=str)
SIDE_PX = 56
"""What the model sees; edits are drawn at `DRAWN_PX` and reduced, as the judge's recipe does it."""
DRAWN_PX = 112
DESCRIBE_EDIT = f"{IMAGE_MARK}{IMAGE_MARK}Describe the edit."
COMPARE = f"{IMAGE_MARK}{IMAGE_MARK}{{instruction}}\nCompare the edit with this."
DESCRIBE_PICTURE = f"{IMAGE_MARK}Describe the picture."
FINDINGS = {
    "subject-add": "add {color} {shape}",
    "subject-remove": "remove {shape}",
    "subject-replace": "{shape} to {new_color} {new_shape}",
    "color_alter": "{color} tint",
    "material_alter": "{shape} {texture}",
    "style_change": "{style}",
    "tone_transfer": "{tone}",
    "background_change": "background {color}",
    "extract": "{shape} alone on {ground}",
    "text_change": "text {new}",
    "motion_change": "{shape} to {to}",
    "compose": "{tone}, add {color} {shape}",
}
"""What an edit looks like, in few words."""
_FAULT_SHARES: dict[Fault, float] = {
    "right": 0.4,
    "half_done": 0.2,
    "over_edited": 0.22,
    "untouched": 0.08,
    "wrong_target": 0.1,
}
_ARTEFACT_SHARES: dict[Artefact, float] = {
    "none": 0.5,
    "noise": 0.125,
    "blocks": 0.125,
    "watermark": 0.125,
    "seams": 0.125,
}


class Example(NamedTuple):
    """One edit and what is to be said of it."""

    before: np.ndarray
    """uint8, (SIDE_PX, SIDE_PX, 3)."""
    after: np.ndarray
    instruction: str
    seen: str
    """Answer to `DESCRIBE_EDIT`."""
    compared: str
    """Answer to `COMPARE`."""
    picture: str
    """Answer to `DESCRIBE_PICTURE`."""

    def turn(self, question: str) -> tuple[str, str, list[np.ndarray]]:
        """(prompt, answer, images) of one of `QUESTIONS`."""
        if question == DESCRIBE_PICTURE:
            return question, self.picture, [self.after]
        if question == COMPARE:
            return question.replace("{instruction}", self.instruction), self.compared, [self.before, self.after]
        return question, self.seen, [self.before, self.after]


QUESTIONS = {"edit": DESCRIBE_EDIT, "compare": COMPARE, "picture": DESCRIBE_PICTURE}


def quickstart() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The photographs that are not in the quickstart's benchmark, and its tasks."""
    recipe = yaml.safe_load((ROOT / "recipes" / "quickstart" / "curate.yaml").read_text())
    held_out = recipe["parts"]["benchmark"]["sources"]
    (tasks,) = (stage["tasks"] for stage in recipe["stages"] if stage["use"] == "templates")
    return tuple(name for name in PHOTOGRAPHS if name not in held_out), tuple(tasks)


def crop(photograph: Image.Image, draw: np.random.Generator) -> Array:
    """A square crop with something to see, mirrored and with other colours or less contrast now and then."""
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
    """One edit: in four of ten cases the one that was asked for, else another that the same input allows."""
    done: Plan = redraw({}, choose(draw, tasks), draw)
    asked, kind = done, draw.random()
    if kind >= 0.4:
        same_input = [task for task in tasks if input_kind(task) == input_kind(done["task"])]
        asked = redraw(done, done["task"] if kind < 0.75 else choose(draw, same_input), draw)
    photo = crop(photographs[choose(draw, tuple(photographs))], draw)
    fault, artefact = _drawn(draw, _FAULT_SHARES), _drawn(draw, _ARTEFACT_SHARES)
    outcome = carry_out(fault, artefact, photo, done, draw)
    scene = EDITS[asked["task"]].scene(photo, asked)
    return Example(
        before=_reduced(outcome.scene.before),
        after=_reduced(outcome.output),
        instruction=EDITS[asked["task"]].instruction(asked, draw),
        seen=_seen(done, fault),
        compared=measure.semantic_rationale(measure.semantic_scores(replace(outcome, scene=scene))),
        picture=_picture(outcome, artefact),
    )


def _reduced(array: Array) -> np.ndarray:
    return np.asarray(to_image(array).resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS))


def _seen(done: Plan, fault: str) -> str:
    if fault == "untouched":
        return "nothing"
    if fault == "wrong_target":
        return "something else"
    finding = FINDINGS[done["task"]].format(**done)
    return {"half_done": f"half {finding}", "over_edited": f"{finding} and more"}.get(fault, finding)


def _picture(outcome: Outcome, artefact: str) -> str:
    if artefact == "none":
        return "clean"
    clean = measure.cleanness(outcome)
    return f"{'slight' if clean > 0.6 else 'strong' if clean > 0.35 else 'heavy'} {artefact}"


def make_examples(job: tuple[int, int, int]) -> list[Example]:
    """Examples of one (seed, number, count); any process gives the same."""
    seed, number, count = job
    names, tasks = quickstart()
    photographs = {name: load_image(PHOTOGRAPHS[name].locate()) for name in names}
    draw = np.random.default_rng([seed, number])
    return [make_example(photographs, tasks, draw) for _ in range(count)]


def corpus(examples: list[Example]) -> list[str]:
    """Text that the tokenizer is made from: everything the tiny judge will read or write."""
    prompts = get_prompts("brief-v1")
    texts = [prompts.ask_quality(), FAMILIES[FAMILY].system]
    for example in examples:
        texts.append(prompts.ask_semantic(example.instruction))
        texts += [text for question in QUESTIONS.values() for text in example.turn(question)[:2]]
    for first in range(measure.SCALE + 1):
        for second in range(measure.SCALE + 1):
            scores = (first, second)
            texts.append(format_completion(measure.semantic_rationale(scores), scores))
            texts += [format_completion(measure.quality_rationale(scores, name), scores) for name in ARTEFACTS]
    return [text.replace(IMAGE_MARK, "") for text in texts]


class Batches:
    """Shuffled batches without end; each example is asked each question once per round."""

    def __init__(self, examples: list[Example], tokenizer: Any, processor: Any, size: int, seed: int) -> None:
        self.examples, self.tokenizer, self.processor, self.size = examples, tokenizer, processor, size
        self.random = random.Random(seed)
        self.waiting: list[tuple[int, str]] = []
        self.image_token = tokenizer.convert_tokens_to_ids("<|image_pad|>")

    def __next__(self) -> dict[str, torch.Tensor]:
        if len(self.waiting) < self.size:
            rows = [(index, asked) for index in range(len(self.examples)) for asked in QUESTIONS.values()]
            self.random.shuffle(rows)
            self.waiting = rows
        return self.collate([self.waiting.pop() for _ in range(self.size)])

    def collate(self, chosen: list[tuple[int, str]]) -> dict[str, torch.Tensor]:
        """Tensors as the model takes them; labels on the answers only."""
        rows, images = [], []
        for index, asked in chosen:
            question, answer, shown = self.examples[index].turn(asked)
            chat = render_chat(FAMILY, question)
            chat = chat.replace("<|image_pad|>", "<|image_pad|>" * (SIDE_PX // 28) ** 2)
            rows.append((self.tokenizer(chat)["input_ids"], self.tokenizer(answer + "<|im_end|>")["input_ids"]))
            images += [Image.fromarray(image) for image in shown]
        width = max(len(prompt) + len(answer) for prompt, answer in rows)
        ids = torch.full((len(rows), width), self.tokenizer.pad_token_id)
        labels, mask = torch.full_like(ids, -100), torch.zeros_like(ids)
        for row, (prompt, answer) in enumerate(rows):
            ids[row, : len(prompt) + len(answer)] = torch.tensor(prompt + answer)
            labels[row, len(prompt) : len(prompt) + len(answer)] = torch.tensor(answer)
            mask[row, : len(prompt) + len(answer)] = 1
        pixels = self.processor(images=images, return_tensors="pt")
        return {
            "input_ids": ids,
            "labels": labels,
            "attention_mask": mask,
            "mm_token_type_ids": (ids == self.image_token).long(),
            **pixels,
        }


def accuracy(model: Any, batches: Batches) -> dict[str, float]:
    """Share of answers with every token right (teacher forcing), by question."""
    model.eval()
    found = {}
    for name, question in QUESTIONS.items():
        right = total = 0
        for start in range(0, len(batches.examples), 50):
            indices = range(start, min(start + 50, len(batches.examples)))
            batch = batches.collate([(index, question) for index in indices])
            labels = batch.pop("labels")[:, 1:]
            with torch.inference_mode():
                guesses = model(**batch).logits[:, :-1].argmax(-1)
            right += int(((guesses == labels) | (labels == -100)).all(dim=1).sum())
            total += len(indices)
        found[name] = round(right / total, 3)
    model.train()
    return found


def answer_loss(model: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Mean over the answers of their mean cross-entropy per token."""
    labels = batch.pop("labels")[:, 1:]
    logits = model(**batch).logits[:, :-1]
    losses = torch.nn.functional.cross_entropy(logits.transpose(1, 2), labels, ignore_index=-100, reduction="none")
    return (losses.sum(dim=1) / (labels != -100).sum(dim=1)).mean()


def train(
    model: Any,
    batches: Batches,
    check: Batches,
    seconds: float,
    learning_rate: float,
    save: Callable[[Any], None],
) -> int:
    """Cosine schedule over the given wall-clock time, saving now and then; returns the number of steps."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, betas=(0.9, 0.99), weight_decay=0.01)
    started, step, shown, loss_mean = time.monotonic(), 0, 0.0, math.nan
    model.train()
    while (share := (time.monotonic() - started) / seconds) < 1:
        rate = learning_rate * min(1, (step + 1) / 100) * (0.03 + 0.97 * (1 + math.cos(math.pi * share)) / 2)
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = answer_loss(model, next(batches))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        step += 1
        loss_mean = loss.item() if math.isnan(loss_mean) else 0.98 * loss_mean + 0.02 * loss.item()
        if share >= shown:
            print(f"{share:4.0%}  step {step}  loss {loss_mean:.3f}  {accuracy(model, check)}", flush=True)
            save(model)
            shown += 0.05
    return step


def main() -> None:
    """Draw examples, train, save the base with its provenance."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "sft" / "tiny_base")
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument("--examples", type=int, default=40_000)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=1.5e-3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    jobs = [(arguments.seed, number, 100) for number in range(arguments.examples // 100 + 4)]
    with ProcessPoolExecutor(cores(), mp_context=get_context("spawn")) as pool:
        drawn = [example for part in pool.map(make_examples, jobs) for example in part]
    held_back, examples = drawn[:400], drawn[400:]
    tokenizer = build_tokenizer(corpus(examples[:10_000]))
    model = build_model(tokenizer, vision_depth=2, seed=arguments.seed)
    print(f"{sum(weights.numel() for weights in model.parameters()):,} weights, {len(examples):,} examples", flush=True)
    from transformers import Qwen2VLImageProcessor

    processor = Qwen2VLImageProcessor(min_pixels=28 * 28, max_pixels=SIDE_PX**2)
    torch.manual_seed(arguments.seed)
    check = Batches(held_back, tokenizer, processor, 50, 0)
    batches = Batches(examples, tokenizer, processor, arguments.batch_size, arguments.seed)

    def save(model: Any) -> None:
        save_tiny(arguments.out, model, tokenizer)

    step = train(model, batches, check, arguments.minutes * 60, arguments.learning_rate, save)
    save(model)
    provenance = {
        "made_by": "python scripts/make_tiny_base.py",
        "arguments": {key: str(value) for key, value in vars(arguments).items() if key != "out"},
        "steps": step,
        "answers_right": accuracy(model, check),
        "photographs": {name: PHOTOGRAPHS[name].licence for name in quickstart()[0]},
        "git": git_state(ROOT),
        "versions": installed_versions(),
        "machine": f"{platform.machine()}, {arguments.threads} threads",
        "date": datetime.now(timezone.utc).date().isoformat(),
    }
    write_json(arguments.out / "provenance.json", provenance)


if __name__ == "__main__":
    main()
