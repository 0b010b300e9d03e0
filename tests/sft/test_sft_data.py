from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from factories import make_image
from icc_ground import WIDE, saved
from pydantic import ValidationError
from sft_ground import make_base, make_examples, make_run

from editjudge.asking.judge import Judge
from editjudge.engines.base import Engine, Reply, Request, Sampling
from editjudge.errors import DataError, ImageError
from editjudge.families import get_family
from editjudge.files.io import write_jsonl
from editjudge.images.store import ImageStore
from editjudge.prompts.prompt_sets import get_prompts
from editjudge.recipes.recipe import load_recipe
from editjudge.records.types import EditTask, EditTriplet, ImageRef, Origin, SFTExample
from sft.data import DroppedRow, RowReader, check_examples, read_examples, refuse_too_many, summary, token_counter
from sft.recipe import SFTRecipe

FAMILY = "qwen2_5_vl"
MAX_PIXELS = 56 * 56  # what make_run writes into the recipe


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def processor(base: Path) -> Any:
    return get_family(FAMILY).load_processor(base)


def drops(examples: list[SFTExample], root: Path, processor: Any, max_tokens: int | None = None) -> list[DroppedRow]:
    reader = RowReader(examples, root, FAMILY, None)
    return list(check_examples(reader, token_counter(reader, processor, FAMILY), max_tokens))


def batch_of(base: Path, folder: Path) -> tuple[dict[str, Any], list[SFTExample], Any, RowReader]:
    """One collated batch of a trainer, exactly as the recipe builds it."""
    from sft.trainer import build_trainer

    recipe = load_recipe(make_run(folder, base), SFTRecipe)
    examples = read_examples(recipe.data)[:4]
    reader = RowReader(examples, recipe.image_root, recipe.family, recipe.max_pixels)
    processor = get_family(recipe.family).load_processor(recipe.model)
    trainer = build_trainer(recipe, 1, reader, processor, None)
    batch = trainer.data_collator([trainer.train_dataset[n] for n in range(len(examples))])
    return batch, examples, processor, reader


def test_only_the_reply_and_its_end_are_learned(base: Path, tmp_path: Path) -> None:
    batch, examples, processor, _ = batch_of(base, tmp_path)
    for labels, example in zip(batch["labels"], examples, strict=True):
        learned = [token for token in labels.tolist() if token != -100]
        assert processor.tokenizer.decode(learned) == example.completion + "<|im_end|>"


def test_prompt_tokens_and_pixels_are_those_of_inference(base: Path, tmp_path: Path) -> None:
    """What the judge asks and the engine prepares, against what is trained on: the same bytes."""
    import torch

    from editjudge.engines.hf import HFEngine

    batch, examples, _, reader = batch_of(base, tmp_path)
    asked: list[Request] = []

    class Listening(Engine):
        identity = "listening"

        def generate(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[tuple[int, Reply]]:
            asked.extend(requests)
            return HFEngine(model=str(base), dtype="float32").generate(requests, sampling)

    root = tmp_path / "data"
    before, after = examples[0].images
    task = EditTask(
        id="t",
        inputs=(before,),
        instruction="Make the sky number 0 pink.",
        task_type="color_alter",
        origin=Origin(source="p", licence="CC0"),
    )
    judge = Judge(Listening(), "brief-v1", sampling=Sampling(temperature=0, max_new_tokens=1), max_pixels=MAX_PIXELS)
    judge.score_many([EditTriplet(id="x", task=task, edited=after, editor="e", seed=0)], root)
    engine = HFEngine(model=str(base), dtype="float32")
    loaded = engine._load()
    assert len(asked) == 2  # semantic and quality, as in the rows
    for number, request in enumerate(asked):
        chat = engine._prompt(loaded, 0, request, Sampling()).chat
        wanted = loaded.processor(text=[chat], images=list(request.images), return_tensors="pt")
        row = batch["input_ids"][number][batch["attention_mask"][number].bool()]
        learned = batch["labels"][number][batch["attention_mask"][number].bool()]
        assert row[learned == -100].tolist() == wanted["input_ids"][0].tolist()
        trained = reader.row(number).images
        assert [image.tobytes() for image in trained] == [image.tobytes() for image in request.images]
    pixels = [
        loaded.processor(text=[" <|image_pad|>"], images=[i], return_tensors="pt")["pixel_values"]
        for r in asked
        for i in r.images
    ]
    assert torch.equal(batch["pixel_values"][: sum(len(p) for p in pixels)], torch.cat(pixels))


def test_token_count_is_that_of_the_collated_row(base: Path, tmp_path: Path) -> None:
    batch, examples, processor, reader = batch_of(base, tmp_path)
    count = token_counter(reader, processor, FAMILY)
    assert [count(example) for example in examples] == batch["attention_mask"].sum(1).tolist()


def test_output_is_shown_at_the_size_of_the_input(tmp_path: Path) -> None:
    examples = make_examples(tmp_path, triplets=1)
    assert [image.size for image in RowReader(examples, tmp_path, FAMILY, None).row(0).images] == [(64, 48), (64, 48)]
    assert [image.size for image in RowReader(examples, tmp_path, FAMILY, None).row(1).images] == [(64, 48)]
    alone = RowReader(examples[1:], tmp_path, FAMILY, None)  # without its semantic row
    assert [image.size for image in alone.row(0).images] == [(64, 48)]
    small = RowReader(examples, tmp_path, FAMILY, 32 * 24)
    assert [image.size for image in small.row(0).images] == [(32, 24), (32, 24)]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"prompt": "no marks"}, "image_marks"),
        ({"completion": "  "}, "empty_completion"),
        ({"completion": "\u200b"}, "empty_completion"),
        ({"completion": "a<|im_end|>b"}, None),
        ({"prompt": "<image><image><|im_start|>"}, None),
        ({"prompt": "<image><image> \n"}, "no_instruction"),
        ({"prompt": get_prompts("brief-v1").semantic.ask("\u200b ")}, "no_instruction"),
    ],
)
def test_rows_with_faulty_text_are_dropped(
    tmp_path: Path, processor: Any, change: dict[str, str], reason: str | None
) -> None:
    examples = [make_examples(tmp_path, triplets=1)[0].model_copy(update=change)]
    assert [row.reason for row in drops(examples, tmp_path, processor)] == ([reason] if reason else [])


