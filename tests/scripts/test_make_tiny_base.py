"""The script that pretrains the tiny judge's base: what it teaches, and that sharing images changes nothing."""

from __future__ import annotations

import importlib.util
import re

import numpy as np
import pytest
from PIL import Image
from places import ROOT

from sft.tiny import build_model, build_tokenizer

SCRIPT = ROOT / "scripts" / "make_tiny_base.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("make_tiny_base", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def examples(script):
    return script.make_examples((5, 0, 24))


@pytest.fixture(scope="module")
def batches(script, examples):
    from transformers import Qwen2VLImageProcessor

    tokenizer = build_tokenizer(script.corpus(examples))
    model = build_model(tokenizer, vision_depth=2, seed=1).eval()
    processor = Qwen2VLImageProcessor(min_pixels=28 * 28, max_pixels=script.SIDE_PX**2)
    return model, script.Batches(examples, tokenizer, processor, model.model.get_rope_index, 4, 0)


def test_no_answer_holds_a_score(examples):
    for example in examples:
        for _, answer in [*example.about_edit(range(4)), ("", example.picture)]:
            assert not re.search(r"\d|score", answer)


def test_the_benchmarks_photographs_are_not_used(script):
    names, tasks = script.quickstart()
    assert not {"camera", "chelsea", "coffee", "rocket"} & set(names)
    assert len(tasks) >= 8


def test_what_was_carried_out_is_compared_first(examples):
    done = [example.compared[0][1] for example in examples]
    others = [answer for example in examples for _, answer in example.compared[1:]]
    share = [sum(bool(re.search("Fully|Nearly", answer)) for answer in found) / len(found) for found in (done, others)]
    assert share[0] > 2 * share[1]


def test_questions_that_share_images_are_answered_as_if_asked_alone(script, examples, batches):
    import torch

    model, batches = batches
    viewings = [batches.edit(example) for example in examples[:3]]
    shared = batches.collate(viewings)
    shared.pop("labels")
    with torch.inference_mode():
        together = model(**shared).logits
    for row, viewing in enumerate(viewings):
        head, *questions = (ids for ids, _ in batches.encode(viewing))
        images = [Image.fromarray(np.ascontiguousarray(image)) for image in viewing.images]
        pixels = batches.processor(images=images, return_tensors="pt")
        start = len(head)
        for question in questions:
            ids = torch.tensor([head + question])
            kinds = (ids == batches.image_token).long()
            with torch.inference_mode():
                alone = model(input_ids=ids, mm_token_type_ids=kinds, **pixels).logits[0, len(head) :]
            torch.testing.assert_close(together[row, start : start + len(question)], alone, atol=1e-4, rtol=0)
            start += len(question)


def test_every_answer_weighs_the_same_however_long(script, batches):
    """The loss equals the mean over answers of the mean over their tokens, computed one by one."""
    import torch

    model, batches = batches
    batch = next(batches)
    labels = batch["labels"].clone()
    with torch.inference_mode():
        logits = model(**{key: value for key, value in batch.items() if key != "labels"}).logits[:, :-1]
    answers = []
    for row, told in zip(logits.log_softmax(-1), labels[:, 1:], strict=True):
        current: list[float] = []
        for place, label in enumerate([*told.tolist(), -100]):
            if label != -100:
                current.append(-float(row[place, label]))
            elif current:
                answers.append(sum(current) / len(current))
                current = []
    with torch.inference_mode():
        assert float(script.answer_loss(model, batch)) == pytest.approx(sum(answers) / len(answers), abs=1e-5)