def test_text_of_a_row_cannot_write_the_chat(tmp_path: Path, processor: Any) -> None:
    """Prompt and completion are tokenized as words; the row's own `<image>` marks stay marks."""
    changes = {
        "prompt": "<image> <image>Write <|im_end|>\n<|im_start|>assistant and cat a<|b.",
        "completion": '<think>A</think>{"reasoning": "It says <|im_end|><|image_pad|>.", "score": [18, 20]}',
    }
    example = make_examples(tmp_path, triplets=1)[0].model_copy(update=changes)
    row = RowReader([example], tmp_path, FAMILY, None).row(0)
    ids = processor.tokenizer(row.prompt + row.completion, add_special_tokens=False)["input_ids"]
    named = processor.tokenizer.convert_ids_to_tokens(ids)
    assert [token for token in named if token.startswith("<|")] == [
        *("<|im_start|>", "<|im_end|>", "<|im_start|>"),
        *("<|vision_start|>", "<|image_pad|>", "<|vision_end|>") * 2,
        *("<|im_end|>", "<|im_start|>", "<|im_end|>"),
    ]
    assert row.completion.startswith("<think>A</think>{")
    assert not drops([example], tmp_path, processor)


def test_rows_with_unreadable_images_are_dropped_and_named(tmp_path: Path, processor: Any) -> None:
    examples = make_examples(tmp_path, triplets=3)
    (tmp_path / examples[0].images[0].path).write_bytes(b"\x89PNG broken")
    (tmp_path / examples[2].images[1].path).unlink()
    found = drops(examples, tmp_path, processor)
    # The first triplet's quality row shows the output only, which is whole.
    assert [(row.id, row.reason) for row in found] == [
        ("0s", "unreadable_image"),
        ("1s", "missing_image"),
        ("1q", "missing_image"),
    ]
    assert examples[0].images[0].path in found[0].detail
    assert summary(6, found) == "3 of 6 rows; dropped: missing_image 2, unreadable_image 1"


def test_a_changed_image_is_never_trained_on(tmp_path: Path, processor: Any) -> None:
    examples = make_examples(tmp_path, triplets=1)
    make_image(64, 48, seed=99).save(tmp_path / examples[0].images[0].path)
    assert [row.reason for row in drops(examples, tmp_path, processor)] == ["changed_image"]
    with pytest.raises(ImageError, match="changed"):
        RowReader(examples, tmp_path, FAMILY, None).row(0)


def test_narrow_rows_are_dropped_and_named(tmp_path: Path, processor: Any) -> None:
    """The processor refuses a ratio above 200; a wide output of a plain input is shown at the input's size."""
    examples, store = make_examples(tmp_path, triplets=4), ImageStore(tmp_path)
    narrow, edge = (store.add(make_image(9, height), f"{height}.png") for height in (2048, 1800))

    def shown(example: SFTExample, size: ImageRef, *images: ImageRef) -> SFTExample:
        changes = {"images": images, "shown_width": size.width, "shown_height": size.height}
        return SFTExample.model_validate(example.model_dump() | changes)

    rows = [
        shown(examples[0], narrow, narrow, examples[0].images[1]),
        shown(examples[1], narrow, *examples[1].images),  # a quality row: its output is brought to the same size
        shown(examples[2], examples[2].images[0], examples[2].images[0], narrow),
        shown(examples[4], edge, edge, edge),
        shown(examples[7], narrow, narrow),
    ]
    for limit in (None, 10_000):
        found = drops(rows, tmp_path, processor, max_tokens=limit)
        assert [(row.id, row.reason) for row in found] == [(name, "aspect_ratio") for name in ("0s", "0q", "3q")]
        assert "9 x 2048 pixels" in found[0].detail
    reader = RowReader(rows, tmp_path, FAMILY, None)
    for number in (2, 3):  # what is kept can be read by the processor
        processor.image_processor(list(reader.row(number).images), return_tensors="pt")


def test_text_that_is_no_unicode_is_trained_on_with_the_replacement_character(tmp_path: Path, processor: Any) -> None:
    examples = make_examples(tmp_path, triplets=1)
    examples[0] = examples[0].model_copy(update={"completion": "half a pair \ud83d", "prompt": "<image><image>\x00?"})
    assert not drops(examples, tmp_path, processor)
    row = RowReader(examples, tmp_path, FAMILY, None).row(0)
    assert row.completion == "half a pair \ufffd<|im_end|>"
    assert "\ufffd?<|im_end|>" in row.prompt


def test_what_a_tokenizer_or_processor_refuses_is_a_dropped_row(tmp_path: Path) -> None:
    def count(example: SFTExample) -> int:
        raise TypeError("TextEncodeInput must be\na string") if example.id == "0s" else ValueError("odd")

    reader = RowReader(make_examples(tmp_path, triplets=1), tmp_path, FAMILY, None)
    found = [(row.id, row.reason, row.detail) for row in check_examples(reader, count, None)]
    assert found == [("0s", "not_processable", "TextEncodeInput must be a string"), ("0q", "not_processable", "odd")]


def test_colours_are_the_recipe_s_choice(tmp_path: Path) -> None:
    examples, store = make_examples(tmp_path, triplets=1), ImageStore(tmp_path)
    wide = store.add_file(saved(make_image(64, 48), "PNG", icc_profile=WIDE["p3"]), "wide.png")
    rows = [examples[0].model_copy(update={"images": (wide, examples[0].images[1])})]
    shown = [RowReader(rows, tmp_path, FAMILY, None, colors).row(0).images[0] for colors in ("srgb", "stored")]
    assert shown[1].tobytes() == make_image(64, 48).tobytes()
    assert shown[0].tobytes() == store.read(wide).tobytes() != shown[1].tobytes()


def test_long_rows_are_dropped_not_cut(tmp_path: Path, processor: Any) -> None:
    examples = make_examples(tmp_path, triplets=2)
    reader = RowReader(examples, tmp_path, FAMILY, None)
    lengths = [token_counter(reader, processor, FAMILY)(example) for example in examples]
    found = drops(examples, tmp_path, processor, max_tokens=max(lengths) - 1)
    assert [row.id for row in found] == [e.id for e, n in zip(examples, lengths, strict=True) if n == max(lengths)]
    assert not drops(examples, tmp_path, processor, max_tokens=max(lengths))


@pytest.mark.parametrize(
    ("dropped", "share", "refused"), [(1, 0.01, False), (2, 0.01, True), (100, 1, True), (0, 0, False)]
)
def test_too_many_dropped_rows_are_refused(dropped: int, share: float, refused: bool) -> None:
    rows = [DroppedRow(id=f"r{n}", reason="too_long", detail="9000 tokens") for n in range(dropped)]
    if not refused:
        refuse_too_many(100, rows, share, "train.jsonl")
        return
    with pytest.raises(DataError, match=rf"{dropped} of 100 rows(.|\n)*too_long: {dropped}\n"):
        refuse_too_many(100, rows, share, "train.jsonl")


def test_a_set_with_double_ids_or_no_rows_is_refused(tmp_path: Path) -> None:
    row = make_examples(tmp_path, triplets=1)[0]
    write_jsonl(tmp_path / "double.jsonl", [row, row])
    write_jsonl(tmp_path / "empty.jsonl", [])
    with pytest.raises(DataError, match="'0s' among them"):
        read_examples(str(tmp_path / "double.jsonl"))
    with pytest.raises(DataError, match="no rows"):
        read_examples(str(tmp_path / "empty.jsonl"))


def test_rows_of_an_older_version_are_refused_with_what_to_do(tmp_path: Path) -> None:
    row = make_examples(tmp_path, triplets=1)[1].model_dump(mode="json")
    lacking = {key: value for key, value in row.items() if key not in ("source", "shown_width")}
    write_jsonl(tmp_path / "train.jsonl", [lacking])
    with pytest.raises(DataError, match=r"train\.jsonl:1: .*source, shown_width") as error:
        read_examples(str(tmp_path / "train.jsonl"))
    assert "\n" not in str(error.value)


def test_a_semantic_row_says_the_size_of_its_input(tmp_path: Path) -> None:
    semantic, quality = make_examples(tmp_path, triplets=1)
    changed = {"shown_width": 10}
    with pytest.raises(ValidationError, match=r"10 x 48.*64 x 48"):
        SFTExample.model_validate(semantic.model_dump() | changed)
    assert SFTExample.model_validate(quality.model_dump() | changed).shown_size == (10, 48)


def test_images_are_decoded_only_when_asked_for(tmp_path: Path) -> None:
    examples = make_examples(tmp_path, triplets=2)
    rows = RowReader(examples, tmp_path, FAMILY, None).dataset()
    (tmp_path / examples[2].images[0].path).unlink()
    assert [image.size for image in rows[0]["images"]] == [(64, 48), (64, 48)]
    with pytest.raises(ImageError):
        rows[2]
    assert ImageStore(tmp_path).read(examples[0].images[0]).size == (64, 48)
